"""Detectors of anomalies learn from normal clips alone, and keep their rate of false alarms."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn import ensemble, neighbors, svm
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
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
        IsolationForest(n_estimators=8),
        ensemble.IsolationForest(n_estimators=8, max_samples=64, random_state=0),
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
def test_the_area_under_the_curve_is_that_of_scikit_learns_detectors_of_the_folds(
    detector: Detector, theirs: Any
) -> None:
    X, y = rows(80, 20, 0)
    new, truth = rows(60, 60, 1)
    ours: Any = detector.build(random_state=0).fit(X, y)
    expected = np.zeros(len(new))
    for train, _ in KFold(5, shuffle=True, random_state=0).split(X[y == 0]):
        inside = X[y == 0][train]
        if theirs is None:
            scaler = StandardScaler().fit(inside)
            gaps = scaler.transform(new)[:, None] - scaler.transform(inside)
            expected += np.sqrt(np.square(gaps).sum(axis=2)).min(axis=1)
        else:
            expected -= make_pipeline(StandardScaler(), theirs).fit(inside).score_samples(new)
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
@pytest.mark.parametrize("detector", [NearestNormal(lost=0.1), OneClassSvm(lost=0.1)])
def test_p_values_of_new_normal_clips_are_uniform(detector: Detector) -> None:
    p_values = []
    for seed in range(15):
        model: Any = detector.build(random_state=0).fit(*rows(99, 0, seed))
        new, _ = rows(200, 0, 1000 + seed)
        p_values.append(model.p_values(new))
        np.testing.assert_array_equal(model.predict(new) == 1, p_values[-1] <= 0.1)
    p = np.concatenate(p_values)
    assert 0.075 <= np.mean(p <= 0.1) <= 0.115
    assert kstest(p, "uniform").statistic < 0.06


def test_a_score_tells_the_p_value() -> None:
    model: Any = NearestNormal(lost=0.1).build(random_state=0).fit(*rows(99, 0, 0))
    new, _ = rows(50, 50, 1)
    scores, p = model.predict_proba(new)[:, 1], model.p_values(new)
    np.testing.assert_array_equal(scores > 0.5, p <= 0.1)
    np.testing.assert_allclose(model.p_values_of_scores(model.predict_proba(new)), p)


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
    assert sum(map(len, detector.held_out_)) == 40
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
    medians = [np.median(np.concatenate(model.held_out_)) for model in (alone, together)]
    assert medians[0] < 1e-3 < 0.3 < medians[1]


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
    np.savez_compressed(packed, rows=np.zeros((5000, 4), np.float32))
    with pytest.raises(ValueError, match="compressed"):
        NearestNormal().restore({**files, "rows.npz": packed.getvalue()})


def test_no_more_rows_than_a_fit_can_take_are_fitted_or_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    component = OneClassSvm(normal=NAMES[0], lost=0.1).for_classes(NAMES[:2])
    estimator: Any = component.build(random_state=0).fit(*rows(12, 0, 0))
    files = component.dump(estimator)
    monkeypatch.setattr(OneClassSvm, "most_rows", 11)
    with pytest.raises(ValueError, match="there are 12 normal rows, more than 11"):
        component.restore(files)
    with pytest.raises(ClassifierError, match="takes 11 normal clips with their copies"):
        component.build(random_state=0).fit(*rows(12, 0, 0))


@pytest.mark.parametrize("folds", [[0] * 12, [0, 200] * 6, [0, 2] * 6, [-1, 1] * 6, [0, 1]])
def test_folds_that_make_no_sense_are_refused(folds: list[int]) -> None:
    component = NearestNormal(normal=NAMES[0]).for_classes(NAMES[:2])
    packed = io.BytesIO()
    of_rows = np.asarray(folds).astype(np.int8)
    counts = np.ones(12, bool)
    np.savez(packed, rows=np.zeros((12, 4), np.float32), folds=of_rows, counts=counts)
    settings = b'{"normal_code": 0, "random_state": 0}'
    with pytest.raises(ValueError, match="folds of the normal rows make no sense"):
        component.restore({"rows.npz": packed.getvalue(), "settings.json": settings})


def test_a_bundle_cannot_ask_for_a_forest_without_end() -> None:
    with pytest.raises(ValueError, match="less than or equal to 10000"):
        IsolationForest(n_estimators=10**9)
