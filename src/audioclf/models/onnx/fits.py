"""Graphs of one fit per class or rank, side by side, up to the scores and labels of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.onnx_graph import OnnxGraph
from audioclf.evaluation.class_fits import ClassColumn, OneFitPerClass
from audioclf.models.calibration.maps import FLOOR, AnyMap
from audioclf.models.calibration.records import Sigmoid
from audioclf.models.onnx.names import INPUT, LABEL, LABELS, SCORES
from audioclf.models.onnx.scores import TIE, first_of_ties, inserted

if TYPE_CHECKING:
    from audioclf.models.bundle.manifest import Manifest


def graph_of_fits(
    fits: OneFitPerClass,
    manifest: Manifest,
    converted: Callable[[Any], Any],
    *,
    sign: float,
    opsets: Mapping[str, int],
) -> Any:
    """Return the graph from rows of features to labels and scores, as `onnx.ModelProto`.

    `converted` makes a graph of an estimator. Several labels are 1 or 0 for each class, the label
    of ordered classes is the position of one. `sign` is the order of the two columns of decision
    values.
    """
    graph = OnnxGraph()
    columns = _columns(graph, fits, manifest, converted, sign)
    if manifest.ordered is not None:
        columns = _of_ranks(graph, columns)
    scores = graph.op("Concat", *columns, axis=1)
    shape: list[int | str] = ["n_rows", len(manifest.classes)]
    if manifest.several is not None:
        if manifest.calibration is not None:
            scores = _calibrated(graph, scores, manifest.calibration.mapping)
        least = graph.constant(np.array(manifest.several.thresholds) - TIE)
        states = graph.cast(graph.op("GreaterOrEqual", scores, least), np.int64)
        label = {LABELS: (states, "int64", shape)}
    else:
        label = {LABEL: (first_of_ties(graph, scores), "int64", shape[:1])}
    return graph.to_model(
        {INPUT: ("float32", ["n_rows", manifest.features.width])},
        {**label, SCORES: (scores, "float32", shape)},
        opsets,
    )


def _columns(
    graph: OnnxGraph,
    fits: OneFitPerClass,
    manifest: Manifest,
    converted: Callable[[Any], Any],
    sign: float,
) -> list[str]:
    """Return the score of each class or rank [shape=(n_rows, 1)]."""
    zeros = graph.op("Mul", _column(graph, INPUT, 0), graph.constant(0.0))
    scores: dict[int, str] = {}
    columns = []
    for code, part in enumerate(fits.estimators):
        if isinstance(part, float):
            columns.append(graph.op("Add", zeros, graph.constant(part)))
            continue
        is_shared = isinstance(part, ClassColumn)
        owner, place = (part.estimator, part.code) if is_shared else (part, 1)
        if id(owner) not in scores:
            value = inserted(graph, converted(owner), f"fit{code}_")[1]
            if isinstance(getattr(owner, "classes_", ()), list):  # (n_classes, n_rows, 2)
                value = graph.op("Gather", value, graph.constant(1, np.int64), axis=2)
                value = graph.op("Transpose", value, perm=[1, 0])
            elif manifest.scores == "decision":  # the decision value and its negative
                value = graph.op("Mul", value, graph.constant(sign / 2))
                value = graph.op("Softmax", value, axis=1)
            scores[id(owner)] = value
        columns.append(_column(graph, scores[id(owner)], place))
    return columns


def _column(graph: OnnxGraph, value: str, place: int) -> str:
    return graph.op("Gather", value, graph.constant([place], np.int64), axis=1)


def _of_ranks(graph: OnnxGraph, above: Sequence[str]) -> list[str]:
    """Return the scores of ordered classes, by the operations of `scores_of_ranks`."""
    low, high = [above[0]], [above[-1]]
    for column in above[1:]:
        low.append(graph.op("Min", low[-1], column))
    for column in reversed(above[:-1]):
        high.insert(0, graph.op("Max", high[0], column))
    half = graph.constant(0.5)
    falling = [
        graph.op("Mul", graph.op("Add", *pair), half) for pair in zip(low, high, strict=True)
    ]
    differences = [graph.op("Sub", *pair) for pair in pairwise(falling)]
    return [graph.op("Sub", graph.constant(1.0), falling[0]), *differences, falling[-1]]


def _calibrated(graph: OnnxGraph, scores: str, mapping: AnyMap) -> str:
    """Return calibrated scores, by the operations of `calibrated_states`."""
    assert isinstance(mapping, Sigmoid)
    slopes, intercepts = np.asarray(mapping.slopes), np.asarray(mapping.intercepts)
    ends = graph.constant(FLOOR), graph.constant(1 - FLOOR)
    clipped = graph.op("Clip", scores, *ends)
    rest = graph.op("Sub", graph.constant(1.0), clipped)
    odds = graph.op("Sub", graph.op("Log", clipped), graph.op("Log", rest))
    line = graph.op("Mul", odds, graph.constant(slopes))
    curve = graph.op("Sigmoid", graph.op("Add", line, graph.constant(intercepts)))
    kept = graph.constant((slopes == 1) & (intercepts == 0), bool)
    return graph.op("Where", kept, scores, curve)
