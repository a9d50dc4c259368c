"""`audioclf replay`: the table, the JSON, the exit codes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import run_cli


@pytest.fixture
def finished(plain_run: Path, tmp_path: Path) -> Path:
    """Return a copy of a run."""
    return Path(shutil.copytree(plain_run, tmp_path / "done"))


def test_the_same_run_again_ends_with_0(finished: Path, tmp_path: Path) -> None:
    done = run_cli("replay", finished, "--out", tmp_path / "again", "--jobs", "1", code=0)
    assert done.stderr == ""
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


@pytest.mark.slow
def test_another_result_ends_with_3_and_says_where(finished: Path) -> None:
    done = run_cli("replay", finished, "--set", "seed=5", "--jobs", "1", code=3)
    assert "\ndifferent, first at folds\n" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [True, False])
def test_changes_of_the_environment_are_named(
    finished: Path, tmp_path: Path, as_json: bool
) -> None:
    path = finished / "record.json"
    record = json.loads(path.read_text())
    record["versions"]["numpy"] = "1.0\x1b[31m"
    path.write_text(json.dumps(record) + "\n")
    options = ["--json"] if as_json else []
    done = run_cli("replay", finished, *options, "--out", tmp_path / "again", "--jobs", "1")
    if not as_json:
        assert "instead of 1.0\\x1b[31m" in done.stdout
        return
    data = json.loads(done.stdout)
    assert data["verdict"] == "same"
    assert data["first_different"] is None
    assert data["replay"] == str(tmp_path / "again")
    assert data["stages"][0] == {"name": "dataset", "verdict": "same", "detail": "16 clips"}
    (change,) = data["environment"]
    assert (change["name"], change["recorded"]) == ("numpy", "1.0\x1b[31m")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    done = run_cli("replay", tmp_path / "nowhere", code=6)
    assert "nowhere: no such run folder" in done.stderr


def test_a_finished_run_is_never_overwritten(finished: Path) -> None:
    done = run_cli("replay", finished, "--out", finished, code=6)
    assert "holds a finished run, which is not overwritten" in done.stderr
