"""Splits of a dataset into training and test clips, by scikit-learn, before anything is fitted."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import annotated_types as at
from pydantic import Field
from typing_extensions import override

from audioclf.base.errors import SplitError
from audioclf.base.settings import Settings
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.path_labels import count, fold_for_testing, shown
from audioclf.dataset.table_rows import read_number
from audioclf.evaluation.folds import Fold as Fold
from audioclf.evaluation.folds import Splits as Splits
from audioclf.evaluation.folds import (
    check_training_sides,
    distinct_repeats,
    folds_per_repeat,
    n_repeats,
    untested_note,
    with_channels,
    with_trainers,
    without_channels,
    without_trainers,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]
    Pairs = Iterator[tuple[Indices, Indices]]

_NO_GROUPS = "Use a split without groups, or set `group` through a column or `label_pattern`."


class BaseSplit(Settings):
    """Base class of splits: one method makes the folds, and the checks are those of all splits."""

    def folds(self, dataset: Dataset, seed: int) -> Splits:
        """Split the clips of a dataset into training and test sides, the same for the same seed.

        The channels of a recording are never separated. Clips that only train are in each training
        side whose test side has no clip of their group or recording.

        Raises `SplitError` if the dataset has fewer than two classes, a class of one clip, no
        groups or published folds where the split needs them, or a training side of fewer than two
        classes, or without a clip of the normal class of a dataset that has one.
        """
        whole, channels = without_channels(dataset)
        tested, positions = without_trainers(whole)
        _check_classes(tested)
        splits = self._folds(tested, seed)
        if tested is not whole:
            splits = with_trainers(splits, whole, positions)
        if whole is not dataset:
            splits = with_channels(splits, channels)
        notes = splits.notes + check_training_sides(splits.folds, dataset, dataset.normal)
        notes += untested_note(splits.folds, dataset)
        if not isinstance(self, Predefined):
            notes += _published_folds(dataset)
        return replace(splits, notes=notes)

    @abstractmethod
    def _folds(self, dataset: Dataset, seed: int) -> Splits:
        """Return the folds of a dataset whose classes have at least two clips each."""


class Holdout(BaseSplit):
    """One part of the clips is held out for testing (scikit-learn's `train_test_split`)."""

    type: Literal["holdout"] = "holdout"

    test_size: Annotated[float, at.Gt(0.0), at.Lt(1.0)] = 0.25
    """Share of the clips that is held out; rounded up to whole clips."""

    stratify: bool = False
    """Whether both sides keep the proportions of the classes."""

    repeats: int = Field(default=1, ge=1, le=10_000)
    """Number of independent random splits."""

    @override
    def _folds(self, dataset: Dataset, seed: int) -> Splits:
        make = _splitter("StratifiedShuffleSplit" if self.stratify else "ShuffleSplit", dataset)
        splitter = make(n_splits=self.repeats, test_size=self.test_size, random_state=seed)
        smaller = min(self.test_size, 1.0 - self.test_size)
        pairs = enumerate(_pairs(splitter, dataset, fewest=ceil(1.0 / smaller)))
        folds, notes = distinct_repeats(Fold(i, "0", *pair) for i, pair in pairs)
        stratified = ", stratified" if self.stratify else ""
        times = f", {len(folds)} times" if len(folds) > 1 else ", one split"
        return Splits(folds, f"{100 * self.test_size:g} % held out{stratified}{times}", notes)


class _KFold(BaseSplit):
    n_splits: int = Field(default=5, ge=2, le=10_000)
    """Number of folds; each is the test side once."""

    repeats: int = Field(default=1, ge=1, le=10_000)
    """Number of times that the clips are dealt into folds anew."""

    _splitter: ClassVar[str]
    """Class of scikit-learn that makes the folds."""
    _kind: ClassVar[str]
    """Adjective of the folds in words."""

    def _limit(self, dataset: Dataset) -> tuple[int, str]:
        """Return the largest possible number of folds, and what there are so many of."""
        return len(dataset), "clips"

    @override
    def _folds(self, dataset: Dataset, seed: int) -> Splits:
        n_splits, notes = _possible(self.n_splits, *self._limit(dataset))
        notes += _rare_classes(dataset, n_splits) if self._splitter in _ITERATIVE else ()
        folds, repeat_notes = distinct_repeats(self._repeated(n_splits, dataset, seed))
        times = f"{n_repeats(folds)} times " if n_repeats(folds) > 1 else ""
        made = folds_per_repeat(folds)
        if made != str(n_splits):
            notes += (f"of {n_splits} folds some are empty and were left out: there are {made}",)
        return Splits(folds, f"{times}{made} {self._kind}folds", notes + repeat_notes)

    def _repeated(self, n_splits: int, dataset: Dataset, seed: int) -> Iterator[Fold]:
        splitter = _splitter(self._splitter, dataset)(
            n_splits=n_splits, n_repeats=self.repeats, random_state=seed
        )
        for i, pair in enumerate(_pairs(splitter, dataset, fewest=n_splits)):
            if len(pair[1]):
                yield Fold(i // n_splits, str(i % n_splits), *pair)


class KFold(_KFold):
    """Shuffled folds of equal size."""

    type: Literal["kfold"] = "kfold"

    _splitter = "RepeatedKFold"
    _kind = ""


class StratifiedKFold(_KFold):
    """Shuffled folds that keep the proportions of the classes."""

    type: Literal["stratified_kfold"] = "stratified_kfold"

    _splitter = "RepeatedStratifiedKFold"
    _kind = "stratified "

    @override
    def _limit(self, dataset: Dataset) -> tuple[int, str]:
        if dataset.is_several or dataset.is_numbers:
            return super()._limit(dataset)
        if dataset.normal is not None:  # some folds may test no anomaly
            return dataset.class_counts[dataset.normal], "normal clips"
        return min(dataset.class_counts.values()), "clips in the smallest class"


class _GroupedFolds(_KFold):
    @override
    def _limit(self, dataset: Dataset) -> tuple[int, str]:
        return len(set(_groups(dataset))), "groups"

    @override
    def _repeated(self, n_splits: int, dataset: Dataset, seed: int) -> Iterator[Fold]:
        groups = _groups(dataset)
        for repeat in range(self.repeats):
            splitter = _splitter(self._splitter, dataset)(
                n_splits=n_splits, shuffle=True, random_state=(seed + repeat) % 2**32
            )
            made = _pairs(splitter, dataset, groups, fewest=n_splits)
            pairs = [pair for pair in made if len(pair[1])]
            yield from (Fold(repeat, str(i), *pair) for i, pair in enumerate(pairs))


class GroupKFold(_GroupedFolds):
    """Shuffled folds that never separate the clips of one group."""

    type: Literal["group_kfold"] = "group_kfold"

    _splitter = "GroupKFold"
    _kind = "group "


class StratifiedGroupKFold(_GroupedFolds):
    """Folds that never separate a group and keep the proportions of the classes nearly."""

    type: Literal["stratified_group_kfold"] = "stratified_group_kfold"

    _splitter = "StratifiedGroupKFold"
    _kind = "stratified group "


class LeaveOneGroupOut(BaseSplit):
    """Each group is the test side once: measures the score on new speakers or sites."""

    type: Literal["leave_one_group_out"] = "leave_one_group_out"

    @override
    def _folds(self, dataset: Dataset, seed: int) -> Splits:
        groups = _groups(dataset)
        if len(set(groups)) < 2:
            raise SplitError(
                f"{dataset.name}: all clips are of one group, {groups[0]!r}; needs 2",
                hint=_NO_GROUPS,
            )
        pairs = _pairs(_splitter("LeaveOneGroupOut", dataset)(), dataset, groups)
        folds = tuple(Fold(0, groups[test[0]], train, test) for train, test in pairs)
        return Splits(folds, f"leave one group out, {len(folds)} groups")


class Predefined(BaseSplit):
    """The folds that the dataset's authors published; clips without one always train."""

    type: Literal["predefined"] = "predefined"

    test_folds: tuple[str, ...] | None = None
    """Folds that together are the one test side; without it each fold is the test side once."""

    @override
    def _folds(self, dataset: Dataset, seed: int) -> Splits:
        wanted = self._wanted(dataset)
        together = self.test_folds is not None
        codes = [self._code(clip.fold, wanted) for clip in dataset]
        names = ["+".join(wanted)] if together else list(wanted)
        pairs = _splitter("PredefinedSplit", dataset)(codes).split()
        folds = tuple(Fold(0, name, *pair) for name, pair in zip(names, pairs, strict=True))
        bare = sum(clip.fold is None for clip in dataset)
        note = f"{bare} of {len(dataset)} clips have no published fold and only train"
        description = f"published folds, test on {' / '.join(names)}"
        return Splits(folds, description, (note,) if bare else ())

    def _wanted(self, dataset: Dataset) -> tuple[str, ...]:
        names = sorted({clip.fold for clip in dataset if clip.fold is not None})
        if not names:
            raise SplitError(
                f"{dataset.name}: no clip has a published fold, which split `predefined` needs",
                hint="Set `fold` through a column or a label_pattern with (?P<fold>...), or use "
                "another split.",
            )
        unknown = sorted(set(self.test_folds or ()) - set(names))
        if unknown:
            raise SplitError(
                f"{dataset.name}: no clip is in fold {unknown[0]!r}; there are {', '.join(names)}",
                hint="Correct test_folds.",
            )
        return self.test_folds or tuple(names)

    def _code(self, fold: str | None, wanted: Sequence[str]) -> int:
        if fold not in wanted:
            return -1
        return wanted.index(fold) if self.test_folds is None else 0


def _published_folds(dataset: Dataset) -> tuple[str, ...]:
    """Return a note on published folds that a split does not use."""
    folds = sorted({clip.fold for clip in dataset if clip.fold is not None})
    if len(folds) < 2:
        return ()
    test = fold_for_testing(folds)
    use = "{type: predefined}" if test is None else f"{{type: predefined, test_folds: [{test}]}}"
    note = (
        f"the published folds ({shown(folds)}) are mixed by this split; use `split: {use}` for "
        "results that can be compared with published ones"
    )
    return (note,)


Split = Annotated[
    Holdout
    | KFold
    | StratifiedKFold
    | GroupKFold
    | StratifiedGroupKFold
    | LeaveOneGroupOut
    | Predefined,
    Field(discriminator="type"),
]


_ITERATIVE = {
    "RepeatedStratifiedKFold": "IterativeKFold",
    "StratifiedGroupKFold": "IterativeKFold",
    "StratifiedShuffleSplit": "IterativeShuffleSplit",
}
"""Stratified splitters of scikit-learn, and those for several labels per clip in their place."""


def _splitter(name: str, dataset: Dataset) -> Callable[..., Any]:
    from sklearn import model_selection

    from audioclf.evaluation import iterative

    is_iterative = dataset.is_several and name in _ITERATIVE
    place = (iterative, _ITERATIVE[name]) if is_iterative else (model_selection, name)
    splitter: Callable[..., Any] = getattr(*place)
    return splitter


def _pairs(
    splitter: Any, dataset: Dataset, groups: Sequence[str] | None = None, *, fewest: int = 2
) -> list[Any]:
    """Return the sides of a splitter, which stratifies numbers by bins of `fewest` or more."""
    import numpy as np

    from audioclf.dataset.targets import quantile_bins

    y: NDArray[Any] = dataset.targets.truth
    if dataset.is_several:
        y = y == 1
    elif dataset.is_numbers:
        y = quantile_bins(y, fewest=fewest)
    try:
        with warnings.catch_warnings():
            if dataset.normal is not None:  # fewer anomalies than folds are as they should be
                warnings.filterwarnings("ignore", "The least populated class")
            return list(splitter.split(np.zeros(len(dataset)), y, groups))
    except ValueError as exc:
        text = " ".join(str(exc).split())
        raise SplitError(f"{dataset.name}: this split of the clips is impossible: {text}") from exc


def _rare_classes(dataset: Dataset, n_splits: int) -> tuple[str, ...]:
    """Return a note on classes of several labels per clip that some folds do not test."""
    rare = [name for name, number in dataset.class_counts.items() if number < n_splits]
    if not dataset.is_several or not rare:
        return ()
    have, them = ("has", "it") if len(rare) == 1 else ("have", "them")
    note = f"{shown(rare)} {have} fewer clips than {n_splits} folds: some folds do not test {them}"
    return (note,)


def _groups(dataset: Dataset) -> list[str]:
    bare = [clip.id for clip in dataset if clip.group is None]
    if bare:
        raise SplitError(
            f"{dataset.name}: {len(bare)} of {len(dataset)} clips have no group, such as "
            f"{bare[0]!r}, which a split by groups needs",
            hint=_NO_GROUPS,
        )
    return [str(clip.group) for clip in dataset]


def _possible(n_splits: int, limit: int, what: str) -> tuple[int, tuple[str, ...]]:
    """Return the number of folds that can be made, and a note if it is a smaller one."""
    if n_splits <= limit:
        return n_splits, ()
    if limit < 2:
        raise SplitError(
            f"n_splits is {n_splits}, but there is only {limit} {what[:-1]}",
            hint=_NO_GROUPS if what == "groups" else None,
        )
    return limit, (f"folds lowered from {n_splits} to {limit}: there are only {limit} {what}",)


def _check_classes(dataset: Dataset) -> None:
    if dataset.is_numbers:
        if len({clip.label for clip in dataset}) < 2:
            raise SplitError(
                f"{dataset.name}: all {len(dataset)} clips have the number "
                f"{dataset.clips[0].label}; a regressor needs at least 2 different numbers"
            )
        return
    if len(dataset.classes) < 2:
        raise SplitError(
            f"{dataset.name}: all {len(dataset)} clips are of the class {dataset.classes[0]!r}; "
            "a classifier needs at least 2 classes",
            hint="Add recordings of another class, or check how labels are read (label_pattern).",
        )
    learned = dataset.classes if dataset.normal is None else (dataset.normal,)
    alone = [name for name in learned if dataset.class_counts[name] < 2]
    if alone:
        number = count(dataset.class_counts[alone[0]], "clip", "clips")
        raise SplitError(
            f"{dataset.name}: class {alone[0]!r} has {number}, needs 2: one for training, one for "
            "testing",
            hint=_numbers_hint(dataset, alone)
            or f"Add recordings of {alone[0]!r} or remove that class.",
        )


def _numbers_hint(dataset: Dataset, alone: Sequence[str]) -> str | None:
    """Return a hint if labels look like measurements: fractions, or many single numbers."""
    classes = dataset.classes
    if any(read_number(name.replace(",", ".")) is None for name in classes):
        return None
    whole = all(name.lstrip("+-").isdecimal() for name in classes)
    if whole and (len(classes) < 10 or 2 * len(alone) < len(classes)):
        return None
    return (
        f"The {len(classes)} labels look like numbers of a measurement ({shown(classes)}), not "
        "like classes: set `target: number` of a manifest to predict them, or choose another "
        "column or pattern for the label."
    )
