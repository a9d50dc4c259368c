"""Predictions of a fitted estimator: codes of classes and scores, or numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.components.batches import Batches
from audioclf.evaluation.label_rules import computed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ScoreKind = Literal["probability", "decision", "none"]
"""Kind of scores: those of `predict_proba`, or the softmax of decision values."""


class Predictions(NamedTuple):
    """Codes or numbers [shape=(n_rows,)] and scores [(n_rows, n_classes)] of rows, which sum to 1.

    Decision values rank rows where the scores saturate; they are None where the scores rank them.
    """

    codes: NDArray[Any]
    scores: NDArray[np.float64] | None
    kind: ScoreKind
    decision_values: NDArray[np.float64] | None = None


Outputs = tuple["NDArray[np.float64] | None", ScoreKind, "NDArray[np.float64] | None"]
"""Scores, their kind, and decision values."""


class ViewAverage:
    """A classifier that is fitted on single views and predicts rows with all views side by side."""

    def __init__(self, estimator: Any, n_views: int) -> None:
        self.estimator = estimator
        self.n_views = n_views
        self.classes_ = getattr(estimator, "classes_", ())  # none for numbers

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the first class with the highest mean score, or without scores the most votes."""
        n_classes = len(self.classes_)
        scores, _ = self.scores(X, n_classes)
        if scores is None:
            votes = [
                checked_labels(self.estimator.predict(v), len(v), n_classes) for v in self._views(X)
            ]
            scores = np.sum([np.eye(n_classes)[codes] for codes in votes], axis=0)
        codes: NDArray[np.intp] = scores.argmax(axis=1)
        return codes

    def outputs(self, X: NDArray[np.float32], n_classes: int) -> Outputs:
        """Return the means of scores and of decision values over the views."""
        views = [_outputs(self.estimator, view, n_classes) for view in self._views(X)]
        scores = _if_all([scores for scores, _, _ in views], _mean)
        return scores, views[0][1], _if_all([values for _, _, values in views], _mean)

    def scores(
        self, X: NDArray[np.float32], n_classes: int
    ) -> tuple[NDArray[np.float64] | None, ScoreKind]:
        """Return the mean of the scores of the views, and their kind, as `scores_of_rows`."""
        return self.outputs(X, n_classes)[:2]

    def numbers(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the mean of the predicted numbers of the views."""
        return _mean([numbers_of_rows(self.estimator, view) for view in self._views(X)])

    def _views(self, X: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [np.ascontiguousarray(view) for view in np.split(X, self.n_views, axis=1)]


def spread(
    values: NDArray[np.float64] | None, present: NDArray[np.intp], n_classes: int, *, absent: float
) -> NDArray[np.float64] | None:
    """Return one column for each class; those of classes that are not in `present` are filled."""
    if values is None:
        return None
    spread = np.full((len(values), n_classes), absent)
    spread[:, present] = values
    return spread


def protected(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that is passed to a classifier, made read-only."""
    array.flags.writeable = False
    return array


def predict_rows(
    estimator: Any, matrix: NDArray[np.float32], rows: NDArray[np.intp], n_classes: int
) -> Predictions:
    """Predict some rows of a matrix, block by block, to save memory."""
    blocks = [
        predicted(estimator, protected(X), n_classes)
        for X, _ in Batches(matrix, rows, rows, n_classes)
    ]
    return Predictions(
        np.concatenate([block.codes for block in blocks]),
        _if_all([block.scores for block in blocks], np.concatenate),
        blocks[0].kind,
        _if_all([block.decision_values for block in blocks], np.concatenate),
    )


def predicted(estimator: Any, X: NDArray[np.float32], n_classes: int) -> Predictions:
    """Return labels and scores of rows, of which the score of the label is the highest.

    Some classifiers predict by another rule than their decision values, as the `SVC` of
    scikit-learn by the votes of pairs of classes. Then the label and the highest class exchange
    their scores.
    """
    if isinstance(estimator, ViewAverage):
        scores, kind, decision_values = _outputs(estimator, X, n_classes)
        codes = estimator.predict(X) if scores is None else scores.argmax(axis=1)
    else:
        labels, scored, rows = computed(estimator, X)
        codes = checked_labels(labels, len(X), n_classes)
        scores, kind, decision_values = _outputs(scored, rows, n_classes)
    if kind == "decision" and scores is not None:
        scores = _agreeing(scores, codes)
    return Predictions(codes, scores, kind, decision_values)


def predict_numbers(
    estimator: Any, matrix: NDArray[np.float32], rows: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Predict the numbers of some rows of a matrix, block by block, to save memory."""
    blocks = [numbers_of_rows(estimator, protected(X)) for X, _ in Batches(matrix, rows, rows, 1)]
    return np.concatenate(blocks)


def numbers_of_rows(estimator: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the number that a regressor predicts for each row, if all are finite."""
    if isinstance(estimator, ViewAverage):
        return estimator.numbers(X)
    numbers = np.asarray(estimator.predict(X), dtype=np.float64)
    if numbers.shape != (len(X),):
        raise ClassifierError(f"predict returned shape {numbers.shape} for {len(X)} rows")
    if not np.isfinite(numbers).all():
        raise ClassifierError("predict returned a number that is not finite")
    return numbers


def _agreeing(scores: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    rows, top = np.arange(len(scores)), scores.argmax(axis=1)
    highest, own = scores[rows, top], scores[rows, codes]
    agreeing = scores.copy()
    agreeing[rows, top] = own
    agreeing[rows, codes] = highest
    return agreeing


def _mean(arrays: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(arrays, axis=0)
    return mean


def _if_all(
    arrays: list[NDArray[np.float64] | None],
    joined: Callable[[list[NDArray[np.float64]]], NDArray[np.float64]],
) -> NDArray[np.float64] | None:
    """Join arrays; None if one is missing."""
    present = [array for array in arrays if array is not None]
    return joined(present) if len(present) == len(arrays) else None


def checked_labels(y_pred: Any, n_rows: int, n_classes: int) -> NDArray[np.intp]:
    """Return the result of `predict`, if it is one code in `0..n_classes-1` for each row."""
    labels = np.asarray(y_pred)
    if labels.dtype.kind in "USO":
        labels = _as_codes(labels)
    if labels.shape != (n_rows,):
        raise ClassifierError(f"predict returned shape {labels.shape} for {n_rows} rows")
    if not np.isin(labels, np.arange(n_classes)).all():
        raise ClassifierError("predict returned labels that it was not fitted on")
    return labels.astype(np.intp)


def scores_of_rows(
    estimator: Any, x_test: NDArray[np.float32], n_classes: int
) -> tuple[NDArray[np.float64] | None, ScoreKind]:
    """Return scores [shape=(n_rows, n_classes)], float64, of a fitted classifier, and the kind."""
    return _outputs(estimator, x_test, n_classes)[:2]


def _outputs(estimator: Any, x_test: NDArray[np.float32], n_classes: int) -> Outputs:
    """Return scores, their kind, and the decision values by which rank metrics order rows.

    Scores that are a softmax of decision values saturate at 0 and 1, which makes unequal rows
    equal. Probabilities rank rows themselves, unless the estimator `ranks_by_decision_function`.
    """
    if isinstance(estimator, ViewAverage):
        return estimator.outputs(x_test, n_classes)
    if hasattr(estimator, "class_outputs"):  # `OrderedFits`
        outputs: Outputs = estimator.class_outputs(x_test)
        return outputs
    if hasattr(estimator, "predict_proba"):
        proba = np.asarray(estimator.predict_proba(x_test), dtype=np.float64)
        _check_proba(proba, (len(x_test), n_classes))
        values = None
        if getattr(estimator, "ranks_by_decision_function", False):
            values = _decision_values(estimator, x_test, n_classes)
        return proba[:, _order_of_columns(estimator, n_classes)], "probability", values
    if hasattr(estimator, "decision_function"):
        from scipy.special import softmax

        values = _decision_values(estimator, x_test, n_classes)
        scores = softmax(values / 2 if n_classes == 2 else values, axis=1)
        return scores, "decision", values
    return None, "none", None


def _decision_values(
    estimator: Any, x_test: NDArray[np.float32], n_classes: int
) -> NDArray[np.float64]:
    """Return one column per code; for two classes, the value and its negative."""
    decision = np.asarray(estimator.decision_function(x_test), dtype=np.float64)
    if decision.ndim == 1:
        decision = np.column_stack([-decision, decision])
    if decision.shape != (len(x_test), n_classes) or not np.isfinite(decision).all():
        raise ClassifierError(
            f"decision_function returned {decision.shape}, expected {(len(x_test), n_classes)}"
        )
    return decision[:, _order_of_columns(estimator, n_classes)]


def _order_of_columns(estimator: Any, n_classes: int) -> NDArray[np.intp]:
    """Return the column of each code, by the `classes_` of an estimator."""
    codes = _as_codes(np.asarray(getattr(estimator, "classes_", np.arange(n_classes))))
    if not np.array_equal(np.sort(codes), np.arange(n_classes)):
        raise ClassifierError(f"classes_ is {codes.tolist()}, expected 0 to {n_classes - 1}")
    return np.argsort(codes)


def _as_codes(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Return labels as numbers; a classifier may turn them into text."""
    try:
        return labels.astype(np.intp)
    except (TypeError, ValueError) as exc:
        raise ClassifierError("it has labels that it was not fitted on") from exc


def _check_proba(proba: NDArray[np.float64], shape: tuple[int, int]) -> None:
    if proba.shape != shape:
        raise ClassifierError(f"predict_proba returned shape {proba.shape}, expected {shape}")
    if not np.isfinite(proba).all() or (proba < 0).any():
        raise ClassifierError("predict_proba returned negative, NaN or infinite values")
    if not np.allclose(proba.sum(axis=1), 1.0, atol=1e-3):
        raise ClassifierError("predict_proba returned rows that do not sum to 1")
