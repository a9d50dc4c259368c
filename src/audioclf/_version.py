"""The version of audioclf."""

__version__ = "0.1.0.dev0"
