"""Suggestions of windows to review, and estimates from the reviews."""
