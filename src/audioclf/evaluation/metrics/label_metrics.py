"""Metrics of predicted labels, on many resamples at once.

All are functions of three numbers of each class: its clips, its predictions, and its correct
predictions. Sums of whole weights are exact in any order. A metric is NaN if there is no clip of a
class that it needs; any other 0 / 0 is 0, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.repeats import Codes, Floats, divided


@dataclass(frozen=True)
class Tally:
    """Weights of the correct predictions, clips and predictions [shape=(n_rows, n_classes)]."""

    hits: Floats
    true: Floats
    predicted: Floats

    def of(self, classes: Codes) -> Tally:
        """Return the columns of some classes."""
        return Tally(*(getattr(self, each.name)[:, classes] for each in fields(self)))

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


def tallier(y_true: Codes, y_pred: Codes, n_classes: int, units: Units) -> Callable[[Draws], Tally]:
    """Return the function that counts the clips [shape=(n_clips,)] of the drawn units."""
    pairs, sum_pairs = units.sums_of_groups(y_true * n_classes + y_pred)
    true, predicted = np.divmod(pairs, n_classes)
    right = true == predicted
    by_class = [
        Units(np.arange(len(pairs)), len(pairs)).sums_of_groups(c) for c in (true, predicted)
    ]

    def tally(draws: Draws) -> Tally:
        by_pair = draws.sums(sum_pairs, units).astype(np.float64)
        hits, *totals = np.zeros((3, n_classes, by_pair.shape[1]))
        hits[true[right]] = by_pair[right]
        for total, (present, sum_class) in zip(totals, by_class, strict=True):
            total[present] = sum_class @ by_pair
        return Tally(*(np.ascontiguousarray(sums.T) for sums in (hits, *totals)))

    return tally


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
