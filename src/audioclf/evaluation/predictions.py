"""Predictions of a fitted estimator: codes of classes, and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.components.batches import Batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

ScoreKind = Literal["probability", "decision", "none"]
"""Kind of scores: those of `predict_proba`, or the softmax of decision values."""


class ViewAverage:
    """A classifier that is fitted on single views and predicts rows with all views of a clip.

    - `estimator`: fitted on the codes `0..n_classes-1`.
    - `n_views`: number of views in a row, side by side.
    """

    def __init__(self, estimator: Any, n_views: int) -> None:
        self.estimator = estimator
        self.n_views = n_views
        self.classes_ = estimator.classes_

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the class with the highest mean score, or without scores the most votes.

        Of equal classes it is the first.
        """
        n_classes = len(self.classes_)
        scores, _ = self.scores(X, n_classes)
        if scores is None:
            votes = [
                checked_labels(self.estimator.predict(v), len(v), n_classes) for v in self._views(X)
            ]
            scores = np.sum([np.eye(n_classes)[codes] for codes in votes], axis=0)
        codes: NDArray[np.intp] = scores.argmax(axis=1)
        return codes

    def scores(
        self, X: NDArray[np.float32], n_classes: int
    ) -> tuple[NDArray[np.float64] | None, ScoreKind]:
        """Return the mean of the scores of the views, and their kind, as `scores_of_rows`."""
        pairs = [scores_of_rows(self.estimator, view, n_classes) for view in self._views(X)]
        scores = [values for values, _ in pairs if values is not None]
        mean = np.mean(scores, axis=0) if len(scores) == len(pairs) else None
        return mean, pairs[0][1]

    def _views(self, X: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [np.ascontiguousarray(view) for view in np.split(X, self.n_views, axis=1)]


def protected(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that is passed to a classifier, made read-only."""
    array.flags.writeable = False
    return array


def predict_rows(
    estimator: Any, matrix: NDArray[np.float32], rows: NDArray[np.intp], n_classes: int
) -> tuple[NDArray[np.intp], NDArray[np.float64] | None, ScoreKind]:
    """Predict some rows of a matrix, block by block, to save memory."""
    blocks = [
        (
            checked_labels(estimator.predict(protected(X)), len(X), n_classes),
            scores_of_rows(estimator, X, n_classes),
        )
        for X, _ in Batches(matrix, rows, rows, n_classes)
    ]
    kind = blocks[0][1][1]
    scores = [values for _, (values, _) in blocks if values is not None]
    codes = np.concatenate([codes for codes, _ in blocks])
    return codes, np.concatenate(scores) if len(scores) == len(blocks) else None, kind


def checked_labels(y_pred: Any, n_rows: int, n_classes: int) -> NDArray[np.intp]:
    """Return the result of `predict`, if it is one code in `0..n_classes-1` for each row."""
    labels = np.asarray(y_pred)
    if labels.shape != (n_rows,):
        raise ClassifierError(f"predict returned shape {labels.shape} for {n_rows} rows")
    if not np.isin(labels, np.arange(n_classes)).all():
        raise ClassifierError("predict returned labels that it was not fitted on")
    return labels.astype(np.intp)


def scores_of_rows(
    estimator: Any, x_test: NDArray[np.float32], n_classes: int
) -> tuple[NDArray[np.float64] | None, ScoreKind]:
    """Return the scores of a fitted classifier, and their kind.

    - `estimator`: fitted on the codes `0..n_classes-1`.
    - `x_test` ([shape=(n_rows, n_features)], float32)

    Returns an array [shape=(n_rows, n_classes)], float64, or None: in the order of the codes; each
    row sums to 1.
    """
    if isinstance(estimator, ViewAverage):
        return estimator.scores(x_test, n_classes)
    if hasattr(estimator, "predict_proba"):
        proba = np.asarray(estimator.predict_proba(x_test), dtype=np.float64)
        _check_proba(proba, (len(x_test), n_classes))
        return proba[:, np.argsort(estimator.classes_)], "probability"
    if hasattr(estimator, "decision_function"):
        decision = np.asarray(estimator.decision_function(x_test), dtype=np.float64)
        return _squashed(decision, (len(x_test), n_classes)), "decision"
    return None, "none"


def _check_proba(proba: NDArray[np.float64], shape: tuple[int, int]) -> None:
    if proba.shape != shape:
        raise ClassifierError(f"predict_proba returned shape {proba.shape}, expected {shape}")
    if not np.isfinite(proba).all() or (proba < 0).any():
        raise ClassifierError("predict_proba returned negative, NaN or infinite values")
    if not np.allclose(proba.sum(axis=1), 1.0, atol=1e-3):
        raise ClassifierError("predict_proba returned rows that do not sum to 1")


def _squashed(decision: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Map decision values to (0, 1) by the softmax, which preserves their order within a clip."""
    if decision.ndim == 1:
        decision = np.column_stack([-decision / 2, decision / 2])
    if decision.shape != shape or not np.isfinite(decision).all():
        raise ClassifierError(f"decision_function returned {decision.shape}, expected {shape}")
    exponential = np.exp(decision - decision.max(axis=1, keepdims=True))
    squashed: NDArray[np.float64] = exponential / exponential.sum(axis=1, keepdims=True)
    return squashed
