"""A run that is stopped loses nothing that was finished, and the same command goes on."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import audioclf
from audioclf.base.errors import ResultError, Terminated
from audioclf.base.locks import take_lock
from audioclf.evaluation import cross_validation
from audioclf.evaluation import predictions as scoring
from audioclf.features.cache import FeatureCache
from audioclf.runs.folder import LOCK, RunFolder
from audioclf.runs.results import RunResult
from tests.conftest import run_cli

TIMES = {"fit_seconds", "predict_seconds_per_clip", "peak_memory_bytes", "model_bytes"}
CELLS = "classifiers={logreg: {type: logistic_regression}, knn: {type: knn}}"
N_FITS = 3 * 4
"""Two classifiers and the baseline, in four folds."""


@pytest.fixture(scope="module")
def whole(shared_config: Path) -> RunResult:
    """Return a run that was not stopped."""
    return run(shared_config, shared_config.with_name("whole"))


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a cache that has no fits of other tests."""
    monkeypatch.setenv("AUDIOCLF_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the fits that are done from here on."""
    done: list[str] = []
    original = cross_validation.fit_and_predict

    def counted(task: Any, *args: Any) -> Any:
        result = original(task, *args)
        done.append(f"{task.pipeline.name} {task.fold.name}")
        return result

    monkeypatch.setattr(cross_validation, "fit_and_predict", counted)
    return done


def stop_at(stage: str, count: int, exc: BaseException) -> Callable[[str, int, int], None]:
    """Return a progress that stops the run once so much of a stage is done."""

    def progress(now: str, done: int, total: int) -> None:
        if (now, done) == (stage, count):
            raise exc

    return progress


def run(config: Path, out: Path, *overrides: str, **options: Any) -> RunResult:
    return audioclf.run(config, overrides=[CELLS, *overrides], out=out, jobs=1, **options)


def results(folder: Path) -> dict[str, Any]:
    """Return what a run found, without what a clock or the memory of the machine says."""

    tables = {name: (folder / name).read_bytes() for name in ("predictions.csv", "folds.csv")}
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {**tables, "metrics": timeless(metrics)}


def timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: timeless(value) for key, value in data.items() if key not in TIMES}
    return [timeless(value) for value in data] if isinstance(data, list) else data


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_finished_fits_are_not_done_again_and_the_results_are_the_same(
    toy_config: Path, tmp_path: Path, whole: RunResult, fits: list[str]
) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run(toy_config, tmp_path / "run", progress=stop_at("fitting", 7, KeyboardInterrupt()))
    assert caught.value.__notes__ == [
        f"7 of {N_FITS} fits done and kept; run the same command to go on"
    ]
    before = fits.copy()
    assert len(before) == 7
    fits.clear()
    found = run(toy_config, tmp_path / "run")
    assert len(fits) == N_FITS - 7
    assert not set(fits) & set(before)
    assert found.remarks == (
        f"7 of {N_FITS} fits are from earlier runs; their times and memory were measured then",
    )
    assert found.notes == whole.notes
    assert results(found.folder) == results(whole.folder)
    assert left_in(found.folder) == left_in(whole.folder)
    record = json.loads((found.folder / "record.json").read_text())
    assert record["fits"] == {"total": N_FITS, "resumed": 7}


@pytest.mark.slow
def test_the_command_goes_on_in_the_folder_that_it_left(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        audioclf.run(toy_config, jobs=1, progress=stop_at("fitting", 3, KeyboardInterrupt()))
    other = audioclf.run(toy_config, jobs=1, overrides=["seed=2"])
    (left,) = [path for path in Path("runs").iterdir() if path != other.folder]
    assert audioclf.run(toy_config, jobs=1).folder == left
    assert audioclf.run(toy_config, jobs=1).folder not in (left, other.folder)


@pytest.mark.slow
def test_a_folder_that_was_left_before_its_config_is_taken(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    left = Path("runs/toy-20260101-000000")
    left.mkdir(parents=True)
    (left / ".config.yaml.77.tmp").write_text("half")
    (left / LOCK).write_text("77")
    found = audioclf.run(toy_config, jobs=1)
    assert found.folder == left
    assert not [name for name in left_in(left) if name.startswith(".")]


@pytest.mark.slow
def test_a_damaged_fit_is_done_again_and_counted(
    toy_config: Path, tmp_path: Path, whole: RunResult, fits: list[str]
) -> None:
    stop = stop_at("fitting", N_FITS, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(toy_config, tmp_path / "run", cache=False, progress=stop)
    kept = sorted((tmp_path / "run" / ".fits").rglob("*.pack"))
    assert len(kept) == N_FITS
    content = bytearray(kept[0].read_bytes())
    content[len(content) // 2] ^= 4
    kept[0].write_bytes(content)
    kept[1].write_bytes(b"")
    fits.clear()
    found = run(toy_config, tmp_path / "run", cache=False)
    assert len(fits) == 2
    assert left_in(found.folder) == left_in(whole.folder)
    assert "2 damaged fits done again" in found.remarks
    assert results(found.folder) == results(whole.folder)


@pytest.mark.slow
def test_a_run_that_fails_at_the_end_keeps_its_fits(
    toy_config: Path, tmp_path: Path, fits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(cross_validation, "predict_rows", _then(scoring.predict_rows, patch, full))
        with pytest.raises(ResultError, match=r"cannot be written: No space left") as caught:
            run(toy_config, out)
    assert caught.value.exit_code == 6
    assert caught.value.hint is not None
    assert (
        "Free some space and run the same command again: it continues where it stopped."
        in caught.value.hint
    )
    assert f"{N_FITS} of {N_FITS} fits done and kept" in caught.value.hint
    fits.clear()
    assert run(toy_config, out).exit_code == 0
    assert fits == []


def _then(original: Any, patch: pytest.MonkeyPatch, full: Any) -> Any:
    def predict(*args: Any) -> Any:
        patch.setattr(os, "fsync", full)
        return original(*args)

    return predict


@pytest.mark.slow
def test_results_of_an_earlier_config_do_not_stay(toy_config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(toy_config, out, progress=stop_at("fitting", 1, KeyboardInterrupt()))
    RunFolder(out).write_text("audit.json", "{}")
    RunFolder(out).write_text("plots/confusion-old.png", "old")
    (out / "notes of mine.txt").write_text("stay")
    run(toy_config, out)
    assert not (out / "audit.json").exists()
    assert not (out / "plots" / "confusion-old.png").exists()
    assert (out / "notes of mine.txt").read_text() == "stay"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exc", "code", "stage", "count", "words"),
    [
        (KeyboardInterrupt, 130, "reading", 16, "16 of 16 clips done and cached"),
        (Terminated, 143, "fitting", 5, "5 of 8 fits done and kept"),
    ],
)
def test_the_command_says_what_is_done(
    toy_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exc: type[BaseException],
    code: int,
    stage: str,
    count: int,
    words: str,
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop = stop_at(stage, count, exc())
        patch.setattr(
            "audioclf.experiment.progress.RunProgress.recording", lambda self, _: _both(self, stop)
        )
        done = run_cli("run", toy_config, "--out", out, "--jobs", "1")
    assert done.returncode == code
    told = f"{words}; run the same command to go on"
    assert done.stderr == f"audioclf: stopped: {told}\n"
    again = run_cli("run", toy_config, "--out", out, "--jobs", "1")
    assert again.returncode == 0
    said = "5 of 8 fits are from earlier runs; their times and memory were measured then"
    assert (said in again.stderr) == (stage == "fitting")


def _both(state: Any, stop: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    def progress(stage: str, done: int, total: int, detail: str = "") -> None:
        state._done[stage] = done, total
        stop(stage, done, total)

    return progress


def test_what_is_not_cached_is_not_called_so(toy_config: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run(
            toy_config,
            tmp_path / "run",
            cache=False,
            progress=stop_at("reading", 16, KeyboardInterrupt()),
        )
    assert caught.value.__notes__ == [
        "16 of 16 clips done, but not cached: the same command reads them anew"
    ]


@pytest.mark.slow
def test_a_second_run_in_one_folder_is_refused(toy_config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    seen: list[str] = []

    def second(stage: str, done: int, total: int) -> None:
        if stage == "fitting" and not seen:
            with pytest.raises(ResultError) as caught:
                run(toy_config, out)
            seen.append(str(caught.value))
            assert caught.value.exit_code == 6

    assert run(toy_config, out, progress=second).exit_code == 0
    (said,) = seen
    assert said == (
        f"{out}: another run uses this folder (process {os.getpid()})\n"
        "  Wait until it has ended, or choose another folder with --out."
    )


@pytest.mark.slow
def test_a_run_at_work_below_runs_is_left_alone(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        audioclf.run(toy_config, jobs=1, progress=stop_at("fitting", 3, KeyboardInterrupt()))
    (left,) = Path("runs").iterdir()
    held = take_lock(left / LOCK)
    assert held is not None
    assert audioclf.run(toy_config, jobs=1).folder != left
    held.release()
    assert audioclf.run(toy_config, jobs=1).folder == left


@pytest.mark.slow
def test_a_clock_that_jumps_changes_no_result(
    toy_config: Path, tmp_path: Path, whole: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = random.Random(5)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jumps.uniform(-1e8, 1e8))
    first = run(toy_config, tmp_path / "first", cache_dir=tmp_path / "two")
    second = run(toy_config, tmp_path / "second", cache_dir=tmp_path / "two")
    assert results(whole.folder) == results(first.folder) == results(second.folder)
    assert not [note for note in (*first.notes, *second.notes) if "cache" in note]


START = [sys.executable, "-m", "audioclf", "run"]


@pytest.mark.slow
def test_kill_9_at_any_moment_costs_nothing_that_was_finished(
    toy_config: Path, tmp_path: Path, whole: RunResult
) -> None:
    out = tmp_path / "run"
    rng = random.Random(7)
    args = [*START, str(toy_config), "--set", CELLS, "--out", str(out), "--jobs", "2", "--isolate"]
    for _ in range(4):
        with subprocess.Popen(
            args, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process:
            _wait_for(out / "config.yaml")
            time.sleep(rng.uniform(0.0, 2.0))
            process.send_signal(signal.SIGKILL)
        if (out / "record.json").exists():
            break
    if not (out / "record.json").exists():
        subprocess.run(args, check=True, capture_output=True)
    assert results(out) == results(whole.folder)
    assert not [name for name in left_in(out) if name.startswith(".") and name != LOCK]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_group_ends_it_with_one_line(
    toy_config: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    # Fits that are all different: equal ones, as repeated folds of few clips give, are kept once.
    pipelines = ", ".join(f"l{n}: {{type: logistic_regression, C: {n}.0}}" for n in range(1, 601))
    args = [*START, str(toy_config), "--set", f"classifiers={{{pipelines}}}", "--jobs", "2"]
    args += ["--isolate", "--no-cache", "--out", str(out)]
    ways: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    # A shell lets its background jobs ignore Ctrl-C, and tests may be one.
    ways["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(args, **ways) as process:
        _wait_for(out / ".fits")
        time.sleep(1.0)
        os.killpg(process.pid, number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr.startswith("audioclf: stopped: ")
    assert stderr.endswith("kept; run the same command to go on\n")
    assert len(stderr.splitlines()) == 1
    assert not (out / "record.json").exists()
    assert FeatureCache(out / ".fits").stats().entries >= int(stderr.split()[2])


def _wait_for(path: Path) -> None:
    give_up = time.monotonic() + 60
    while not path.exists() and time.monotonic() < give_up:
        time.sleep(0.02)


@pytest.mark.slow
def test_two_runs_at_once_on_one_cache_are_both_right(
    toy_config: Path, tmp_path: Path, whole: RunResult
) -> None:
    args = [*START, str(toy_config), "--set", CELLS, "--cache-dir", str(tmp_path / "shared")]
    outs = [tmp_path / "one", tmp_path / "two"]
    both = [subprocess.Popen([*args, "--out", str(out)], stdout=subprocess.DEVNULL) for out in outs]
    assert [process.wait(120) for process in both] == [0, 0]
    for out in outs:
        assert results(out) == results(whole.folder)
    with (tmp_path / "one" / "ledger.csv").open(encoding="utf-8") as stream:
        assert {row["status"] for row in csv.DictReader(stream)} == {"ok"}
