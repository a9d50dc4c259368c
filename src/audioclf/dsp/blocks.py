"""Waveforms of different lengths in blocks, so that few calls of NumPy work on many of them.

A block holds waveforms of similar lengths, so few that it stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

_TOGETHER = 1 << 18
"""Samples of a block, unless one waveform has more."""


def table_of(
    ys: Sequence[Matrix], n_columns: int, rows_of: Callable[[Sequence[Matrix]], Matrix]
) -> Matrix:
    """Return a row for each waveform [shape=(len(ys), n_columns)], float32.

    `rows_of` returns the rows of a block, whose waveforms have ascending lengths.
    """
    order = sorted(range(len(ys)), key=lambda at: len(ys[at]))
    table = np.empty((len(ys), n_columns), dtype=np.float32)
    start = 0
    for block in _blocks([ys[at] for at in order]):
        table[order[start : start + len(block)]] = rows_of(block)
        start += len(block)
    return table


def _blocks(ys: Sequence[Matrix]) -> Iterator[Sequence[Matrix]]:
    start = n_samples = 0
    for stop, y in enumerate(ys):
        if n_samples + len(y) > _TOGETHER and stop > start:
            yield ys[start:stop]
            start, n_samples = stop, 0
        n_samples += len(y)
    if start < len(ys):
        yield ys[start:]


def in_rows(ys: Sequence[Matrix], size: int) -> Matrix:
    """Return waveforms one after the other in rows [shape=(n_rows, size)], float32.

    Each begins with a row, and the rest of its last row is 0.
    """
    zeros = np.zeros(size, dtype=np.float32)
    parts = []
    for y in ys:
        parts += [y, zeros[: -len(y) % size]]
    return np.concatenate(parts).reshape(-1, size)


def row_sums(rows: Matrix, counts: NDArray[np.intp]) -> Matrix:
    """Return the sum of the first `counts[0]` rows, of the next `counts[1]`, and so on.

    Rows are added in order; equal counts that are neighbors are added together.
    """
    sums = np.empty((len(counts), rows.shape[1]), dtype=np.float32)
    changes = (np.flatnonzero(np.diff(counts)) + 1).tolist()
    start = 0
    for first, stop in zip([0, *changes], [*changes, len(counts)], strict=True):
        end = start + int(counts[first]) * (stop - first)
        group = rows[start:end].reshape(stop - first, -1, rows.shape[1])
        group.sum(axis=1, out=sums[first:stop])
        start = end
    return sums
