from __future__ import annotations

from typing import Any

import numpy as np

from audioclf.builtin.classifiers.dummy import Dummy


def test_the_prior_is_the_shares_of_the_classes() -> None:
    X, y = np.zeros((4, 1), dtype=np.float32), np.array([0, 1, 1, 1])
    model: Any = Dummy().build(random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X[:1]), [[0.25, 0.75]])


def test_the_features_make_no_difference() -> None:
    X, y = np.eye(6, dtype=np.float32), np.array([0, 0, 0, 1, 1, 2])
    model: Any = Dummy().build(random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), np.zeros(6))
