"""A small honest estimator, and variants that each do one thing wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Nearest(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The class whose mean is nearest."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Nearest:
        self.classes_ = np.unique(y)
        self.means_ = np.array([X[y == code].mean(axis=0) for code in self.classes_])
        return self

    def predict(self, X: Any) -> Any:
        return self.classes_[self._distances(X).argmin(axis=1)]

    def predict_proba(self, X: Any) -> Any:
        distances = self._distances(X)
        nearness = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return nearness / nearness.sum(axis=1, keepdims=True)

    def _distances(self, X: Any) -> Any:
        apart = X[:, None, :].astype(np.float64) - self.means_
        return np.sqrt((apart**2).sum(axis=2))


def centroids_in_onnx(means: Any, opsets: Mapping[str, int]) -> Any:
    """Return `Nearest` with these means as an ONNX model."""
    from onnx import TensorProto, helper, numpy_helper

    constants = [
        numpy_helper.from_array(np.asarray(means, dtype=np.float32), "means"),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array([2]), "two"),
    ]
    nodes = [
        helper.make_node("Unsqueeze", ["features", "one"], ["rows"]),
        helper.make_node("Sub", ["rows", "means"], ["apart"]),
        helper.make_node("Mul", ["apart", "apart"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "two"], ["sums"], keepdims=0),
        helper.make_node("Sqrt", ["sums"], ["distances"]),
        helper.make_node("ArgMin", ["distances"], ["codes"], axis=1, keepdims=0),
        helper.make_node("Neg", ["distances"], ["nearness"]),
        helper.make_node("Softmax", ["nearness"], ["probabilities"], axis=1),
    ]
    n_classes, n_columns = means.shape
    rows = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n_columns])
    outputs = [
        helper.make_tensor_value_info("codes", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", n_classes]),
    ]
    graph = helper.make_graph(nodes, "centroids", [rows], outputs, constants)
    versions = [helper.make_opsetid(domain, number) for domain, number in opsets.items()]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


class Converting(Nearest):
    def __init__(self, random_state: int = 0, powers: tuple[int, ...] = (1, 2)) -> None:
        super().__init__(random_state)
        self.powers = list(powers)


class Binary(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        if len(np.unique(y)) > 2:
            raise ValueError("two classes at most")
        return super().fit(X, y)


class Shaped(Nearest):
    """Compares means over time."""

    def fit(self, X: Any, y: Any, shape: tuple[int, int] | None = None) -> Shaped:
        assert shape is not None
        self.shape_ = shape
        super().fit(X, y)
        return self

    def _distances(self, X: Any) -> Any:
        n_bins, n_frames = self.shape_
        apart = (X[:, None, :].astype(np.float64) - self.means_).reshape(-1, n_frames, n_bins)
        distances = np.sqrt((apart.mean(axis=1) ** 2).sum(axis=1))
        return distances.reshape(len(X), -1)


class Long(Nearest):
    def fit(self, X: Any, y: Any, shape: tuple[int, int] | None = None) -> Long:
        if shape is not None and shape[1] < 4:
            raise ValueError(f"{shape[1]} frames are too few")
        super().fit(X, y)
        return self


class Doubled(Nearest):
    def predict_proba(self, X: Any) -> Any:
        return 2 * super().predict_proba(X)


class Reversed(Nearest):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, ::-1]


class Remembering(Nearest):
    seen: ClassVar[dict[int, int]] = {}

    def predict_proba(self, X: Any) -> Any:
        proba = super().predict_proba(X)
        width = self.seen.setdefault(X.shape[1], proba.shape[1])
        return np.pad(proba, ((0, 0), (0, width - proba.shape[1])))

    def fit(self, X: Any, y: Any) -> Nearest:
        self.seen.setdefault(X.shape[1], len(np.unique(y)))
        return super().fit(X, y)


class Centering(Nearest):
    def _distances(self, X: Any) -> Any:
        return super()._distances(X - X.mean(axis=0))


class Unseeded(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        super().fit(X, y)
        self.means_ += np.random.default_rng().normal(scale=0.1, size=self.means_.shape)
        return self


class OverwritingRows(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        X -= X.mean(axis=0)
        return super().fit(X, y)


class WritingNothing(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        X += 0
        return super().fit(X, y)


class Blind(Nearest):
    def _distances(self, X: Any) -> Any:
        return np.ones((len(X), 1)) * np.arange(len(self.classes_))


class Parallel(Nearest):
    def __init__(self, random_state: int = 0, n_jobs: int = -1) -> None:
        super().__init__(random_state)
        self.n_jobs = n_jobs


class Limiting(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        import threadpoolctl

        threadpoolctl.threadpool_limits(limits=1)
        return super().fit(X, y)


class Chatty(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        os.write(1, b"iteration 1\n")
        return super().fit(X, y)


class Seeding(Nearest):
    def fit(self, X: Any, y: Any) -> Nearest:
        np.random.seed(self.random_state)  # noqa: NPY002
        return super().fit(X, y)
