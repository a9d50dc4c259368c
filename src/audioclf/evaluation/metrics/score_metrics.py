"""Metrics of scores, for many weightings of the same clips at once.

Each takes true codes and scores and returns a function of weights. Rows are summed one by one, not
by a matrix product, whose last bits depend on the number of rows: so the value of a row does not
depend on the other rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.repeats import Codes, Floats, divided

N_BINS = 10
"""Bins of equal width of the expected calibration error."""

OfWeights = Callable[[Floats], Floats]
"""From weights [shape=(n_rows, n_clips)] to one value for each row."""


def bins_of(top: Floats, n_bins: int) -> Codes:
    """Return the bin of each score in [0, 1], `0..n_bins-1`; a bin holds its upper end."""
    return np.searchsorted(np.arange(1, n_bins) / n_bins, top, side="left")


def _log_loss(y_true: Codes, scores: Floats) -> OfWeights:
    clipped = np.clip(scores, np.finfo(np.float64).eps, 1.0)
    chosen = clipped[np.arange(len(y_true)), y_true] / clipped.sum(axis=1)
    return _mean_of(-np.log(chosen))


def _brier_score(y_true: Codes, scores: Floats) -> OfWeights:
    """Sum squared differences over classes (Brier 1950), halved for two, as scikit-learn does."""
    errors = scores.copy()
    errors[np.arange(len(y_true)), y_true] -= 1.0
    scale = 0.5 if scores.shape[1] == 2 else 1.0
    return _mean_of(scale * (errors**2).sum(axis=1))


def _mean_of(losses: Floats) -> OfWeights:
    return lambda weights: divided((weights * losses).sum(axis=1), weights.sum(axis=1))


def _calibration_error(y_true: Codes, scores: Floats) -> OfWeights:
    """Average the gap between mean top score and accuracy over bins, weighted by their clips.

    Guo et al. 2017, with the bins of equal width of Naeini et al. 2015.
    """
    top = scores.max(axis=1)
    bins = bins_of(top, N_BINS)
    order = np.argsort(bins, kind="stable")
    starts = np.unique(bins[order], return_index=True)[1]
    gaps = ((scores.argmax(axis=1) == y_true) - top)[order]

    def error(weights: Floats) -> Floats:
        by_bin = np.add.reduceat(np.take(weights, order, axis=1) * gaps, starts, axis=1)
        return divided(np.abs(by_bin).sum(axis=1), weights.sum(axis=1))

    return error


@dataclass(frozen=True)
class _AtHits:
    """Weights at each clip of a class, from its highest score down; each [shape=(n_rows, n_hits)].

    `above` is of all clips with a higher score, `upto` of these and the ties, `found` of the clips
    of the class whose score is not lower, `total` [shape=(n_rows,)] of all clips.
    """

    weight: Floats
    above: Floats
    upto: Floats
    found: Floats
    total: Floats


def _one_vs_rest(metric: Callable[[_AtHits], Floats]) -> Callable[[Codes, Floats], OfWeights]:
    """Average a ranking metric over the classes; of two, take the last."""

    def prepare(y_true: Codes, scores: Floats) -> OfWeights:
        n_classes = scores.shape[1]
        columns = [1] if n_classes == 2 else range(n_classes)
        rankings = [_ranking(y_true == column, scores[:, column]) for column in columns]

        def average(weights: Floats) -> Floats:
            total = np.zeros(len(weights))
            for ranking in rankings:
                total += metric(ranking(weights))
            return total / len(rankings)

        return average

    return prepare


def _ranking(truth: NDArray[np.bool_], scores: Floats) -> Callable[[Floats], _AtHits]:
    """Return the function from weights to the weights at the clips of a class."""
    order = np.argsort(-scores, kind="stable")
    falling = -scores[order]
    of_hits = falling[truth[order]]
    first, last = (np.searchsorted(falling, of_hits, side=side) for side in ("left", "right"))
    last_hit = np.searchsorted(of_hits, of_hits, side="right")
    hits = order[truth[order]]
    edges = np.unique(np.concatenate([[0], first, last, [len(order)]]))
    first, last = np.searchsorted(edges, first), np.searchsorted(edges, last)

    def at_hits(weights: Floats) -> _AtHits:
        between = np.add.reduceat(np.take(weights, order, axis=1), edges[:-1], axis=1)
        so_far = _sums_so_far(between)
        weight = np.take(weights, hits, axis=1)
        return _AtHits(
            weight,
            np.take(so_far, first, axis=1),
            np.take(so_far, last, axis=1),
            np.take(_sums_so_far(weight), last_hit, axis=1),
            so_far[:, -1],
        )

    return at_hits


def _sums_so_far(weights: Floats) -> Floats:
    """Return the sum of the first 0, 1, ..., n columns."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _roc_auc(at: _AtHits) -> Floats:
    """Share of pairs in which the hit has the higher score, ties counted half (Fawcett 2006)."""
    hits = at.weight.sum(axis=1)
    won = (at.weight * (at.total[:, None] - (at.above + at.upto) / 2)).sum(axis=1) - hits**2 / 2
    return divided(won, hits * (at.total - hits), np.nan)


def _average_precision(at: _AtHits) -> Floats:
    """Precision at each score, weighted by the recall that it adds, as in scikit-learn."""
    precision = divided(at.found, at.upto)
    return divided((at.weight * precision).sum(axis=1), at.weight.sum(axis=1), np.nan)


SCORE_METRICS: dict[Metric, Callable[[Codes, Floats], OfWeights]] = {
    "roc_auc": _one_vs_rest(_roc_auc),
    "average_precision": _one_vs_rest(_average_precision),
    "log_loss": _log_loss,
    "brier_score": _brier_score,
    "expected_calibration_error": _calibration_error,
}
"""Function of true codes and scores, by the name of the metric."""
