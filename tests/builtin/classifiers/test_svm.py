from __future__ import annotations

from typing import Any

import numpy as np

from audioclf.builtin.classifiers.svm import Svm


def rows(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 40)
    X = rng.normal(scale=1.5, size=(120, 5)).astype(np.float32)
    X[np.arange(120), y] += 2
    return X, y


def test_without_probability_there_are_only_decisions() -> None:
    model: Any = Svm().build(random_state=0)
    assert not hasattr(model, "predict_proba")
    assert hasattr(model, "decision_function")


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
