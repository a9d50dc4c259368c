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

    `others_above` is of the clips of other classes with a higher score, `others_upto` of these and
    the ties, `others` [shape=(n_rows, 1)] of all others. All are int32 where they are whole. `ties`
    are the first tie of each clip within the class, and the clip after the last.
    """

    weight: NDArray[Any]
    others_above: NDArray[Any]
    others_upto: NDArray[Any]
    others: NDArray[Any]
    ties: tuple[Codes, Codes] | None

    @cached_property
    def _so_far(self) -> NDArray[Any]:
        return _sums_so_far(self.weight, self.others.dtype)

    @property
    def higher(self) -> NDArray[Any]:
        """Of the clips of the class with a higher score."""
        return self._so_far[:, :-1] if self.ties is None else self._so_far[:, self.ties[0]]

    @property
    def found(self) -> NDArray[Any]:
        """Of the clips of the class with a higher score, and the ties."""
        return self._so_far[:, 1:] if self.ties is None else self._so_far[:, self.ties[1]]

    @property
    def above(self) -> Any:
        """Of all clips with a higher score."""
        return self.others_above + self.higher

    @property
    def upto(self) -> Any:
        """Of all clips with a higher score, and the ties."""
        return self.others_upto + self.found

    @property
    def total(self) -> Any:
        """Of all clips [shape=(n_rows, 1)]."""
        return self.others + self._so_far[:, -1:]

    @cached_property
    def of_class(self) -> Floats:
        """Sum of the weights of the clips of the class [shape=(n_rows,)]."""
        sums: Floats = self.weight.sum(axis=1, dtype=np.float64)
        return sums

    @cached_property
    def of_others(self) -> Floats:
        """Sum of the weights of all other clips [shape=(n_rows,)]."""
        others: Floats = self.total[:, 0] - self.of_class
        return others

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
    rising = -scores
    order = np.argsort(rising)
    has_ties = not (rising[order[1:]] > rising[order[:-1]]).all()
    if has_ties:  # their order would depend on the algorithm
        order = np.argsort(rising, kind="stable")
    is_hit = truth[order]
    first = last = np.flatnonzero(is_hit) - np.arange(is_hit.sum())
    edges, ties = np.concatenate([[0], first, [len(truth) - len(first)]]), None
    if has_ties:
        of_hits, of_others = rising[order[is_hit]], rising[order[~is_hit]]
        first, last = (np.searchsorted(of_others, of_hits, side=s) for s in ("left", "right"))
        edges = np.unique(np.concatenate([[0], first, last, [len(of_others)]]))
        first, last = np.searchsorted(edges, first), np.searchsorted(edges, last)
        ties = np.searchsorted(of_hits, of_hits), np.searchsorted(of_hits, of_hits, side="right")
    hits, between = units.part(order[is_hit]), units.sums_of_runs(order[~is_hit], edges)

    def at_hits(draws: Draws) -> AtHits:
        counts = draws.as_integers if draws.are_whole(units) else draws.counts
        weight = hits.weighted(np.take(counts, hits.codes, axis=1, mode="clip"))
        others = _sums_so_far(draws.sums(between, units).T, counts.dtype)
        if ties is None:
            above = upto = others[:, 1:-1]
        else:
            above, upto = (np.take(others, places, axis=1) for places in (first, last))
        return AtHits(weight, above, upto, others[:, -1:], ties)

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
    if at.others.dtype.kind == "i":  # exact, so it may be added up in any way
        lost = np.multiply(at.weight, at.others_above + at.others_upto, dtype=np.float64)
        won = hits * at.of_others - lost.sum(axis=1) / 2
    else:
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
