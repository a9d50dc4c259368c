"""Folds of a split, and checks of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from audioclf.base.errors import SplitError
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.sources import ChannelSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]

_MAX_NAMED = 5
"""Largest number of classes that a note names."""


@dataclass(frozen=True)
class Fold:
    """Positions of the clips of one training side and one test side; repeats count from 0.

    Its `name` is a number, or the group or published fold on test.
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


def without_channels(dataset: Dataset) -> tuple[Dataset, list[list[int]]]:
    """Return one clip for all channels of a recording or part, and the positions of them all.

    The dataset itself is returned if no clip is one channel of several.
    """
    positions: dict[str, list[int]] = {}
    for at, clip in enumerate(dataset):
        suffix = clip.source.suffix if isinstance(clip.source, ChannelSource) else ""
        positions.setdefault(clip.id.removesuffix(suffix), []).append(at)
    members = list(positions.values())
    if len(members) == len(dataset):
        return dataset, members
    first = [dataset.clips[at[0]].id for at in members]
    return dataset.subset(first), members


def with_channels(splits: Splits, channels: Sequence[Sequence[int]]) -> Splits:
    """Return folds of clips from folds of recordings, whose clips are at these positions."""
    import numpy as np

    def clips(recordings: Indices) -> Indices:
        return np.array([at for index in recordings for at in channels[index]], dtype=np.intp)

    folds = (replace(f, train=clips(f.train), test=clips(f.test)) for f in splits.folds)
    return replace(splits, folds=tuple(folds))


def without_trainers(dataset: Dataset) -> tuple[Dataset, list[int]]:
    """Return the clips that may be tested, and their positions.

    The dataset itself is returned if that is so for all.
    """
    positions = [at for at, clip in enumerate(dataset) if not clip.only_trains]
    if len(positions) == len(dataset):
        return dataset, positions
    if not positions:
        raise SplitError(f"{dataset.name}: all clips only train, and none is left to test")
    return dataset.subset(dataset.clips[at].id for at in positions), positions


def with_trainers(splits: Splits, dataset: Dataset, positions: Sequence[int]) -> Splits:
    """Return folds of all clips from folds of those that may be tested, at these positions."""
    import numpy as np

    places, units = np.asarray(positions, dtype=np.intp), dataset.targets.unit_codes
    trainers = np.setdiff1d(np.arange(len(dataset)), places)
    folds = []
    for fold in splits.folds:
        train, test = places[fold.train], places[fold.test]
        apart = trainers[~np.isin(units[trainers], units[test])]
        folds.append(replace(fold, train=np.sort(np.concatenate([train, apart])), test=test))
    note = f"{len(trainers)} of {len(dataset)} clips were chosen by their score and only train"
    return replace(splits, folds=tuple(folds), notes=(*splits.notes, note))


def distinct_repeats(folds: Iterable[Fold]) -> tuple[tuple[Fold, ...], tuple[str, ...]]:
    """Return folds without repeats of the same test sides, no new evidence, and a note on it."""
    folds = list(folds)
    places = {number: place for place, number in enumerate(distinct_numbers(folds))}
    kept = [replace(f, repeat=places[f.repeat]) for f in folds if f.repeat in places]
    if n_repeats(folds) == len(places):
        return tuple(kept), ()
    note = (
        f"repeats lowered from {n_repeats(folds)} to {len(places)}: the others divide the clips in "
        "the same way as an earlier one"
    )
    return tuple(kept), (note,)


def distinct_numbers(folds: Iterable[Fold]) -> list[int]:
    """Return the numbers of the repeats whose test sides differ from all earlier ones."""
    import numpy as np

    tests: dict[int, set[bytes]] = {}
    for fold in folds:
        tests.setdefault(fold.repeat, set()).add(np.sort(fold.test).tobytes())
    partitions: dict[frozenset[bytes], int] = {}
    for number in sorted(tests):
        partitions.setdefault(frozenset(tests[number]), number)
    return list(partitions.values())


def n_repeats(folds: Sequence[Fold]) -> int:
    """Return the number of repeats."""
    return len({fold.repeat for fold in folds})


def folds_per_repeat(folds: Sequence[Fold]) -> str:
    """Return the number of folds of a repeat, as in `5`, or `3 to 4` if it varies."""
    counts = set(Counter(fold.repeat for fold in folds).values())
    return " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))


def check_training_sides(
    folds: Sequence[Fold], dataset: Dataset, normal: str | None = None
) -> tuple[str, ...]:
    """Refuse training sides of fewer than two classes; return a note on classes that some lack.

    The `normal` class, from which detectors learn, is enough by itself.
    """
    if dataset.is_numbers:
        return _check_numbers(folds, dataset)
    labels = [dataset.labels_of(clip) for clip in dataset]
    lacking: set[str] = set()
    for fold in folds:
        present = {name for index in fold.train.tolist() for name in labels[index]}
        if normal in present:
            continue
        if len(present) < 2:
            names = ", ".join(f"only {name!r}" for name in present) or "no clips"
            raise SplitError(
                f"{dataset.name}: the training side of fold {fold.name!r} holds {names}; a "
                "classifier needs at least 2 classes",
                hint="Use a split that keeps several classes on both sides, or only classifiers "
                "that learn from normal clips, such as `nearest_normal`.",
            )
        lacking |= set(dataset.classes) - present
    if not lacking:
        return ()
    names = ", ".join(map(repr, sorted(lacking)))
    effect = "clips of those classes are always misclassified in these folds"
    if dataset.is_several:
        effect = "the score of those classes is 0 in these folds"
    return (f"some training sides have no clip of {names}; {effect}",)


def _check_numbers(folds: Sequence[Fold], dataset: Dataset) -> tuple[str, ...]:
    values = dataset.targets.truth
    for fold in folds:
        if len(set(values[fold.train].tolist())) < 2:
            raise SplitError(
                f"{dataset.name}: the training side of fold {fold.name!r} has fewer than 2 "
                "different numbers, which a regressor needs",
                hint="Use a split with larger training sides.",
            )
    return ()


def untested_note(folds: Sequence[Fold], dataset: Dataset) -> tuple[str, ...]:
    """Return a note on classes without a test clip; see `untested`."""
    if dataset.is_several or dataset.is_numbers:  # averages over classes are defined without them
        return ()
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
