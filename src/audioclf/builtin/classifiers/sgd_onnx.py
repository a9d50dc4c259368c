"""A fitted `SGDClassifier` with its scaler as an ONNX graph of 64-bit operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from audioclf.plugin import OnnxGraph


def to_onnx(estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
    """Return a fitted pipeline of `StandardScaler` and `SGDClassifier` as `onnx.ModelProto`.

    The outputs are those of `Classifier.to_onnx`; decision values of more than two classes are
    less the highest of the row, which their softmax does not change.
    """
    scaler, model = (step for _, step in estimator.steps)
    graph = OnnxGraph()
    centered = graph.op("Sub", graph.cast("features", np.float64), _number(graph, scaler.mean_))
    scaled = graph.op("Div", _rounded(graph, centered), _number(graph, scaler.scale_))
    product = graph.op("MatMul", _rounded(graph, scaled), _number(graph, model.coef_.T))
    decision = graph.op("Add", product, _number(graph, model.intercept_))
    is_binary = len(model.classes_) == 2
    if is_binary:
        above = graph.cast(graph.op("Greater", decision, _number(graph, 0.0)), np.int64)
        label = graph.reshape(above, [-1])
        decision = graph.op("Concat", graph.op("Neg", decision), decision, axis=1)
    else:
        label = graph.op("ArgMax", decision, axis=1, keepdims=0)
        highest = graph.op("ReduceMax", decision, axes=[1], keepdims=1)
    if model.loss == "log_loss":
        rest = graph.op("Exp", graph.op("Neg", graph.op("Abs", decision)))
        log1p = graph.op("Log", graph.op("Add", rest, _number(graph, 1.0)))
        logs = graph.op("Sub", graph.op("Min", decision, _number(graph, 0.0)), log1p)
        values = graph.op("Exp", logs) if is_binary else graph.op("Softmax", logs, axis=1)
    elif model.loss == "modified_huber":
        values = _modified_huber(graph, decision)
    else:
        values = decision if is_binary else graph.op("Sub", decision, highest)
    scores = graph.cast(values, np.float32)
    return graph.to_model(
        {"features": ("float32", ["n_rows", n_columns])},
        {
            "label": (label, "int64", ["n_rows"]),
            "scores": (scores, "float32", ["n_rows", len(model.classes_)]),
        },
        opsets,
    )


def _number(graph: OnnxGraph, value: Any) -> str:
    return graph.constant(value, np.float64)


def _rounded(graph: OnnxGraph, value: str) -> str:
    """Round to 32 bits, as scikit-learn does after each step of the scaler."""
    return graph.cast(graph.cast(value, np.float32), np.float64)


def _modified_huber(graph: OnnxGraph, decision: str) -> str:
    """Normalize the clipped decision values; where all are 0, take the softmax."""
    zero, one, two = (_number(graph, value) for value in (0.0, 1.0, 2.0))
    clipped = graph.op("Clip", decision, _number(graph, -1.0), one)
    shares = graph.op("Div", graph.op("Add", clipped, one), two)
    total = graph.op("ReduceSum", shares, graph.constant([1], np.int64), keepdims=1)
    vanished = graph.op("Equal", total, zero)
    normalized = graph.op("Div", shares, graph.op("Where", vanished, one, total))
    return graph.op("Where", vanished, graph.op("Softmax", decision, axis=1), normalized)
