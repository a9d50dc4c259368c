"""Foundations: errors, text, limits, files, locks, the machine, the process state."""
