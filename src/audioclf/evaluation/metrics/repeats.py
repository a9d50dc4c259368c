"""Test predictions of a pipeline, joined for each repeat of the split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.dataset.targets import Targets
from audioclf.evaluation.results import FoldResult, Predicted

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
States = NDArray[Any]
"""States of pairs of clip and class: 1 yes, 0 no, -1 not labelled."""


@dataclass(frozen=True)
class Repeat:
    """The test predictions of one repeat: codes [shape=(n_test,)], scores [(n_test, n_classes)].

    Scores and decision values are None if a fold has none. With several labels per clip, `y_true`
    and `y_pred` [shape=(n_test, n_classes)] are states, 1 yes, 0 no, -1 not labelled. Numbers are
    float64. `weights` [shape=(n_test,)] are None if all clips count the same. Averages over the
    classes are over `averaged`, or all if it is None.
    """

    test: Codes
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    scores: Floats | None
    decision_values: Floats | None = None
    weights: Floats | None = None
    averaged: Codes | None = None

    @property
    def is_several(self) -> bool:
        """Whether clips have several labels."""
        return self.y_true.ndim == 2

    @property
    def is_numbers(self) -> bool:
        """Whether the labels are numbers."""
        return self.y_true.dtype.kind == "f"

    @property
    def ranks(self) -> Floats | None:
        """Values that order the clips for each class: decision values, or else the scores."""
        return self.scores if self.decision_values is None else self.decision_values

    def at(self, rows: Any) -> Repeat:
        """Return the predictions in these rows, positions or a mask."""
        arrays = (self.scores, self.decision_values, self.weights)
        scores, values, weights = (None if array is None else array[rows] for array in arrays)
        labels = (self.y_true[rows], self.y_pred[rows])
        return Repeat(self.test[rows], *labels, scores, values, weights, self.averaged)


def repeats_of(result: Predicted, targets: Targets) -> list[Repeat]:
    """Return the test predictions of a pipeline in each repeat, in the order of their numbers."""
    by_number: dict[int, list[FoldResult]] = {}
    for fold in result.folds:
        by_number.setdefault(fold.fold.repeat, []).append(fold)
    return [repeat_of(by_number[number], targets) for number in sorted(by_number)]


def repeat_of(folds: Sequence[FoldResult], targets: Targets) -> Repeat:
    """Return the predictions on the test sides of these folds together."""
    test = np.concatenate([fold.fold.test for fold in folds])
    y_pred = np.concatenate([fold.y_pred for fold in folds])
    scores = _joined([fold.scores for fold in folds])
    decision_values = _joined([fold.decision_values for fold in folds])
    weights, averaged = targets.weights_of(test), _averaged(targets)
    return Repeat(test, targets.truth[test], y_pred, scores, decision_values, weights, averaged)


def _averaged(targets: Targets) -> Codes | None:
    """Return the classes that clips have, if a finished model can predict others as well."""
    if targets.class_codes is None or targets.counts.all():
        return None
    return np.flatnonzero(targets.counts)


def distinct(codes: Codes) -> Codes:
    """Return the codes that occur, in their order, sooner than `numpy.unique`."""
    return np.flatnonzero(np.bincount(codes))


def effective_count(codes: Codes, weights: Floats | None) -> int:
    """Return the number of units of clips [shape=(n_clips,)].

    With weights, that of equal units whose mean varies as much (Kish 1965, *Survey Sampling*), by
    the mean weight of the clips of each unit.

    >>> effective_count(np.array([0, 1, 1]), None), effective_count(np.arange(2), np.array([1, 0]))
    (2, 1)
    """
    if weights is None:
        return len(distinct(codes))
    _, places = np.unique(codes, return_inverse=True)
    means = np.bincount(places.ravel(), weights) / np.bincount(places.ravel())
    return int(means.sum() ** 2 / (means**2).sum() + 1e-9) if means.any() else 0


def _joined(parts: Sequence[Floats | None]) -> Floats | None:
    """Return all parts as one array; None if one is missing."""
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if len(present) == len(parts) else None


def mean_where_defined(arrays: Iterable[Floats]) -> Floats:
    """Average arrays of one shape element by element without NaN; NaN where all are.

    The order of addition does not depend on the shape, nor does the mean of a row.
    """
    total: Floats | float = 0.0
    count: Floats | float = 0.0
    for values in arrays:
        defined = ~np.isnan(values)
        total = total + np.where(defined, values, 0.0)
        count = count + defined
    return divided(np.asarray(total), np.asarray(count, dtype=np.float64), np.nan)


def divided(numerator: Floats, denominator: Floats, otherwise: float = 0.0) -> Floats:
    """Divide; the result of a division by 0 is that of scikit-learn by default."""
    filled = np.full_like(numerator, otherwise, dtype=np.float64)
    return np.divide(numerator, denominator, out=filled, where=denominator != 0)
