"""Scores of each class against scikit-learn, and what a class without clips gets."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.per_class import per_class
from tests.evaluation.predictions import (
    cell_of,
    estimated,
    fold_of,
    random_case,
    repeated,
    result_of,
)
from tests.targets import targets_of


def test_the_scores_of_a_class_are_scikit_learns() -> None:
    y, y_pred, _ = random_case(4)
    found = per_class(result_of(y, y_pred), targets_of(y, n_classes=4), seed=0)
    values = [[c.precision.value, c.recall.value, c.f1.value, c.support] for c in found]
    expected = precision_recall_fscore_support(y, y_pred, zero_division=0)
    np.testing.assert_allclose(values, np.transpose(expected), rtol=1e-12)


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
def test_the_last_of_two_classes_has_the_estimate_of_the_two_class_metric(metric: Metric) -> None:
    y = random_case(2)[0]
    result, units = repeated(y, 3), np.arange(60) // 2
    found = getattr(per_class(result, targets_of(y, units, n_classes=2), seed=5)[1], metric)
    whole = estimated(result, metric, y, units, seed=5)
    assert (found.value, found.low, found.high) == (whole.value, whole.low, whole.high)


def test_a_class_of_no_test_clip_has_no_scores() -> None:
    y = np.array([0, 1, 0, 1, 2])
    tested = np.arange(4)
    result = cell_of(fold_of(tested, np.array([0, 1, 2, 1])))
    last = per_class(result, targets_of(y, n_classes=3), seed=0)[2]
    assert last.support == 0.0
    for found in (last.precision, last.recall, last.f1):
        assert np.isnan([found.value, found.low, found.high]).all()


def test_a_repeat_that_does_not_test_a_class_does_not_count_against_it() -> None:
    y = np.array([0, 0, 1, 1])
    result = cell_of(fold_of(np.arange(4), y, repeat=0), fold_of(np.arange(2), y[:2], repeat=1))
    last = per_class(result, targets_of(y, n_classes=2), seed=0)[1]
    assert last.recall.value == 1.0
    assert last.support == 1.0


def test_a_resample_without_the_class_does_not_count_against_it() -> None:
    y = np.array([0, 0, 0, 1])
    last = per_class(result_of(y, y), targets_of(y, n_classes=2), seed=0)[1]
    assert last.recall.value == 1.0
    assert np.isnan([last.recall.low, last.recall.high]).all()  # a single unit of the class
