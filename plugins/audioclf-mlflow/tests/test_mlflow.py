"""Finished runs arrive in a real store of MLflow, in SQLite."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from audioclf.components.discovery import provided_by
from audioclf.plugin import FinishedRun

HEAVY = ("mlflow", "sqlalchemy", "alembic", "numpy", "pandas", "fastapi")


def estimate(value: float | None, *folds: float | None) -> dict[str, Any]:
    return {"value": value, "low": 0.5, "high": 0.9, "per_fold": list(folds)}


def pipeline(classifier: str, *folds: float | None) -> dict[str, Any]:
    return {
        "featurizer": "mel",
        "classifier": classifier,
        "scores": "probability",
        "metrics": {"accuracy": estimate(0.75, *folds), "roc_auc": None, "f1": estimate(None)},
        "fit_seconds": 0.5,
        "predict_seconds_per_clip": 0.001,
        "model_bytes": 100,
        "peak_memory_bytes": None,
    }


def finished(folder: Path, **record: Any) -> FinishedRun:
    folder.mkdir(exist_ok=True)
    (folder / "plots").mkdir(exist_ok=True)
    files = {
        "report.html": "<p>",
        "model.audioclf": "zip",
        "plots/classes.png": "png",
        "config.yaml": "name: birds",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    origin = {"type": "svm", "distribution": "audioclf", "version": "0.1", "entry_point": "builtin"}
    return FinishedRun(
        folder=folder,
        config={
            "name": "birds",
            "seed": 7,
            "dataset": {"type": "folder", "path": "x" * 900},
            "split": {"type": "stratified_kfold", "n_splits": 2},
            "featurizers": {"mel": {"type": "mel", "pooling": {"type": "stats"}}},
            "classifiers": {"svm": {"type": "svm", "C": 2.0}},
        },
        record={
            "audioclf": "0.1",
            "finished": "2026-11-28T12:00:10+0100",
            "seconds": {"load": 4.0, "evaluate": 6.0},
            "platform": "Linux",
            "versions": {"python": "3.11.7", "numpy": "2.0"},
            "components": {"classifiers.svm": origin, "featurizers.ä": {**origin, "type": "mel"}},
            "dataset": {
                "name": "d",
                "fingerprint": "f" * 64,
                "clips": 20,
                "failed": 1,
                "groups": 3,
            },
            "split": "2 folds",
            "notes": ["look out"],
            **record,
        },
        metrics={
            "unit": {"name": "clip", "count": 20},
            "cells": {"svm": pipeline("svm", 0.7, None, 0.8), "baseline": pipeline("baseline")},
        },
        files=tuple(sorted(folder / name for name in files)),
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    uri = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    # By default artifacts of such a store go below the working directory.
    monkeypatch.chdir(tmp_path)
    return uri


def points_of(run: FinishedRun) -> dict[tuple[str, int], float]:
    from audioclf_mlflow.entries import run_entry

    return {(each.key, each.step): each.value for each in run_entry(run).metrics}


def test_a_run_becomes_params_metrics_and_tags(tmp_path: Path) -> None:
    from audioclf_mlflow.entries import cell_entries, run_entry

    run = finished(tmp_path / "run")
    entry = run_entry(run)
    assert entry.name == "birds"
    assert entry.params["seed"] == "7"
    assert entry.params["split.n_splits"] == "2"
    assert entry.params["dataset.path"] == "x" * 497 + "..."
    assert not any(key.startswith(("featurizers", "classifiers")) for key in entry.params)
    assert entry.tags["audioclf.fingerprint"] == "f" * 64
    assert entry.tags["version.numpy"] == "2.0"
    assert entry.tags["component.classifiers.svm"] == "svm, audioclf 0.1"
    assert entry.tags["component.featurizers._"].startswith("mel")
    assert entry.tags["audioclf.best_cell"] == "svm"
    svm, baseline = cell_entries(run)
    assert (svm.name, svm.params["classifier.C"]) == ("svm", "2.0")
    assert svm.params["featurizer.pooling.type"] == "stats"
    assert baseline.params["classifier.type"] == "dummy"


def test_intervals_and_folds_are_metrics_and_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    points = points_of(finished(tmp_path / "run"))
    assert points["accuracy", 0] == 0.75
    assert (points["accuracy_low", 0], points["accuracy_high", 0]) == (0.5, 0.9)
    folds = {step: value for (key, step), value in points.items() if key == "accuracy_per_fold"}
    assert folds == {0: 0.7, 2: 0.8}
    assert ("f1", 0) not in points
    assert ("roc_auc", 0) not in points
    assert ("peak_memory_bytes", 0) not in points
    assert (points["clips", 0], points["clips_left_out", 0]) == (20, 1)


def test_times_are_those_of_the_run(tmp_path: Path) -> None:
    from audioclf_mlflow.entries import times

    started, ended = times(finished(tmp_path / "run"))
    assert ended - started == 10_000
    assert ended == 1_795_863_610_000


def test_other_records_are_other_runs(tmp_path: Path) -> None:
    from audioclf_mlflow.entries import identity

    one, same = finished(tmp_path / "one"), finished(tmp_path / "two")
    other = finished(tmp_path / "one", finished="2026-11-28T12:00:11+0100")
    assert identity(one) == identity(same) != identity(other)


def test_it_has_a_hook_and_no_component() -> None:
    import audioclf_mlflow

    components, listener = provided_by(audioclf_mlflow)
    assert (components, listener is not None) == ((), True)


def test_installed_alone_it_imports_nothing_heavy() -> None:
    code = (
        f"import sys, audioclf_mlflow\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_logged_whole_and_once(tmp_path: Path, store: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        from audioclf_mlflow.store import log_run
    run = finished(tmp_path / "run")
    said = log_run(run)
    client: Any = MlflowClient(store)
    experiment = client.get_experiment_by_name("birds")
    found = client.search_runs([experiment.experiment_id])
    (parent,) = [each for each in found if "mlflow.parentRunId" not in each.data.tags]
    assert said == f"logged as run {parent.info.run_id} in experiment 'birds' of {store}"
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["accuracy"] == 0.75
    assert parent.data.tags["audioclf.fingerprint"] == "f" * 64
    assert parent.data.tags["mlflow.note.content"] == "look out"
    assert parent.data.params["split.n_splits"] == "2"
    history = client.get_metric_history(parent.info.run_id, "accuracy_per_fold")
    assert {(each.step, each.value) for each in history} == {(0, 0.7), (2, 0.8)}
    children = [each for each in found if each is not parent]
    assert {each.info.run_name for each in children} == {"svm", "baseline"}
    assert {each.data.tags["mlflow.parentRunId"] for each in children} == {parent.info.run_id}
    artifacts = {each.path for each in client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"config.yaml", "model.audioclf", "plots", "report.html"}
    (plot,) = client.list_artifacts(parent.info.run_id, "plots")
    assert plot.path == "plots/classes.png"
    assert log_run(run).startswith(f"was logged before, as run {parent.info.run_id} in ")
    assert len(client.search_runs([experiment.experiment_id])) == 3

    gone = finished(tmp_path / "gone", finished="2026-11-28T13:00:00+0100")
    gone.files[0].unlink()
    with pytest.raises(OSError, match=r"config\.yaml"):
        log_run(gone)
    failed = client.search_runs([experiment.experiment_id], "attributes.status = 'FAILED'")
    assert len(failed) == 1


@pytest.mark.slow
def test_the_command_line_logs_a_real_run(tmp_path: Path, store: str) -> None:
    from audioclf.testing import example_sounds

    config = tmp_path / "c.yaml"
    config.write_text(
        f"name: pitch\ndataset: {{type: folder, path: {example_sounds()}}}\n"
        "audio: {sr: 8000, duration: 0.3}\nfeaturizers: {mel: {type: mel, n_mels: 16}}\n"
        "split: {type: holdout}\nclassifiers: {knn: {type: knn, n_neighbors: 1}}\n"
        "audit: false\n"
    )
    command = [sys.executable, "-m", "audioclf", "run", str(config), "--no-cache", "--json"]
    done = subprocess.run(
        [*command, "--notify", "mlflow"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "note: audioclf-mlflow 0.1.0 (mlflow): logged as run " in done.stderr
    assert store in done.stderr
    assert json.loads(done.stdout)["cells"]["knn"]["metrics"]["accuracy"]
    artifacts = {path.name for path in (tmp_path / "mlruns").rglob("*")}
    assert {"report.html", "model.audioclf", "classes.png", "predictions.csv"} <= artifacts
