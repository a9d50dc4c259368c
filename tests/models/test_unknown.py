"""Sounds of no known class: found as often as promised, and at the price that is shown."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import ConfigError
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.dataset.targets import Targets
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.extra_settings import UnknownConfig
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.experiment.run import run
from audioclf.models.arrays import to_npy
from audioclf.models.bundle.reading import load, open_bundle
from audioclf.models.class_distance import ClassDistance
from audioclf.models.refusal import RefusedError
from audioclf.models.unknown import RowsOfTest, Search, UnknownRule, threshold
from tests.conftest import run_cli, tone, write_wav
from tests.targets import targets_of


def clusters(n: int, centers: list[list[float]], seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % len(centers)
    return (np.array(centers)[y] + rng.normal(0, 1, (n, 6))).astype(np.float32), y


FAR = [[9.0 * (row == column) for column in range(6)] for row in range(4)]


def rule_of(
    X: Any, y: Any, method: str, lost: float = 0.05, weights: Any = None
) -> tuple[UnknownRule | None, Any]:
    targets = replace(targets_of(y), weights=weights)
    pipeline = Pipeline("p", "f", "l", LogisticRegression(), "a plugin")
    part, clips = np.arange(len(y)) // (y.max() + 1) % 4, np.arange(len(y))
    folds = [Fold(0, str(at), clips[part != at], clips[part == at]) for at in range(4)]
    fit = partial(evaluate, matrices={"f": X}, targets=targets, seed=0)
    (evaluated,) = fit([pipeline], splits=Splits(tuple(folds), "four parts"))
    settings = UnknownConfig(method=method, lost=lost)
    return Search(settings, evaluated, X, targets, fit, seed=0).rule()


def test_the_threshold_loses_the_share_of_new_clips_that_was_promised() -> None:
    rng = np.random.default_rng(0)
    lost = []
    for _ in range(400):
        values = rng.normal(0, 1, 99)
        lost.append(np.mean(rng.normal(0, 1, 500) > threshold(values, np.ones(99), 0.05)))
    assert np.mean(lost) == pytest.approx(0.05, abs=0.004)


def test_repeats_of_a_clip_count_as_one() -> None:
    values = np.arange(40.0)
    thrice = threshold(np.repeat(values, 3), np.full(120, 1 / 3), 0.1)
    assert threshold(values, np.ones(40), 0.1) == thrice == 36.0


@pytest.mark.parametrize("kind", ["clips", "groups", "folds"])
def test_the_interval_holds_the_share_of_new_clips_that_is_lost(kind: str) -> None:
    rng, at = np.random.default_rng(0), np.arange(200)
    groups = [str(clip // 8) for clip in at] if kind == "groups" else [None] * 200
    targets = Targets.of(["a"] * 200, groups, [str(clip) for clip in at])
    held = []
    for _ in range(200):
        values, model = rng.normal(0, 1, 200), 0.0
        if kind == "groups":
            values = np.sqrt(0.5) * (values + rng.normal(0, 1, 25)[at // 8])
        if kind == "folds":
            *of_folds, model = rng.normal(0, 0.1, 6)  # how much stranger clips are to a model
            values += np.repeat(of_folds, 40)
        rows = RowsOfTest(targets, at, values, [40] * 5)
        above = threshold(values, np.ones(200), 0.05)
        low, high = rows.loss_of_new(above, 0.05)
        held.append(low <= 1 - NormalDist().cdf(above - model) <= high)
    assert 0.9 <= np.mean(held) <= 0.99


def test_clips_of_weight_0_do_not_count() -> None:
    X, y = clusters(200, FAR, 0)
    others = np.random.default_rng(1).normal(3, 3, (100, 6)).astype(np.float32)
    more = np.concatenate([X, others]), np.concatenate([y, np.arange(100) % 4])
    expected, _ = rule_of(X, y, "score")
    found, _ = rule_of(*more, "score", weights=np.repeat([1.0, 0.0], [200, 100]))
    assert expected is not None
    assert found is not None
    assert found.record.above == pytest.approx(expected.record.above, rel=0.05)
    assert found.record.measured_lost is not None
    assert found.record.measured_lost.value < 0.1


def test_the_distance_is_that_of_mahalanobis_with_the_covariance_of_the_model() -> None:
    X, y = clusters(200, FAR[:2], 0)
    model = ClassDistance.fit(X, y, seed=0)
    along = model.components.astype(float)
    spread, noise = np.square(model.spread.astype(float)), float(model.noise[0]) ** 2
    covariance = along.T @ np.diag(spread - noise) @ along + noise * np.eye(6)
    offsets = ((X - model.center) / model.scale)[:, None] - model.means
    squared = np.einsum("nci,ij,ncj->nc", offsets, np.linalg.inv(covariance), offsets)
    np.testing.assert_allclose(model.of(X), np.sqrt(squared.min(axis=1) / 6), rtol=1e-3)


@pytest.mark.slow
def test_a_weight_counts_in_the_distance_as_that_number_of_clips() -> None:
    rng = np.random.default_rng(0)
    rows, codes = rng.normal(size=(90, 4)).astype(np.float32), np.arange(90) % 3
    rows += codes[:, None]
    counts = rng.integers(0, 4, 90)
    weighted = ClassDistance.fit(rows, codes, seed=0, weights=counts.astype(np.float64))
    repeated = ClassDistance.fit(np.repeat(rows, counts, 0), np.repeat(codes, counts), seed=0)
    assert weighted.of(rows) == pytest.approx(repeated.of(rows), rel=0.02)
    assert weighted.of(rows) != pytest.approx(
        ClassDistance.fit(rows, codes, seed=0).of(rows), rel=0.02
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_means_that_are_not_finite_are_refused(value: float) -> None:
    X, y = clusters(40, FAR, 0)
    files = ClassDistance.fit(X, y, seed=0).to_files()
    means = np.full((len(np.unique(y)), X.shape[1]), value, np.float32)
    manifest: Any = SimpleNamespace(
        unknown=SimpleNamespace(method="distance"),
        features=SimpleNamespace(width=X.shape[1]),
        classes=tuple(map(str, np.unique(y))),
    )
    assert ClassDistance.of_model(files, manifest) is not None
    weights = (y != y[0]).astype(np.float64)  # a class of weight 0 has no mean
    fewer = ClassDistance.fit(X, y, seed=0, weights=weights).to_files()
    assert ClassDistance.of_model(fewer, manifest) is not None
    with pytest.raises(RefusedError, match="make no sense"):
        ClassDistance.of_model({**files, "distance/means.npy": to_npy(means)}, manifest)


@pytest.mark.parametrize("method", ["distance", "score"])
def test_few_clips_of_the_known_classes_are_lost_on_new_data(method: str) -> None:
    lost = []
    near = (np.array(FAR) / 3).tolist()
    for seed in range(4):
        X, y = clusters(400, near, seed)
        rule, _ = rule_of(X, y, method)
        assert rule is not None
        new, _ = clusters(400, near, 100 + seed)
        if rule.distance is not None:
            lost.append(np.mean(rule.distance.of(new) > rule.record.above))
        else:
            model = LogisticRegression().build(random_state=0).fit(X, y)
            lost.append(np.mean(1 - model.predict_proba(new).max(axis=1) > rule.record.above))
    assert 0.03 <= np.mean(lost) <= 0.07


def test_the_price_tells_classes_far_apart_from_equal_ones() -> None:
    far, notes = rule_of(*clusters(200, FAR, 0), "distance")
    assert far is not None
    assert far.record.refused is not None
    assert far.record.refused.value > 0.98
    assert "(4 classes left out in turn; least of" in notes[-1]
    pairs, _ = rule_of(*clusters(200, [FAR[0], FAR[0], FAR[1], FAR[1]], 0), "distance")
    assert pairs is not None
    assert pairs.record.refused is not None
    assert pairs.record.refused.value < 0.15
    assert pairs.record.refused.low < 0.05 < pairs.record.refused.high


def test_two_classes_have_no_price_by_scores_but_by_distance() -> None:
    X, y = clusters(120, FAR[:2], 0)
    by_score, notes = rule_of(X, y, "score")
    assert by_score is not None
    assert by_score.record.refused is None
    assert "no class could be left out" in notes[-1]
    by_distance, _ = rule_of(X, y, "distance")
    assert by_distance is not None
    assert set(by_distance.record.by_class) == {"0", "1"}


def test_too_few_clips_for_so_small_a_share_make_no_rule() -> None:
    rule, notes = rule_of(*clusters(40, FAR, 0), "distance", lost=0.01)
    assert rule is None
    assert notes == ("finds no unknown sounds: `lost: 0.01` needs 99 tested clips or more",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of a model of three tones that knows no noise."""
    root = tmp_path_factory.mktemp("tones")
    for label, frequency in {"low": 300, "mid": 900, "high": 2700}.items():
        for at in range(10):
            y = tone(frequency * (1 + 0.01 * at), 0.4, 8000, seed=at)
            write_wav(root / "clips" / label / f"{at}.wav", y)
    rng = np.random.default_rng(0)
    write_wav(root / "noise.wav", rng.normal(0, 0.2, 3200).astype(np.float32))
    config = {
        "dataset": {"type": "folder", "path": str(root / "clips")},
        "audio": {"sr": 8000},
        "featurizers": {"mfcc": {"type": "mfcc"}},
        "classifiers": {"knn": {"type": "knn"}},
        "split": {"type": "stratified_kfold", "n_splits": 5},
        "unknown": {"lost": 0.1},
        "audit": False,
        "report": {"html": False, "plots": False},
    }
    result = run(config, out=root / "run")
    (note,) = (note for note in result.notes if "unknown" in note)
    assert "of known clips unknown (10 % allowed) and " in note
    assert result.model is not None
    return root


def test_a_model_says_unknown_and_so_does_predict(trained: Path, tmp_path: Path) -> None:
    model = load(trained / "run")
    assert model.predict(trained / "noise.wav") == "unknown"
    assert model.predict(trained / "clips" / "low" / "3.wav") == "low"
    out = tmp_path / "found.jsonl"
    run_cli("predict", trained / "run", trained / "noise.wav", "--out", out, "--format", "jsonl")
    assert json.loads(out.read_text())["label"] == "unknown"
    for more in ("--events", "--rollup=mean"):
        out = tmp_path / f"{more}.csv"
        windows = ("--window", "0.2", more)
        run_cli("predict", trained / "run", trained / "noise.wav", "--out", out, *windows)
        labels = [line.split(",")[3] for line in out.read_text().splitlines()[1:]]
        assert labels == ([] if more == "--events" else ["unknown"])
    shown = run_cli("model", "show", trained / "run").stdout
    assert "unknown by distance" in shown
    assert "clips refused of a class left out" in shown
    card = open_bundle(trained / "run" / "model.audioclf").card
    assert "Any other sound" not in card
    assert " % of the clips of a class that was left out. The rest get the name of one" in card


def test_segments_need_a_class_at_each_instant(trained: Path) -> None:
    asked = ("--window", "0.2", "--segments")
    done = run_cli("predict", trained / "run", trained / "noise.wav", *asked, code=2)
    assert "this model calls some sounds unknown" in done.stderr


def test_a_class_cannot_be_called_unknown(trained: Path) -> None:
    manifest = trained / "labels.csv"
    clips = "".join(
        f"clips/{label}/{at}.wav,{name}\n"
        for label, name in {"low": "unknown", "mid": "mid"}.items()
        for at in range(5)
    )
    manifest.write_text(f"path,label\n{clips}")
    config = {
        "dataset": {"type": "manifest", "path": str(manifest)},
        "featurizers": {"mfcc": {"type": "mfcc"}},
        "classifiers": {"knn": {"type": "knn"}},
        "unknown": {},
    }
    with pytest.raises(ConfigError, match="a class has the name 'unknown'"):
        run(config, out=trained / "other")
    with pytest.raises(ConfigError, match="remove `calibrate`, or set `method: distance`"):
        run({**config, "unknown": {"method": "score"}, "calibrate": "sigmoid"})
