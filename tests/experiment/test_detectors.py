"""A run of a detector whose training side holds normal clips alone."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from audioclf.components.discovery import discover
from audioclf.experiment.evaluating.evaluate import evaluate_models
from audioclf.experiment.resources import Resources
from audioclf.experiment.run import run
from audioclf.runs.folder import REPORT
from audioclf.runs.reading import read_run
from audioclf.starters.first_config import draft_config
from audioclf.starters.sample_data.builders import machines
from tests.conftest import run_cli


@pytest.mark.slow
def test_a_published_split_with_normal_clips_alone_on_the_training_side(tmp_path: Path) -> None:
    for file in machines(np.random.default_rng(0)):
        label, name = file.path.split("/")
        side = "train" if label == "normal" and int(name[-6:-4]) < 7 else "test"
        if name.startswith(("fan", "pump")):
            path = tmp_path / "sounds" / side / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    out = tmp_path / "drafted.yaml"
    out.write_text(draft_config(tmp_path / "sounds", out).text)
    pattern = "(?P<fold>train|test)/(?P<label>[a-z]+)/(?P<machine>fan|pump)"
    overrides = [
        "featurizers={mfcc: {type: mfcc, n_mfcc: 13}}",
        f"dataset.label_pattern={pattern}",
        "classifiers={nearest: {type: nearest_normal, lost: 0.1}}",
    ]
    result = run(out, overrides=overrides, out=tmp_path / "runs")
    nearest = result["nearest"].metrics
    partial = nearest["partial_auc"]
    assert result.classes == ("normal", "anomaly")
    assert list(nearest) == ["roc_auc", "partial_auc", "balanced_accuracy"]

    saved = read_run(result.folder)
    (fold,) = saved["nearest"].folds
    truth, scores = saved.targets.codes[fold.fold.test], fold.decision_values
    assert scores is not None
    assert truth.mean() == 16 / 28
    expected = roc_auc_score(truth, scores[:, 1], max_fpr=0.1)
    assert partial is not None
    assert partial.value == pytest.approx(expected)

    columns = saved.pipeline_metrics["nearest"]["by_subgroups"]["machine"]
    assert [column["metric"] for column in columns] == list(nearest)
    machines_of = np.array([clip.id.split("/")[2].split("_")[0] for clip in saved.clips])
    for score in columns[0]["scores"]:
        own = machines_of[fold.fold.test] == score["name"]
        assert score["value"] == pytest.approx(roc_auc_score(truth[own], scores[own, 1]))
        assert score["low"] < score["value"] < score["high"]
    assert "Metrics by machine" in (result.folder / REPORT).read_text(encoding="utf-8")

    out = tmp_path / "predictions.csv"
    run_cli("predict", str(result.model), str(tmp_path / "sounds" / "test"), "--out", str(out))
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert len(rows) == 28
    assert list(rows[0])[-3:] == ["score_normal", "score_anomaly", "p_value"]
    for row in rows:
        assert (row["label"] == "anomaly") == (float(row["p_value"]) <= 0.1)

    other = tmp_path / "other"
    for file in machines(np.random.default_rng(1)):
        (other / file.path).parent.mkdir(parents=True, exist_ok=True)
        (other / file.path).write_bytes(file.content)
    assert result.model is not None
    evaluated = evaluate_models(
        [result.model], str(other), discover(), Resources(), out=tmp_path / "evaluated"
    )
    assert evaluated.classes == ("normal", "anomaly")
    tested = read_run(evaluated.folder)
    (fold,) = tested.pipelines[0].folds
    assert fold.scores is not None
    truth = tested.targets.codes[fold.fold.test]
    assert roc_auc_score(truth, fold.scores[:, 1]) > 0.6
