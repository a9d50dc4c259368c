"""Metrics of scores on the inner folds of a search that lack a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.plugin import SearchMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PartialScorer:
    """A metric of scores on an inner fold that lacks a class; greater is better.

    Classes that the training side lacks have the score 0; rank metrics are averaged over the
    classes that the test side holds.
    """

    def __init__(self, metric: SearchMetric, classes: NDArray[np.intp]) -> None:
        self.metric = metric
        self.classes = classes

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the metric of an estimator on the test side."""
        from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

        scores = self._scores(estimator, X)
        if self.metric == "log_loss":
            scores = np.clip(scores, np.finfo(float).eps, 1.0)
            scores /= scores.sum(axis=1, keepdims=True)
            return -float(log_loss(y, scores, labels=self.classes))
        rank = roc_auc_score if self.metric == "roc_auc" else average_precision_score
        held = [(y == code, column) for code, column in zip(self.classes, scores.T, strict=True)]
        return float(np.mean([rank(truth, column) for truth, column in held if truth.any()]))

    def _scores(self, estimator: Any, X: Any) -> NDArray[np.float64]:
        if self.metric == "log_loss" or hasattr(estimator, "predict_proba"):
            values, absent = np.asarray(estimator.predict_proba(X)), 0.0
        else:
            values, absent = np.asarray(estimator.decision_function(X)), -np.inf
        if values.ndim == 1:
            values = np.column_stack([-values, values])
        absent = min(absent, values.min() - 1) if absent else 0.0
        scores = np.full((len(values), len(self.classes)), absent)
        scores[:, np.searchsorted(self.classes, estimator.classes_)] = values
        return scores
