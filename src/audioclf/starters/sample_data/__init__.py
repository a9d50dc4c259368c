"""Small datasets that each show one effect."""
