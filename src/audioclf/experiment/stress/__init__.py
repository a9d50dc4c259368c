"""Stress test: how much changes of the sound cost a pipeline of a run, or a saved model."""
