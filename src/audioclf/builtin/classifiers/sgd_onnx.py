"""A fitted `SGDClassifier` with its scaler as an ONNX graph of 64-bit operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class _Nodes:
    """Nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: Any, output: str = "", **attributes: Any) -> str:
        """Add a node; inputs that are no names become constants. Return the name of its output."""
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        output = output or f"node_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def cast(self, value: str, to: int, output: str = "") -> str:
        return self.add("Cast", value, output=output, to=to)

    def rounded(self, value: str) -> str:
        """Round to 32 bits, as scikit-learn does after each step of the scaler."""
        return self.cast(self.cast(value, TensorProto.FLOAT), TensorProto.DOUBLE)

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def to_onnx(estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
    """Return a fitted pipeline of `StandardScaler` and `SGDClassifier` as `onnx.ModelProto`.

    The outputs are those of `Classifier.to_onnx`; decision values of more than two classes are
    less the highest of the row, which their softmax does not change.
    """
    scaler, model = (step for _, step in estimator.steps)
    graph = _Nodes()
    centered = graph.add("Sub", graph.cast("features", TensorProto.DOUBLE), scaler.mean_)
    scaled = graph.add("Div", graph.rounded(centered), scaler.scale_)
    product = graph.add("MatMul", graph.rounded(scaled), model.coef_.T.astype(np.float64))
    decision = graph.add("Add", product, model.intercept_.astype(np.float64))
    is_binary = len(model.classes_) == 2
    if is_binary:
        above = graph.cast(graph.add("Greater", decision, 0.0), TensorProto.INT64)
        graph.add("Reshape", above, np.array([-1]), output="label")
        decision = graph.add("Concat", graph.add("Neg", decision), decision, axis=1)
    else:
        graph.add("ArgMax", decision, axis=1, keepdims=0, output="label")
        highest = graph.add("ReduceMax", decision, axes=[1], keepdims=1)
    if model.loss == "log_loss":
        rest = graph.add("Exp", graph.add("Neg", graph.add("Abs", decision)))
        log1p = graph.add("Log", graph.add("Add", rest, 1.0))
        logs = graph.add("Sub", graph.add("Min", decision, 0.0), log1p)
        values = graph.add("Exp", logs) if is_binary else graph.add("Softmax", logs, axis=1)
    elif model.loss == "modified_huber":
        values = _modified_huber(graph, decision)
    else:
        values = decision if is_binary else graph.add("Sub", decision, highest)
    graph.cast(values, TensorProto.FLOAT, output="scores")
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n_rows", n_columns])
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["n_rows"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n_rows", len(model.classes_)]),
    ]
    made = helper.make_graph(graph.nodes, "sgd", [features], outputs, graph.constants)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(made, opset_imports=imports, ir_version=8)


def _modified_huber(graph: _Nodes, decision: str) -> str:
    """Normalize the clipped decision values; where all are 0, take the softmax."""
    shares = graph.add("Div", graph.add("Add", graph.add("Clip", decision, -1.0, 1.0), 1.0), 2.0)
    total = graph.add("ReduceSum", shares, np.array([1]), keepdims=1)
    vanished = graph.add("Equal", total, 0.0)
    normalized = graph.add("Div", shares, graph.add("Where", vanished, 1.0, total))
    return graph.add("Where", vanished, graph.add("Softmax", decision, axis=1), normalized)
