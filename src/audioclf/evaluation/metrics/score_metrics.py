"""Metrics of scores, on many resamples at once.

Losses are summed row by row, not by a matrix product, whose last bits depend on the number of rows:
so the value of a row does not depend on the other rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.repeats import Codes, Floats, divided

N_BINS = 10
"""Bins of equal width of the expected calibration error."""

MAX_FPR = 0.1
"""False positive rate up to which `partial_auc` is measured, as in DCASE task 2."""

OfDraws = Callable[[Draws], Floats]
"""From draws to one value for each row."""


def bins_of(top: Floats, n_bins: int) -> Codes:
    """Return the bin of each score in [0, 1], `0..n_bins-1`; a bin holds its upper end."""
    return np.searchsorted(np.arange(1, n_bins) / n_bins, top, side="left")


def _log_loss(y_true: Codes, scores: Floats, units: Units) -> OfDraws:
    clipped = np.clip(scores, np.finfo(np.float64).eps, 1.0)
    chosen = clipped[np.arange(len(y_true)), y_true] / clipped.sum(axis=1)
    return _mean_of(-np.log(chosen), units)


def _brier_score(y_true: Codes, scores: Floats, units: Units) -> OfDraws:
    """Sum squared differences over classes (Brier 1950), halved for two, as scikit-learn does."""
    errors = scores.copy()
    errors[np.arange(len(y_true)), y_true] -= 1.0
    scale = 0.5 if scores.shape[1] == 2 else 1.0
    return _mean_of(scale * (errors**2).sum(axis=1), units)


def _mean_of(losses: Floats, units: Units) -> OfDraws:
    def mean(draws: Draws) -> Floats:
        weights = draws.of_clips(units)
        return divided((weights * losses).sum(axis=1), draws.totals(units))

    return mean


def _calibration_error(y_true: Codes, scores: Floats, units: Units) -> OfDraws:
    """Average the gap between mean top score and accuracy over bins, weighted by their clips.

    Guo et al. 2017, with the bins of equal width of Naeini et al. 2015.
    """
    top = scores.max(axis=1)
    bins = bins_of(top, N_BINS)
    order = np.argsort(bins, kind="stable")
    starts = np.unique(bins[order], return_index=True)[1]
    gaps = ((scores.argmax(axis=1) == y_true) - top)[order]

    def error(draws: Draws) -> Floats:
        weights = draws.of_clips(units)
        by_bin = np.add.reduceat(np.take(weights, order, axis=1) * gaps, starts, axis=1)
        return divided(np.abs(by_bin).sum(axis=1), draws.totals(units))

    return error


@dataclass(frozen=True)
class AtHits:
    """Weights at each clip of a class, from its highest score down; each [shape=(n_rows, n_hits)].

    `above` is of all clips with a higher score, `upto` of these and the ties, `higher` of the clips
    of the class with a higher score, `found` of these and the ties, `total` [shape=(n_rows, 1)] of
    all clips. They are int32 where all are whole.
    """

    weight: NDArray[Any]
    above: NDArray[Any]
    upto: NDArray[Any]
    higher: NDArray[Any]
    found: NDArray[Any]
    total: NDArray[Any]

    @cached_property
    def of_class(self) -> Floats:
        """Sum of the weights of the clips of the class [shape=(n_rows,)]."""
        sums: Floats = self.weight.sum(axis=1, dtype=np.float64)
        return sums

    @property
    def of_others(self) -> Floats:
        """Sum of the weights of all other clips [shape=(n_rows,)]."""
        return self.total[:, 0] - self.of_class

    def weighted_sum(self, of_hits: Floats) -> Floats:
        """Return the sum over the clips of the class of a number of each times its weight."""
        sums: Floats = (self.weight * of_hits).sum(axis=1)
        return sums


def rankings(
    y_true: Codes, scores: Floats, units: Units, classes: Codes | None = None
) -> list[Callable[[Draws], AtHits]]:
    """Return the ranking of each class against the rest; of two classes, that of the last.

    `classes` are the codes of those that are ranked; by default all.
    """
    n_classes = scores.shape[1]
    every = range(n_classes) if classes is None else classes.tolist()
    columns = [1] if n_classes == 2 else every
    return [ranking(y_true == column, scores[:, column], units) for column in columns]


def ranking(truth: NDArray[np.bool_], scores: Floats, units: Units) -> Callable[[Draws], AtHits]:
    """Return the ranking of the clips [shape=(n_clips,)] of a class among all by their scores."""
    order = np.argsort(-scores, kind="stable")
    falling, is_hit = -scores[order], truth[order]
    of_hits, of_others = falling[is_hit], falling[~is_hit]
    first, last = (np.searchsorted(of_others, of_hits, side=side) for side in ("left", "right"))
    first_hit, last_hit = (np.searchsorted(of_hits, of_hits, side=s) for s in ("left", "right"))
    has_ties = not (np.array_equal(first, last) and (last_hit - first_hit == 1).all())
    edges = np.concatenate([[0], first, *([last] if has_ties else []), [len(of_others)]])
    if has_ties:
        edges = np.unique(edges)
        first, last = np.searchsorted(edges, first), np.searchsorted(edges, last)
    hits, between = units.part(order[is_hit]), units.sums_of_runs(order[~is_hit], edges)
    matrices: dict[Any, Any] = {}

    def at_hits(draws: Draws) -> AtHits:
        kind = draws.exact_type(units)
        if kind not in matrices:
            matrices[kind] = between.astype(kind, copy=False)
        counts = draws.counts if kind is np.float64 else draws.as_integers
        weight = hits.weighted(np.take(counts, hits.codes, axis=1, mode="clip"))
        so_far = _sums_so_far(weight, counts.dtype)
        others = _sums_so_far((matrices[kind] @ draws.by_unit_as(kind)).T, counts.dtype)
        total = others[:, -1:] + so_far[:, -1:]
        if has_ties:
            higher, found = (np.take(so_far, ends, axis=1) for ends in (first_hit, last_hit))
            above, upto = (np.take(others, ends, axis=1) for ends in (first, last))
        else:
            higher, found, above = so_far[:, :-1], so_far[:, 1:], others[:, 1:-1]
            upto = above
        return AtHits(weight, above + higher, upto + found, higher, found, total)

    return at_hits


def _sums_so_far(weights: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return the sum of the first 0, 1, ..., n columns."""
    sums = np.zeros((len(weights), weights.shape[1] + 1), dtype=dtype)
    in_rows = np.ascontiguousarray(weights, dtype=dtype)
    np.cumsum(in_rows, axis=1, dtype=dtype, out=sums[:, 1:])
    return sums


def _roc_auc(at: AtHits) -> Floats:
    """Share of pairs in which the hit has the higher score, ties counted half (Fawcett 2006).

    Counted over pairs of a hit with any clip; of the pairs of two hits, half are won.
    """
    hits = at.of_class
    won = at.weighted_sum(at.total - (at.above + at.upto) / 2) - hits**2 / 2
    return divided(won, hits * at.of_others, np.nan)


def _partial_auc(at: AtHits) -> Floats:
    """Area under the ROC curve up to `MAX_FPR`, scaled: 0.5 is chance, 1 perfect (McClish 1989).

    An area of 0 is `(1 - MAX_FPR) / (2 - MAX_FPR)`, the low end of the metric in the table.

    A hit is found from the false positive rate of the higher scores on, or gradually between that
    and the rate with its ties.
    """
    others = at.of_others[:, None]
    first = np.minimum(divided(at.above - at.higher, others, np.nan), MAX_FPR)
    last = divided(at.upto - at.found, others, np.nan)
    end = np.minimum(last, MAX_FPR)
    reached = divided(end - first, last - first)
    area = (end - first) * reached / 2 + (MAX_FPR - end) * np.where(last > first, reached, 1.0)
    chance = MAX_FPR**2 / 2
    mean = divided(at.weighted_sum(area), at.of_class, np.nan)
    return 0.5 * (1 + (mean - chance) / (MAX_FPR - chance))


def _average_precision(at: AtHits) -> Floats:
    """Precision at each score, weighted by the recall that it adds, as in scikit-learn."""
    return divided(at.weighted_sum(divided(at.found, at.upto)), at.of_class, np.nan)


RANK_METRICS: dict[Metric, Callable[[AtHits], Floats]] = {
    "roc_auc": _roc_auc,
    "partial_auc": _partial_auc,
    "average_precision": _average_precision,
}
"""Functions of the ranking of a class, averaged over the classes, by the name of the metric."""

LOSSES: dict[Metric, Callable[[Codes, Floats, Units], OfDraws]] = {
    "log_loss": _log_loss,
    "brier_score": _brier_score,
    "expected_calibration_error": _calibration_error,
}
"""Functions of true codes and scores, by the name of the metric."""
