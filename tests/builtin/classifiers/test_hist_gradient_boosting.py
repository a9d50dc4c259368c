from __future__ import annotations

from typing import Any

import numpy as np

from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting


def test_few_clips_are_learned_with_smaller_leaves() -> None:
    X = np.repeat([[0.0, 1.0], [5.0, 1.0]], 8, axis=0).astype(np.float32)
    y = np.repeat([0, 1], 8)
    model: Any = HistGradientBoosting(min_samples_leaf=2).build(random_state=0)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), y)
