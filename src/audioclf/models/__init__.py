"""Trained models: the bundle that holds one, and prediction with it."""
