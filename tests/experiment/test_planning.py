"""Plans of runs: their facts, their estimates, and that nothing is written."""

import itertools
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

import audioclf
from audioclf.base.errors import DatasetError
from audioclf.components.discovery import discover
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.experiment import planning
from audioclf.experiment.planning import RunPlan, Stage, power_law
from audioclf.experiment.prepared import Prepared, prepare
from audioclf.experiment.resources import Resources
from audioclf.plugin import Classifier
from tests.conftest import run_cli

REGISTRY = discover()
FLAT = "featurizers.mel.pooling={type: flatten}"


def make_plan(
    path: Path, *overrides: str, n_clips: int | None = None, cache: Path | None = None
) -> RunPlan:
    prepared = prepare(path, overrides, REGISTRY)
    if n_clips is not None:
        prepared = Prepared(prepared.config, REGISTRY, repeated(prepared.dataset, n_clips))
    return planning.plan(prepared, Resources(2, cache_folder=cache))


def repeated(dataset: Dataset, n_clips: int) -> Dataset:
    clips = itertools.islice(itertools.cycle(dataset.clips), n_clips)
    return Dataset(
        [Clip(f"{i:06d}/{clip.id}", clip.label, clip.source) for i, clip in enumerate(clips)],
        name=dataset.name,
    )


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each piece of work take 10 ms, and the process hold no memory itself."""
    clock = itertools.count()
    ticking = SimpleNamespace(perf_counter=lambda: 0.01 * next(clock))
    monkeypatch.setattr(planning, "time", ticking)
    monkeypatch.setattr(planning, "peak_memory", lambda: 0)


def stage(plan: RunPlan, name: str) -> Stage:
    return next(stage for stage in plan.stages if stage.name == name)


@pytest.mark.slow
@pytest.mark.parametrize("plots", ["report.plots=true", "report.plots=false"])
def test_facts_and_sizes_are_those_of_the_run(toy_config: Path, tmp_path: Path, plots: str) -> None:
    cache = tmp_path / "cache"
    plan = make_plan(toy_config, plots, cache=cache)
    assert (plan.n_clips, plan.n_pipelines, plan.n_fits, plan.jobs) == (16, 2, 8, 2)
    assert (plan.n_probed, plan.n_unreadable, plan.cached) == (16, 0, 0.0)
    assert [stage.name for stage in plan.stages] == ["load", "features", "evaluate", "report"]
    assert (plan.mapped, plan.warnings) == ((), ())

    result = audioclf.run(
        toy_config, overrides=[plots], out=tmp_path / "run", jobs=1, cache_dir=cache
    )
    folder = result.folder
    record = json.loads((folder / "record.json").read_text())
    assert [plan.n_clips, plan.columns["mel"]] == record["features"]["mel"]["shape"]
    assert set(record["seconds"]) >= {stage.name for stage in plan.stages}
    n_tested = len((folder / "folds.csv").read_text().splitlines()) - 1
    assert plan.rows_per_fit == plan.n_clips - n_tested // 4
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert 0.7 * size < stage(plan, "report").disk < 1.5 * size
    pack = max(path.stat().st_size for path in cache.rglob("*.pack"))  # the others are of examples
    assert stage(plan, "features").disk == pytest.approx(pack, rel=0.1)


def test_more_clips_take_more_of_everything(toy_config: Path, steady: None, tmp_path: Path) -> None:
    few, many = (make_plan(toy_config, n_clips=n, cache=tmp_path) for n in (100, 400))
    for name in ("features", "report"):
        less, more = stage(few, name), stage(many, name)
        assert more.seconds > less.seconds, name
        assert more.memory > less.memory, name
        assert more.disk > less.disk, name
    assert stage(many, "evaluate").memory > stage(few, "evaluate").memory


def test_memory_grows_with_clips_and_columns(toy_config: Path, steady: None) -> None:
    plans = [make_plan(toy_config, FLAT, n_clips=n) for n in (320, 640, 960)]
    first, second, third = (stage(plan, "features").memory for plan in plans)
    assert third - second == pytest.approx(second - first, rel=0.05)
    assert second - first == pytest.approx(320 * (4 * plans[0].columns["mel"] + 500), rel=0.05)
    assert stage(make_plan(toy_config, n_clips=640), "features").memory < second


def test_short_memory_is_a_warning(
    toy_config: Path, steady: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "available_memory", lambda: 1 << 14)
    plan = make_plan(toy_config, FLAT)
    assert plan.mapped == ("mel",)
    assert stage(plan, "features").disk == 4 * 16 * plan.columns["mel"]
    (warning,) = plan.warnings
    assert warning.startswith("the stage 'features' would take about ")
    assert " of memory, and 16.0 KiB is free: use fewer columns (pooling: {type: " in warning


def test_a_full_disk_and_a_cache_that_would_be_pruned_are_warnings(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(disk_usage=lambda path: SimpleNamespace(free=5000))
    monkeypatch.setattr(planning, "shutil", full)
    monkeypatch.setattr(planning, "DEFAULT_MAX_BYTES", 1024)
    pruned, disk = make_plan(toy_config, cache=tmp_path / "not" / "yet").warnings
    assert "is cut below 1.0 KiB when the run ends" in pruned
    assert str(tmp_path) in disk
    assert "where 4.9 KiB is free: use another disk (--out, --cache-dir" in disk


@pytest.mark.slow
def test_cached_clips_need_no_decoding(toy_config: Path, tmp_path: Path, steady: None) -> None:
    cache = tmp_path / "cache"
    before = make_plan(toy_config, n_clips=640, cache=cache)
    audioclf.run(toy_config, out=tmp_path / "run", jobs=1, cache_dir=cache)
    after = make_plan(toy_config, n_clips=640, cache=cache)
    assert (before.cached, after.cached) == (0.0, 1.0)
    assert stage(before, "features").disk > stage(after, "features").disk == 0
    assert stage(after, "features").seconds < stage(before, "features").seconds
    assert make_plan(toy_config, n_clips=640).cached == 0.0


def test_nothing_is_written(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    audioclf.run(toy_config, out=tmp_path / "run", jobs=1, cache_dir=cache)
    for path in cache.rglob("*.pack"):
        os.utime(path, (0, 0))  # so that a use of the entry would show
    monkeypatch.chdir(tmp_path)

    def snapshot() -> dict[Path, tuple[int, int]]:
        states = ((path, path.stat()) for path in tmp_path.rglob("*"))
        return {path: (state.st_size, state.st_mtime_ns) for path, state in states}

    before = snapshot()
    done = run_cli("run", "--plan", toy_config, "--cache-dir", cache)
    assert done.returncode == 0, done.stderr
    assert snapshot() == before


def test_unreadable_clips_are_left_out_with_a_warning(toy_config: Path, sounds: Path) -> None:
    dataset = f"dataset={{type: folder, path: {sounds}}}"
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEbroken")
    plan = make_plan(toy_config, dataset)
    assert (plan.n_clips, plan.n_probed, plan.n_unreadable) == (16, 16, 1)
    (warning,) = plan.warnings
    assert warning.startswith("1 of the 16 clips that were probed cannot be used and were left")
    assert "low_3.wav" in warning
    assert "`on_error: skip`" in warning
    for path in sounds.rglob("*.wav"):
        path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEbroken")
    with pytest.raises(DatasetError, match="none of the 16 clips that were probed can be used"):
        make_plan(toy_config, dataset)


class Stubborn(Classifier):
    """Fails to fit."""

    type: Literal["stubborn"] = "stubborn"

    def build(self, *, random_state: int) -> Any:
        def fit(X: Any, y: Any) -> None:
            raise ValueError("not today")

        return SimpleNamespace(fit=fit)


def test_a_classifier_that_cannot_be_fitted_is_a_warning(toy_config: Path) -> None:
    config = audioclf.load_config(toy_config, registry=REGISTRY)
    config = config.model_copy(update={"classifiers": {"mule": Stubborn()}})
    (warning,) = planning.plan(prepare(config, registry=REGISTRY), Resources(2)).warnings
    assert warning.startswith("mule could not be fitted to made-up rows, so its time is not in")
    assert warning.endswith("raised ValueError: not today")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(20, 2.0), (40, 2.0)], 2.0),
        ([(20, 2.0), (40, 4.0)], 16.0),
        ([(10, 4.0), (20, 2.0)], 2.0),
        ([(10, 1.0), (20, 1000.0)], 512_000.0),
        ([(40, 2.0)], 8.0),
    ],
    ids=["constant", "linear", "no less", "at most cubic", "one point"],
)
def test_times_follow_a_power_law(points: list[tuple[int, float]], expected: float) -> None:
    assert power_law(points, 160) == pytest.approx(expected)


def test_long_fits_are_divided_among_workers(
    toy_config: Path, steady: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(of_a_fit: float) -> float:
        monkeypatch.setattr(planning, "fit_seconds", lambda *args: of_a_fit)
        return stage(make_plan(toy_config), "evaluate").seconds

    assert seconds(0.1) == pytest.approx(8 * 0.1)
    assert seconds(10.0) == pytest.approx(8 * 10.0 / 2 + 2.0)


def test_the_command_prints_a_table_or_json(
    toy_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_cli("run", "--plan", toy_config, "--jobs", "2", "--no-cache")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["stage", "about", "memory", "disk"]
    stages = [line.split()[0] for line in lines[1:6]]
    assert stages == ["load", "features", "evaluate", "report", "all"]
    assert "16 clips; 2 pipelines, 8 fits of 12 clips; 2 at a time" in done.stdout
    assert "each figure is an estimate" in done.stdout

    monkeypatch.setattr(planning, "available_memory", lambda: 0)
    monkeypatch.setattr(planning, "peak_memory", lambda: 0)
    done = run_cli("run", "--plan", toy_config, "--json", "--no-cache")
    data = json.loads(done.stdout)
    assert (data["n_clips"], data["n_fits"], data["columns"]["mel"]) == (16, 8, 16 * 12)
    assert data["seconds"] == pytest.approx(sum(stage["seconds"] for stage in data["stages"]))
    assert [f"audioclf: warning: {text}" for text in data["warnings"]] == done.stderr.splitlines()
    assert len(data["warnings"]) == 1


@pytest.mark.parametrize(
    ("option", "words"), [("audio.sr=0", "audio.sr"), ("isolate=true", "which isolation rules out")]
)
def test_a_config_that_cannot_be_planned_is_refused(
    toy_config: Path, option: str, words: str
) -> None:
    done = run_cli("run", toy_config, "--plan", "--set", option)
    assert done.returncode == 2
    assert words in done.stderr
