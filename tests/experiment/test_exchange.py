"""Reviews in the formats of other tools, there and back, and windows as files."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audioclf.dataset.review_list import (
    Answer,
    Window,
    columns_of,
    csv_row,
    latest,
    read_answers,
    read_list,
)
from audioclf.experiment.scoring.rows import event_tables
from tests.conftest import REPO, run_cli, write_wav

CLASSES = ("robin", "wren")
ANSWERS = [("wren", "labelled"), ("", "labelled"), ("", "unsure"), ("", "skipped"), None]


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a list of the six windows of two recordings, five of them answered by anna."""
    monkeypatch.chdir(tmp_path)
    y = np.linspace(-0.9, 0.9, 3 * 8000, dtype=np.float32)
    for number in range(2):
        write_wav(tmp_path / f"nights/{number}.wav", y, 8000)
    windows = [
        Window(
            f"nights/{n}.wav", at, at + 1.0, "random", 0.25, "all", 0.0, 24, 24, "m", "wren", 0.5
        )
        for n in range(2)
        for at in (0.0, 1.0, 2.0)
    ]
    write(Path("suggested.csv"), columns_of(()), [window.cells(()) for window in windows])
    rows = [
        Answer(window, *said, "anna", "far", "now", CLASSES).cells(())
        for window, said in zip(windows, [*ANSWERS, ("?robin;wren", "labelled")], strict=True)
        if said is not None
    ]
    write(Path("reviewed.csv"), columns_of((), answers=True), rows)
    return Path("suggested.csv")


def write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.write_text("".join(map(csv_row, [header, *rows])), encoding="utf-8")


def answers_in(path: str, who: str) -> dict[Any, tuple[str, str]]:
    rows, _ = read_answers(Path(path))
    return {
        row.window: (row.label, row.state)
        for mine in latest(rows).values()
        for name, row in mine.items()
        if name == who
    }


def reviewing(*arguments: str, code: int = 0) -> Any:
    classes = [part for name in CLASSES for part in ("--class", name)]
    return run_cli("review", "suggested.csv", *classes, *arguments, code=code)


@pytest.mark.parametrize("out", ["found.selections.txt", "tracks", "tasks.json"])
def test_answers_survive_another_tool_with_the_design_of_the_list(listed: Path, out: str) -> None:
    done = reviewing("--export", out, "--reviewer", "anna")
    assert f"{out}: 6 windows, 5 of them reviewed by anna" in done.stdout
    assert f"--import {out} --reviewer anna" in done.stderr
    assert "notes and times are not in" in done.stderr
    back = reviewing("--import", out, "--reviewer", "ben")
    assert "5 answers added" in back.stdout
    assert "1 window is open, without a label" in back.stderr
    assert "Cohen's kappa of anna and ben: 1.000 [" in back.stdout
    assert answers_in("reviewed.csv", "ben") == answers_in("reviewed.csv", "anna")
    assert {window.probability for window in answers_in("reviewed.csv", "ben")} == {0.25}
    assert (
        "5 answers are in the table already"
        in reviewing("--import", out, "--reviewer", "ben").stderr
    )


@pytest.mark.parametrize("out", ["found.selections.txt", "tracks", "tasks.json"])
def test_recordings_of_one_name_are_told_apart_by_their_folders(listed: Path, out: str) -> None:
    Path("nights/b").mkdir()
    Path("nights/1.wav").rename("nights/b/0.wav")
    for table in (listed, Path("reviewed.csv")):
        table.write_text(table.read_text().replace("nights/1.wav", "nights/b/0.wav"))
    reviewing("--export", out, "--reviewer", "anna")
    assert "5 answers added" in reviewing("--import", out, "--reviewer", "ben").stdout
    assert answers_in("reviewed.csv", "ben") == answers_in("reviewed.csv", "anna")


def test_a_track_of_the_only_recording_has_any_name(listed: Path) -> None:
    lines = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join(line for line in lines if "nights/1.wav" not in line))
    reviewing("--export", "mine.txt", "--reviewer", "anna")
    done = reviewing("--import", "mine.txt", "--reviewer", "ben")
    assert "3 answers added" in done.stdout


def test_an_import_keeps_the_answers_that_are_there(listed: Path) -> None:
    reviewing("--export", "t", "--reviewer", "anna")
    track = Path("t/nights/0.txt")
    track.write_text(track.read_text().replace("wren", "robin").replace("1.000000", "1.004"))
    before = Path("reviewed.csv").read_bytes()
    done = reviewing("--import", "t", "--reviewer", "anna")
    assert "which was kept: nights/0.wav 0 to 1 s; to import it, give another" in done.stderr
    assert Path("reviewed.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0\t1\towl\n", "line 1: t/0.txt: 'owl' is not a class of this review"),
        ("0\t1\twren\n0\t1\t(none)\n", "'(none)' is not a class of this review"),
        ("0.5\t1\twren\n", "no row has the recording and the times of a window"),
    ],
)
def test_nothing_of_an_import_with_an_error_is_added(listed: Path, rows: str, message: str) -> None:
    Path("t").mkdir()
    Path("t/0.txt").write_text(rows)
    Path("t/1.txt").write_text("0\t1\twren\n" if "0.5" not in rows else rows)
    before = Path("reviewed.csv").read_bytes()
    assert message in reviewing("--import", "t", code=3).stderr
    assert Path("reviewed.csv").read_bytes() == before


def test_the_table_of_another_reviewer_is_joined(listed: Path) -> None:
    Path("far").mkdir()
    other = Path("far/reviewed.csv")
    text = Path("reviewed.csv").read_text().replace(",anna,", ",ben,").replace("nights/", "")
    other.write_text(text + text.splitlines()[1].replace("wren,labelled", ",undone") + "\n")
    done = reviewing("--import", str(other))
    assert "4 answers added" in done.stdout
    assert "by ben" in done.stdout
    rows, _ = read_answers(Path("reviewed.csv"))
    assert [(row.reviewer, row.note, row.time) for row in rows[5:]] == [("ben", "far", "now")] * 4
    assert "4 answers are in the table already" in reviewing("--import", str(other)).stderr


def region(start: float, *labels: str) -> object:
    return {"value": {"start": start, "end": start + 1, "labels": [*labels]}, "type": "labels"}


def test_annotators_of_label_studio_are_reviewers(listed: Path) -> None:
    tasks = [
        {
            "data": {"audio": "/data/upload/1/0a1b2c3d-0.wav"},
            "annotations": [
                {"completed_by": {"email": "eve@x.org"}, "result": [region(0, "wren", "robin")]},
                {"completed_by": 7, "result": [region(1, "(none)"), {"type": "textarea"}]},
                {"completed_by": 8, "was_cancelled": True, "result": [region(1, "wren")]},
            ],
        },
        {"data": {"audio": "/data/local-files/?d=a%20b/nights/1.wav"}, "annotations": []},
    ]
    Path("p.json").write_text(json.dumps(tasks))
    assert "2 answers added" in reviewing("--import", "p.json").stdout
    assert [*answers_in("reviewed.csv", "eve@x.org").values()] == [("robin;wren", "labelled")]
    assert [*answers_in("reviewed.csv", "7").values()] == [("", "labelled")]
    for bad, message in {
        '[{"data": {"audio": "0.wav"}, "annotations": [{"result": [{"value": 3}]}]}]': "task 1",
        '[{"audio": "0.wav"}]': "as JSON, not JSON-MIN",
        "[" * 100_000: "no valid JSON",
    }.items():
        Path("p.json").write_text(bad)
        assert message in reviewing("--import", "p.json", code=3).stderr


@pytest.mark.parametrize(
    ("path", "end", "labels", "message"),
    [
        (["nights/0.wav"], 1, ["wren"], "the path is \"['nights/0.wav']\", not a text"),
        ("nights/0.wav", 10**400, ["wren"], "int too large"),
        ("nights/0.wav", 1, "wren", "the labels of a region are no list"),
        ("nights/0.wav", 1, ["wren"] * 9, "more than 8 labels"),
    ],
)
def test_what_a_stranger_writes_for_label_studio_gets_a_sentence(
    listed: Path, monkeypatch: pytest.MonkeyPatch, path: Any, end: int, labels: Any, message: str
) -> None:
    monkeypatch.setattr("audioclf.experiment.scoring.rows.MAX_ROWS", 8)
    result = [{"value": {"start": 0, "end": end, "labels": labels}}]
    task = {"data": {"path": path}, "annotations": [{"completed_by": 7, "result": result}]}
    Path("p.json").write_text(json.dumps([task]))
    assert message in reviewing("--import", "p.json", code=3).stderr


def test_an_imported_answer_is_one_line_of_the_table(listed: Path) -> None:
    annotation = {"completed_by": {"email": "eve\nx\x1b"}, "result": [region(0, "wren")]}
    task = {"data": {"path": "nights/0.wav"}, "annotations": [annotation]}
    Path("p.json").write_text(json.dumps([task]))
    other = Path("other.csv")
    other.write_text(Path("reviewed.csv").read_text().replace("anna,far", '"b\nen","far\noff"'))
    for _ in range(2):
        reviewing("--import", "p.json")
        reviewing("--import", str(other))
    answers, _ = read_answers(Path("reviewed.csv"))
    assert len(Path("reviewed.csv").read_text().splitlines()) == 1 + len(answers) == 1 + 5 + 1 + 5
    assert {row.reviewer for row in answers} == {"anna", "eve\\nx\\x1b", "b\\nen"}


def test_tables_of_label_studio_are_read_as_events(tmp_path: Path) -> None:
    task = {"data": {"audio": "s3://b/x/0.wav"}, "annotations": [{"result": [region(2, "a")]}]}
    (tmp_path / "p.json").write_text(json.dumps([task]))
    ((table,), _) = event_tables(tmp_path / "p.json")
    assert [(row.file, row.start, row.end, row.label) for row in table.rows] == [
        ("x/0.wav", 2.0, 3.0, "a")
    ]


def test_an_export_is_of_one_reviewer_and_replaces_nothing(listed: Path) -> None:
    assert (
        "answers of anna, and an export has those of one"
        in reviewing("--export", "a.json", code=2).stderr
    )
    reviewing("--export", "a.json", "--reviewer", "anna")
    again = ("--export", "a.json", "--reviewer", "anna")
    assert "a.json exists" in reviewing(*again, code=2).stderr
    reviewing(*again, "--force")
    assert (
        "one of raven, audacity"
        in reviewing("--export", "a.csv", "--reviewer", "anna", code=2).stderr
    )
    assert (
        "a label track belongs to one recording of 2"
        in reviewing("--export", "a.txt", "--reviewer", "anna", code=2).stderr
    )


def test_clips_are_named_by_file_time_and_score(listed: Path) -> None:
    text = listed.read_text()
    extra = text.splitlines()[1].replace("nights/0.wav", "../gone/../nights_0.flac")
    listed.write_text(f"{text}{extra}\n")
    done = reviewing("--clips", "cut", code=4)
    assert "6 of 7 windows as WAV" in done.stdout
    assert "gone" in done.stderr
    names = sorted(path.name for path in Path("cut").iterdir())
    assert names[:2] == ["nights_0_0.000-1.000s_0.5000.wav", "nights_0_1.000-2.000s_0.5000.wav"]
    y, sr = soundfile.read(Path("cut") / names[1], dtype="float32")
    assert (sr, len(y)) == (8000, 8000)
    assert y == pytest.approx(np.linspace(-0.9, 0.9, 24_000)[8000:16_000], abs=1e-4)
    assert "cut exists" in reviewing("--clips", "cut", code=2).stderr


def test_a_list_of_no_classes_can_be_exported(listed: Path) -> None:
    Path("reviewed.csv").unlink()
    run_cli("review", "suggested.csv", "--export", "a.json", code=0)
    assert not Path("reviewed.csv").exists()
    assert read_list(listed).classes == ()


def test_the_commands_of_the_guide_run(listed: Path) -> None:
    Path("reviewed.csv").unlink()
    text = (REPO / "docs/guides/review.md").read_text(encoding="utf-8")
    _, _, section = text.partition("### With other tools\n\n```sh\n")
    commands = section.partition("```")[0].splitlines()
    assert len(commands) == 3
    for command in commands:
        run_cli(*shlex.split(command, comments=True)[1:], code=0)
        table = Path("calls.selections.txt")
        table.write_text(table.read_text().replace("(open)", "wren"))
    assert [*answers_in("reviewed.csv", "anna").values()] == [("wren", "labelled")] * 6
    assert len(list(Path("clips").iterdir())) == 6
