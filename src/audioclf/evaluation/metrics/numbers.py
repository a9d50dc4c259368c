"""Metrics of numbers, and of ordered classes by their ranks, on many resamples at once.

All but Spearman's correlation are functions of weighted sums over the clips. Sums are taken around
the mean of all true numbers, so that no digits are lost, and row by row, so that a row does not
depend on the others. A metric is NaN where the true numbers do not differ, except for the errors;
predictions that do not differ have a correlation of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.repeats import Floats, divided

_SMALL = 1e-12
"""Variances below this share of the mean square are rounding errors."""


@dataclass(frozen=True)
class Moments:
    """Weighted means, variances and errors of true and predicted numbers [shape=(n_rows,)]."""

    bias: Floats
    """Mean of predicted minus true."""
    true: Floats
    """Variance of the true numbers, NaN where it is 0."""
    predicted: Floats
    covariance: Floats
    absolute: Floats
    """Mean absolute error."""
    squared: Floats
    """Mean squared error."""


def _pearson(m: Moments) -> Floats:
    return _correlation(m.true, m.predicted, m.covariance)


def _correlation(true: Floats, predicted: Floats, covariance: Floats) -> Floats:
    value = divided(covariance, np.sqrt(true * predicted))
    return np.where(np.isnan(true), np.nan, np.clip(value, -1.0, 1.0))


def _quadratic_kappa(m: Moments) -> Floats:
    """Agreement beyond chance with quadratic weights (Cohen 1968), of ranks.

    The expected disagreement is that of independent ranks with the same frequencies.
    """
    expected = np.nan_to_num(m.true) + m.predicted + m.bias**2
    return 1.0 - divided(m.squared, expected, np.nan)


NUMBER_METRICS: dict[Metric, Callable[[Moments], Floats]] = {
    "ccc": lambda m: divided(2.0 * m.covariance, m.true + m.predicted + m.bias**2, np.nan),
    "mae": lambda m: m.absolute,
    "rmse": lambda m: np.sqrt(m.squared),
    "r2": lambda m: 1.0 - divided(m.squared, m.true, np.nan),
    "pearson": _pearson,
    "quadratic_kappa": _quadratic_kappa,
}
"""Functions of the moments; `ccc` is the concordance correlation coefficient (Lin 1989)."""


def number_scorer(
    y_true: NDArray[Any], y_pred: NDArray[Any], metrics: Sequence[Metric], units: Units
) -> Callable[[Draws], Floats]:
    """Return the function from draws to metrics of numbers [shape=(n_rows, n_metrics)].

    NaN for a row without a clip. Ordered classes are numbers by their codes.
    """
    moments_of = _moments(y_true.astype(np.float64), y_pred.astype(np.float64), units)

    def score(draws: Draws) -> Floats:
        moments = moments_of(draws)
        columns = [
            NUMBER_METRICS[metric](moments)
            if metric in NUMBER_METRICS
            else _spearman(y_true, y_pred, draws.of_clips(units))
            for metric in metrics
        ]
        return np.column_stack([np.empty((len(draws.counts), 0)), *columns])

    return score


def _moments(y_true: Floats, y_pred: Floats, units: Units) -> Callable[[Draws], Moments]:
    center = float(y_true.mean()) if len(y_true) else 0.0
    t, p = y_true - center, y_pred - center
    parts = (np.ones(len(t)), t, p, t * t, p * p, t * p, np.abs(t - p), (t - p) ** 2)
    of_units = [np.bincount(units.codes, units.weighted(part), units.count) for part in parts]

    def moments(draws: Draws) -> Moments:
        n, *sums = [(draws.counts * part).sum(axis=1) for part in of_units]
        true, predicted, tt, pp, tp, absolute, squared = (divided(s, n, np.nan) for s in sums)
        var_true, var_predicted = (
            np.where(variance > _SMALL * square, variance, 0.0)
            for variance, square in ((tt - true**2, tt), (pp - predicted**2, pp))
        )
        return Moments(
            predicted - true,
            np.where(var_true > 0, var_true, np.nan),
            var_predicted,
            tp - true * predicted,
            absolute,
            squared,
        )

    return moments


def _spearman(y_true: NDArray[Any], y_pred: NDArray[Any], weights: Floats) -> Floats:
    """Return the correlation of ranks, with the mean rank for equal numbers [shape=(n_rows,)]."""
    n = weights.sum(axis=1, keepdims=True)
    ranks = [_ranks(values, weights) - (n + 1.0) / 2.0 for values in (y_true, y_pred)]
    true, predicted, both = (
        (weights * a * b).sum(axis=1)
        for a, b in ((ranks[0], ranks[0]), (ranks[1], ranks[1]), (ranks[0], ranks[1]))
    )
    return _correlation(np.where(true > 0, true, np.nan), predicted, both)


def _ranks(values: NDArray[Any], weights: Floats) -> Floats:
    """Return the ranks of clips in each row; a clip with weight w counts w times."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(place.max(initial=-1) + 1))
    tied = np.add.reduceat(np.take(weights, order, axis=1), starts, axis=1)
    ranks: Floats = (np.cumsum(tied, axis=1) - tied / 2.0 + 0.5)[:, place]
    return ranks
