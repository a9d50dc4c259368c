"""Labels and scores that are computed once are those of scikit-learn to the bit."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC

from audioclf.evaluation.label_rules import computed, labels_of
from audioclf.evaluation.predictions import predicted

ESTIMATORS = [
    SVC(),
    SVC(kernel="linear"),
    SVC(kernel="poly", degree=2),
    make_pipeline(StandardScaler(), SVC(class_weight="balanced")),
    make_pipeline(StandardScaler(), "passthrough", NuSVC(nu=0.2)),
    RandomForestClassifier(5, random_state=0),
    ExtraTreesClassifier(4, random_state=0),
    SVC(break_ties=True),
    SVC(decision_function_shape="ovo"),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


def data(n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of integers, of which many are equal or mirrored, so that ties happen."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-1, 2, size=(120, 4)).astype(np.float32)
    return X, np.arange(120) % n_classes


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_labels_and_scores_are_those_of_scikit_learn(estimator: Any, n_classes: int) -> None:
    X, y = data(n_classes)
    estimator.fit(X, y)
    rows, _ = data(n_classes, seed=1)
    labels, scored, rows_of_scored = computed(estimator, rows)
    np.testing.assert_array_equal(labels, estimator.predict(rows))
    name = "predict_proba" if hasattr(scored, "predict_proba") else "decision_function"
    np.testing.assert_array_equal(
        getattr(scored, name)(rows_of_scored), getattr(estimator, name)(rows)
    )


@pytest.mark.parametrize("estimator", ESTIMATORS[:5], ids=str)
@pytest.mark.parametrize("n_classes", [2, 5])
def test_labels_alone_are_those_of_scikit_learn(estimator: Any, n_classes: int) -> None:
    X, y = data(n_classes)
    estimator.fit(X, y)
    rows, _ = data(n_classes, seed=1)
    np.testing.assert_array_equal(labels_of(estimator, rows), estimator.predict(rows))


def test_labels_of_rows_far_from_a_tie_take_no_call_of_libsvm() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4)).astype(np.float32)
    svc = SVC().fit(X, np.arange(90) % 3)
    expected = svc.predict(X)
    with mock.patch.object(SVC, "predict", side_effect=AssertionError):
        np.testing.assert_array_equal(labels_of(svc, X), expected)


def test_a_tie_of_a_pair_is_a_vote_for_its_second_class() -> None:
    X = np.array([[-1.0], [1.0], [0.0], [0.0]], dtype=np.float32)
    for y in ([0, 1, 0, 1], [0, 2, 1, 1]):
        svc = SVC(kernel="linear").fit(X, y)
        np.testing.assert_array_equal(computed(svc, X[2:])[0], svc.predict(X[2:]))


def test_a_kernel_is_computed_once() -> None:
    X, y = data(3)
    svc = SVC().fit(X, y)
    with mock.patch.object(SVC, "predict", side_effect=AssertionError):
        predictions = predicted(svc, X, 3)
    np.testing.assert_array_equal(predictions.codes, svc.predict(X))


def test_a_pipeline_scales_once() -> None:
    X, y = data(3)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    with mock.patch.object(StandardScaler, "transform", side_effect=[X]) as scaled:
        predicted(pipeline, X, 3)
    scaled.assert_called_once()
