"""Samples of windows with known probabilities, and estimates from them."""
