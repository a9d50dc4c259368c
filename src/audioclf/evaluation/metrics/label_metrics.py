"""Metrics of predicted labels, for many weightings of the same clips at once.

All are functions of three numbers of each class: its clips, its predictions, and its correct
predictions. Sums of whole weights are exact in any order. A metric is NaN if there is no clip of a
class that it needs; any other 0 / 0 is 0, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.repeats import Codes, Floats, Repeat, divided


@dataclass(frozen=True)
class Tally:
    """Weights of the correct predictions, clips and predictions [shape=(n_rows, n_classes)]."""

    hits: Floats
    true: Floats
    predicted: Floats

    @property
    def precisions(self) -> Floats:
        """Precision of each class [shape=(n_rows, n_classes)]; 0 if it is not predicted."""
        return divided(self.hits, self.predicted)

    @property
    def recalls(self) -> Floats:
        """Recall of each class [shape=(n_rows, n_classes)]; 0 without a clip."""
        return divided(self.hits, self.true)

    @property
    def f1s(self) -> Floats:
        """F1 of each class [shape=(n_rows, n_classes)]; 0 without clip and prediction."""
        return divided(2 * self.hits, self.true + self.predicted)


def tallier(repeat: Repeat, n_classes: int) -> Callable[[Floats], Tally]:
    """Return the function from weights [shape=(n_rows, n_test)] to a tally."""
    pairs, pair_of_clip = np.unique(repeat.y_true * n_classes + repeat.y_pred, return_inverse=True)
    true, predicted = np.divmod(pairs, n_classes)
    sum_pairs = _grouped(pair_of_clip, len(pairs))
    sum_true, sum_predicted = _grouped(true, n_classes), _grouped(predicted, n_classes)
    right = true == predicted

    def tally(weights: Floats) -> Tally:
        by_pair = sum_pairs(weights)
        hits = np.zeros((len(weights), n_classes))
        hits[:, true[right]] = by_pair[:, right]
        return Tally(hits, sum_true(by_pair), sum_predicted(by_pair))

    return tally


def _grouped(codes: Codes, n_groups: int) -> Callable[[Floats], Floats]:
    """Return the function that sums the columns of each group."""
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)

    def sum_groups(weights: Floats) -> Floats:
        sums = np.zeros((len(weights), n_groups))
        sums[:, present] = np.add.reduceat(np.take(weights, order, axis=1), starts, axis=1)
        return sums

    return sum_groups


def _accuracy(tally: Tally) -> Floats:
    return divided(tally.hits.sum(axis=1), tally.true.sum(axis=1))


def _balanced_accuracy(tally: Tally) -> Floats:
    """Average recall over the classes that occur (Brodersen et al. 2010)."""
    return _mean_of(tally.recalls, tally.true > 0)


def _macro(per_class: Callable[[Tally], Floats]) -> Callable[[Tally], Floats]:
    """Average over the classes with a clip or a prediction, as scikit-learn does."""
    return lambda tally: _mean_of(per_class(tally), (tally.true + tally.predicted) > 0)


def _mean_of(values: Floats, where: np.ndarray) -> Floats:
    return divided((values * where).sum(axis=1), where.sum(axis=1, dtype=np.float64))


def _of_last(per_class: Callable[[Tally], Floats]) -> Callable[[Tally], Floats]:
    """Take the last class; NaN without a clip of it."""
    return lambda tally: np.where(tally.true[:, -1] > 0, per_class(tally)[:, -1], np.nan)


def _f1_weighted(tally: Tally) -> Floats:
    return divided((tally.f1s * tally.true).sum(axis=1), tally.true.sum(axis=1))


def _matthews(tally: Tally) -> Floats:
    """Correlate truth and prediction over k classes (Gorodkin 2004); NaN if one class is true."""
    total = tally.true.sum(axis=1)
    covariance = tally.hits.sum(axis=1) * total - (tally.true * tally.predicted).sum(axis=1)
    spread_true = total**2 - (tally.true**2).sum(axis=1)
    spread_predicted = total**2 - (tally.predicted**2).sum(axis=1)
    correlation = divided(covariance, np.sqrt(spread_true * spread_predicted))
    return np.where(spread_true > 0, correlation, np.nan)


LABEL_METRICS: dict[Metric, Callable[[Tally], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _of_last(lambda tally: tally.f1s),
    "f1_macro": _macro(lambda tally: tally.f1s),
    "f1_weighted": _f1_weighted,
    "precision": _of_last(lambda tally: tally.precisions),
    "precision_macro": _macro(lambda tally: tally.precisions),
    "recall": _of_last(lambda tally: tally.recalls),
    "recall_macro": _macro(lambda tally: tally.recalls),
    "matthews_corrcoef": _matthews,
}
"""One value for each row of a tally."""
