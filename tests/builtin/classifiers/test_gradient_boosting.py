from __future__ import annotations

from typing import Any

import numpy as np

from audioclf.builtin.classifiers.gradient_boosting import GradientBoosting


def test_early_stopping_builds_fewer_trees() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    model: Any = GradientBoosting(n_iter_no_change=2).build(random_state=0)
    assert model.fit(X, y).n_estimators_ < 100
