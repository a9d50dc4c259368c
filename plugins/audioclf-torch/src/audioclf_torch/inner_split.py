"""Validation clips of early stopping: whole groups, if the dataset has groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]


def held_out(
    y: Codes, groups: Codes | None, fraction: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return a mask of the rows that are held out, in whole groups if there are some.

    Groups are taken in random order until the `fraction` is reached. One that would leave a class
    without rows to learn from, or more than half of the rows held out, is passed over; so it may
    be that none is held out.
    """
    units = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_classes, n_units = int(y.max()) + 1, int(units.max()) + 1
    counts = np.zeros((n_units, n_classes), dtype=np.intp)
    np.add.at(counts, (units, y), 1)
    left, taken, n_taken = counts.sum(axis=0), np.zeros(n_units, dtype=bool), 0
    for unit in _in_turn(counts, rng):
        size = int(counts[unit].sum())
        if n_taken >= fraction * len(y):
            break
        if np.all((left > counts[unit]) | (counts[unit] == 0)) and n_taken + size <= len(y) / 2:
            taken[unit], n_taken = True, n_taken + size
            left = left - counts[unit]
    held: NDArray[np.bool_] = taken[units]
    return held


def _in_turn(counts: NDArray[np.intp], rng: np.random.Generator) -> list[int]:
    """Return the units at random, in rounds that take one of each class, by its largest class."""
    order = rng.permutation(len(counts))
    classes = counts[order].argmax(axis=1)
    rounds = np.zeros(len(order), dtype=np.intp)
    for code in np.unique(classes):
        (places,) = np.nonzero(classes == code)
        rounds[places] = np.arange(len(places))
    return [int(unit) for unit in order[np.argsort(rounds, kind="stable")]]
