"""The run folder: whole files, nothing overwritten."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from audioclf.base.errors import ResultError
from audioclf.runs.folder import RunFolder


def test_a_finished_run_is_not_overwritten(tmp_path: Path) -> None:
    RunFolder.create(tmp_path).write_json("record.json", {})
    with pytest.raises(ResultError, match="holds a finished run, which is not overwritten"):
        RunFolder.create(tmp_path)


def test_an_unfinished_run_may_be_taken_up(tmp_path: Path) -> None:
    RunFolder.create(tmp_path).write_text("config.yaml", "")
    assert RunFolder.create(tmp_path).path == tmp_path


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ResultError, match="holds files that do not belong to a run"):
        RunFolder.create(tmp_path)


def test_names_that_are_taken_get_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "20260101-000000")
    paths = [RunFolder.create_named(tmp_path, "a").path.name for _ in range(3)]
    assert paths == ["a-20260101-000000", "a-20260101-000000-2", "a-20260101-000000-3"]


@pytest.mark.parametrize("target", ["file/run", "file"])
def test_a_path_that_cannot_be_a_folder_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot be written") as caught:
        RunFolder.create(tmp_path / target)
    assert caught.value.exit_code == 6
    assert "file" in caught.value.message


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path)
    folder.write_text("metrics.json", "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultError, match=r"metrics\.json: cannot be written: No space left"):
        folder.write_text("metrics.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text() == "old"


def test_nan_is_null_in_json(tmp_path: Path) -> None:
    path = RunFolder.create(tmp_path).write_json("m.json", {"a": [float("nan"), 1.0]})
    assert json.loads(path.read_text()) == {"a": [None, 1.0]}


def test_a_table_has_a_header_even_when_it_is_empty(tmp_path: Path) -> None:
    path = RunFolder.create(tmp_path).write_csv("t.csv", ["a", "b"], [])
    assert path.read_text() == "a,b\n"


@pytest.mark.parametrize("name", ["a\rb.wav", "a\nb.wav", "a\r\nb.wav", 'a,"b".wav'])
def test_a_name_with_line_breaks_stays_in_its_row(tmp_path: Path, name: str) -> None:
    path = RunFolder(tmp_path).write_csv("t.csv", ("path", "label"), [(name, "x"), ("c", "y")])
    with path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [["path", "label"], [name, "x"], ["c", "y"]]
