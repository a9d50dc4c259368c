"""Reviewed windows as clips: labels of several reviewers, groups, and sides of splits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audioclf.base.errors import DatasetError, SplitError
from audioclf.builtin.loaders.reviewed import Reviewed
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.review_list import Answer, Window, agreed, columns_of, csv_row, latest
from audioclf.dataset.reviewed import with_reviewed
from audioclf.dataset.sources import FileSource, PartSource, Span
from audioclf.evaluation.splits import GroupKFold, Holdout, StratifiedKFold
from tests.conftest import run_cli, write_sounds, write_wav

ASKED = ("owl", "wren")


def window(at: float, path: str = "night.wav", by: str = "scores") -> Window:
    return Window(path, at, at + 1, by, 0.5, "s", 0.0, 9, 9, "m", "wren", 0.3)


def answer(
    at: float, label: str, state: str = "labelled", who: str = "", by: str = "scores"
) -> Answer:
    path = "night.wav" if at < 100 else "field/other.wav"
    return Answer(window(at, path, by), label, state, who, asked=ASKED)


def write(path: Path, answers: list[Answer]) -> Path:
    lines = [columns_of(["wren"], answers=True), *(item.cells(["wren"]) for item in answers)]
    path.write_text("".join(map(csv_row, lines)), encoding="utf-8")
    (path.parent / "field").mkdir(exist_ok=True)
    for name in ("night.wav", "field/other.wav"):
        (path.parent / name).touch()
    return path


def dataset(folder: Path, *, several: bool = False, groups: bool = True) -> Dataset:
    night = FileSource(folder / "night.wav")
    part = PartSource(night, Span(50.0, 51.0))
    clips = [
        Clip(f"{number}.wav", label, FileSource(folder / f"{number}.wav"), f"g{number}")
        for number, label in enumerate(["owl", "wren"] * 3)
    ]
    clips.append(Clip("n/night.wav@50.0-51.0", "owl", part, "site" if groups else None))
    return Dataset(clips, name="birds", several=several)


def added(tmp_path: Path, answers: list[Answer], **options: bool) -> tuple[list[Clip], Dataset]:
    before = dataset(tmp_path, **options)
    after = with_reviewed(before, [write(tmp_path / "reviewed.csv", answers)])
    ids = {clip.id for clip in before}
    return [clip for clip in after if clip.id not in ids], after


def test_windows_have_the_group_of_their_recording_and_train_if_chosen_by_score(
    tmp_path: Path,
) -> None:
    rows = [answer(1, "wren"), answer(2, "owl", by="random"), answer(100, "owl")]
    clips, after = added(tmp_path, rows)
    facts = [(clip.id, clip.label, clip.group, clip.only_trains) for clip in clips]
    assert facts == [
        ("field/other.wav@100.0-101.0", "owl", "field/other.wav", True),
        ("n/night.wav@1.0-2.0", "wren", "site", True),
        ("n/night.wav@2.0-3.0", "owl", "site", False),
    ]
    assert clips[1].source.name == f"{tmp_path / 'night.wav'}@1.0-2.0"
    assert "3 reviewed windows are clips: 2 of them were chosen by their score" in after.notes[0]
    without_group, _ = added(tmp_path, rows[:1], groups=False)
    assert without_group[0].group == "n/night.wav"


def test_a_recording_without_a_group_is_not_separated_from_its_windows(tmp_path: Path) -> None:
    _, after = added(tmp_path, [answer(1, "wren"), answer(2, "owl", by="random")], groups=False)
    units = {
        int(unit)
        for clip, unit in zip(after, after.targets.unit_codes, strict=True)
        if clip.source.file.name.endswith("night.wav")
    }
    assert len(units) == 1


def test_a_recording_that_tables_name_differently_is_one_group(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    first = write(tmp_path / "reviewed.csv", [answer(1, "owl"), answer(2, "owl")])
    again = [
        replace(each, window=replace(each.window, path="../night.wav"))
        for each in (answer(2, "owl"), answer(3, "wren"))
    ]
    second = write(tmp_path / "later" / "reviewed.csv", again)
    other = Clip("0.wav", "owl", FileSource(tmp_path / "0.wav"))
    _, *adding = with_reviewed(Dataset([other], name="birds"), [first, second])
    assert [(clip.id, clip.group) for clip in adding] == [
        (f"night.wav@{at:.1f}-{at + 1:.1f}", "night.wav") for at in (1, 2, 3)
    ]


def test_two_recordings_with_one_name_are_two_groups(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    tables = [
        write(folder / "reviewed.csv", [answer(1, "owl"), answer(2, "owl")])
        for folder in (tmp_path, tmp_path / "later")
    ]
    other = Clip("0.wav", "owl", FileSource(tmp_path / "0.wav"))
    added = with_reviewed(Dataset([other], name="birds"), tables).clips
    groups = [clip.group for clip in added if clip.group is not None]
    assert sorted(groups) == sorted(["night.wav", str(tmp_path / "later" / "night.wav")] * 2)


def test_windows_without_a_label_of_the_dataset_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        answer(1, "", "unsure"),
        answer(2, "", "skipped"),
        answer(3, ""),
        answer(4, "owl;wren"),
        answer(50, "owl"),
        answer(5, "wren"),
        answer(5, "", "undone"),
        answer(6, "owl", who="anna"),
        answer(6, "wren", who="ben"),
    ]
    clips, after = added(tmp_path, rows)
    assert clips == []
    text = "\n".join(after.notes)
    assert "1 reviewed window left out: unsure" in text
    assert "1 reviewed window left out: reviewers differ on the class" in text
    assert "2 reviewed windows left out: of no class, or of several" in text
    assert "1 reviewed window left out: clips already" in text
    assert "1 reviewed window left out: skipped" in text


@pytest.mark.parametrize("label", ["a;;?", "owl;", "owl;owl"])
def test_labels_edited_to_something_else_are_named_with_their_line(
    tmp_path: Path, label: str
) -> None:
    with pytest.raises(
        DatasetError, match=rf"reviewed.csv, line 3: label is {label!r}, which".replace("?", "[?]")
    ):
        added(tmp_path, [answer(1, "owl"), answer(2, label)], several=True)


def test_of_several_labels_none_and_unasked_classes_count_as_such(tmp_path: Path) -> None:
    rows = [answer(1, ""), answer(2, "?owl;wren")]
    whole = dataset(tmp_path, several=True)
    more = Clip("jay.wav", "jay", FileSource(tmp_path / "jay.wav"), "g9")
    table = write(tmp_path / "reviewed.csv", rows)
    after = with_reviewed(Dataset([*whole, more], name="birds", several=True), [table])
    labels = {clip.id: clip.label for clip in after}
    assert labels["n/night.wav@1.0-2.0"] == "?jay"
    assert labels["n/night.wav@2.0-3.0"] == "?jay;?owl;wren"


def test_reviewers_that_differ_leave_a_class_open() -> None:
    both = [answer(1, "owl;wren", who="anna"), answer(1, "wren", who="ben")]
    (mine,) = latest(both).values()
    said = agreed(mine.values())
    assert said is not None
    assert said.label == "?owl;wren"
    unsure = agreed([both[0], answer(1, "", "unsure", "ben")])
    assert unsure is not None
    assert unsure.state == "unsure"
    assert agreed([answer(1, "", "skipped")]) is None


@pytest.mark.parametrize(
    "split", [StratifiedKFold(n_splits=3), GroupKFold(n_splits=4), Holdout(repeats=9)]
)
def test_clips_chosen_by_score_train_apart_from_their_group(
    tmp_path: Path, split: StratifiedKFold | GroupKFold | Holdout
) -> None:
    rows = [answer(at, "wren") for at in range(5)]
    _, after = added(tmp_path, [*rows, answer(7, "owl", by="random")])
    splits = split.folds(after, 0)
    chosen = {at for at, clip in enumerate(after) if clip.only_trains}
    groups = np.array([clip.group for clip in after])
    plain = {at for at in range(len(after)) if at not in chosen}
    assert any(chosen <= set(fold.train) for fold in splits.folds)
    for fold in splits.folds:
        train, test = set(fold.train), set(fold.test)
        assert not train & test
        assert not chosen & test
        assert (plain & train) | test <= plain
        apart = not {groups[at] for at in chosen} & {groups[at] for at in test}
        assert (chosen <= train) if apart else not chosen & train
    assert "5 of 13 clips were chosen by their score and only train" in splits.notes


def test_the_windows_of_a_table_are_a_dataset(tmp_path: Path) -> None:
    rows = [answer(1, "wren", by="random"), answer(2, "owl;wren"), answer(100, "owl")]
    single = Reviewed(path=write(tmp_path / "reviewed.csv", rows)).load()
    assert [(clip.label, clip.group) for clip in single] == [
        ("owl", "field/other.wav"),
        ("wren", "night.wav"),
    ]
    several = Reviewed(path=tmp_path / "reviewed.csv", labels="several").load()
    assert several.is_several
    assert sorted(clip.label for clip in several) == ["owl", "owl;wren", "wren"]
    (tmp_path / "night.wav").unlink()
    with pytest.raises(DatasetError, match="1 recording is missing"):
        Reviewed(path=tmp_path / "reviewed.csv").load()
    write(tmp_path / "reviewed.csv", [answer(1, "", "unsure")])
    with pytest.raises(DatasetError, match="no window has a label"):
        Reviewed(path=tmp_path / "reviewed.csv").load()


def test_windows_of_unequal_probability_have_weights_where_asked(tmp_path: Path) -> None:
    rows = [answer(at, "wren", by="random") for at in (1, 2, 100)] + [answer(3, "owl")]
    rows[2] = replace(rows[2], window=replace(rows[2].window, probability=0.1))
    table = write(tmp_path / "reviewed.csv", rows)
    plain = Reviewed(path=table).load()
    assert {clip.weight for clip in plain} == {1.0}
    assert "set `dataset.weighted: true`" in plain.notes[-1]
    weighted = {clip.id: clip for clip in Reviewed(path=table, weighted=True).load()}
    assert weighted["field/other.wav@100.0-101.0"].weight == pytest.approx(10 / (14 / 3))
    assert weighted["night.wav@1.0-2.0"].weight == pytest.approx(2 / (14 / 3))
    assert weighted["night.wav@3.0-4.0"].weight == 1.0  # only trains


def test_a_dataset_needs_clips_to_test(tmp_path: Path) -> None:
    clips = [Clip(f"{n}.wav", "ab"[n % 2], FileSource(tmp_path), only_trains=True) for n in (1, 2)]
    with pytest.raises(SplitError, match="none is left to test"):
        Holdout().folds(Dataset(clips, name="d"), 0)
    listed = tmp_path / "suggested.csv"
    listed.write_text("path,start,end\na.wav,0,1\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="label"):
        with_reviewed(Dataset(clips, name="d"), [listed])


def test_a_run_adds_windows_and_its_config_names_the_table(tmp_path: Path) -> None:
    write_sounds(tmp_path / "sounds")
    write_wav(tmp_path / "night.wav", np.random.default_rng(0).standard_normal(40_000) * 0.1)
    write(tmp_path / "reviewed.csv", [answer(1, "low"), answer(2, "high"), answer(3, "owl")])
    config = tmp_path / "c.yaml"
    config.write_text(
        "dataset: {type: folder, path: sounds}\n"
        "audio: {sr: 8000, duration: 1.0}\n"
        "featurizers: {mel: {type: mel, n_fft: 256, hop_length: 128, n_mels: 8}}\n"
        "split: {type: holdout}\n"
        "classifiers: {knn: {type: knn}}\n",
        encoding="utf-8",
    )
    table = tmp_path / "reviewed.csv"
    done = run_cli("check", config, "--set", f"dataset.add={table}", code=0)
    assert "3 reviewed windows are clips" in " ".join(done.stdout.split())
    assert "3 of 19 clips were chosen by their score and only train" in " ".join(
        done.stdout.split()
    )
    done = run_cli("check", config, "--set", f"dataset.add=[{table}]", code=0)
    assert "3 reviewed windows are clips" in " ".join(done.stdout.split())
