"""Names in exported graphs: inputs, outputs, keys of the metadata."""

from __future__ import annotations

WAVEFORM, INPUT = "waveform", "features"
"""Inputs of a graph from sound on, which also gives the features, and of one from features on."""
LABEL, LABELS, SCORES = "label", "labels", "scores"
"""Outputs: the position of a class, or 1 or 0 for each of several labels, and scores."""
DIFFERENCE = "audioclf.largest_difference"
"""Key of the metadata with the largest difference of a score."""
CHECK_SCORES = "audioclf.check_scores"
"""Key of the metadata with the scores of the probe signal, in a bundle."""
GRAPH = "graph.onnx"
"""Member of a bundle with its graph."""
