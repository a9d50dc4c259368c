"""Targets of a dataset: class codes, groups, and the unit that intervals resample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from audioclf.base.errors import DatasetError
from audioclf.dataset.label_cells import read_number
from audioclf.dataset.label_counts import LabelCounts
from audioclf.dataset.label_sets import class_names, in_order, states_of

Codes = NDArray[np.intp]
States = NDArray[np.int8]
Weights = NDArray[np.float64]
Numbers = NDArray[np.float64]
Unit = Literal["clip", "group", "recording"]


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of all clips, in the form in which evaluation, audits and models read them.

    `class_codes` are positions in `classes`, sorted but for a normal class, the first, or in their
    order (`is_ordered`). Of several labels, `states` [shape=(n_clips, n_classes)] are 1 for yes, 0
    for no, -1 for not labelled; numbers are `values`. `unit_codes` number the units that intervals
    resample: groups, else recordings if several clips are parts of one, else clips. `groups` are
    the same for inner folds; None for clips. None of `weights` means that all clips count the same.
    """

    classes: tuple[str, ...]
    class_codes: Codes | None
    unit: Unit
    unit_codes: Codes
    groups: Codes | None = None
    states: States | None = None
    weights: Weights | None = None
    values: Numbers | None = None
    is_ordered: bool = False

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
        target: str | Sequence[str] = "class",
        normal: str | None = None,
    ) -> Targets:
        """Return the targets of clips, each of which is a recording or a part of it.

        With `several`, a label is a text of `label_sets`; `target` and `normal` are those of
        `Dataset`. A clip without a group among clips with groups counts as a group of its own,
        together with the other parts of its recording that have none. `classes` are there even if
        no clip has them.

        >>> targets = Targets.of(list("abab"), ["x", None, "x", None], ["r1", "r2", "r3", "r4"])
        >>> targets.unit, targets.unit_codes.tolist()
        ('group', [0, 1, 0, 2])
        """
        unit: Unit = "clip" if len(set(recordings)) == len(recordings) else "recording"
        if any(group is not None for group in groups):
            unit = "group"
        units = np.arange(len(recordings))
        if unit != "clip":
            owners = [
                (1, recording) if group is None else (0, group)
                for group, recording in zip(groups, recordings, strict=True)
            ]
            positions = {owner: number for number, owner in enumerate(sorted(set(owners)))}
            units = np.asarray([positions[owner] for owner in owners], dtype=np.intp)
        grouped = None if unit == "clip" else units
        of_clips = None if set(weights) <= {1.0} else np.asarray(weights, dtype=np.float64)
        if several:
            names = tuple(sorted({*class_names(labels), *classes}))
            return cls(names, None, unit, units, grouped, states_of(labels, names), of_clips)
        if target == "number":
            values = np.array([_number(label) for label in labels])
            return cls((), None, unit, units, grouped, None, of_clips, values)
        names = in_order({*labels, *classes}, normal)
        if not isinstance(target, str):
            names = tuple(name for name in target if name in names)
        at = {name: code for code, name in enumerate(names)}
        codes = np.asarray([at[label] for label in labels], dtype=np.intp)
        ordered = not isinstance(target, str)
        return cls(names, codes, unit, units, grouped, weights=of_clips, is_ordered=ordered)

    @property
    def is_several(self) -> bool:
        """Whether a clip can have several labels, or none."""
        return self.states is not None

    @property
    def codes(self) -> Codes:
        """Position of the class of each clip in `classes` [shape=(n_clips,)].

        A DatasetError for several labels per clip or numbers, which have no such positions.
        """
        if self.class_codes is None:
            if self.is_numbers:
                raise DatasetError(
                    "this step is made for classes, and the labels are numbers",
                    hint="Use `target: {ordered: [...]}` or classes in place of `target: number`.",
                )
            raise DatasetError(
                "this step is not made for several labels per clip",
                hint="Use `labels: single` with one label for each clip.",
            )
        return self.class_codes

    def weights_of(self, clips: Codes) -> Weights | None:
        """Return the weights of some clips; None if all clips count the same."""
        return None if self.weights is None else self.weights[clips]

    @property
    def is_numbers(self) -> bool:
        """Whether the labels are numbers."""
        return self.values is not None

    @property
    def truth(self) -> NDArray[Any]:
        """Numbers, states or codes of the clips, of which one is there [shape=(n_clips, ...)]."""
        if self.values is not None:
            return self.values
        return self.codes if self.states is None else self.states

    @property
    def kind(self) -> Literal["class", "several", "number", "ordered"]:
        """Kind of the targets, as metrics and classifiers name it."""
        if self.is_numbers:
            return "number"
        if self.is_several:
            return "several"
        return "ordered" if self.is_ordered else "class"

    @property
    def classes_of_fit(self) -> int:
        """Number of classes of one fit: 2 if each fit is of one class or rank, 1 for numbers."""
        if self.is_several or self.is_ordered:
            return 2
        return 1 if self.is_numbers else self.n_classes

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def taken(self, clips: Codes) -> Targets:
        """Return the targets of these clips, each of which becomes a resampling unit."""
        parts = {
            name: array[clips]
            for name in ("class_codes", "states", "values", "weights")
            if (array := getattr(self, name)) is not None
        }
        return replace(self, unit="clip", unit_codes=np.arange(len(clips)), groups=None, **parts)

    def above_ranks(self) -> Targets:
        """Return for each ordered class but the highest whether a clip is above it, as states."""
        ranks = np.arange(self.n_classes - 1)
        states = (self.codes[:, None] > ranks).astype(np.int8)
        names = tuple(f"above {name}" for name in self.classes[:-1])
        return replace(self, classes=names, class_codes=None, states=states, is_ordered=False)

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


def quantile_bins(values: Numbers, *, fewest: int, most: int = 10) -> Codes:
    """Return the codes of bins from the lowest numbers to the highest, of nearly equal size.

    Equal numbers are in one bin, and each bin has at least `fewest` clips, if there are so many.

    >>> quantile_bins(np.array([1.0, 5.0, 2.0, 1.0, 9.0, 5.0]), fewest=2).tolist()
    [0, 1, 1, 0, 1, 1]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    n_bins = max(1, min(most, len(values) // fewest))
    middle_ranks = np.cumsum(counts) - counts / 2.0
    wanted = np.floor(n_bins * middle_ranks / len(values)).astype(np.intp).tolist()
    bins, code, held, first = np.zeros(len(counts), dtype=np.intp), 0, 0, wanted[0]
    for at, count in enumerate(counts.tolist()):
        if wanted[at] != first and held >= fewest:
            code, held, first = code + 1, 0, wanted[at]
        bins[at], held = code, held + count
    if held < fewest:
        bins[bins == code] = max(code - 1, 0)
    return bins[place]


def ranges_of(values: Numbers, most: int = 4) -> tuple[tuple[str, ...], Codes]:
    """Return the names of ranges of numbers with about as many clips each, and their codes.

    >>> ranges_of(np.array([1.0, 2.0, 3.0, 4.0]), most=2)[0]
    ('1 to 2', '3 to 4')
    """
    bins = quantile_bins(values, fewest=max(1, len(values) // (2 * most)), most=most)
    ends = [(values[bins == code].min(), values[bins == code].max()) for code in np.unique(bins)]
    names = [f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}" for low, high in ends]
    return tuple(names), bins


def _number(label: str) -> float:
    number = read_number(label)
    if number is None:
        raise DatasetError(f"the label {label!r} is no number")
    return number
