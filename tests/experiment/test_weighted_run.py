"""A run on a manifest with weights: its numbers, its folder and its page."""

from pathlib import Path

import numpy as np
import pytest

from audioclf.evaluation.metrics.estimate import estimate
from audioclf.runs.folder import METRICS, PIPELINES
from audioclf.runs.reading import read_run
from audioclf.runs.tables import read_json
from tests.conftest import run_cli, tone, write_wav

CONFIG = """
dataset: {type: manifest, path: m.csv}
audio: {sr: 8000}
featurizers: {mel: {type: mel, n_mels: 8, pooling: {type: stats, statistics: [mean]}}}
classifiers: {logistic_regression: {type: logistic_regression}}
split: {type: kfold, n_splits: 2}
metrics: [accuracy]
audit: false
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["path,label,weight"]
    for number in range(16):
        y = 0.05 * tone(500.0 + 400 * (number % 2), 0.1, 8000, number) + rng.normal(0, 0.3, 800)
        write_wav(tmp_path / f"{number}.wav", y.astype(np.float32) / 4)
        rows.append(f"{number}.wav,{'ab'[number % 2]},{1 + number % 3}")
    (tmp_path / "m.csv").write_text("\n".join(rows), encoding="utf-8")
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_folder_holds_the_weights_and_the_page_names_them(config: Path) -> None:
    folder = config.parent / "run"
    done = run_cli("run", config, "--out", folder, code=0)
    assert "; weighted by weight" in done.stdout
    assert "weighted by <bdi>weight</bdi>" in (folder / "report.html").read_text(encoding="utf-8")
    run, metrics = read_run(folder), read_json(folder / METRICS)
    assert metrics["weighted_by"] == "weight"
    pipeline = run.pipelines[0]
    found = estimate(pipeline, "accuracy", run.targets, seed=run.config["seed"])
    written = metrics[PIPELINES][pipeline.name]["metrics"]["accuracy"]
    assert found is not None
    assert (found.value, found.low, found.high) == (
        written["value"],
        written["low"],
        written["high"],
    )
    weights = np.array([clip.weight for clip in run.clips])
    assert sorted(set(weights)) == [1.0, 2.0, 3.0]
    right = np.concatenate([f.y_pred == run.targets.codes[f.fold.test] for f in pipeline.folds])
    test = np.concatenate([f.fold.test for f in pipeline.folds])
    assert found.value == pytest.approx(np.average(right, weights=weights[test]))


def test_a_classifier_without_weights_is_refused_before_the_run(config: Path) -> None:
    done = run_cli("run", config, "--set", "classifiers.knn.type=knn", code=2)
    assert "classifiers.knn: knn does not take weights of clips" in done.stderr
