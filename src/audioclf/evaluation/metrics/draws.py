"""The times that each unit is drawn, and sums of clips over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.metrics.repeats import Codes, Floats


@dataclass(frozen=True, eq=False)
class Units:
    """The unit of each clip of a repeat, `0..count-1` [shape=(n_clips,)], and its weight."""

    codes: Codes
    count: int
    weights: Floats | None = None

    def part(self, clips: Any) -> Units:
        """Return the units of some clips, by their positions or a mask."""
        weights = None if self.weights is None else self.weights[clips]
        return Units(self.codes[clips], self.count, weights)

    @cached_property
    def largest(self) -> int:
        """Most clips of a unit."""
        return int(np.bincount(self.codes, minlength=1).max())

    def weighted(self, of_clips: Floats) -> Floats:
        """Return a number of each clip times its weight; the last axis is that of the clips."""
        return of_clips if self.weights is None else of_clips * self.weights

    def sums_of_runs(self, order: Codes, ends: Codes) -> Any:
        """Return the matrix that sums runs of clips in this order, each from an end to the next."""
        from scipy.sparse import csr_array

        shape = (len(ends) - 1, self.count)
        ones = np.ones(len(order), dtype=np.uint8)
        data = ones if self.weights is None else self.weights[order]
        return csr_array((data, self.codes[order], ends), shape=shape)

    def sums_of_groups(self, codes: Codes) -> tuple[Codes, Any]:
        """Return the codes that occur, in their order, and the matrix that sums their clips."""
        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        return present, self.sums_of_runs(order, np.append(starts, len(order)))


@dataclass(frozen=True, eq=False)
class Draws:
    """The times that each unit is drawn in each resample [shape=(n_rows, n_units)].

    Sums of whole numbers are exact in any order, so a metric depends on no other row; with weights
    of clips, except for rounding.
    """

    counts: Floats

    @cached_property
    def by_unit(self) -> Floats:
        """The counts with a row for each unit."""
        return self.by_unit_as(np.float64)

    def by_unit_as(self, kind: Any) -> NDArray[Any]:
        """Return the counts with a row for each unit, in a type of numbers."""
        if kind not in self._by_unit:
            self._by_unit[kind] = np.ascontiguousarray(self.counts.T, dtype=kind)
        return self._by_unit[kind]

    def sums(self, matrix: Any, units: Units) -> NDArray[Any]:
        """Return the sums of a matrix of runs of clips [shape=(n_runs, n_rows)].

        They have the type in which clips are summed fastest, as exactly as in float64.
        """
        kind: Any = np.float64
        if self.are_whole(units):
            most = self._most * units.largest
            kind = np.uint16 if most < 1 << 16 else np.float32 if most < 1 << 24 else np.float64
        sums: NDArray[Any] = matrix @ self.by_unit_as(kind)
        return sums

    def are_whole(self, units: Units) -> bool:
        """Whether all sums over clips are whole numbers."""
        return units.weights is None and self._is_whole

    @cached_property
    def as_integers(self) -> NDArray[np.int32]:
        """The counts as integers."""
        return self.counts.astype(np.int32)

    @cached_property
    def _is_whole(self) -> bool:
        return np.array_equal(self.as_integers, self.counts)

    @cached_property
    def _most(self) -> int:
        return int(self.counts.sum(axis=1).max())

    @cached_property
    def _by_unit(self) -> dict[Any, NDArray[Any]]:
        return {}

    def of_clips(self, units: Units) -> Floats:
        """Return the counts of the unit of each clip, times its weight [(n_rows, n_clips)]."""
        if units not in self._of_clips:
            self._of_clips.clear()  # of one repeat at a time
            self._of_clips[units] = units.weighted(np.take(self.counts, units.codes, axis=1))
        return self._of_clips[units]

    def totals(self, units: Units) -> Floats:
        """Return the sum of the weights of all clips in each resample [shape=(n_rows,)]."""
        if units not in self._totals:
            self._totals[units] = self.of_clips(units).sum(axis=1)
        return self._totals[units]

    @cached_property
    def _of_clips(self) -> dict[Units, Floats]:
        return {}

    @cached_property
    def _totals(self) -> dict[Units, Floats]:
        return {}
