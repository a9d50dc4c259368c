"""ONNX nodes that turn the output of a converted estimator into the scores of the model.

They compute `scores_of_rows` and `calibrated` in 32-bit floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from audioclf.models.bundle.manifest import Manifest
from audioclf.models.calibration.maps import FLOOR
from audioclf.models.calibration.records import Isotonic, Sigmoid, Temperature
from audioclf.models.onnx.names import LABEL, SCORES
from audioclf.models.refusal import RefusedError

TIE = 1e-6
"""Scores that differ by no more are equal; ONNX adds up in 32 bits."""


def with_scores(model: Any, manifest: Manifest, *, sign: float, is_first_of_ties: bool) -> Any:
    """Return a converted estimator whose outputs are `label` and `scores`.

    Its own outputs are codes and probabilities or decision values. `sign` is the order of the two
    columns of decision values for two classes. If `is_first_of_ties`, the label is the first class
    whose score is the highest up to rounding. `RefusedError` if the calibration is not exported.
    """
    from onnx import TensorProto, helper

    label, scores = _renamed_outputs(model.graph)
    graph = _Graph(scores)
    if manifest.scores == "decision":
        if len(manifest.classes) == 2:  # the columns are the decision value and its negative
            graph.at = graph.add("Mul", graph.at, graph.number(sign / 2))
        graph.at = graph.add("Softmax", graph.at, axis=1)
        _agree(graph, label, len(manifest.classes))
    elif is_first_of_ties:
        highest = graph.add("ReduceMax", graph.at, axes=[1], keepdims=1)
        is_top = graph.add("GreaterOrEqual", graph.at, graph.add("Sub", highest, graph.number(TIE)))
        label = graph.add(
            "ArgMax", graph.add("Cast", is_top, to=TensorProto.FLOAT), axis=1, keepdims=0
        )
    if manifest.calibration is not None:
        _calibrate(graph, manifest)
        label = graph.add("ArgMax", graph.at, axis=1, keepdims=0)
    graph.add("Identity", graph.at, name=SCORES)
    graph.add("Identity", label, name=LABEL)
    del model.graph.output[:]
    model.graph.node.extend(graph.nodes)
    model.graph.initializer.extend(graph.constants)
    shape = ["n_rows", len(manifest.classes)]
    model.graph.output.extend(
        [
            helper.make_tensor_value_info(LABEL, TensorProto.INT64, ["n_rows"]),
            helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, shape),
        ]
    )
    return model


def _renamed_outputs(graph: Any) -> tuple[str, str]:
    """Rename the outputs, so that the final names are free, and return the new names."""
    names = {output.name: f"estimator_{number}" for number, output in enumerate(graph.output)}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    label, scores = names.values()
    return label, scores


class _Graph:
    """A chain of nodes; `at` is the output of the last one."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = name or f"audioclf_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def number(self, value: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper

        name = f"audioclf_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name


def _agree(graph: _Graph, label: str, n_classes: int) -> None:
    """Exchange the scores of the label and of the class with the highest one, as `predicted`."""
    top = graph.add("ArgMax", graph.at, axis=1, keepdims=0)
    column, ends = graph.number([1], np.int64), graph.number([0, 1])
    depth = graph.number([n_classes], np.int64)
    (own, own_flag), (highest, top_flag) = (
        (
            graph.add("GatherElements", graph.at, graph.add("Unsqueeze", codes, column), axis=1),
            graph.add("OneHot", codes, depth, ends),
        )
        for codes in (label, top)
    )
    gap = graph.add("Sub", highest, own)
    raised = graph.add("Mul", gap, graph.add("Sub", own_flag, top_flag))
    graph.at = graph.add("Add", graph.at, raised)


def _calibrate(graph: _Graph, manifest: Manifest) -> None:
    assert manifest.calibration is not None
    mapping = manifest.calibration.mapping
    if isinstance(mapping, Isotonic):
        what = "an isotonic calibration is not written as ONNX"
        raise RefusedError("score", what, hint="Train with `calibrate: sigmoid` or `temperature`.")
    if isinstance(mapping, Temperature):
        logs = graph.add("Log", graph.add("Max", graph.at, graph.number(FLOOR)))
        scaled = graph.add("Div", logs, graph.number(mapping.temperature))
        graph.at = graph.add("Softmax", scaled, axis=1)
    else:
        _sigmoid(graph, mapping, len(manifest.classes))


def _sigmoid(graph: _Graph, mapping: Sigmoid, n_classes: int) -> None:
    scores = graph.at
    # The sum of the other classes is more precise than `1 - score` near 1.
    rest = graph.add("MatMul", scores, graph.number(1 - np.eye(n_classes)))
    if n_classes == 2:
        last = graph.number([1], np.int64)
        scores, rest = (graph.add("Gather", each, last, axis=1) for each in (scores, rest))
    ends = graph.number(FLOOR), graph.number(1 - FLOOR)
    logs = [graph.add("Log", graph.add("Clip", each, *ends)) for each in (scores, rest)]
    steep = graph.add("Mul", graph.add("Sub", *logs), graph.number(mapping.slopes))
    curves = graph.add("Sigmoid", graph.add("Add", steep, graph.number(mapping.intercepts)))
    if n_classes == 2:
        first = graph.add("Sub", graph.number(1.0), curves)
        graph.at = graph.add("Concat", first, curves, axis=1)
        return
    total = graph.add("ReduceSum", curves, graph.number([1], np.int64), keepdims=1)
    graph.at = graph.add("Div", curves, total)
