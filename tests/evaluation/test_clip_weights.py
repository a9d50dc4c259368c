"""Weights of clips: they count like copies, in fits, metrics and comparisons."""

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression as SkLogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audioclf.base.errors import ClassifierError
from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.svm import Svm
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.class_fits import best_f1_threshold
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.guesses import best_guess, best_guess_of_states
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.metrics.curves import precision_recall_curve, roc_curve
from audioclf.evaluation.metrics.estimate import estimate, mean_confusion, metric_value
from audioclf.evaluation.metrics.per_class import per_class
from audioclf.evaluation.metrics.repeats import effective_count
from audioclf.evaluation.results import Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.models.calibration.effects import Scored
from audioclf.plugin import Classifier
from tests.evaluation.predictions import random_case, result_of
from tests.targets import several_targets, targets_of

WEIGHTS = np.random.default_rng(5).integers(0, 4, 60).astype(float)


def weighted(targets: Targets, weights: np.ndarray = WEIGHTS) -> Targets:
    return replace(targets, weights=weights)


def fitted(classifier: Classifier, targets: Targets, X: np.ndarray) -> PipelineResult:
    """Return the predictions of the second half of the clips by a fit on the first."""
    half = np.arange(len(X) // 2)
    splits = Splits((Fold(0, "0", half, half + len(half)),), "one fold")
    pipeline = Pipeline("f/c", "f", "c", classifier, "c")
    (result,) = evaluate([pipeline], {"f": X}, targets, splits, seed=0)
    return result


def test_tables_and_curves_of_a_run_are_those_of_scikit_learn() -> None:
    y, y_pred, scores = random_case(3)
    result, targets = result_of(y, y_pred, scores), weighted(targets_of(y))
    expected = sk.confusion_matrix(y, y_pred, sample_weight=WEIGHTS)
    np.testing.assert_allclose(mean_confusion(result, targets), expected)
    classes = per_class(result, targets, seed=0)
    f1 = sk.f1_score(y, y_pred, average=None, sample_weight=WEIGHTS)
    np.testing.assert_allclose([c.f1.value for c in classes], f1)
    roc, pr = roc_curve(result, targets, 2), precision_recall_curve(result, targets, 2)
    assert roc is not None
    assert pr is not None
    truth = (y == 2, scores[:, 2])
    assert roc.area == pytest.approx(sk.roc_auc_score(*truth, sample_weight=WEIGHTS))
    average = sk.average_precision_score(*truth, sample_weight=WEIGHTS)
    assert pr.average_precision == pytest.approx(average)


def test_equal_weights_change_no_interval_and_uneven_ones_widen_it() -> None:
    y, y_pred, scores = random_case(2)
    result = result_of(y, y_pred, scores)
    plain = estimate(result, "accuracy", targets_of(y), seed=0)
    even = estimate(result, "accuracy", weighted(targets_of(y), np.full(60, 2.0)), seed=0)
    few = np.where(np.arange(60) % 6, 0.01, 10.0)
    uneven = estimate(result, "accuracy", weighted(targets_of(y), few), seed=0)
    assert plain is not None
    assert even is not None
    assert uneven is not None
    assert (even.low, even.high) == pytest.approx((plain.low, plain.high))
    assert uneven.high - uneven.low > 2 * (plain.high - plain.low)
    assert effective_count(np.arange(60), few) == 10


def test_a_fit_gets_the_weights_in_each_step() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)).astype(np.float32), rng.integers(0, 2, 60)
    built = make_pipeline(StandardScaler(), SkLogisticRegression())
    train = WEIGHTS[:30]
    built.fit(X[:30], y[:30], **LogisticRegression().weight_keywords(built, train))
    copies = np.repeat(np.arange(30), train.astype(int))
    copied = make_pipeline(StandardScaler(), SkLogisticRegression()).fit(X[copies], y[copies])
    expected = copied.predict_proba(X[30:])
    np.testing.assert_allclose(built.predict_proba(X[30:]), expected, atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_the_baseline_has_the_weighted_shares(several: bool) -> None:
    y = np.arange(60) % 2
    targets = several_targets(np.column_stack([y, 1 - y])) if several else targets_of(y)
    result = fitted(Dummy(), weighted(targets), np.zeros((60, 1), np.float32))
    share = np.average(y[:30], weights=WEIGHTS[:30])
    scores = result.folds[0].scores
    assert scores is not None
    expected = [share, 1 - share] if several else [1 - share, share]
    np.testing.assert_allclose(scores, np.tile(expected, (30, 1)))


def test_early_stopping_on_views_keeps_the_weights_of_rows() -> None:
    component = HistGradientBoosting(early_stopping=True, min_samples_leaf=2, max_iter=5)
    built: Any = component.build(random_state=0)
    if "X_val" not in inspect.signature(built.fit).parameters:
        pytest.skip("this scikit-learn takes no validation rows")
    X, clips = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32), np.arange(80) // 2
    y = (X[clips * 2, 0] > 0).astype(np.intp)
    keywords = component.weight_keywords(built, np.ones(80))
    component.fit_views(built, X, y, clips, **keywords)
    assert built.predict(X).shape == (80,)


@pytest.mark.parametrize(
    "classifier", [Knn(), Svm(probability=True), Tuned(classifier=Svm(), search={"C": [1.0]})]
)
def test_a_classifier_that_takes_no_weights_is_named(classifier: Classifier) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    targets = weighted(targets_of(np.arange(60) % 2))
    with pytest.raises(ClassifierError, match=f"{classifier.type_name()} does not take weights"):
        fitted(classifier, targets, X)


def test_a_comparison_counts_weights_as_copies() -> None:
    y, y_pred, scores = random_case(3)
    most = np.full(60, np.bincount(y, WEIGHTS).argmax())
    results = {"a": result_of(y, y_pred, scores), "baseline": result_of(y, most)}
    found = compare(results, "accuracy", weighted(targets_of(y)), seed=0, baseline="baseline")
    (pair,) = found.pairs
    copies = np.repeat(np.arange(60), WEIGHTS.astype(int))
    shares = [np.mean(p[copies] == y[copies]) for p in (y_pred, most)]
    assert pair.difference == pytest.approx(shares[0] - shares[1])
    assert pair.p_mcnemar is None
    assert found.notes[0] == "clips are weighted in all values and tests"


def test_guesses_and_thresholds_count_weights_as_copies() -> None:
    copies = np.repeat(np.arange(60), WEIGHTS.astype(int))
    y, _, scores = random_case(3)
    states = np.column_stack([y == 0, y > 0]).astype(np.int8)
    ones = np.ones((1, 60)), np.ones((1, len(copies)))
    metric: Metric
    for metric in ("f1_macro", "log_loss"):
        one, other = best_guess(y, metric, 3, WEIGHTS), best_guess(y[copies], metric, 3)
        np.testing.assert_allclose(one.score(ones[0]), other.score(ones[1]))
    for metric in ("f1_macro", "lwlrap"):
        first = best_guess_of_states(states, metric, WEIGHTS)
        second = best_guess_of_states(states[copies], metric)
        np.testing.assert_allclose(first.score(ones[0]), second.score(ones[1]))
    truth, column = (y == 1).astype(np.intp), scores[:, 1]
    expected = best_f1_threshold(truth[copies], column[copies])
    kept = WEIGHTS > 0
    assert best_f1_threshold(truth[kept], column[kept], WEIGHTS[kept]) == pytest.approx(expected)


def test_calibration_weights_the_clips_with_a_mean_of_1() -> None:
    y, y_pred, scores = random_case(2)
    rows = Scored(result_of(y, y_pred, scores).folds, weighted(targets_of(y)))
    np.testing.assert_allclose(rows.weights, WEIGHTS / WEIGHTS.mean())
    value = metric_value(result_of(y, y_pred, scores), "log_loss", rows.targets)
    assert value == pytest.approx(sk.log_loss(y, scores, sample_weight=WEIGHTS))
