"""Bootstrap over resampling units, in blocks that bound the memory.

The resamples depend only on the seed and the number of units: all pipelines and metrics with the
same units have the same resamples, so a difference between two pipelines can be taken on each
resample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.metrics.bias import Correction
from audioclf.evaluation.metrics.repeats import Floats

N_RESAMPLES = 1000
CONFIDENCE_LEVEL = 0.95

BLOCK_BYTES = 2 * 2**20
"""Size of a block of weights; one that fits into the processor's cache is also fastest."""

AT_ONCE = 8
"""Resamples of many units whose clips are counted in one pass; fewer take longer."""

_FEW_UNITS = 8

_MANY_UNITS = 1000
"""Units above which they are drawn one by one, 14 times as fast as their counts are."""

KEPT_BYTES = 100 * 2**20
"""Draws up to this size are kept for the next metric, since drawing is slow."""


def on_resamples(
    statistic: Callable[[Floats], Floats],
    n_units: int,
    *,
    seed: int,
    width: int = 0,
    at_once: int = 1,
) -> Floats:
    """Return a statistic on each resample of the units [shape=(N_RESAMPLES, ...)], float64.

    The statistic maps the times that each unit is drawn [shape=(n_rows, n_units)] to values, each
    row by itself; `width` are the columns of its widest array, `at_once` the fewest rows of a
    block. All are NaN for a single unit.
    """
    if n_units == 1:
        return np.full((N_RESAMPLES, *statistic(np.ones((1, 1))).shape[1:]), np.nan)
    n_rows = max(at_once, BLOCK_BYTES // (8 * max(width, n_units, 1)))
    blocks, places = _draws(n_units, seed, n_rows), None
    if n_units <= _FEW_UNITS:  # many resamples are equal
        rows, places = np.unique(np.concatenate([*blocks]), axis=0, return_inverse=True)
        blocks = (rows[start : start + n_rows] for start in range(0, len(rows), n_rows))
    values = np.concatenate([statistic(block.astype(np.float64)) for block in blocks])
    return values if places is None else values[places.ravel()]


def interval(
    value: float,
    resampled: Floats,
    n_units: int,
    *,
    low: float = 0.0,
    high: float = 1.0,
    correction: Correction | None = None,
) -> tuple[float, float]:
    """Return the 95 % interval of a metric in [low, high] from its values on resamples of units.

    The standard error is that of the resamples times `sqrt(n / (n - 1))`, and the interval is that
    of Student's t with `n - 1` degrees of freedom for the log odds of the metric within its range
    (for its logarithm, if the range has one end). Percentiles of few units are too short
    (Hesterberg 2015, *The American Statistician* 69, 371-386), and a symmetric interval is wrong
    near the ends of the range. At an end, where resamples do not vary, the interval is Wilson's of
    a share of `n` units. `benchmarks/error_rates.py` measures the coverage.
    A `correction` replaces the error and moves the interval by the bias; it contains the value. The
    ends are NaN for a single unit, or if the metric or the correction is not defined.
    """
    if not math.isfinite(low):  # such as R2: the interval of what it lacks to its upper end
        ends = interval(-value, -resampled, n_units, low=-high, high=math.inf)
        return -ends[1], -ends[0]
    finite = resampled[np.isfinite(resampled)]
    bias, known = correction or (0.0, None)
    if len(finite) < 2 or n_units < 2 or not math.isfinite(value - bias):
        return float("nan"), float("nan")
    center = min(max(value - bias, low), high)
    varies = float(np.ptp(finite)) > 1e-12 * float(np.abs(finite).max())
    error = float(finite.std(ddof=1)) * math.sqrt(n_units / (n_units - 1)) if varies else 0.0
    error = known or error
    half = t_quantile(n_units - 1) * error
    if not math.isfinite(high):
        factor = math.exp(min(half / (center - low), 700.0)) if center > low else 1.0
        return low + (center - low) / factor, low + (center - low) * factor
    share = (center - low) / (high - low)
    if share <= 0.0 or share >= 1.0:
        down, up = wilson_interval(min(max(share, 0.0), 1.0), n_units, t_quantile(n_units - 1))
    else:
        odds = share / (1.0 - share)
        factor = math.exp(min(half / (high - low) / (share * (1.0 - share)), 700.0))
        down, up = (x / (1.0 + x) for x in (odds / factor, odds * factor))
    # Neither rounding nor a bias may exclude the value.
    return min(low + down * (high - low), value), max(low + up * (high - low), value)


def difference_interval(values: Floats) -> tuple[float, float]:
    """Return the ends of the 95 % percentile interval of a difference; NaN if none is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    tail = (1 - CONFIDENCE_LEVEL) / 2
    ends = np.quantile(finite, [tail, 1 - tail])
    return float(ends[0]), float(ends[1])


def wilson_interval(share: float, n: float, quantile: float | None = None) -> tuple[float, float]:
    """Return the 95 % interval of a share of `n` trials (Wilson 1927), by the normal `quantile`."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2) if quantile is None else quantile
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)


@lru_cache(maxsize=64)
def t_quantile(df: int) -> float:
    """Return the quantile of Student's t at the upper end of a 95 % interval."""
    from scipy import special

    return float(special.stdtrit(df, (1 + CONFIDENCE_LEVEL) / 2))


def _draws(n_units: int, seed: int, n_rows: int) -> Iterator[NDArray[np.integer]]:
    if n_units * N_RESAMPLES > KEPT_BYTES:
        rows = _drawn(n_units, seed)
        while block := list(islice(rows, n_rows)):
            yield np.stack(block)
        return
    kept = _kept(n_units, seed)
    for start in range(0, N_RESAMPLES, n_rows):
        yield kept[start : start + n_rows]


@lru_cache(maxsize=1)
def _kept(n_units: int, seed: int) -> NDArray[np.uint8]:
    """Return all resamples in a byte for each unit: of many units none is drawn 256 times."""
    kept = np.empty((N_RESAMPLES, n_units), dtype=np.uint8)
    for row, draws in zip(kept, _drawn(n_units, seed), strict=True):
        row[:] = draws
    return kept


def _drawn(n_units: int, seed: int) -> Iterator[NDArray[np.integer]]:
    """Yield how often each unit is drawn, one resample after the other."""
    rng = np.random.default_rng(seed)
    if n_units <= _MANY_UNITS:
        yield from rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=N_RESAMPLES)
        return
    for _ in range(N_RESAMPLES):
        yield np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
