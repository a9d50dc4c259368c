"""Which clips train and which test, made once before anything is fitted, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import annotated_types as at
import numpy as np
from pydantic import Field

from audioclf.base.errors import SplitError
from audioclf.base.settings import Settings
from audioclf.dataset.dataset import Dataset


class Holdout(Settings):
    """One part of the clips is held out for testing (scikit-learn's `train_test_split`)."""

    type: Literal["holdout"] = "holdout"

    test_size: Annotated[float, at.Gt(0.0), at.Lt(1.0)] = 0.25
    """Share of the clips that is held out; rounded up to whole clips."""

    stratify: bool = False
    """Whether both sides keep the proportions of the classes."""

    repeats: int = Field(default=1, ge=1, le=10_000)
    """Number of independent random splits."""


class _KFold(Settings):
    n_splits: int = Field(default=5, ge=2, le=10_000)
    """Number of folds; each is the test side once."""

    repeats: int = Field(default=1, ge=1, le=10_000)
    """Number of times that the clips are dealt into folds anew."""


class KFold(_KFold):
    """Shuffled folds of equal size."""

    type: Literal["kfold"] = "kfold"


class StratifiedKFold(_KFold):
    """Shuffled folds that keep the proportions of the classes."""

    type: Literal["stratified_kfold"] = "stratified_kfold"


class GroupKFold(_KFold):
    """Shuffled folds that never separate the clips of one group."""

    type: Literal["group_kfold"] = "group_kfold"


class StratifiedGroupKFold(_KFold):
    """Folds that never separate a group and keep the proportions of the classes nearly."""

    type: Literal["stratified_group_kfold"] = "stratified_group_kfold"


class LeaveOneGroupOut(Settings):
    """Each group is the test side once: how good on a speaker or site never heard."""

    type: Literal["leave_one_group_out"] = "leave_one_group_out"


class Predefined(Settings):
    """The folds that the dataset's authors published; clips without one always train."""

    type: Literal["predefined"] = "predefined"

    test_folds: tuple[str, ...] | None = None
    """Folds that together are the one test side; without it each fold is the test side once."""


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


if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]
    Pairs = Iterator[tuple[Indices, Indices]]


_UNGROUPED = "Choose a split without groups, or mend the groups (column, label_pattern)."


@dataclass(frozen=True)
class Fold:
    """One training side and one test side.

    Parameters
    ----------
    repeat : int
        Which dealing of the clips this fold belongs to, from 0.
    name : str
        Name of the fold within its repeat: a number, or the group or published fold on test.
    train, test : np.ndarray [shape=(n,)], int
        Positions of clips in the dataset, disjoint.
    """

    repeat: int
    name: str
    train: Indices
    test: Indices


@dataclass(frozen=True)
class Splits:
    """All folds of a run, a description of them, and what the user should know about them."""

    folds: tuple[Fold, ...]
    description: str
    notes: tuple[str, ...] = ()


def make_splits(dataset: Dataset, split: Split, seed: int) -> Splits:
    """Deal the clips of a dataset into training and test sides.

    Parameters
    ----------
    dataset : Dataset
    split : Split
        Part of the config.
    seed : int
        The same seed gives the same folds.

    Raises
    ------
    SplitError
        If the dataset has fewer than two classes, a class of one clip, or no groups or folds where
        the split needs them.
    """
    _check_classes(dataset)
    y = np.asarray(dataset.encoded_labels())
    maker = _MAKERS[type(split)]
    made = maker(dataset, y, split, seed)
    _check_folds(made.folds, y, dataset)
    return Splits(
        made.folds, made.description, made.notes + _missing_classes(made.folds, y, dataset)
    )


def _check_classes(dataset: Dataset) -> None:
    if len(dataset.classes) < 2:
        raise SplitError(
            f"{dataset.name}: all {len(dataset)} clips are of the class {dataset.classes[0]!r}; "
            "a classifier needs at least 2 classes",
            hint="Add recordings of another class, or check how labels are read (label_pattern).",
        )
    for name, count in dataset.class_counts.items():
        if count < 2:
            raise SplitError(
                f"{dataset.name}: class {name!r} has 1 clip, needs 2: one to learn from, one to "
                "test on",
                hint=f"Add recordings of {name!r} or remove that class.",
            )


def _holdout(dataset: Dataset, y: Indices, split: Holdout, seed: int) -> Splits:
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    cls = StratifiedShuffleSplit if split.stratify else ShuffleSplit
    splitter = cls(n_splits=split.repeats, test_size=split.test_size, random_state=seed)
    pairs = _run(dataset, splitter.split, np.zeros(len(y)), y)
    folds = tuple(Fold(i, "0", *pair) for i, pair in enumerate(pairs))
    share = f"{100 * split.test_size:g} % held out"
    stratified = ", stratified" if split.stratify else ""
    times = f", {split.repeats} times" if split.repeats > 1 else ", one split"
    return Splits(folds, share + stratified + times)


def _kfold(dataset: Dataset, y: Indices, split: KFold | StratifiedKFold, seed: int) -> Splits:
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    stratified = isinstance(split, StratifiedKFold)
    cls = RepeatedStratifiedKFold if stratified else RepeatedKFold
    limit = min(dataset.class_counts.values()) if stratified else len(dataset)
    what = "clips in the smallest class" if stratified else "clips"
    n_splits, notes = _affordable(split.n_splits, limit, what)
    splitter = cls(n_splits=n_splits, n_repeats=split.repeats, random_state=seed)
    pairs = _run(dataset, splitter.split, np.zeros(len(y)), y)
    folds = tuple(Fold(i // n_splits, str(i % n_splits), *pair) for i, pair in enumerate(pairs))
    return Splits(folds, _folds_text(n_splits, split.repeats, "stratified " * stratified), notes)


def _group_kfold(
    dataset: Dataset, y: Indices, split: GroupKFold | StratifiedGroupKFold, seed: int
) -> Splits:
    from sklearn import model_selection

    groups = _groups(dataset)
    stratified = isinstance(split, StratifiedGroupKFold)
    cls: Any = model_selection.StratifiedGroupKFold if stratified else model_selection.GroupKFold
    n_splits, notes = _affordable(split.n_splits, len(set(groups)), "groups")
    folds: list[Fold] = []
    for repeat in range(split.repeats):
        splitter = cls(n_splits=n_splits, shuffle=True, random_state=seed + repeat)
        pairs = _run(dataset, splitter.split, np.zeros(len(y)), y, groups)
        folds += [Fold(repeat, str(i), *pair) for i, pair in enumerate(pairs) if len(pair[1])]
    kind = "stratified group " if stratified else "group "
    return Splits(tuple(folds), _folds_text(n_splits, split.repeats, kind), notes)


def _leave_one_group_out(
    dataset: Dataset, y: Indices, split: LeaveOneGroupOut, seed: int
) -> Splits:
    from sklearn import model_selection

    groups = _groups(dataset)
    if len(set(groups)) < 2:
        raise SplitError(
            f"{dataset.name}: all clips are of one group, {groups[0]!r}; needs 2", hint=_UNGROUPED
        )
    pairs = _run(dataset, model_selection.LeaveOneGroupOut().split, np.zeros(len(y)), y, groups)
    folds = tuple(Fold(0, str(groups[test[0]]), train, test) for train, test in pairs)
    return Splits(folds, f"leave one group out, {len(folds)} groups")


def _predefined(dataset: Dataset, y: Indices, split: Predefined, seed: int) -> Splits:
    from sklearn.model_selection import PredefinedSplit

    names = sorted({clip.fold for clip in dataset if clip.fold is not None})
    if not names:
        raise SplitError(
            f"{dataset.name}: no clip has a published fold, which split `predefined` needs",
            hint="Give clips a fold, by a column `fold` or a label_pattern with (?P<fold>...), or "
            "choose another split.",
        )
    wanted = split.test_folds or tuple(names)
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise SplitError(
            f"{dataset.name}: no clip is in fold {unknown[0]!r}; there are {', '.join(names)}",
            hint="Mend test_folds.",
        )
    together = split.test_folds is not None
    codes = [_fold_code(clip.fold, wanted, together) for clip in dataset]
    pairs = PredefinedSplit(codes).split()
    labels = ["+".join(wanted)] if together else list(wanted)
    folds = tuple(Fold(0, name, *pair) for name, pair in zip(labels, pairs, strict=True))
    bare = sum(clip.fold is None for clip in dataset)
    notes = (f"{bare} of {len(dataset)} clips have no published fold and only train",) * (bare > 0)
    return Splits(folds, f"published folds, test on {' / '.join(labels)}", notes)


def _fold_code(fold: str | None, wanted: Sequence[str], together: bool) -> int:
    if fold not in wanted:
        return -1
    return 0 if together else wanted.index(fold)


_MAKERS: dict[type, Callable[[Dataset, Any, Any, int], Splits]] = {
    Holdout: _holdout,
    KFold: _kfold,
    StratifiedKFold: _kfold,
    GroupKFold: _group_kfold,
    StratifiedGroupKFold: _group_kfold,
    LeaveOneGroupOut: _leave_one_group_out,
    Predefined: _predefined,
}


def _run(dataset: Dataset, split: Callable[..., Pairs], *arrays: Any) -> list[Any]:
    try:
        return list(split(*arrays))
    except ValueError as exc:
        text = " ".join(str(exc).split())
        raise SplitError(f"{dataset.name}: the clips cannot be split like this: {text}") from exc


def _groups(dataset: Dataset) -> list[str]:
    bare = [clip.id for clip in dataset if clip.group is None]
    if bare:
        raise SplitError(
            f"{dataset.name}: {len(bare)} of {len(dataset)} clips have no group, such as "
            f"{bare[0]!r}, which a split by groups needs",
            hint="Give clips a group, by a column `group` or a label_pattern with (?P<group>...), "
            "or choose another split.",
        )
    return [str(clip.group) for clip in dataset]


def _affordable(n_splits: int, limit: int, what: str) -> tuple[int, tuple[str, ...]]:
    if n_splits <= limit:
        return n_splits, ()
    if limit < 2:
        raise SplitError(
            f"{n_splits} folds are asked for, but there is only {limit} {what[:-1]}",
            hint=_UNGROUPED if what == "groups" else None,
        )
    note = f"folds lowered from {n_splits} to {limit}: there are only {limit} {what}"
    return limit, (note,)


def _folds_text(n_splits: int, repeats: int, kind: str) -> str:
    times = f"{repeats} times " if repeats > 1 else ""
    return f"{times}{n_splits} {kind}folds"


def _check_folds(folds: Sequence[Fold], y: Indices, dataset: Dataset) -> None:
    for fold in folds:
        present = np.unique(y[fold.train])
        if len(present) < 2:
            names = ", ".join(f"only {dataset.classes[code]!r}" for code in present) or "no clips"
            raise SplitError(
                f"{dataset.name}: the training side of fold {fold.name!r} holds {names}; a "
                "classifier needs at least 2 classes",
                hint="Choose a split that keeps several classes on both sides.",
            )


def _missing_classes(folds: Sequence[Fold], y: Indices, dataset: Dataset) -> tuple[str, ...]:
    lacking = {
        dataset.classes[code]
        for fold in folds
        for code in set(y.tolist()) - set(y[fold.train].tolist())
    }
    if not lacking:
        return ()
    names = ", ".join(map(repr, sorted(lacking)))
    return (f"some training sides hold no clip of {names}; such clips cannot be got right there",)
