"""What a plan foretells, of what, and that it leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Protocol

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import DatasetError
from audioclf.components.discovery import discover
from audioclf.config.loading import load_config
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.experiment.grid import pipelines_of
from audioclf.experiment.loading import load_dataset
from audioclf.experiment.planning import planner as planner_module
from audioclf.experiment.planning.estimate import RunPlan, Stage, outcome, power_law
from audioclf.experiment.planning.fit_cost import peak_bytes
from audioclf.experiment.planning.planner import _fits_in_this_process, plan
from audioclf.experiment.planning.report_cost import Rehearsal, ReportCost
from audioclf.experiment.planning.workload import Sample
from audioclf.plugin import Classifier
from tests.conftest import WHOLE, run_cli

REGISTRY = discover()
FLAT = "featurizers.mel.pooling={type: flatten}"
MODULES = ("planner", "probe", "fit_cost", "report_cost")


class Plan(Protocol):
    """Plans a config, on its own clips or on more of them."""

    def __call__(
        self, path: Path, *overrides: str, n_clips: int | None = None, cache: Path | None = None
    ) -> RunPlan: ...


def make_plan(
    path: Path, *overrides: str, n_clips: int | None = None, cache: Path | None = None
) -> RunPlan:
    config = load_config(path, overrides=overrides, registry=REGISTRY)
    dataset = load_dataset(config, REGISTRY)
    if n_clips is not None:
        dataset = repeated(dataset, n_clips)
    return plan_of(config, dataset, cache)


def plan_of(config: RunConfig, dataset: Dataset, cache: Path | None = None) -> RunPlan:
    found = {name: REGISTRY.origin_of(item) for name, item in config.featurizers.items()}
    origins = {name: origin for name, origin in found.items() if origin is not None}
    pipelines = pipelines_of(config, REGISTRY)
    return plan(config, dataset, pipelines, origins=origins, jobs=2, cache_folder=cache)


def repeated(dataset: Dataset, n_clips: int) -> Dataset:
    clips = itertools.islice(itertools.cycle(dataset.clips), n_clips)
    return Dataset(
        [Clip(f"{i:06d}/{clip.id}", clip.label, clip.source) for i, clip in enumerate(clips)],
        name=dataset.name,
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return what plans without the report, whose pictures take a second."""
    monkeypatch.setattr(Rehearsal, "cost", lambda self: ReportCost(1.0, 1000, 2000))
    return make_plan


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each piece of work take 10 ms, and the process hold no memory itself."""
    clock = itertools.count()
    for name in MODULES:
        monkeypatch.setattr(f"audioclf.experiment.planning.{name}._now", lambda: 0.01 * next(clock))
    monkeypatch.setattr(planner_module, "_resident_memory", lambda: 0)


def stage(found: RunPlan, name: str) -> Stage:
    return next(stage for stage in found.stages if stage.name == name)


def test_the_facts_are_those_of_the_config(quick: Plan, toy_config: Path) -> None:
    found = quick(toy_config)
    assert (found.n_clips, found.n_pipelines, found.n_fits, found.jobs) == (16, 2, 8, 2)
    assert (found.n_probed, found.n_unreadable, found.cached) == (16, 0, 0.0)
    assert [stage.name for stage in found.stages] == ["load", "features", "evaluate", "report"]
    assert (found.mapped, found.warnings) == ((), ())


def test_rows_and_columns_are_those_of_the_run(
    quick: Plan, toy_config: Path, tmp_path: Path
) -> None:
    found = quick(toy_config)
    result = audioclf.run(toy_config, out=tmp_path / "run", jobs=1)
    record = json.loads((result.folder / "record.json").read_text())
    shape = record["features"]["mel"]["shape"]
    assert [found.n_clips, found.columns["mel"]] == shape
    n_tested = len((result.folder / "folds.csv").read_text().splitlines()) - 1
    assert found.rows_per_fit == found.n_clips - n_tested // 4
    assert set(record["seconds"]) >= {stage.name for stage in found.stages}


def test_the_run_folder_has_about_the_size_foretold(toy_config: Path, tmp_path: Path) -> None:
    foretold = stage(make_plan(toy_config), "report").disk
    folder = audioclf.run(toy_config, out=tmp_path / "run", jobs=1).folder
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert 0.7 * size < foretold < 1.5 * size


def test_page_and_audits_are_foretold_too(toy_config: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    bare = make_plan(toy_config, cache=cache)
    whole = make_plan(toy_config, *WHOLE, cache=cache)
    assert stage(whole, "report").disk > stage(bare, "report").disk + 200_000
    assert stage(whole, "features").disk > stage(bare, "features").disk
    assert whole.columns == bare.columns


def test_the_cache_takes_the_disk_foretold(quick: Plan, toy_config: Path, tmp_path: Path) -> None:
    foretold = stage(quick(toy_config, cache=tmp_path / "cache"), "features").disk
    audioclf.run(toy_config, out=tmp_path / "run", jobs=1, cache_dir=tmp_path / "cache")
    sizes = [path.stat().st_size for path in (tmp_path / "cache").rglob("*.npy")]
    assert len(sizes) > 16  # the waveforms of the examples are there as well
    by_shape = sorted(sizes)[:16]
    assert foretold == sum(-(-size // 4096) * 4096 for size in by_shape)


def test_more_clips_take_more_of_everything(toy_config: Path, steady: None, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    few, many = (make_plan(toy_config, n_clips=n, cache=cache) for n in (100, 1000))
    for name in ("features", "report"):
        less, more = stage(few, name), stage(many, name)
        assert more.seconds > less.seconds, name
        assert more.memory > less.memory, name
        assert more.disk > less.disk, name
    assert stage(many, "evaluate").memory > stage(few, "evaluate").memory


def test_memory_of_flat_features_grows_with_the_clips(
    quick: Plan, toy_config: Path, steady: None
) -> None:
    plans = [quick(toy_config, FLAT, n_clips=n) for n in (320, 640, 960)]
    first, second, third = (stage(found, "features").memory for found in plans)
    assert third - second == pytest.approx(second - first, rel=0.05)
    assert second - first == pytest.approx(320 * (4 * plans[0].columns["mel"] + 500), rel=0.05)


def test_fewer_columns_take_less_memory(quick: Plan, toy_config: Path, steady: None) -> None:
    flat = quick(toy_config, FLAT, n_clips=640)
    pooled = quick(toy_config, n_clips=640)
    assert stage(pooled, "features").memory < stage(flat, "features").memory


def test_what_does_not_fit_into_memory_is_said(
    quick: Plan, toy_config: Path, steady: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner_module, "available_memory", lambda: 1 << 14)
    found = quick(toy_config, FLAT)
    assert found.mapped == ("mel",)
    assert stage(found, "features").disk == 4 * 16 * found.columns["mel"]
    (warning,) = found.warnings
    assert warning.startswith("the stage 'features' would take about ")
    assert " of memory, and 16.0 KiB is free: have fewer columns (pooling: {type: " in warning


def test_what_does_not_fit_on_the_disk_is_said(
    quick: Plan, toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(disk_usage=lambda path: SimpleNamespace(free=5000))
    monkeypatch.setattr(planner_module, "shutil", full)
    (warning,) = quick(toy_config, cache=tmp_path / "not" / "yet").warnings
    assert str(tmp_path) in warning
    assert "where 4.9 KiB is free: use another disk (--out, --cache-dir" in warning


def test_a_cache_that_would_be_pruned_is_said(
    quick: Plan, toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner_module, "DEFAULT_MAX_BYTES", 1024)
    (warning,) = quick(toy_config, cache=tmp_path).warnings
    assert "is cut below 1.0 KiB when the run ends" in warning


def test_cached_clips_need_no_decoding(
    quick: Plan, toy_config: Path, tmp_path: Path, steady: None
) -> None:
    cache = tmp_path / "cache"
    before = quick(toy_config, n_clips=640, cache=cache)
    audioclf.run(toy_config, out=tmp_path / "run", jobs=1, cache_dir=cache)
    after = quick(toy_config, n_clips=640, cache=cache)
    assert (before.cached, after.cached) == (0.0, 1.0)
    assert stage(after, "features").disk == 0
    assert stage(before, "features").disk > 0
    assert stage(after, "features").seconds < stage(before, "features").seconds
    assert quick(toy_config, n_clips=640).cached == 0.0


def test_nothing_is_written(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    audioclf.run(toy_config, out=tmp_path / "run", jobs=1, cache_dir=cache)
    for path in cache.rglob("*.npy"):
        os.utime(path, (0, 0))  # so that a use of the entry would show
    monkeypatch.chdir(tmp_path)

    def snapshot() -> dict[Path, tuple[int, int]]:
        found = ((path, path.stat()) for path in tmp_path.rglob("*"))
        return {path: (status.st_size, status.st_mtime_ns) for path, status in found}

    before = snapshot()
    done = run_cli("run", "--plan", toy_config, "--cache-dir", cache)
    assert done.returncode == 0, done.stderr
    assert snapshot() == before


def test_unreadable_clips_are_left_out_and_said(
    quick: Plan, toy_config: Path, sounds: Path
) -> None:
    (sounds / "low" / "low_3.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEbroken")
    found = quick(toy_config, f"dataset={{type: folder, path: {toy_config.parent / 'sounds'}}}")
    assert (found.n_clips, found.n_probed, found.n_unreadable) == (16, 16, 1)
    (warning,) = found.warnings
    assert warning.startswith("1 of the 16 clips that were probed cannot be used and were left")
    assert "low_3.wav" in warning
    assert "`on_error: skip`" in warning


def test_a_dataset_without_a_readable_clip_is_refused(
    quick: Plan, toy_config: Path, sounds: Path
) -> None:
    for path in sounds.rglob("*.wav"):
        path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEbroken")
    with pytest.raises(DatasetError, match="none of the 16 clips that were probed can be used"):
        quick(toy_config, f"dataset={{type: folder, path: {toy_config.parent / 'sounds'}}}")


class Stubborn(Classifier):
    """Fails to fit."""

    type: Literal["stubborn"] = "stubborn"

    def build(self, *, random_state: int) -> Any:
        def fit(X: Any, y: Any) -> None:
            raise ValueError("not today")

        return SimpleNamespace(fit=fit)


def test_a_classifier_that_cannot_be_tried_is_said(quick: Plan, toy_config: Path) -> None:
    config = load_config(toy_config, registry=REGISTRY)
    config = config.model_copy(update={"classifiers": {"mule": Stubborn()}})
    found = plan_of(config, load_dataset(config, REGISTRY))
    (warning,) = found.warnings
    assert warning.startswith("mule could not be tried on made-up rows, so its time is not in")
    assert warning.endswith("raised ValueError: not today")


def test_a_sample_has_every_class_in_proportion(toy_config: Path) -> None:
    config = load_config(toy_config, registry=REGISTRY)
    source = load_dataset(config, REGISTRY).clips[0].source
    labels = ["a"] * 300 + ["b"] * 90 + ["c"] * 10
    sample = Sample(Dataset([Clip(f"{i}", x, source) for i, x in enumerate(labels)], name="x"))
    assert np.bincount(sample.labels(40)).tolist() == [30, 9, 1]
    assert len(set(sample.positions(10_000).tolist())) == 400


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(10, 2.0), (20, 2.0), (40, 2.0)], 2.0),
        ([(10, 1.0), (20, 2.0), (40, 4.0)], 16.0),
        ([(10, 4.0), (20, 2.0)], 2.0),
        ([(10, 1.0), (20, 1000.0)], 512_000.0),
        ([(1, 99.0), (10, 2.0), (20, 2.0), (40, 2.0)], 2.0),
    ],
    ids=["constant", "linear", "no less", "at most cubic", "the last three"],
)
def test_times_follow_a_power_law(points: list[tuple[int, float]], expected: float) -> None:
    assert power_law(points, 160) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seconds", "jobs", "alone"),
    [([0.1] * 20, 2, 20), ([1.0] * 20, 2, 1), ([1.0] * 20, 1, 20), ([0.1] * 10 + [9.0] * 3, 2, 11)],
    ids=["quick", "slow", "one job", "slow at the end"],
)
def test_worker_processes_are_foreseen_where_they_pay(
    seconds: list[float], jobs: int, alone: int
) -> None:
    assert _fits_in_this_process(seconds, jobs) == alone


def test_the_peak_is_that_of_the_work() -> None:
    assert peak_bytes(lambda: np.ones(1 << 17).sum()) >= 1 << 20
    assert peak_bytes(lambda: None) < 1 << 16


def test_stages_that_did_not_happen_have_no_outcome(quick: Plan, toy_config: Path) -> None:
    found = quick(toy_config)
    data = outcome(found, {"features": 2.5, "tea": 1.0}, 123)
    assert set(data["seconds"]) == {"features"}
    assert data["seconds"]["features"]["actual"] == 2.5
    assert data["memory"] == {"predicted": found.memory, "actual": 123}


def test_the_command_prints_a_table(quick: Plan, toy_config: Path) -> None:
    done = run_cli("run", "--plan", toy_config, "--jobs", "2", "--no-cache")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["stage", "about", "memory", "disk"]
    assert [line.split()[0] for line in lines[1:6]] == [
        "load",
        "features",
        "evaluate",
        "report",
        "all",
    ]
    assert "16 clips; 2 pipelines, 8 fits of 12 clips; 2 at a time" in done.stdout
    assert "each figure is an estimate" in done.stdout


def test_the_command_prints_json(
    quick: Plan, toy_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner_module, "available_memory", lambda: 0)
    monkeypatch.setattr(planner_module, "_resident_memory", lambda: 0)
    done = run_cli("run", "--plan", toy_config, "--json", "--no-cache")
    data = json.loads(done.stdout)
    assert (data["n_clips"], data["n_fits"]) == (16, 8)
    assert data["seconds"] == pytest.approx(sum(stage["seconds"] for stage in data["stages"]))
    assert [f"audioclf: warning: {text}" for text in data["warnings"]] == done.stderr.splitlines()
    assert len(data["warnings"]) == 1
