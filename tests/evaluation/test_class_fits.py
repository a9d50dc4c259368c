"""One fit per class: what is not labelled plays no part, and thresholds see no test clip."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from audioclf.builtin.classifiers.forests import ExtraTrees, RandomForest
from audioclf.builtin.classifiers.knn import Knn
from audioclf.evaluation.class_fits import ClassFitter, best_f1_threshold
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.fit_cache import pack, unpack
from audioclf.evaluation.metrics.several_classes import per_class_of_states
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.plugin import Classifier
from tests.evaluation.toy_classifiers import LogReg, Margin
from tests.targets import several_targets


class _Signs(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> _Signs:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return (X[:, 0] > 0).astype(int)


class LabelsOnly(Classifier):
    """A classifier without scores."""

    type: Literal["labels_only"] = "labels_only"

    def build(self, *, random_state: int) -> Any:
        return _Signs()


class _Both(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regressions of all classes, as an estimator that learned them at once."""

    def predict_proba(self, X: Any) -> Any:
        return np.column_stack(
            [m.predict_proba(X)[:, 1] if m else 0 * X[:, 0] for m in self.models_]
        )


class Together(Classifier):
    """A classifier that learns all classes at once, and counts its fits."""

    type: Literal["together"] = "together"
    fits: ClassVar[list[tuple[int, ...]]] = []

    def build(self, *, random_state: int) -> Any:
        return _Both()

    def fit_states(self, estimator: Any, X: Any, states: Any, **passed: Any) -> Any:
        self.fits.append(states.shape)
        known = [column >= 0 for column in states.T]
        estimator.classes_ = np.arange(states.shape[1])
        estimator.models_ = [
            LogisticRegression(random_state=1).fit(X[rows], column[rows])
            if len(set(column[rows])) > 1
            else None
            for rows, column in zip(known, states.T, strict=True)
        ]
        return estimator


def case(n: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and states of three classes, of which the last is in no training clip."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).astype(np.float32)
    states = (X[:, :3] + rng.normal(size=(n, 3)) > 0).astype(np.int8)
    states[rng.random((n, 3)) < 0.2] = -1
    states[: n // 3, 2] = 1
    states[n // 3 :, 2] = np.minimum(states[n // 3 :, 2], 0)
    return X, states


def fitted(
    X: np.ndarray, states: np.ndarray, classifier: Classifier, units: Any = None, **options: Any
) -> FoldResult:
    """Return the predictions of the first third of the clips."""
    n = len(X)
    splits = Splits((Fold(0, "0", np.arange(n // 3, n), np.arange(n // 3)),), "")
    pipeline = Pipeline("p", "x", "c", classifier, "")
    targets = several_targets(states, units)
    (result,) = evaluate([pipeline], {"x": X}, targets, splits, seed=1, **options)
    return result.folds[0]


def test_a_class_is_learned_from_the_clips_that_are_labelled_for_it() -> None:
    X, states = case()
    result = fitted(X, states, LogReg())
    assert result.scores is not None
    for code in (0, 1):
        known = np.flatnonzero(states[30:, code] >= 0) + 30
        alone = LogisticRegression(random_state=1).fit(X[known], states[known, code])
        np.testing.assert_array_equal(result.scores[:, code], alone.predict_proba(X[:30])[:, 1])
    np.testing.assert_array_equal(result.y_pred, result.scores >= 0.5)


@pytest.mark.parametrize("units", [None, np.arange(90) // 5])
def test_one_fit_of_all_classes_predicts_as_a_fit_per_class(units: Any) -> None:
    X, states = case()
    states[40, :] = -1  # a clip without any label is in no fit
    Together.fits.clear()
    one = fitted(X, states, Together(), units, choose_thresholds=True)
    other = fitted(X, states, LogReg(), units, choose_thresholds=True)
    assert Together.fits[0] == ((states[30:] >= 0).any(axis=1).sum(), 3)
    assert len(Together.fits) == 4
    assert one.scores is not None
    assert other.scores is not None
    np.testing.assert_allclose(one.scores, other.scores)
    assert one.thresholds is not None
    assert one.thresholds[2] == 0.5
    assert (one.thresholds[:2] != 0.5).all()
    np.testing.assert_array_equal(one.y_pred, one.scores >= one.thresholds)
    assert {note[:40] for note in one.warnings} == {note[:40] for note in other.warnings}


@pytest.mark.parametrize("complete", [True, False])
def test_forests_learn_all_classes_at_once_where_every_clip_is_labelled(complete: bool) -> None:
    X, states = case()
    states = np.maximum(states, 0)
    states[-1, 0] = 0 if complete else -1
    targets, n = several_targets(states), np.arange(89)  # a training side without the last clip
    for classifier in (RandomForest(n_estimators=5), ExtraTrees(n_estimators=5), Knn()):
        pipeline = Pipeline("p", "x", "c", classifier, "")
        model = ClassFitter(pipeline, X, targets, 1).fit(n)
        assert (model.shared is not None) is complete
        balanced = classifier.model_copy(update={"class_weight": "balanced"})
        if not isinstance(classifier, Knn):
            model = ClassFitter(replace(pipeline, classifier=balanced), X, targets, 1).fit(n)
            assert model.shared is None
    assert not RandomForest().learns_indicators(20_000, 300)


def test_neighbors_of_all_classes_at_once_are_those_of_each() -> None:
    X, states = case()
    states = np.maximum(states, 0)  # of the last class, no training clip
    result = fitted(X, states, Knn(weights="distance"), choose_thresholds=True)
    assert result.scores is not None
    alone = Knn(weights="distance").build(random_state=1).fit(X[30:], states[30:, 1])
    np.testing.assert_array_equal(result.scores[:, 1], alone.predict_proba(X[:30])[:, 1])
    assert (result.scores[:, 2] == 0).all()
    assert result.thresholds is not None
    assert (result.thresholds[:2] != 0.5).all()


@pytest.mark.parametrize("classifier", [LogReg(), Margin(), LabelsOnly()])
def test_a_class_without_positives_in_training_has_a_constant_score_and_a_note(
    classifier: Classifier,
) -> None:
    X, states = case()
    result = fitted(X, states, classifier)
    assert (result.y_pred[:, 2] == 0).all()
    if result.scores is not None:
        assert (result.scores[:, 2] == 0).all()
    assert any("no labelled training clip has 'c2'" in text for text in result.warnings)
    scores = per_class_of_states(
        PipelineResult(Pipeline("p", "x", "c", classifier, ""), (result,)),
        several_targets(states),
        seed=0,
    )
    assert [(each.yes, each.no, each.unlabelled) for each in scores] == [
        tuple(float((states[:30, code] == state).sum()) for state in (1, 0, -1))
        for code in range(3)
    ]


def test_decision_values_predict_from_zero_on() -> None:
    X, states = case()
    result = fitted(X, states, Margin())
    assert result.score_kind == "decision"
    assert result.decision_values is not None
    np.testing.assert_array_equal(result.y_pred, result.decision_values >= 0)


@pytest.mark.parametrize("units", [None, np.arange(90) // 5])
def test_thresholds_are_chosen_inside_the_training_side(units: Any) -> None:
    X, states = case()
    states[:, 0] = np.where(X[:, 0] > 1, 1, 0)
    result = fitted(X, states, LogReg(), units, choose_thresholds=True)
    assert result.thresholds is not None
    assert result.thresholds[0] != 0.5
    assert result.thresholds[2] == 0.5
    other, changed = X.copy(), states.copy()
    other[:30], changed[:30] = -X[:30], 1 - np.abs(states[:30])
    again = fitted(other, changed, LogReg(), units, choose_thresholds=True)
    np.testing.assert_array_equal(again.thresholds, result.thresholds)


def test_a_class_with_few_clips_keeps_the_threshold_of_a_half() -> None:
    X, states = case()
    states[:, 0] = 0
    states[30:39, 0] = 1
    result = fitted(X, states, LogReg(), choose_thresholds=True)
    assert result.thresholds is not None
    assert result.thresholds[0] == 0.5
    assert any("the threshold of 1 of 3 classes is 0.5" in text for text in result.warnings)


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_has_the_best_f1(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(40), 1)
    y = (scores + rng.normal(size=40) > 0.8).astype(np.intp)
    best = max(f1_score(y, scores >= each) for each in np.unique(scores))
    assert f1_score(y, scores >= best_f1_threshold(y, scores)) == best


@pytest.mark.parametrize("classifier", [LogReg(), Margin(), LabelsOnly()])
def test_a_fit_of_several_labels_comes_back_from_the_cache(classifier: Classifier) -> None:
    X, states = case()
    result = fitted(X, states, classifier)
    again = unpack("k", result.fold, pack("k", result))
    assert again is not None
    for name in ("y_pred", "scores", "decision_values", "thresholds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(result, name))
    assert again.y_pred.dtype == np.int8


def test_two_groups_make_two_inner_folds() -> None:
    X, states = case()
    groups = np.where(np.arange(90) % 2, 1, 2)
    result = fitted(X, states, LogReg(), groups, choose_thresholds=True)
    assert result.thresholds is not None
    assert (result.thresholds[:2] != 0.5).all()
    alone = fitted(X, states, LogReg(), np.zeros(90), choose_thresholds=True)
    assert alone.thresholds is not None
    assert (alone.thresholds == 0.5).all()
