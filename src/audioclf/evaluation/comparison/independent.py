"""Difference of two estimates from independent samples."""

from __future__ import annotations

import math
from typing import Protocol

from audioclf.evaluation.metrics.estimate import Estimate


class WithInterval(Protocol):
    """A value with the ends of its interval."""

    @property
    def value(self) -> float:
        """The value."""

    @property
    def low(self) -> float:
        """Lower end of the interval."""

    @property
    def high(self) -> float:
        """Upper end of the interval."""


def independent_difference(first: WithInterval, second: WithInterval) -> Estimate:
    """Return `first - second` with its interval, from the intervals of both.

    The distances from each value to the ends of its interval are added as standard errors are, on
    each side by itself (Zou & Donner 2008, *Statistics in Medicine* 27, 1693-1702). The samples
    must be independent, and the intervals of one level.

    >>> str(independent_difference(Estimate(0.7, 0.6, 0.8), Estimate(0.9, 0.8, 0.95)))
    '-0.200 [-0.312, -0.059]'
    """
    low = math.hypot(first.value - first.low, second.high - second.value)
    high = math.hypot(first.high - first.value, second.value - second.low)
    value = first.value - second.value
    return Estimate(value, value - low, value + high)
