"""Splits, cross-validation, metrics with intervals, and paired comparisons."""
