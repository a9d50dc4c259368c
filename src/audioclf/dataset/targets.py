"""Targets of a dataset: class codes, groups, and the unit that intervals resample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.intp]
Unit = Literal["clip", "group", "recording"]


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of all clips, in the form in which evaluation, audits and models read them.

    `codes` [shape=(n_clips,)] are positions in the sorted `classes`, `unit_codes`
    [shape=(n_clips,)] the numbers of the resampling units, `groups` codes for classifiers that use
    groups. Clips of one speaker or site are not independent, nor are parts of one recording: the
    unit is the group where clips have groups, the recording where several clips are parts of one,
    and else the clip.
    """

    classes: tuple[str, ...]
    codes: Codes
    unit: Unit
    unit_codes: Codes
    groups: Codes | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(
        cls, labels: Sequence[str], groups: Sequence[str | None], recordings: Sequence[str]
    ) -> Targets:
        """Return the targets of clips, each of which is a recording or a part of it.

        A clip without a group among clips with groups counts as a group of its own, together with
        the other parts of its recording that have none.

        >>> targets = Targets.of(list("abab"), ["x", None, "x", None], ["r1", "r2", "r3", "r4"])
        >>> targets.unit, targets.unit_codes.tolist()
        ('group', [0, 1, 0, 2])
        """
        classes, codes = np.unique(np.asarray(labels, dtype=object), return_inverse=True)
        names = tuple(classes.tolist())
        codes = codes.astype(np.intp)
        owners = [
            (1, recording) if group is None else (0, group)
            for group, recording in zip(groups, recordings, strict=True)
        ]
        positions = {owner: number for number, owner in enumerate(sorted(set(owners)))}
        units = np.asarray([positions[owner] for owner in owners], dtype=np.intp)
        if any(group is not None for group in groups):
            return cls(names, codes, "group", units, units)
        if len(positions) < len(codes):
            return cls(names, codes, "recording", units)
        return cls(names, codes, "clip", np.arange(len(codes)))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def counts(self) -> Codes:
        """Number of clips of each class [shape=(n_classes,)]."""
        return np.bincount(self.codes, minlength=self.n_classes)
