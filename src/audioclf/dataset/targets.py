"""Targets of a dataset: class codes, groups, and the unit that intervals resample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of all clips, in the form in which evaluation, audits and models read them.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes, sorted.
    codes : np.ndarray [shape=(n_clips,)], int
        Position of each clip's label in `classes`, `0..n_classes-1`.
    unit : {"clip", "group"}
        Resampling unit: groups where every clip has one, since the clips of one speaker or site
        are not independent, and clips otherwise.
    unit_codes : np.ndarray [shape=(n_clips,)], int
        Number of the resampling unit that each clip belongs to.
    groups : np.ndarray [shape=(n_clips,)], int, optional
        Code of each clip's group, for classifiers that use groups.
    """

    classes: tuple[str, ...]
    codes: Codes
    unit: Literal["clip", "group"]
    unit_codes: Codes
    groups: Codes | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, labels: Sequence[str], groups: Sequence[str | None]) -> Targets:
        """Return the targets of clips with these labels and groups."""
        classes, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        names = tuple(classes.tolist())
        if any(group is None for group in groups):
            return cls(names, codes.astype(np.intp), "clip", np.arange(len(codes)))
        numbers = np.unique(np.asarray(groups, dtype=object), return_inverse=True)[1]
        numbers = numbers.astype(np.intp)
        return cls(names, codes.astype(np.intp), "group", numbers, numbers)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def counts(self) -> Codes:
        """Number of clips of each class [shape=(n_classes,)]."""
        return np.bincount(self.codes, minlength=self.n_classes)
