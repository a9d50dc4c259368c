"""`audioclf replay`: the table, the JSON, the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import run_cli


@pytest.fixture
def finished(toy_config: Path, tmp_path: Path) -> Path:
    assert run_cli("run", toy_config, "--out", tmp_path / "done", "--jobs", "1").returncode == 0
    return tmp_path / "done"


def test_the_same_run_again_ends_with_0(finished: Path, tmp_path: Path) -> None:
    done = run_cli("replay", finished, "--out", tmp_path / "again", "--jobs", "1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["stage", "verdict", "detail"]
    assert [line.split()[:2] for line in lines[1:6]] == [
        [name, "same"] for name in ("dataset", "features", "folds", "predictions", "metrics")
    ]
    assert lines[-3:] == [
        "environment: the same platform and versions",
        "same",
        f"replayed in {tmp_path / 'again'}",
    ]


def test_another_result_ends_with_3_and_says_where(finished: Path) -> None:
    done = run_cli("replay", finished, "--set", "seed=5", "--jobs", "1")
    assert done.returncode == 3
    assert "\ndifferent, first at folds\n" in done.stdout


def test_json_holds_all_of_it(finished: Path, tmp_path: Path) -> None:
    path = finished / "record.json"
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "1.0"
    path.write_text(json.dumps(record) + "\n")
    done = run_cli("replay", finished, "--json", "--out", tmp_path / "again", "--jobs", "1")
    found = json.loads(done.stdout)
    assert found["verdict"] == "same"
    assert found["first_different"] is None
    assert found["replay"] == str(tmp_path / "again")
    assert found["stages"][0] == {"name": "dataset", "verdict": "same", "detail": "16 clips"}
    (change,) = found["environment"]
    assert (change["name"], change["recorded"]) == ("numpy", "1.0")


def test_what_changed_in_the_environment_is_said(finished: Path, tmp_path: Path) -> None:
    path = finished / "record.json"
    record = json.loads(path.read_text())
    record["platform"] = "Plan9\x1b[31m mips"
    path.write_text(json.dumps(record) + "\n")
    done = run_cli("replay", finished, "--out", tmp_path / "again", "--jobs", "1")
    assert "instead of Plan9\\x1b[31m mips" in done.stdout


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    done = run_cli("replay", tmp_path / "nowhere")
    assert done.returncode == 6
    assert "nowhere: no such run folder" in done.stderr


def test_a_finished_run_is_never_overwritten(finished: Path) -> None:
    done = run_cli("replay", finished, "--out", finished)
    assert done.returncode == 6
    assert "holds a finished run, which is not overwritten" in done.stderr
