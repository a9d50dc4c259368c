from typing import Any

import numpy as np
import pytest

from audioclf.builtin.classifiers.svm import Svm, calibration_folds


def rows(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 40)
    X = rng.normal(scale=1.5, size=(120, 5)).astype(np.float32)
    X[np.arange(120), y] += 2
    return X, y


def test_probabilities_are_closer_to_the_truth_than_the_shares_of_the_classes() -> None:
    (X, y), (X_new, y_new) = rows(0), rows(1)
    model: Any = Svm(probability=True).build(random_state=0)
    proba = model.fit(X, y).predict_proba(X_new)
    log_loss = -np.mean(np.log(proba[np.arange(len(y_new)), y_new]))
    assert log_loss < np.log(3)


def test_probability_keeps_the_support_vectors_of_all_clips() -> None:
    X, y = rows(0)
    plain: Any = Svm().build(random_state=0).fit(X, y)
    calibrated: Any = Svm(probability=True).build(random_state=0).fit(X, y)
    inner = calibrated.calibrated_classifiers_[0].estimator
    np.testing.assert_array_equal(inner.predict(X), plain.predict(X))


def test_columns_in_any_unit_give_the_same_predictions() -> None:
    X, y = rows(0)
    first, second = (Svm().build(random_state=0).fit(x, y).predict(x) for x in (X, X * 1000))
    np.testing.assert_array_equal(first, second)


def test_calibration_keeps_groups_together_and_does_not_depend_on_the_order_of_clips() -> None:
    rng = np.random.default_rng(3)
    groups, y = np.repeat(np.arange(6), 20), np.tile(np.repeat([0, 1], 10), 6)
    X = (rng.normal(size=(120, 8)) + 2 * rng.normal(size=(6, 2, 8))[groups, y]).astype(np.float32)
    order = rng.permutation(120)
    component = Svm(probability=True)

    def proba(rows: Any, groups: Any) -> Any:
        built: Any = component.build(random_state=0)
        keywords = component.fit_keywords(groups=groups, shape=None)
        model = component.fit_views(built, X[rows], y[rows], np.arange(120), **keywords)
        return model.predict_proba(X)

    plain, shuffled = proba(np.arange(120), groups), proba(order, groups[order])
    np.testing.assert_allclose(plain, shuffled, atol=1e-3)
    folds = calibration_folds(X, y, np.arange(120), groups, 0)
    assert not any(set(groups[train]) & set(groups[test]) for train, test in folds)
    assert not np.allclose(plain, proba(np.arange(120), None), atol=1e-2)


def test_groups_of_one_class_each_are_calibrated_by_clips_with_a_warning() -> None:
    X, y = rows(0)
    with pytest.warns(UserWarning, match="calibrates across groups"):
        assert len(calibration_folds(X, y, np.arange(len(y)), y, 0)) == 5
