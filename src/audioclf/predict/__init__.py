"""Predictions for many recordings: inputs, windows, events, output formats."""
