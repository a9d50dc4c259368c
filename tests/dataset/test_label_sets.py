"""Several labels per clip: their text, their classes, their states."""

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


def test_counts_are_of_states_and_of_two_classes_at_once() -> None:
    counts = dataset().targets.label_counts
    assert counts is not None
    assert counts.to_data() == {
        "classes": {
            "owl": {"yes": 0, "no": 3, "not_labelled": 1},
            "robin": {"yes": 2, "no": 2, "not_labelled": 0},
            "wren": {"yes": 2, "no": 2, "not_labelled": 0},
        },
        "without_any": 1,
        "together": [{"classes": ["robin", "wren"], "clips": 1}],
    }
    assert dict(counts.words()) == {
        "classes": "3, as yes/no/not labelled: owl 0/3/1, robin 2/2/0, wren 2/2/0",
        "together": "in most clips: robin and wren 1",
        "no class": "1 clip",
    }
    assert "several labels per clip, 1 clips of no class" in dataset()._repr_html_()
