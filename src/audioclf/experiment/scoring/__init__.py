"""Detections scored against annotations: tables to a survey, and its metrics to files."""
