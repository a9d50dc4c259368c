"""Folds of a split, and checks of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from audioclf.base.errors import SplitError
from audioclf.dataset.dataset import Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]

_MAX_NAMED = 5
"""Largest number of classes that a note names."""


@dataclass(frozen=True)
class Fold:
    """One training side and one test side.

    - `repeat`: repeat of the split that this fold belongs to, from 0.
    - `name`: a number, or the group or published fold on test.
    - `train`, `test` ([shape=(n,)], int): positions of clips in the dataset, disjoint.
    """

    repeat: int
    name: str
    train: Indices
    test: Indices


@dataclass(frozen=True)
class Splits:
    """All folds of a run, a description of them, and notes for the user."""

    folds: tuple[Fold, ...]
    description: str
    notes: tuple[str, ...] = ()


def distinct_repeats(folds: Iterable[Fold]) -> tuple[tuple[Fold, ...], tuple[str, ...]]:
    """Return folds without the repeats that have the same test sides as an earlier one.

    Such repeats are no new evidence. The others are numbered from 0. A note is returned too.
    """
    import numpy as np

    repeats: dict[int, list[Fold]] = {}
    for fold in folds:
        repeats.setdefault(fold.repeat, []).append(fold)
    distinct: dict[frozenset[bytes], list[Fold]] = {}
    for repeat in repeats.values():
        partition = frozenset(np.sort(fold.test).tobytes() for fold in repeat)
        distinct.setdefault(partition, repeat)
    kept = tuple(
        replace(fold, repeat=number)
        for number, repeat in enumerate(distinct.values())
        for fold in repeat
    )
    if len(distinct) == len(repeats):
        return kept, ()
    note = (
        f"repeats lowered from {len(repeats)} to {len(distinct)}: the others divide the clips in "
        "the same way as an earlier one"
    )
    return kept, (note,)


def n_repeats(folds: Sequence[Fold]) -> int:
    """Return the number of repeats."""
    return len({fold.repeat for fold in folds})


def folds_per_repeat(folds: Sequence[Fold]) -> str:
    """Return the number of folds of a repeat, as in `5`, or `3 to 4` if it varies."""
    counts = set(Counter(fold.repeat for fold in folds).values())
    return " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))


def check_training_sides(folds: Sequence[Fold], dataset: Dataset) -> tuple[str, ...]:
    """Refuse training sides of fewer than two classes; return a note on classes that some lack."""
    labels = [clip.label for clip in dataset]
    lacking: set[str] = set()
    for fold in folds:
        present = {labels[index] for index in fold.train.tolist()}
        if len(present) < 2:
            names = ", ".join(f"only {name!r}" for name in present) or "no clips"
            raise SplitError(
                f"{dataset.name}: the training side of fold {fold.name!r} holds {names}; a "
                "classifier needs at least 2 classes",
                hint="Use a split that keeps several classes on both sides.",
            )
        lacking |= set(dataset.classes) - present
    if not lacking:
        return ()
    names = ", ".join(map(repr, sorted(lacking)))
    note = (
        f"some training sides have no clip of {names}; clips of those classes are always "
        "misclassified in these folds"
    )
    return (note,)


def untested_note(folds: Sequence[Fold], dataset: Dataset) -> tuple[str, ...]:
    """Return a note on classes without a test clip; see `untested`."""
    reason = untested(folds, [clip.label for clip in dataset])
    if not reason:
        return ()
    return (f"{reason}; metrics that need a clip of each class, such as roc_auc, are not defined",)


def untested(folds: Sequence[Fold], labels: Sequence[str]) -> str:
    """Return in words which labels have no test clip, in all repeats or in some; else ""."""
    classes = set(labels)
    tested: dict[int, set[str]] = {}
    for fold in folds:
        present = {labels[index] for index in fold.test.tolist()}
        tested.setdefault(fold.repeat, set()).update(present)
    lacking = [classes - present for present in tested.values()]
    never = set.intersection(*lacking)
    if never:
        return f"no test clip is of {_listed(never)}"
    partial = [classes for classes in lacking if classes]
    if not partial:
        return ""
    return (
        f"in {len(partial)} of {len(lacking)} repeats no test clip is of "
        f"{_listed(set.union(*partial))}"
    )


def _listed(classes: Iterable[str]) -> str:
    names = list(map(repr, sorted(classes)))
    if len(names) > _MAX_NAMED:
        names[_MAX_NAMED - 1 :] = [f"{len(names) - _MAX_NAMED + 1} other classes"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
