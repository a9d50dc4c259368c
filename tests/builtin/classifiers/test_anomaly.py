"""Detectors of anomalies learn from normal clips alone, and keep their rate of false alarms."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, neighbors, svm
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioclf.builtin.classifiers.anomaly import (
    Detector,
    IsolationForest,
    LocalOutlierFactor,
    NearestNormal,
    OneClassSvm,
)
from audioclf.models.bundle.reading import read_bundle
from audioclf.plugin import ClassifierError
from tests.models.making import NAMES, fitted, registry, written

DETECTORS: list[tuple[Detector, Any]] = [
    (NearestNormal(), None),
    (
        IsolationForest(n_estimators=20),
        ensemble.IsolationForest(n_estimators=20, max_samples=80, random_state=0),
    ),
    (LocalOutlierFactor(), neighbors.LocalOutlierFactor(novelty=True, algorithm="brute")),
    (OneClassSvm(), svm.OneClassSVM()),
]
each_detector = pytest.mark.parametrize(
    ("detector", "theirs"), DETECTORS, ids=[detector.type_name() for detector, _ in DETECTORS]
)


def rows(n_normal: int, n_strange: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [n_normal, n_strange])
    return (rng.normal(0, 1, (len(y), 4)) + 2.5 * y[:, np.newaxis]).astype(np.float32), y


@each_detector
def test_the_area_under_the_curve_is_that_of_scikit_learns_detector(
    detector: Detector, theirs: Any
) -> None:
    X, y = rows(80, 20, 0)
    new, truth = rows(60, 60, 1)
    ours: Any = detector.build(random_state=0).fit(X, y)
    if theirs is None:
        scaler = StandardScaler().fit(X[y == 0])
        gaps = scaler.transform(new)[:, None] - scaler.transform(X[y == 0])
        expected = np.sqrt(np.square(gaps).sum(axis=2)).min(axis=1)
    else:
        expected = -make_pipeline(StandardScaler(), theirs).fit(X[y == 0]).score_samples(new)
    found = roc_auc_score(truth, ours.decision_function(new))
    assert found == pytest.approx(roc_auc_score(truth, expected), abs=1e-9)
    assert found > 0.85


@each_detector
def test_anomalies_of_the_training_are_not_learned_from(detector: Detector, theirs: Any) -> None:
    X, y = rows(50, 30, 0)
    new, _ = rows(20, 20, 1)
    whole: Any = detector.build(random_state=0).fit(X, y)
    normal: Any = detector.build(random_state=0).fit(X[y == 0], y[y == 0])
    np.testing.assert_array_equal(whole.predict_proba(new), normal.predict_proba(new))


@pytest.mark.slow
def test_the_share_of_false_alarms_on_new_clips_is_at_most_that_of_the_config() -> None:
    """A little less: the detector knows more normal clips than those of the inner folds did."""
    alarms, p_values = [], []
    for seed in range(25):
        model: Any = NearestNormal(lost=0.1).build(random_state=0).fit(*rows(99, 0, seed))
        new, _ = rows(200, 0, 1000 + seed)
        alarms.append(np.mean(model.predict(new) == 1))
        p_values.append(model.p_values(new))
    assert 0.06 <= np.mean(alarms) <= 0.115
    assert 0.4 <= np.mean(np.concatenate(p_values) <= 0.5) <= 0.52


def test_a_score_tells_the_p_value() -> None:
    model: Any = NearestNormal(lost=0.1).build(random_state=0).fit(*rows(99, 0, 0))
    new, _ = rows(50, 50, 1)
    scores, p = model.predict_proba(new)[:, 1], model.p_values(new)
    np.testing.assert_array_equal(scores > 0.5, p <= 0.1)
    np.testing.assert_allclose((2 * 0.1 * (1 - scores))[scores > 0.5], p[scores > 0.5], atol=1e-5)


def test_the_normal_class_may_be_the_second() -> None:
    X, y = rows(50, 10, 0)
    new, _ = rows(20, 20, 1)
    detector = NearestNormal(normal="quiet")
    first: Any = detector.for_classes(["quiet", "zoom"]).build(random_state=0).fit(X, y)
    second: Any = detector.for_classes(["loud", "quiet"]).build(random_state=0).fit(X, 1 - y)
    np.testing.assert_array_equal(first.predict(new), 1 - second.predict(new))
    np.testing.assert_array_equal(first.predict_proba(new), second.predict_proba(new)[:, ::-1])
    np.testing.assert_array_equal(first.decision_function(new), -second.decision_function(new))


def test_changed_copies_do_not_count_among_held_out_clips() -> None:
    X, y = rows(40, 0, 0)
    copies = X + np.random.default_rng(1).normal(0, 20, X.shape).astype(np.float32)
    both = np.stack([X, copies], axis=1).reshape(-1, X.shape[1])
    detector: Any = NearestNormal(lost=0.1).build(random_state=0)
    detector.fit(both, np.repeat(y, 2), clips=np.repeat(np.arange(40), 2))
    assert len(detector.held_out_) == 40
    assert 0.02 < detector.predict(rows(500, 0, 2)[0]).mean() < 0.2
    with pytest.raises(ClassifierError, match="has 9 normal clips"):
        detector.fit(both[:18], np.zeros(18, int), clips=np.repeat(np.arange(9), 2))


def test_too_few_clips_for_any_anomaly_are_told() -> None:
    detector: Any = NearestNormal(lost=0.05).build(random_state=0)
    with pytest.warns(UserWarning, match="lost: 0.05 needs 19 normal clips, and .* has 18"):
        detector.fit(*rows(18, 0, 0))
    assert not detector.predict(100 * rows(9, 9, 1)[0]).any()
    assert detector.fit(*rows(19, 0, 0)).predict(100 * rows(9, 9, 1)[0]).any()


def test_clips_of_a_group_are_held_out_together() -> None:
    """Copies in the rest of the fold would make each held-out clip look as normal as can be."""
    X, _ = rows(40, 0, 0)
    copies, groups = np.repeat(X, 2, axis=0), np.repeat(np.arange(40), 2)
    labels = np.zeros(80, dtype=int)
    alone: Any = NearestNormal().build(random_state=0).fit(copies, labels)
    together: Any = NearestNormal().build(random_state=0).fit(copies, labels, groups=groups)
    assert np.median(alone.held_out_) < 1e-3 < 0.3 < np.median(together.held_out_)


@each_detector
def test_a_bundle_detects_the_same(detector: Detector, theirs: Any, tmp_path: Path) -> None:
    component = type(detector).model_validate({**dict(detector), "normal": NAMES[1]})
    made = fitted(component.for_classes(NAMES[:2]))
    model = read_bundle(written(tmp_path / "m.audioclf", made), registry()).model
    np.testing.assert_array_equal(model.scores_of(made.X), made.estimator.predict_proba(made.X))


def test_other_classes_and_too_few_normal_clips_are_refused() -> None:
    with pytest.raises(ClassifierError, match="needs the normal class 'normal' and one other"):
        NearestNormal().for_classes(["a", "b"])
    with pytest.raises(ClassifierError, match="the classes are 'a', 'b', 'normal'"):
        NearestNormal().for_classes(["a", "b", "normal"])
    with pytest.raises(ClassifierError, match="needs 10 normal clips of 2 groups"):
        NearestNormal().build(random_state=0).fit(*rows(9, 20, 0))


def test_rows_that_are_compressed_once_more_are_refused() -> None:
    files = NearestNormal().dump(
        fitted(NearestNormal(normal=NAMES[0]).for_classes(NAMES[:2])).estimator
    )
    packed = io.BytesIO()
    np.savez_compressed(packed, rows=np.zeros((5000, 4), np.float32), held_out=np.arange(9.0))
    with pytest.raises(ValueError, match="compressed"):
        NearestNormal().restore({**files, "rows.npz": packed.getvalue()})


def test_a_bundle_cannot_ask_for_a_forest_without_end() -> None:
    with pytest.raises(ValueError, match="less than or equal to 10000"):
        IsolationForest(n_estimators=10**9)
