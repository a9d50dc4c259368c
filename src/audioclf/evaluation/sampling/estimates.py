"""Estimates for all windows of a collection from a reviewed sample, with 95 % intervals.

The intervals are those of the design: they say how much the choice of the windows moves a number of
this collection. They say nothing about other recordings.

In each stratum the share of windows with an event is the Hajek estimate, a mean weighted by the
inverse probabilities (Hajek 1971; Sarndal, Swensson and Wretman 1992, *Model Assisted Survey
Sampling*, section 5.7); with equal probabilities the total is that of Horvitz and Thompson (1952,
*JASA* 47, 663-685). Its interval is Wilson's for the effective number of windows of Kish (1965),
with the finite population correction. Sums over strata get their interval from those of the strata
(MOVER; Zou, Huang and Zhang 2009, *Computational Statistics & Data Analysis* 53, 1080-1085), since
a variance of 0 in a stratum without an event would make the interval too short. Ratios are
those for which the interval of a difference contains 0 (Fieller 1954, in the form of Donner and
Zou 2012, *Statistical Methods in Medical Research* 21, 347-359).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.metrics.bootstrap import wilson_interval
from audioclf.evaluation.metrics.estimate import Estimate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Stratum:
    """The reviewed windows of a stratum, and its number of windows in the collection.

    `low` is the lowest score that a window of it can have, `weights` [shape=(n_reviewed,)] are the
    inverse probabilities, `rows` the places of the reviewed windows in the sample.
    """

    name: str
    low: float
    size: int
    rows: NDArray[np.intp]
    weights: Floats

    @property
    def n_reviewed(self) -> int:
        """Number of reviewed windows."""
        return len(self.rows)

    def total(self, has_event: Bools) -> Estimate:
        """Return the number of windows with an event, from that of each window of the sample."""
        hits = has_event[self.rows]
        n, size = len(hits), self.size
        if n == 0:
            return Estimate(float("nan"), 0.0, float(size))
        share = float(np.average(hits, weights=self.weights))
        known, others = float(hits.sum()), float(n - hits.sum())
        value = min(max(share * size, known), size - others)
        if n >= size:
            return Estimate(value, value, value)
        effective = float(self.weights.sum() ** 2 / (self.weights**2).sum())
        low, high = wilson_interval(share, effective * (size - 1) / (size - n))
        low, high = min(low * size, value), max(high * size, value)
        return Estimate(value, max(low, known), min(high, size - others))


@dataclass(frozen=True)
class Threshold:
    """Numbers of the windows whose score reaches a threshold."""

    score: float
    n_windows: int
    precision: Estimate
    recall: Estimate


def joined(strata: Sequence[Stratum]) -> list[Stratum]:
    """Return strata of which each has a reviewed window, in the order of their scores.

    One without is joined with the next below, the lowest with the one above.
    """
    found: list[Stratum] = []
    waiting: list[Stratum] = []
    for stratum in sorted(strata, key=lambda item: -item.low):
        waiting.append(stratum)
        if stratum.n_reviewed:
            found.append(_merged(waiting))
            waiting = []
    if waiting and found:
        found[-1] = _merged([found[-1], *waiting])
    return found[::-1]


def _merged(strata: Sequence[Stratum]) -> Stratum:
    if len(strata) == 1:
        return strata[0]
    rows = np.concatenate([item.rows for item in strata])
    weights = np.concatenate([item.weights for item in strata])
    low, size = min(item.low for item in strata), sum(item.size for item in strata)
    return Stratum(strata[-1].name, low, size, rows, weights)


def total_of(totals: Sequence[Estimate], factors: Sequence[float] | None = None) -> Estimate:
    """Return a sum of independent estimates, each times a factor, with the interval of MOVER."""
    value = below = above = 0.0
    for item, factor in zip(totals, factors or [1.0] * len(totals), strict=True):
        down, up = item.value - item.low, item.high - item.value
        if factor < 0:
            down, up = up, down
        value += factor * item.value
        below += (factor * down) ** 2
        above += (factor * up) ** 2
    return Estimate(value, value - below**0.5, value + above**0.5)


def share_of(part: Sequence[Estimate], rest: Sequence[Estimate]) -> Estimate:
    """Return the sum of `part` as a share of both sums, with its interval."""
    total = total_of([*part, *rest]).value
    if not part or total <= 0 or not np.isfinite(total):
        return Estimate(float("nan"), 0.0, 1.0)
    if not rest:
        return Estimate(1.0, 1.0, 1.0)
    value = min(max(total_of(part).value / total, 0.0), 1.0)

    def difference(share: float) -> Estimate:
        factors = [1.0 - share] * len(part) + [-share] * len(rest)
        return total_of([*part, *rest], factors)

    low = _crossing(lambda share: difference(share).low, 0.0, value)
    high = _crossing(lambda share: difference(share).high, value, 1.0)
    return Estimate(value, low, high)


def _crossing(function: Callable[[float], float], left: float, right: float) -> float:
    """Return where a decreasing function becomes 0 between two places."""
    for _ in range(40):
        middle = (left + right) / 2
        left, right = (middle, right) if function(middle) > 0 else (left, middle)
    return (left + right) / 2


def at_threshold(strata: Sequence[Stratum], has_event: Bools, score: float) -> Threshold:
    """Return precision and recall of the windows in the strata from a score on."""
    totals = [stratum.total(has_event) for stratum in strata]
    above = [total for stratum, total in zip(strata, totals, strict=True) if stratum.low >= score]
    below = [total for stratum, total in zip(strata, totals, strict=True) if stratum.low < score]
    n_windows = sum(stratum.size for stratum in strata if stratum.low >= score)
    hits = total_of(above)
    ends = (hits.value, hits.low, hits.high)
    value, low, high = (min(max(end / max(n_windows, 1), 0.0), 1.0) for end in ends)
    return Threshold(score, n_windows, Estimate(value, low, high), share_of(above, below))


def more_for_half(strata: Sequence[Stratum]) -> int:
    """Return how many more windows halve the intervals, in the same proportions of the strata.

    The variance of a mean of n of N windows is proportional to 1/n - 1/N.
    """
    more = 0.0
    for stratum in strata:
        n, size = stratum.n_reviewed, stratum.size
        more += 1.0 / (1.0 / size + (1.0 / n - 1.0 / size) / 4.0) - n
    return round(more)
