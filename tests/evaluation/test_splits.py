"""Folds: disjoint, reproducible, as scikit-learn makes them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from audioclf.base.errors import SplitError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import ChannelSource, FileSource
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


def dataset(
    labels: str = "ab" * 15, groups: int | None = 5, folds: list[str | None] | None = None
) -> Dataset:
    made: list[Any] = [
        Clip(
            f"{i:03}.wav",
            label,
            source=None,  # type: ignore[arg-type]
            group=None if groups is None else f"g{i % groups}",
            fold=None if folds is None else folds[i % len(folds)],
        )
        for i, label in enumerate(labels)
    ]
    return Dataset(made, name="toys")


EVERY: list[Split] = [
    Holdout(),
    Holdout(stratify=True, repeats=3, test_size=0.3),
    KFold(),
    KFold(repeats=2),
    StratifiedKFold(repeats=3),
    GroupKFold(n_splits=3, repeats=2),
    StratifiedGroupKFold(n_splits=3, repeats=2),
    LeaveOneGroupOut(),
    Predefined(),
    Predefined(test_folds=("x", "z")),
]


@pytest.mark.parametrize("split", EVERY, ids=lambda split: repr(split))
def test_sides_are_disjoint_cover_all_clips_and_depend_on_the_seed_alone(split: Split) -> None:
    check_folds(split, dataset(folds=["x", "y", "z"]))


@pytest.mark.parametrize(
    "split", [KFold(repeats=2), StratifiedKFold(repeats=2), GroupKFold(n_splits=3, repeats=2)]
)
def test_within_a_repeat_every_clip_is_tested_once(split: Split) -> None:
    data = dataset()
    folds = split.folds(data, 0).folds
    for repeat in (0, 1):
        tested = np.concatenate([fold.test for fold in folds if fold.repeat == repeat])
        assert sorted(tested) == list(range(len(data)))


def test_repeats_differ() -> None:
    folds = StratifiedKFold(repeats=2).folds(dataset(), 0).folds
    assert folds[0].test.tolist() != folds[5].test.tolist()


def test_the_largest_seed_can_repeat_group_folds() -> None:
    assert len(GroupKFold(n_splits=2, repeats=2).folds(dataset(), 2**32 - 1).folds) == 4


@pytest.mark.parametrize("stratify", [False, True])
def test_holdout_is_train_test_split(stratify: bool) -> None:
    data = dataset()
    fold = Holdout(test_size=0.2, stratify=stratify).folds(data, 42).folds[0]
    y = np.asarray(data.encoded_labels())
    train, test = train_test_split(
        np.arange(len(data)), test_size=0.2, random_state=42, stratify=y if stratify else None
    )
    assert fold.train.tolist() == train.tolist()
    assert fold.test.tolist() == test.tolist()


@pytest.mark.parametrize("split", [GroupKFold(), StratifiedGroupKFold(), LeaveOneGroupOut()])
def test_no_group_is_on_both_sides(split: Split) -> None:
    check_groups(split, dataset())


def test_stratified_folds_keep_the_proportions() -> None:
    data = dataset("a" * 20 + "b" * 10)
    for fold in StratifiedKFold().folds(data, 0).folds:
        labels = [data.clips[i].label for i in fold.test]
        assert (labels.count("a"), labels.count("b")) == (4, 2)


def test_a_fold_is_named_after_the_group_on_test() -> None:
    folds = LeaveOneGroupOut().folds(dataset(), 0).folds
    assert [fold.name for fold in folds] == ["g0", "g1", "g2", "g3", "g4"]


def test_published_folds_are_honoured_one_by_one() -> None:
    data = dataset(folds=["x", "y", "z"])
    folds = Predefined().folds(data, 0).folds
    assert [fold.name for fold in folds] == ["x", "y", "z"]
    for fold in folds:
        assert {data.clips[i].fold for i in fold.test} == {fold.name}


@pytest.mark.parametrize(
    ("folds", "use"),
    [
        (["train", "test"], "{type: predefined, test_folds: [test]}"),
        (["1", "2"], "{type: predefined}"),
    ],
)
def test_published_folds_that_are_not_used_are_noted(folds: list[str | None], use: str) -> None:
    data = dataset("aabb" * 8, folds=folds)
    for split in (StratifiedKFold(), Holdout(), LeaveOneGroupOut()):
        (note,) = split.folds(data, 0).notes
        assert note.startswith(f"the published folds ({', '.join(sorted(map(str, folds)))}) are")
        assert f"`split: {use}`" in note
    assert Predefined().folds(data, 0).notes == ()


def test_clips_without_a_published_fold_always_train() -> None:
    data = dataset("aabb" * 8, folds=["x", None])
    splits = Predefined().folds(data, 0)
    (fold,) = splits.folds
    assert {data.clips[i].fold for i in fold.test} == {"x"}
    assert splits.notes == ("16 of 32 clips have no published fold and only train",)


def test_test_folds_are_one_test_side() -> None:
    data = dataset(folds=["x", "y", "z"])
    (fold,) = Predefined(test_folds=("x", "z")).folds(data, 0).folds
    assert {data.clips[i].fold for i in fold.train} == {"y"}
    assert fold.name == "x+z"


@pytest.mark.parametrize(
    ("split", "data", "description", "n_repeats"),
    [
        (KFold(n_splits=8, repeats=10), dataset("ab" * 4), "8 folds", 1),
        (GroupKFold(n_splits=5, repeats=10), dataset(), "5 group folds", 1),
        (
            GroupKFold(n_splits=2, repeats=50),
            dataset("aaaabbbb" * 2, 4),
            "3 times 2 group folds",
            3,
        ),
        (StratifiedGroupKFold(repeats=7), dataset(), "5 stratified group folds", 1),
        (Holdout(test_size=1 / 6, repeats=60), dataset("aaabbb"), "16.6667 % held out, 6 times", 6),
    ],
)
def test_repeats_of_the_same_partition_are_dropped_and_it_is_reported(
    split: Any, data: Dataset, description: str, n_repeats: int
) -> None:
    splits = split.folds(data, 3)
    assert splits.description == description
    assert {fold.repeat for fold in splits.folds} == set(range(n_repeats))
    partitions = {
        frozenset(frozenset(fold.test.tolist()) for fold in splits.folds if fold.repeat == repeat)
        for repeat in range(n_repeats)
    }
    assert len(partitions) == n_repeats
    assert splits.notes[0] == (
        f"repeats lowered from {split.repeats} to {n_repeats}: the others divide the clips in the "
        "same way as an earlier one"
    )


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_empty_folds_are_left_out_and_it_is_reported() -> None:
    names = [
        "a1",
        "a1",
        "a2",
        "a2",
        "a3",
        "a3",
        "b0",
        "b1",
        "b1",
        "c0",
        "c0",
        "c1",
        "c1",
        "c1",
        "c2",
        "c2",
    ]
    clips = [
        Clip(f"{at:02}.wav", name[0], source=None, group=name[1])  # type: ignore[arg-type]
        for at, name in enumerate(names)
    ]
    splits = StratifiedGroupKFold(n_splits=4).folds(Dataset(clips, name="toys"), 42)
    assert splits.description == "3 stratified group folds"
    assert [fold.name for fold in splits.folds] == ["0", "1", "2"]
    assert "of 4 folds some are empty and were left out: there are 3" in splits.notes


UNDEFINED = "; metrics that need a clip of each class, such as roc_auc, are not defined"


@pytest.mark.parametrize(
    ("labels", "words"),
    [("abcd" * 4, "'c' and 'd'"), ("abcdefghijkl" * 2, "'c', 'd', 'e', 'f' and 6 other classes")],
)
def test_classes_that_no_fold_tests_are_named(labels: str, words: str) -> None:
    data = dataset(labels, None, folds=["x", "x", *[None] * (len(labels) - 2)])
    assert f"no test clip is of {words}{UNDEFINED}" in Predefined().folds(data, 0).notes


def test_classes_that_some_repeats_do_not_test_are_named() -> None:
    splits = Holdout(test_size=0.25, repeats=5)
    notes = splits.folds(dataset("aaaaaaaabb"), 1).notes
    assert any("repeats no test clip is of 'b'" in note for note in notes)


def test_folds_are_lowered_to_the_smallest_class_and_it_is_reported() -> None:
    splits = StratifiedKFold().folds(dataset("a" * 10 + "b" * 3), 0)
    assert len(splits.folds) == 3
    assert splits.description == "3 stratified folds"
    assert splits.notes == (
        "folds lowered from 5 to 3: there are only 3 clips in the smallest class",
    )


def test_a_class_that_some_training_side_lacks_is_reported() -> None:
    data = dataset("aabbaabbcc", groups=2)
    made = [
        Clip(clip.id, clip.label, clip.source, group="g9" if clip.label == "c" else clip.group)
        for clip in data
    ]
    splits = LeaveOneGroupOut().folds(Dataset(made, name="toys"), 0)
    assert "some training sides have no clip of 'c'" in splits.notes[0]


def test_a_training_side_of_normal_clips_alone_is_enough_for_a_detector() -> None:
    clips = dataset("nnnaa", folds=["train", "train", "test", "test", "test"])
    data = clips.with_clips(clips, normal="n")
    assert data.classes == ("n", "a")
    (fold,) = Predefined(test_folds=("test",)).folds(data, 0).folds
    assert data.targets.codes[fold.train].tolist() == [0, 0]
    with pytest.raises(SplitError, match="holds only 'n'"):
        Predefined(test_folds=("test",)).folds(clips, 0)
    with pytest.raises(SplitError, match="holds only 'a'"):
        Predefined().folds(dataset("nnaa", folds=["x", "x", "y", "y"]), 0)


@pytest.mark.parametrize("split", [StratifiedKFold(), StratifiedGroupKFold()])
def test_few_anomalies_do_not_lower_the_folds(split: Split) -> None:
    clips = dataset("n" * 29 + "a")
    splits = split.folds(clips.with_clips(clips, normal="n"), 0)
    assert len(splits.folds) == 5
    assert splits.notes == ()


@pytest.mark.parametrize(
    ("data", "split", "words"),
    [
        (dataset("aaaa"), KFold(), "all 4 clips are of the class 'a'; a classifier needs at"),
        (dataset("aaab"), KFold(), "class 'b' has 1 clip, needs 2"),
        (dataset(groups=None), GroupKFold(), "30 of 30 clips have no group, such as '000.wav'"),
        (dataset(groups=1), LeaveOneGroupOut(), "all clips are of one group, 'g0'; needs 2"),
        (dataset(groups=1), GroupKFold(), "n_splits is 5, but there is only 1 group"),
        (dataset(), Predefined(), "no clip has a published fold"),
        (
            dataset(folds=["x", "y"]),
            Predefined(test_folds=("q",)),
            "no clip is in fold 'q'; there are x, y",
        ),
        (dataset(folds=["x"]), Predefined(), "training side of fold 'x' holds no clips"),
        (
            dataset("aabb"),
            Holdout(test_size=0.1, stratify=True),
            "this split of the clips is impossible",
        ),
        (dataset(groups=2), LeaveOneGroupOut(), "fold 'g0' holds only 'b'; a classifier"),
    ],
)
def test_what_cannot_be_split_is_reported(data: Dataset, split: Split, words: str) -> None:
    with pytest.raises(SplitError) as caught:
        split.folds(data, 0)
    assert words in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("labels", [["0.002", "0.003", "1,5", "2e-3"], [str(n) for n in range(40)]])
def test_labels_that_look_like_measurements_are_named(labels: list[str]) -> None:
    clips: list[Any] = [Clip(f"{n}.wav", label, None) for n, label in enumerate(labels)]  # type: ignore[arg-type]
    with pytest.raises(SplitError) as caught:
        StratifiedKFold().folds(Dataset(clips, name="toys"), 0)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"The {len(labels)} labels look like numbers of a measure")


def test_digits_are_classes() -> None:
    with pytest.raises(SplitError) as caught:
        StratifiedKFold().folds(dataset("0011234"), 0)
    assert caught.value.hint == "Add recordings of '2' or remove that class."


@pytest.mark.parametrize("split", EVERY, ids=repr)
def test_channels_of_a_recording_are_never_separated(split: Split) -> None:
    mono = dataset(groups=5, folds=["x", "y", "z"])
    sources = [ChannelSource(FileSource(Path("x.wav")), number) for number in (1, 2)]
    channels = [
        replace(clip, id=f"{clip.id}{source.suffix}", source=source)
        for clip in mono
        for source in sources
    ]
    both = Dataset(channels, name="toys")
    for one, two in zip(split.folds(mono, 1).folds, split.folds(both, 1).folds, strict=True):
        for recordings, clips in ((one.train, two.train), (one.test, two.test)):
            assert [both.clips[at].id[:7] for at in clips] == [
                mono.clips[at].id for at in recordings for _ in sources
            ]
