"""Curves for plots: those of scikit-learn, few points, the same shape."""

from dataclasses import astuple

import numpy as np
import pytest
from sklearn import metrics as sk

from audioclf.evaluation.metrics.curves import (
    MAX_POINTS,
    PrecisionRecallCurve,
    RocCurve,
    precision_recall_curve,
    reliability,
    roc_curve,
)
from audioclf.evaluation.metrics.estimate import metric_value
from tests.conftest import imported_by
from tests.evaluation.predictions import random_case, repeated, result_of
from tests.targets import targets_of


def test_a_short_roc_curve_is_scikit_learns() -> None:
    y, y_pred, scores = random_case(3)
    found = roc_curve(result_of(y, y_pred, scores), targets_of(y), 2)
    fpr, tpr, _ = sk.roc_curve(y == 2, scores[:, 2])
    assert found is not None
    assert (found.fpr, found.tpr) == (tuple(fpr), tuple(tpr))
    assert found.area == sk.roc_auc_score(y == 2, scores[:, 2])


def test_a_short_precision_recall_curve_is_scikit_learns() -> None:
    y, y_pred, scores = random_case(3)
    found = precision_recall_curve(result_of(y, y_pred, scores), targets_of(y), 2)
    precision, recall, _ = sk.precision_recall_curve(y == 2, scores[:, 2], drop_intermediate=True)
    assert found is not None
    assert (found.recall, found.precision) == (tuple(recall[::-1]), tuple(precision[::-1]))
    assert found.average_precision == sk.average_precision_score(y == 2, scores[:, 2])
    assert found.share == (y == 2).mean()


def test_a_long_curve_is_thinned_to_the_same_shape() -> None:
    y, y_pred, scores = random_case(5, 20_000)
    result, truth = result_of(y, y_pred, scores), y == 1
    roc, recalls = (
        curve(result, targets_of(y), 1) for curve in (roc_curve, precision_recall_curve)
    )
    assert isinstance(roc, RocCurve)
    assert isinstance(recalls, PrecisionRecallCurve)
    assert len(roc.fpr) == len(recalls.recall) == MAX_POINTS
    assert (roc.fpr[0], roc.tpr[0], roc.fpr[-1], roc.tpr[-1]) == (0, 0, 1, 1)
    assert (recalls.recall[0], recalls.precision[0], recalls.recall[-1]) == (0, 1, 1)
    fpr, tpr, _ = sk.roc_curve(truth, scores[:, 1])
    assert _distance((fpr, tpr), (roc.fpr, roc.tpr)) < 0.002
    precision, recall, _ = sk.precision_recall_curve(truth, scores[:, 1])
    assert _distance((recall, precision), (recalls.recall, recalls.precision)) < 0.01


def _distance(curve: tuple[np.ndarray, ...], thin: tuple[tuple[float, ...], ...]) -> float:
    """Return how far the farthest point of a curve is from the lines between those of the other."""
    points, corners = np.column_stack(curve), np.column_stack(thin)
    starts, spans = corners[:-1], np.diff(corners, axis=0)
    lengths = np.maximum((spans**2).sum(axis=1), 1e-300)
    farthest = 0.0
    for point in points[:: max(1, len(points) // 2000)]:
        along = np.clip(((point - starts) * spans).sum(axis=1) / lengths, 0, 1)
        nearest = starts + along[:, None] * spans
        farthest = max(farthest, np.hypot(*(point - nearest).T).min())
    return farthest


def test_repeats_are_pooled() -> None:
    y = random_case(2)[0]
    result = repeated(y, 3)
    scores = np.concatenate([fold.scores for fold in result.folds if fold.scores is not None])
    truth = np.concatenate([y[fold.fold.test] for fold in result.folds])
    found = roc_curve(result, targets_of(y), 1)
    assert found is not None
    assert found.area == sk.roc_auc_score(truth, scores[:, 1])
    bins = reliability(result, targets_of(y))
    assert bins is not None
    assert sum(each.count for each in bins) == 90


def test_without_scores_there_are_no_curves() -> None:
    y, y_pred, _ = random_case(2)
    result = result_of(y, y_pred)
    assert roc_curve(result, targets_of(y), 1) is None
    assert precision_recall_curve(result, targets_of(y), 1) is None
    assert reliability(result, targets_of(y)) is None


def test_decision_values_have_curves_of_ranking_and_no_reliability() -> None:
    y, y_pred, scores = random_case(2)
    result = result_of(y, y_pred, scores, "decision")
    assert roc_curve(result, targets_of(y), 1) is not None
    assert precision_recall_curve(result, targets_of(y), 1) is not None
    assert reliability(result, targets_of(y)) is None


@pytest.mark.parametrize("class_code", [0, 1])
def test_a_class_that_all_test_clips_or_none_are_of_has_no_curve(class_code: int) -> None:
    y = np.zeros(6, dtype=int)
    result = result_of(y, y, np.tile([0.6, 0.4], (6, 1)))
    assert roc_curve(result, targets_of(y), class_code) is None
    assert precision_recall_curve(result, targets_of(y), class_code) is None


def test_reliability_says_how_often_each_score_is_right() -> None:
    y = np.array([0, 0, 0, 1] * 2 + [1, 1])
    scores = np.array([[0.75, 0.25]] * 8 + [[0.05, 0.95], [0.1, 0.9]])
    bins = reliability(result_of(y, scores.argmax(axis=1), scores), targets_of(y))
    assert bins is not None
    assert [each.count for each in bins] == [8, 1, 1]
    assert astuple(bins[0]) == (0.7, 0.8, 0.75, 0.75, 8)
    assert astuple(bins[1]) == (0.8, 0.9, 0.9, 1.0, 1)


def test_the_bins_add_up_to_the_calibration_error() -> None:
    y, y_pred, scores = random_case(3, 200)
    result = result_of(y, y_pred, scores)
    bins = reliability(result, targets_of(y))
    assert bins is not None
    gaps = [each.count * abs(each.share_right - each.mean_score) for each in bins]
    error = metric_value(result, "expected_calibration_error", targets_of(y))
    assert sum(gaps) / 200 == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize("score", [0.6, 0.7, 0.8, 0.9])
def test_a_bin_holds_its_upper_end(score: float) -> None:
    y = np.zeros(4, dtype=int)
    bins = reliability(result_of(y, y, np.tile([score, 1 - score], (4, 1))), targets_of(y))
    assert bins is not None
    assert [each.high for each in bins] == [score]


def test_evaluation_imports_no_scikit_learn_before_it_is_used() -> None:
    assert imported_by("import audioclf.evaluation", ["sklearn", "scipy"]) == set()
