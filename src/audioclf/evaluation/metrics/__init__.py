"""Metrics with intervals, curves, and scores by class and by subgroup."""
