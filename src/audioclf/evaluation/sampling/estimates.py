"""Estimates for all windows of a collection from a reviewed sample, with 95 % intervals.

The intervals are those of the design: they say how much the choice of the windows moves a number of
this collection. They say nothing about other recordings.

In each stratum the share of windows with an event is the Hajek estimate, a mean weighted by the
inverse probabilities (Hajek 1971; Sarndal, Swensson and Wretman 1992, *Model Assisted Survey
Sampling*, section 5.7); with equal probabilities the total is that of Horvitz and Thompson (1952,
*JASA* 47, 663-685). The reviewed windows of a stratum count as binomial trials, as many as the
effective number of Kish (1965) with the finite population correction.

An interval of a sum or ratio over strata holds the values whose profile likelihood is near that of
the estimate (Venzon and Moolgavkar 1988, *Applied Statistics* 37, 87-94). Strata without an event
share one upper end there; sums of their own intervals are far too long, and variances of 0 too
short. Where no reviewed window of a sum has an event, or each has, the end is that of the mid-p
rule (Lancaster 1961, *JASA* 56, 223-234): with none of n windows, about 3 in n. Strata of which all
windows were reviewed do not count for this. So it is for one side of a ratio without an event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.metrics.bootstrap import CONFIDENCE_LEVEL
from audioclf.evaluation.metrics.estimate import Estimate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_LARGEST, _FAR = 1e15, 100.0
_QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2)
_QUANTILE_ALIKE = math.sqrt(-2 * math.log(1 - CONFIDENCE_LEVEL))
"""That of the mid-p rule: the likelihood of windows that are all alike falls to 5 %."""


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

    def trials(self, has_event: Bools) -> tuple[float, float, float, float]:
        """Return the share with an event, the effective trials, and the fewest and most events.

        The number of trials is infinite where all windows were reviewed.
        """
        hits, n, size = has_event[self.rows], self.n_reviewed, self.size
        least, most = float(hits.sum()), float(size - n + hits.sum())
        share = min(max(float(np.average(hits, weights=self.weights)) * size, least), most) / size
        if n >= size:
            return share, math.inf, least, most
        effective = float(self.weights.sum() ** 2 / (self.weights**2).sum())
        return share, effective * (size - 1) / (size - n), least, most


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


def total_of(strata: Sequence[Stratum], has_event: Bools) -> Estimate:
    """Return the number of windows with an event, from that of each window of the sample."""
    sums = _Sums.of(strata, has_event)
    value, (least, most) = sums.value(sums.sizes), sums.bounds

    def deviation(total: float) -> float:
        return sums.deviation(sums.sizes, total)

    below, above = (_QUANTILE_ALIKE if is_end else _QUANTILE for is_end in sums.alike)
    low = _crossing(lambda total: deviation(total) - below, float(least.sum()), value)
    high = _crossing(lambda total: deviation(total) + above, value, float(most.sum()))
    return Estimate(value, low, high)


def share_of(part: Sequence[Stratum], rest: Sequence[Stratum], has_event: Bools) -> Estimate:
    """Return the events of `part` as a share of those of both, with its interval.

    A share is in the interval if the difference of both sides, each times that of the other, may
    be 0 (Fieller 1954).
    """
    sums = _Sums.of([*part, *rest], has_event)
    is_part = np.arange(len(sums.sizes)) < len(part)
    total = sums.value(sums.sizes)
    if not part or not total > 0:
        return Estimate(float("nan"), 0.0, 1.0)
    if not rest:
        return Estimate(1.0, 1.0, 1.0)
    value = sums.value(np.where(is_part, sums.sizes, 0.0)) / total

    def deviation(share: float) -> float:
        return sums.deviation(np.where(is_part, 1.0 - share, -share) * sums.sizes, 0.0)

    quantiles = [
        _QUANTILE_ALIKE if not sums.shares[side].any() else _QUANTILE
        for side in (~is_part, is_part)
    ]
    ends = []  # as the reviewed windows allow
    for of_part, of_rest in (sums.bounds, sums.bounds[::-1]):
        mine, others = float(of_part[is_part].sum()), float(of_rest[~is_part].sum())
        ends.append(mine / (mine + others) if mine + others > 0 else value)
    low = _crossing(lambda share: deviation(share) - quantiles[0], ends[0], value)
    high = _crossing(lambda share: deviation(share) + quantiles[1], value, ends[1])
    return Estimate(value, low, high)


@dataclass(frozen=True)
class _Sums:
    """Shares with an event in strata, from `n` trials each, for sums of them.

    `bounds` are the fewest and the most windows with an event. All arrays [shape=(n_strata,)].
    """

    sizes: Floats
    shares: Floats
    n: Floats
    bounds: tuple[Floats, Floats]

    @classmethod
    def of(cls, strata: Sequence[Stratum], has_event: Bools) -> _Sums:
        rows = np.array([item.trials(has_event) for item in strata]).reshape(-1, 4)
        shares, n, least, most = rows.T
        sizes = np.array([item.size for item in strata], dtype=np.float64)
        return cls(sizes, shares, n, (least, most))

    @property
    def alike(self) -> tuple[bool, bool]:
        """Whether each trial is an event, and whether none is, of strata that are not known."""
        shares = self.shares[np.isfinite(self.n)]
        return bool((shares == 1.0).all()), bool((shares == 0.0).all())

    def value(self, factors: Floats) -> float:
        """Return the sum of the shares, each times its factor."""
        return float(np.dot(factors, self.shares))

    def deviation(self, factors: Floats, total: float) -> float:
        """Return the signed root of the deviance of the likeliest shares with this sum.

        It is above 0 where the estimate of the sum is. Shares that are known stay what they are.
        """
        from scipy.special import rel_entr

        known = np.isinf(self.n)
        difference = self.value(factors) - total
        left = total - float(np.dot(factors[known], self.shares[known]))
        shares, n = self.shares[~known], self.n[~known]
        likeliest = _likeliest(shares, n, factors[~known], left)
        deviance = n * (rel_entr(shares, likeliest) + rel_entr(1 - shares, 1 - likeliest))
        return math.copysign(min(math.sqrt(2 * max(float(deviance.sum()), 0.0)), _FAR), difference)


def _likeliest(shares: Floats, n: Floats, factors: Floats, total: float) -> Floats:
    """Return the shares of binomial trials that are likeliest if their sum has this value.

    They maximize the likelihood by the method of Lagrange: for each multiplier, the share of a
    stratum solves a quadratic equation, and the sum falls with the multiplier.
    """
    from scipy.optimize import brentq

    def at(multiplier: float) -> Floats:
        m = multiplier * factors / n
        root = np.sqrt(np.maximum((1 + m) ** 2 - 4 * m * shares, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):  # the form without cancellation
            solution = np.where(m > -1, 2 * shares / (1 + m + root), (1 + m - root) / (2 * m))
        return np.asarray(np.clip(solution, 0.0, 1.0))

    def surplus(multiplier: float) -> float:
        return float(np.dot(factors, at(multiplier))) - total

    ends = [-1e-3, 1e-3]
    for side, sign in enumerate((1.0, -1.0)):
        while sign * surplus(ends[side]) <= 0:
            if abs(ends[side]) > _LARGEST:  # the sum is the least or most that is possible
                return at(ends[side])
            ends[side] *= 32
    return at(float(brentq(surplus, ends[0], ends[1], xtol=1e-15, rtol=1e-9)))


def _crossing(function: Callable[[float], float], left: float, right: float) -> float:
    """Return where a decreasing function becomes 0 between two places, or the nearer of them."""
    from scipy.optimize import brentq

    if function(left) <= 0:
        return left
    if function(right) >= 0:
        return right
    return float(brentq(function, left, right, xtol=1e-9 * (right - left), rtol=1e-9))


def at_threshold(strata: Sequence[Stratum], has_event: Bools, score: float) -> Threshold:
    """Return precision and recall of the windows in the strata from a score on."""
    above = [stratum for stratum in strata if stratum.low >= score]
    below = [stratum for stratum in strata if stratum.low < score]
    recall = share_of(above, below, has_event)
    return Threshold(
        score, sum(item.size for item in above), precision_of(above, has_event), recall
    )


def precision_of(strata: Sequence[Stratum], has_event: Bools) -> Estimate:
    """Return the share of windows with an event; NaN without a stratum."""
    size = sum(stratum.size for stratum in strata)
    if not size:
        return Estimate(float("nan"), 0.0, 1.0)
    hits = total_of(strata, has_event)
    return Estimate(hits.value / size, hits.low / size, hits.high / size)


def more_for_half(strata: Sequence[Stratum]) -> int:
    """Return how many more windows halve the intervals, in the same proportions of the strata.

    The variance of a mean of n of N windows is proportional to 1/n - 1/N.
    """
    more = 0.0
    for stratum in strata:
        n, size = stratum.n_reviewed, stratum.size
        more += 1.0 / (1.0 / size + (1.0 / n - 1.0 / size) / 4.0) - n
    return round(more)
