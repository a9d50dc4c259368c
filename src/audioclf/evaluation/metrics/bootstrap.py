"""Bootstrap over resampling units, in blocks that bound the memory.

The resamples depend only on the seed and the number of units: all pipelines and metrics with the
same units have the same resamples, so a difference between two pipelines can be taken on each
resample. The interval is the percentile bootstrap (Efron & Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.metrics.repeats import Floats

N_RESAMPLES = 1000
CONFIDENCE_LEVEL = 0.95

BLOCK_BYTES = 2 * 2**20
"""Size of a block of weights; one that fits into the processor's cache is also fastest."""

KEPT_BYTES = 48 * 2**20
"""Draws up to this size are kept for the next metric, since drawing is slow."""


def on_resamples(
    statistic: Callable[[Floats], Floats], n_units: int, *, seed: int, width: int = 0
) -> Floats:
    """Return a statistic on each resample of the units.

    - `statistic`: from the number of times that each unit is drawn [shape=(n_rows, n_units)] to
      values [shape=(n_rows, ...)]; each row by itself.
    - `seed`: the same seed gives the same resamples of as many units.
    - `width`: columns of the widest array of the statistic, if more than `n_units`.

    Returns an array [shape=(N_RESAMPLES, ...)], float64: NaN for a single unit.
    """
    if n_units == 1:
        return np.full((N_RESAMPLES, *statistic(np.ones((1, 1))).shape[1:]), np.nan)
    n_rows = max(1, BLOCK_BYTES // (8 * max(width, n_units, 1)))
    values = [statistic(draws.astype(np.float64)) for draws in _draws(n_units, seed, n_rows)]
    return np.concatenate(values)


def interval(values: Floats) -> tuple[float, float]:
    """Return the ends of the 95 % interval of values on resamples; NaN where none is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def _draws(n_units: int, seed: int, n_rows: int) -> Iterator[NDArray[np.integer]]:
    if n_units * N_RESAMPLES * np.dtype(np.uint16).itemsize > KEPT_BYTES:
        yield from _drawn(n_units, seed, n_rows)
        return
    kept = _kept(n_units, seed)
    for start in range(0, N_RESAMPLES, n_rows):
        yield kept[start : start + n_rows]


@lru_cache(maxsize=1)
def _kept(n_units: int, seed: int) -> NDArray[np.uint16]:
    """Return all resamples."""
    n_rows = max(1, BLOCK_BYTES // (8 * n_units))
    kept = np.empty((N_RESAMPLES, n_units), dtype=np.uint16)
    start = 0
    for draws in _drawn(n_units, seed, n_rows):
        kept[start : start + len(draws)] = draws
        start += len(draws)
    return kept


def _drawn(n_units: int, seed: int, n_rows: int) -> Iterator[NDArray[np.integer]]:
    """Draw one resample after the other, so that the block size does not matter."""
    rng = np.random.default_rng(seed)
    chances = np.full(n_units, 1 / n_units)
    for start in range(0, N_RESAMPLES, n_rows):
        yield rng.multinomial(n_units, chances, size=min(n_rows, N_RESAMPLES - start))
