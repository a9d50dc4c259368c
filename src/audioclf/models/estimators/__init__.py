"""Fitted estimators as data that executes nothing when it is loaded."""
