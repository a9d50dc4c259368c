"""The list of runs: the newest first, and those that did not finish with their state."""

from pathlib import Path

import pytest

from audioclf.base.errors import ResultError
from audioclf.base.locks import take_lock
from audioclf.runs.listing import list_runs
from tests.finished_runs import change_json, copy_run
from tests.runs.test_folder_of_run import stopped_run

SAVED = Path(__file__).parents[1] / "data" / "runs"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        copy_run(SAVED / name, tmp_path / name)
    change_json(
        tmp_path / "second/record.json", lambda d: d.update(finished="2030-01-02T03:04:05+0000")
    )
    return tmp_path


def test_runs_are_listed_with_their_best_pipeline_the_newest_first(runs: Path) -> None:
    (runs / "notes").mkdir()
    (runs / "notes.txt").write_text("mine")
    second, first = list_runs(runs)
    assert (second.name, first.name, first.state) == ("second", "first", "finished")
    assert (first.best, first.metric) == ("logistic_regression", "accuracy")
    assert first.value == pytest.approx(0.944, abs=1e-3)
    assert first.low == pytest.approx(0.833, abs=1e-3)
    assert second.to_data()["date"].startswith("2030-01-0")


def test_unfinished_running_and_damaged_runs_have_their_state(runs: Path) -> None:
    stopped_run(runs / "stopped", "ledger.csv")
    stopped_run(runs / "now")
    (runs / "stopped" / "config.yaml").write_text("name: stopped\nseed: 1\nmetrics: [f1]\n")
    (runs / "now" / "config.yaml").unlink()
    (runs / "first" / "metrics.json").write_text("{")
    lock = take_lock(runs / "now" / ".running")
    assert lock is not None
    listed = {run.path.name: run for run in list_runs(runs)}
    lock.release()
    states = {name: run.state for name, run in listed.items()}
    assert states == {
        "first": "damaged",
        "second": "finished",
        "now": "running",
        "stopped": "unfinished",
    }
    assert "metrics.json" in listed["first"].problem
    assert (listed["stopped"].name, listed["stopped"].best) == ("stopped", "")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    with pytest.raises(ResultError, match="nowhere: No such file or directory"):
        list_runs(tmp_path / "nowhere")
