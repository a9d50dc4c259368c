"""`mixup`: mixtures as weighted rows, seeded, and saved as the classifier inside."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin

from audioclf.base.errors import ClassifierError
from audioclf.builtin.classifiers.gradient_boosting import GradientBoosting
from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.mixup import Mixup
from audioclf.builtin.classifiers.regressors import Ridge
from audioclf.builtin.classifiers.svm import Svm
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.components.classifier import Classifier
from audioclf.evaluation.fitting import fit_rows
from audioclf.evaluation.results import Pipeline

RNG = np.random.default_rng(0)
Y = np.arange(40) % 3
X = (RNG.normal(size=(40, 4)) + Y[:, None]).astype(np.float32)


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Recorder:
        self.seen = X, y, sample_weight
        return self


class Recording(Knn):
    def build(self, *, random_state: int) -> ClassifierMixin:
        return Recorder()


def fitted(classifier: Classifier, weights: Any = None, seed: int = 0) -> Any:
    pipeline = Pipeline("f/c", "f", "c", classifier, "c")
    return fit_rows(pipeline, classifier.build(random_state=seed), X, Y, None, weights)


def _seeded(estimator: Any) -> Any:
    estimator.seed_of_mixup = 0
    return estimator


def mixed_by(weights: Any = None, **fields: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mixup = Mixup.model_construct(
        **{"classifier": Recording(), "alpha": 0.4, "copies": 2, **fields}
    )
    rows, labels, factors = fitted(mixup, weights).seen
    return rows, labels, factors


def test_a_mixture_is_two_rows_with_the_labels_and_shares_of_its_sources() -> None:
    rows, labels, weights = mixed_by()
    np.testing.assert_array_equal(rows[:40], X)
    np.testing.assert_array_equal(labels[:40], Y)
    np.testing.assert_array_equal(weights[:40], 1.0)
    mixed = rows[40:].reshape(2, 80, -1)
    np.testing.assert_array_equal(mixed[0], mixed[1])
    shares = weights[40:].reshape(2, 80)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    np.testing.assert_array_equal(labels[40:120], np.tile(Y, 2))
    others = (mixed[0] - shares[0][:, None] * np.tile(X, (2, 1))) / shares[1][:, None]
    close = shares[1] > 0.05
    distances = np.abs(others[close, None] - X[None]).max(axis=2)
    assert distances.min(axis=1).max() < 1e-3
    np.testing.assert_array_equal(labels[120:][close], Y[distances.argmin(axis=1)])


def test_weights_of_clips_multiply_the_shares() -> None:
    given = np.linspace(0.5, 3.0, 40)
    weights, shares = mixed_by(given)[2], mixed_by()[2]
    np.testing.assert_array_equal(weights[:120], np.tile(given, 3) * shares[:120])
    assert weights.max() <= 3.0


def test_a_clip_of_weight_0_is_part_of_no_mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    given = (np.arange(40) < 30).astype(float)
    before = mixed_by(given)
    changed = X.copy()
    changed[30:] = 1e6
    monkeypatch.setattr(sys.modules[__name__], "X", changed)
    for one, other in zip(mixed_by(given), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_seed_decides_and_the_model_file_gets_the_classifier_inside() -> None:
    mixup = Mixup(classifier=LogisticRegression())
    first, again, other = (fitted(mixup, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))
    assert mixup.unwrapped(first) == (LogisticRegression(), first)
    assert not hasattr(first, "seed_of_mixup")


def test_a_search_tunes_a_mixup() -> None:
    tuned = Tuned(classifier=Mixup(classifier=Svm()), search={"alpha": (0.1, 1.0)}, n_splits=2)
    assert fitted(tuned).predict(X).shape == (40,)


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (Ridge(), "mixup is for classes, and ridge learns numbers"),
        (Svm(probability=True), "svm holds out rows with these fields"),
        (Tuned(classifier=Svm(), search={"C": [1.0]}), "tuned holds out rows"),
        (HistGradientBoosting(early_stopping=True), "hist_gradient_boosting holds out rows"),
        (GradientBoosting(n_iter_no_change=5), "gradient_boosting holds out rows"),
    ],
)
def test_what_cannot_be_mixed_is_refused(classifier: Classifier, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Mixup(classifier=classifier)


def test_many_clips_do_not_stop_a_fit_early_by_their_own_mixtures() -> None:
    class Stopping(Recorder):
        def set_params(self, **params: Any) -> Stopping:
            self.stops = [*getattr(self, "stops", ()), params["early_stopping"]]
            return self

    mixup = Mixup(classifier=HistGradientBoosting())
    few, y = np.zeros((10_001, 1), np.float32), np.arange(10_001) % 2
    fit = mixup.fit_views(_seeded(Stopping()), few, y, np.arange(10_001))
    assert fit.stops == [False, "auto"]


def test_a_classifier_without_weights_is_refused_before_a_fit() -> None:
    with pytest.raises(ClassifierError, match="takes weights, and knn takes none"):
        Mixup(classifier=Knn()).check_fit(40, 3)
