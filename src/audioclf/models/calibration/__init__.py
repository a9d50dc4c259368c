"""Calibrated scores and abstention, and what they change."""
