"""Metrics of detected events against annotated ones, with intervals over recordings."""
