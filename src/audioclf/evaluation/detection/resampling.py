"""Metrics of sums over recordings, with 95 % intervals by a bootstrap over the recordings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.detection.events import Floats
from audioclf.evaluation.metrics.bootstrap import interval, on_resamples
from audioclf.evaluation.metrics.estimate import Estimate

FEW_RECORDINGS = 8
"""With events in fewer recordings an interval is a rough guide."""

SEED = 0
"""Of all draws, so that the numbers of a survey are the same in every call."""

_NO_EVENT_BOUND = -math.log(0.025)
"""Upper end of the 95 % interval of a number of events of which none occurred."""

Statistic = Callable[[Floats], Floats]


def ratio(above: Floats, below: Floats) -> Floats:
    """Return the quotient, NaN where the lower number is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan))


def estimates(
    statistic: Statistic,
    counts: Floats,
    n_units: Sequence[int] | NDArray[np.intp],
    *,
    high: float | Sequence[float] = 1.0,
    value: Floats | None = None,
) -> list[Estimate]:
    """Return each value of a statistic of sums over recordings, with its interval.

    The statistic maps sums [shape=(n_rows, n_counts)] to values [shape=(n_rows, n_values)];
    `counts` has a row for each recording. `n_units` are the recordings that inform each value,
    `high` the ends of the ranges. `value` replaces the values of all recordings together.
    """
    whole = statistic(counts.sum(axis=0, keepdims=True))[0] if value is None else value
    resampled = on_resamples(
        lambda draws: statistic(draws @ counts), len(counts), seed=SEED, width=counts.shape[1]
    )
    highs = [high] * len(whole) if isinstance(high, float) else high
    found = []
    for place, (number, end) in enumerate(zip(whole.tolist(), highs, strict=True)):
        low, up = interval(number, resampled[:, place], int(n_units[place]), high=end)
        found.append(Estimate(number, low, up))
    return found


def rates(counts: Floats, hours: Floats) -> list[Estimate]:
    """Return the number of events per hour of each column of counts, with its interval."""
    stacked = np.column_stack([counts, hours])
    n_units = [len(hours)] * counts.shape[1]
    found = estimates(
        lambda sums: ratio(sums[:, :-1], sums[:, -1:]), stacked, n_units, high=math.inf
    )
    total = float(hours.sum())
    return [
        Estimate(0.0, 0.0, _NO_EVENT_BOUND / total) if item.value == 0.0 and total else item
        for item in found
    ]
