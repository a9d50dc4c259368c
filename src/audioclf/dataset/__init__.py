"""Clips, datasets and their sources: files, archives, URLs, tables."""
