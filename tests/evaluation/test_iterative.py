"""Stratified splits of clips with several labels."""

from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import SplitError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.label_sets import join_labels
from audioclf.evaluation.splits import (
    GroupKFold,
    Holdout,
    KFold,
    LeaveOneGroupOut,
    Predefined,
    Split,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from tests.evaluation.fold_checks import check_folds, check_groups

CLASSES = tuple("abcdef")


def dataset(n: int = 300, *, seed: int = 0, n_groups: int = 60) -> Dataset:
    """Return clips with labels at random, of frequencies from 2 % to 50 %, some not labelled."""
    rng = np.random.default_rng(seed)
    states = rng.random((n, len(CLASSES))) < np.geomspace(0.02, 0.5, len(CLASSES))
    unsure = rng.random(states.shape) < 0.05
    clips = []
    for i in range(n):
        names = [
            [c for c, yes in zip(CLASSES, row, strict=True) if yes]
            for row in (states[i] & ~unsure[i], unsure[i])
        ]
        group = str(rng.integers(n_groups))
        clips.append(
            Clip(f"{i:04}", join_labels(*names), None, group, str(i % 3))  # type: ignore[arg-type]
        )
    return Dataset(clips, name="d", several=True)


def states_of(data: Dataset) -> Any:
    return data.targets.states


def spread(data: Dataset, split: Split, seed: int = 0) -> float:
    """Return the mean distance of a class's share of a test side from its share of all clips."""
    has = states_of(data) == 1
    shares = [has[fold.test].mean(axis=0) for fold in split.folds(data, seed).folds]
    return float(np.abs(np.array(shares) - has.mean(axis=0)).mean())


@pytest.mark.parametrize(
    ("stratified", "random"),
    [
        (StratifiedKFold(repeats=2), KFold(repeats=2)),
        (Holdout(stratify=True, repeats=5), Holdout(repeats=5)),
        (StratifiedGroupKFold(repeats=2), GroupKFold(repeats=2)),
    ],
)
def test_stratified_folds_are_closer_to_the_shares_of_all_classes(
    stratified: Split, random: Split
) -> None:
    for seed in range(3):
        data = dataset(seed=seed)
        assert spread(data, stratified) < 0.75 * spread(data, random)


def test_folds_have_nearly_the_same_number_of_clips_and_of_each_class() -> None:
    data = dataset()
    folds = StratifiedKFold().folds(data, 0).folds
    assert [len(fold.test) for fold in folds] == pytest.approx([60] * 5, abs=2)
    counts = np.array([(states_of(data) == 1)[fold.test].sum(axis=0) for fold in folds])
    assert (np.ptp(counts, axis=0) <= 3).all()


@pytest.mark.parametrize(
    "split",
    [
        StratifiedKFold(repeats=2),
        StratifiedGroupKFold(repeats=2),
        KFold(),
        GroupKFold(),
        LeaveOneGroupOut(),
        Predefined(),
        Holdout(stratify=True),
    ],
)
def test_folds_of_several_labels_depend_on_the_seed_alone_and_tear_no_group(split: Split) -> None:
    data = dataset(90, n_groups=12)
    check_folds(split, data)
    if "group" in split.type:
        check_groups(split, data)
    if isinstance(split, StratifiedKFold | StratifiedGroupKFold):
        folds, others = (split.folds(data, seed).folds for seed in (7, 8))
        assert any(not np.array_equal(a.test, b.test) for a, b in zip(folds, others, strict=True))


def few(*labels: str) -> Dataset:
    clips = [Clip(str(i), label, None) for i, label in enumerate(labels)]  # type: ignore[arg-type]
    return Dataset(clips, name="d", several=True)


def test_a_class_with_fewer_clips_than_folds_is_named() -> None:
    splits = StratifiedKFold(n_splits=3).folds(few("a;b", "a;b", "a", "a", "", ""), 0)
    assert splits.notes == ("b has fewer clips than 3 folds: some folds do not test it",)
    assert len(splits.folds) == 3


def test_a_class_that_a_training_side_lacks_is_named() -> None:
    clips = [
        Clip(str(i), label, None, group="xxyy"[i])  # type: ignore[arg-type]
        for i, label in enumerate(["a;b", "a;b;c", "a;b", "b"])
    ]
    data = Dataset([*clips, Clip("5", "c", None, group="x")], name="d", several=True)  # type: ignore[arg-type]
    notes = LeaveOneGroupOut().folds(data, 0).notes
    words = "some training sides have no clip of 'c'; the score of those classes is 0"
    assert words in notes[0]


def test_a_class_without_two_clips_is_refused() -> None:
    with pytest.raises(SplitError, match="class 'b' has 1 clip, needs 2"):
        KFold().folds(few("a;b", "a", "?b", ""), 0)
