"""Targets: the only form in which labels and groups reach evaluation and audits."""

from collections.abc import Sequence
from pathlib import Path

from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource, PartSource, Span


def dataset(groups: list[str | None]) -> Dataset:
    made = [
        Clip(f"{i}.wav", "ba"[i % 2], source=None, group=group)  # type: ignore[arg-type]
        for i, group in enumerate(groups)
    ]
    return Dataset(made, name="d")


def test_codes_are_positions_in_the_sorted_classes() -> None:
    targets = dataset(["x"] * 5).targets
    assert targets.classes == ("a", "b")
    assert targets.codes.tolist() == [1, 0, 1, 0, 1]
    assert targets.counts.tolist() == [2, 3]
    assert (len(targets), targets.n_classes) == (5, 2)


def test_the_resampling_unit_is_the_group_where_every_clip_has_one() -> None:
    targets = dataset(["y", "x", "y", "x"]).targets
    assert targets.unit == "group"
    assert targets.unit_codes.tolist() == [1, 0, 1, 0]
    assert targets.groups is targets.unit_codes


def test_the_resampling_unit_is_the_clip_where_none_has_a_group() -> None:
    targets = dataset([None] * 4).targets
    assert (targets.unit, targets.groups) == ("clip", None)
    assert targets.unit_codes.tolist() == [0, 1, 2, 3]


def test_a_clip_without_a_group_among_others_is_a_group_of_its_own_and_is_noted() -> None:
    mixed = dataset(["x", None, "x", None, "y"])
    assert mixed.has_groups
    assert mixed.targets.unit == "group"
    assert mixed.targets.unit_codes.tolist() == [0, 2, 0, 3, 1]
    assert mixed.targets.groups is mixed.targets.unit_codes
    note = "clips {} no group, the first is '1.wav'; each counts as a group of its own"
    assert mixed.notes == ("2 of 5 " + note.format("have"),)
    assert mixed.subset(["0.wav", "1.wav", "2.wav"]).notes == ("1 of 3 " + note.format("has"),)
    assert mixed.subset(["0.wav", "2.wav"]).notes == ()


def parts(*names: str, groups: Sequence[str | None] = (None,) * 9) -> Dataset:
    """Return a clip for each recording named, the next second of it; `name!` is the whole file."""
    clips = []
    for second, (name, group) in enumerate(zip(names, groups, strict=False)):
        whole, span = FileSource(Path(name.strip("!"))), Span(second, second + 1.0)
        if name.endswith("!"):
            clips.append(Clip(whole.name, "a", whole, group=group))
        else:
            source = PartSource(whole, span)
            clips.append(Clip(f"{whole.name}@{span}", "a", source, group=group))
    return Dataset(clips, name="d")


def test_parts_of_one_recording_are_one_resampling_unit() -> None:
    targets = parts("r", "r", "s!", "s", "t").targets
    assert targets.unit == "recording"
    assert targets.unit_codes.tolist() == [0, 0, 1, 1, 2]
    assert targets.groups is not None  # inner folds keep them together, too
    assert targets.groups.tolist() == [0, 0, 1, 1, 2]


def test_single_parts_of_recordings_are_clips() -> None:
    assert parts("r", "s", "t!").targets.unit == "clip"


def test_parts_without_a_group_are_one_group_of_their_recording() -> None:
    mixed = parts("r", "r", "s", "s", groups=["x", "y", None, None])
    assert mixed.targets.unit == "group"
    assert mixed.targets.unit_codes.tolist() == [0, 1, 2, 2]
    assert "each of their recordings counts" in mixed.notes[0]


def test_the_recording_of_a_part_with_another_id_is_its_file() -> None:
    source = PartSource(FileSource(Path("rec.wav")), Span(0.0, 1.0))
    assert Clip("first", "a", source).recording == "rec.wav"


def test_targets_are_made_once() -> None:
    made = dataset(["x", "y"])
    assert made.targets is made.targets
