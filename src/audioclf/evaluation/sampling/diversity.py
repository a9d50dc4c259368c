"""Windows that differ from each other by their features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.sampling.design import Floats, Ints

Matrix = NDArray[np.float32]
Bools = NDArray[np.bool_]

BLOCK = 1 << 14
"""Rows that are standardized at a time."""


def standardizer(rows: Matrix) -> Callable[[Matrix], Matrix]:
    """Return the function that standardizes rows by mean and standard deviation of these.

    Features that do not vary become 0. The rows are read in blocks.
    """
    starts = range(0, len(rows), BLOCK)
    total = sum(rows[at : at + BLOCK].sum(axis=0, dtype=np.float64) for at in starts)
    mean = np.asarray(total / len(rows), dtype=np.float32)
    squares = np.zeros(rows.shape[1])
    for at in starts:
        block = rows[at : at + BLOCK] - mean
        squares += np.einsum("ij,ij->j", block, block)
    spread = np.sqrt(squares / len(rows))
    known = spread > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=known).astype(np.float32)
    return lambda block: (block - mean) * scale


def farthest_first(
    rows: Matrix, free: Bools, recordings: Ints, n: int, per_recording: int | None = None
) -> Ints:
    """Return n windows that are free, each the farthest from all before it and from those not free.

    Gonzalez (1985), *Theoretical Computer Science* 38, 293-306, on standardized features: no window
    is more than twice as far from a chosen one as with the best choice of n. If all are free, the
    first is the nearest to the mean. A recording gives `per_recording` windows at most.
    """
    standardized = standardizer(rows)
    free, used = free.copy(), np.zeros(int(recordings.max()) + 1, dtype=int)

    def squares(centers: Matrix) -> Floats:
        """Return the squared distance of each window to the nearest of these rows."""
        parts = []
        for at in range(0, len(rows), BLOCK):
            z = standardized(rows[at : at + BLOCK])
            products = z @ centers.T
            sums = np.einsum("ij,ij->i", z, z)[:, None] + np.einsum("ij,ij->i", centers, centers)
            parts.append((sums - 2 * products).min(axis=1))
        return np.concatenate(parts).astype(np.float64)

    if free.all():
        at = int(squares(np.zeros((1, rows.shape[1]), dtype=np.float32)).argmin())
        distance = np.full(len(rows), np.inf)
    else:
        distance = squares(standardized(rows[~free]))
        at = int(np.where(free, distance, -np.inf).argmax())
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        chosen.append(at)
        free[at] = False
        used[recordings[at]] += 1
        if used[recordings[at]] == per_recording:
            free &= recordings != recordings[at]
        distance = np.minimum(distance, squares(standardized(rows[[at]])))
        at = int(np.where(free, distance, -np.inf).argmax())
    return np.array(chosen, dtype=np.intp)
