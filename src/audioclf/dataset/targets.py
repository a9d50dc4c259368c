"""Targets of a dataset: class codes, groups, and the unit that intervals resample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audioclf.base.errors import DatasetError
from audioclf.dataset.label_counts import LabelCounts
from audioclf.dataset.label_sets import class_names, states_of

Codes = NDArray[np.intp]
States = NDArray[np.int8]
Weights = NDArray[np.float64]
Unit = Literal["clip", "group", "recording"]


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of all clips, in the form in which evaluation, audits and models read them.

    `class_codes` [shape=(n_clips,)] are positions in the sorted `classes`, or None if clips have
    several labels; `states` [shape=(n_clips, n_classes)] are then 1 for yes, 0 for no, and -1 for
    not labelled. `unit_codes` [shape=(n_clips,)] are the numbers of the resampling units, `groups`
    codes for classifiers that use groups. Clips of one speaker or site are not independent, nor are
    parts of one recording: the unit is the group where clips have groups, the recording where
    several clips are parts of one, and else the clip. `weights` [shape=(n_clips,)] say how much
    each clip counts in fits and metrics; None if all count the same.
    """

    classes: tuple[str, ...]
    class_codes: Codes | None
    unit: Unit
    unit_codes: Codes
    groups: Codes | None = None
    states: States | None = None
    weights: Weights | None = None

    def __len__(self) -> int:
        return len(self.unit_codes)

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        groups: Sequence[str | None],
        recordings: Sequence[str],
        *,
        several: bool = False,
        weights: Sequence[float] = (),
        classes: Iterable[str] = (),
    ) -> Targets:
        """Return the targets of clips, each of which is a recording or a part of it.

        With `several`, a label is a text of `label_sets`. A clip without a group among clips with
        groups counts as a group of its own, together with the other parts of its recording that
        have none. `classes` are there even if no clip has them.

        >>> targets = Targets.of(list("abab"), ["x", None, "x", None], ["r1", "r2", "r3", "r4"])
        >>> targets.unit, targets.unit_codes.tolist()
        ('group', [0, 1, 0, 2])
        """
        owners = [
            (1, recording) if group is None else (0, group)
            for group, recording in zip(groups, recordings, strict=True)
        ]
        positions = {owner: number for number, owner in enumerate(sorted(set(owners)))}
        units = np.asarray([positions[owner] for owner in owners], dtype=np.intp)
        unit: Unit = "clip"
        if any(group is not None for group in groups):
            unit = "group"
        elif len(positions) < len(units):
            unit = "recording"
        else:
            units = np.arange(len(units))
        grouped = units if unit == "group" else None
        of_clips = None if set(weights) <= {1.0} else np.asarray(weights, dtype=np.float64)
        if several:
            names = tuple(sorted({*class_names(labels), *classes}))
            return cls(names, None, unit, units, grouped, states_of(labels, names), of_clips)
        names = tuple(sorted({*labels, *classes}))
        at = {name: code for code, name in enumerate(names)}
        codes = np.asarray([at[label] for label in labels], dtype=np.intp)
        return cls(names, codes, unit, units, grouped, weights=of_clips)

    @property
    def is_several(self) -> bool:
        """Whether a clip can have several labels, or none."""
        return self.states is not None

    @property
    def codes(self) -> Codes:
        """Position of the class of each clip in `classes` [shape=(n_clips,)].

        A DatasetError if clips have several labels, which have no such positions.
        """
        if self.class_codes is None:
            raise DatasetError(
                "this step is not made for several labels per clip",
                hint="Use `labels: single` with one label for each clip.",
            )
        return self.class_codes

    def weights_of(self, clips: Codes) -> Weights | None:
        """Return the weights of some clips; None if all clips count the same."""
        return None if self.weights is None else self.weights[clips]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def clips_of(self, code: int) -> Codes:
        """Return the positions of the clips that have a class."""
        has = self.codes == code if self.states is None else self.states[:, code] == 1
        return np.flatnonzero(has)

    @property
    def label_counts(self) -> LabelCounts | None:
        """Counts of several labels; None for single labels."""
        return None if self.states is None else LabelCounts.of(self.classes, self.states)

    @property
    def counts(self) -> Codes:
        """Number of clips that have each class [shape=(n_classes,)]."""
        if self.states is not None:
            counts: Codes = np.sum(self.states == 1, axis=0, dtype=np.intp)
            return counts
        return np.bincount(self.codes, minlength=self.n_classes)
