"""Iterative stratification of clips with several labels (Sechidis et al. 2011).

K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the stratification of multi-label data", ECML PKDD
2011. The rarest class is dealt first, each clip to the fold that lacks most clips of it. Where
groups must not be separated, a group is dealt as a whole, with the sums of its clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]
    Floats = NDArray[np.float64]


class IterativeKFold:
    """Folds with nearly the same number of clips of each class, as a splitter of scikit-learn."""

    def __init__(
        self, n_splits: int, *, random_state: int, n_repeats: int = 1, shuffle: bool = True
    ) -> None:
        self.n_splits, self.n_repeats, self.seed = n_splits, n_repeats, random_state

    def split(
        self, X: object, y: NDArray[np.bool_], groups: Sequence[Any] | Codes | None = None
    ) -> Iterator[tuple[Codes, Codes]]:
        """Yield the training and test clips of each fold; `y` are the classes of each clip."""
        units = _units(len(y), groups)
        for repeat in range(self.n_repeats):
            shares = [1.0 / self.n_splits] * self.n_splits
            parts = deal(y, units, shares, seed=self.seed + repeat)
            for part in range(self.n_splits):
                yield np.flatnonzero(parts != part), np.flatnonzero(parts == part)


class IterativeShuffleSplit:
    """Random test sides with nearly a share of each class, as a splitter of scikit-learn."""

    def __init__(self, n_splits: int, *, test_size: float, random_state: int) -> None:
        self.n_splits, self.test_size, self.seed = n_splits, test_size, random_state

    def split(
        self, X: object, y: NDArray[np.bool_], groups: Sequence[str] | None = None
    ) -> Iterator[tuple[Codes, Codes]]:
        """Yield the training and test clips; `y` are the classes of each clip."""
        units = _units(len(y), groups)
        for number in range(self.n_splits):
            shares = [self.test_size, 1.0 - self.test_size]
            parts = deal(y, units, shares, seed=self.seed + number)
            yield np.flatnonzero(parts == 1), np.flatnonzero(parts == 0)


def _units(n_clips: int, groups: Sequence[Any] | Codes | None) -> Codes:
    if groups is None:
        return np.arange(n_clips)
    return np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1].astype(np.intp)


def deal(has: NDArray[np.bool_], units: Codes, shares: Sequence[float], *, seed: int) -> Codes:
    """Return the part of each clip, which `has` some classes [shape=(n_clips, n_classes)].

    Clips of one of the `units`, numbered from 0, are not separated; `shares` of parts sum to 1.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(int(units.max()) + 1)
    sizes = np.bincount(units)[order]
    counts = np.zeros((len(order), has.shape[1]), dtype=np.intp)
    np.add.at(counts, units, has)
    dealer = _Dealer(counts[order], sizes, np.asarray(shares), rng)
    parts = np.empty(len(order), dtype=np.intp)
    parts[order] = dealer.deal()
    return parts[units]


class _Dealer:
    """Parts with the clips that they lack: of each class, and in all."""

    def __init__(
        self, counts: Codes, sizes: Codes, shares: Floats, rng: np.random.Generator
    ) -> None:
        self.counts, self.sizes, self.rng = counts, sizes, rng
        self.lacking = shares[:, None] * counts.sum(axis=0)
        self.room = shares * sizes.sum()
        self.parts = np.full(len(sizes), -1)

    def deal(self) -> Codes:
        holds = self.counts > 0
        left = holds.sum(axis=0)
        while left.any():
            code = int(np.argmin(np.where(left > 0, left, len(holds) + 1)))
            units = np.flatnonzero((self.parts < 0) & holds[:, code])
            for unit in units[np.argsort(-self.counts[units, code], kind="stable")]:
                self._give(unit, self.lacking[:, code])
                left -= holds[unit]
        rest = np.flatnonzero(self.parts < 0)
        for unit in rest[np.argsort(-self.sizes[rest], kind="stable")]:
            self._give(unit, self.room)
        return self.parts

    def _give(self, unit: np.intp, lacking: Floats) -> None:
        """Give a unit to the part that lacks most; among equals with most room, then by chance."""
        chance = self.rng.random(len(lacking))
        part = np.lexsort((chance, self.room.round(6), lacking.round(6)))[-1]
        self.parts[unit] = part
        self.lacking[part] -= self.counts[unit]
        self.room[part] -= self.sizes[unit]
