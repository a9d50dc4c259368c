"""ONNX nodes that turn the output of a converted estimator into the scores of the model.

They compute `scores_of_rows` and `calibrated` in 32-bit floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from audioclf.components.onnx_graph import OnnxGraph
from audioclf.models.bundle.manifest import Manifest
from audioclf.models.calibration.maps import FLOOR
from audioclf.models.calibration.records import Isotonic, Sigmoid
from audioclf.models.onnx.names import INPUT, LABEL, SCORES
from audioclf.models.refusal import RefusedError

TIE = 1e-6
"""Scores that differ by no more are equal; ONNX adds up in 32 bits."""


def with_scores(
    converted: Any,
    manifest: Manifest,
    *,
    sign: float,
    is_first_of_ties: bool,
    opsets: Mapping[str, int],
) -> Any:
    """Return a converted estimator whose outputs are `label` and `scores`.

    Its own outputs are codes and probabilities or decision values. `sign` is the order of the two
    columns of decision values for two classes. If `is_first_of_ties`, the label is the first class
    whose score is the highest up to rounding. `RefusedError` if the calibration is not exported.
    """
    graph = OnnxGraph()
    label, scores = inserted(graph, converted, "estimator_")
    if manifest.scores == "decision":
        if len(manifest.classes) == 2:  # the columns are the decision value and its negative
            scores = graph.op("Mul", scores, graph.constant(sign / 2))
        scores = _agreeing(graph, label, graph.op("Softmax", scores, axis=1), len(manifest.classes))
    elif is_first_of_ties:
        label = first_of_ties(graph, scores)
    if manifest.calibration is not None:
        scores = _calibrated(graph, scores, manifest)
        label = graph.op("ArgMax", scores, axis=1, keepdims=0)
    return graph.to_model(
        {INPUT: ("float32", ["n_rows", manifest.features.width])},
        {
            LABEL: (label, "int64", ["n_rows"]),
            SCORES: (scores, "float32", ["n_rows", len(manifest.classes)]),
        },
        opsets,
    )


def inserted(graph: OnnxGraph, converted: Any, prefix: str) -> list[str]:
    """Add a converted estimator for the rows of features, and return its outputs."""
    (features,) = converted.graph.input
    return graph.inserted(converted, {features.name: INPUT}, prefix)


def first_of_ties(graph: OnnxGraph, scores: str) -> str:
    """Return the code of the first class whose score is the highest up to rounding."""
    highest = graph.op("ReduceMax", scores, axes=[1], keepdims=1)
    is_top = graph.op("GreaterOrEqual", scores, graph.op("Sub", highest, graph.constant(TIE)))
    return graph.op("ArgMax", graph.cast(is_top, np.float32), axis=1, keepdims=0)


def _agreeing(graph: OnnxGraph, label: str, scores: str, n_classes: int) -> str:
    """Exchange the scores of the label and of the class with the highest one, as `predicted`."""
    top = graph.op("ArgMax", scores, axis=1, keepdims=0)
    column, ends = graph.constant([1], np.int64), graph.constant([0, 1])
    depth = graph.constant([n_classes], np.int64)
    (own, own_flag), (highest, top_flag) = (
        (
            graph.op("GatherElements", scores, graph.op("Unsqueeze", codes, column), axis=1),
            graph.op("OneHot", codes, depth, ends),
        )
        for codes in (label, top)
    )
    gap = graph.op("Sub", highest, own)
    return graph.op("Add", scores, graph.op("Mul", gap, graph.op("Sub", own_flag, top_flag)))


def _calibrated(graph: OnnxGraph, scores: str, manifest: Manifest) -> str:
    assert manifest.calibration is not None
    mapping = manifest.calibration.mapping
    if isinstance(mapping, Isotonic):
        what = "an isotonic calibration is not written as ONNX"
        raise RefusedError("score", what, hint="Train with `calibrate: sigmoid` or `temperature`.")
    if isinstance(mapping, Sigmoid):
        return _sigmoid(graph, scores, mapping, len(manifest.classes))
    logs = graph.op("Log", graph.op("Max", scores, graph.constant(FLOOR)))
    scaled = graph.op("Div", logs, graph.constant(mapping.temperature))
    return graph.op("Softmax", scaled, axis=1)


def _sigmoid(graph: OnnxGraph, scores: str, mapping: Sigmoid, n_classes: int) -> str:
    # The sum of the other classes is more precise than `1 - score` near 1.
    rest = graph.op("MatMul", scores, graph.constant(1 - np.eye(n_classes)))
    if n_classes == 2:
        last = graph.constant([1], np.int64)
        scores, rest = (graph.op("Gather", each, last, axis=1) for each in (scores, rest))
    ends = graph.constant(FLOOR), graph.constant(1 - FLOOR)
    logs = [graph.op("Log", graph.op("Clip", each, *ends)) for each in (scores, rest)]
    steep = graph.op("Mul", graph.op("Sub", *logs), graph.constant(mapping.slopes))
    curves = graph.op("Sigmoid", graph.op("Add", steep, graph.constant(mapping.intercepts)))
    if n_classes == 2:
        first = graph.op("Sub", graph.constant(1.0), curves)
        return graph.op("Concat", first, curves, axis=1)
    total = graph.op("ReduceSum", curves, graph.constant([1], np.int64), keepdims=1)
    return graph.op("Div", curves, total)
