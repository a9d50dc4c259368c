"""Several labels per clip: their text, their classes, their states."""

from __future__ import annotations

import pytest

from audioclf.base.errors import DatasetError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.label_sets import join_labels, split_labels

LABELS = ["robin;wren", "", "?owl;robin", "wren"]


def dataset() -> Dataset:
    clips = [Clip(f"{i}.wav", label, source=None) for i, label in enumerate(LABELS)]  # type: ignore[arg-type]
    return Dataset(clips, name="d", several=True)


def test_a_label_text_is_sorted_by_class_whether_labelled_or_not() -> None:
    assert join_labels({"wren", "a"}, ["robin"]) == "a;?robin;wren"
    assert split_labels("a;?robin;wren") == (("a", "wren"), ("robin",))
    assert split_labels(join_labels([])) == ((), ())


def test_classes_and_counts_are_of_single_names() -> None:
    assert dataset().classes == ("owl", "robin", "wren")
    assert dataset().class_counts == {"owl": 0, "robin": 2, "wren": 2}
    assert dataset().subset(["0.wav", "1.wav"]).class_counts == {"robin": 1, "wren": 1}


def test_targets_hold_yes_no_and_not_labelled() -> None:
    targets = dataset().targets
    assert targets.is_several
    assert targets.states is not None
    assert targets.states.tolist() == [[0, 1, 1], [0, 0, 0], [-1, 1, 0], [0, 0, 1]]
    assert targets.counts.tolist() == [0, 2, 2]
    assert len(targets) == 4


def test_codes_of_several_labels_are_refused() -> None:
    with pytest.raises(DatasetError, match="not made for several labels"):
        _ = dataset().targets.codes
