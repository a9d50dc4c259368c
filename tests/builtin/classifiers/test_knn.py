from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.builtin.classifiers.knn import Knn


def test_a_large_unit_does_not_drown_the_column_that_matters() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    X = np.stack([y + rng.normal(scale=0.1, size=60), 1e4 * rng.normal(size=60)], axis=1)
    model: Any = Knn().build(random_state=0).fit(X[::2], y[::2])
    assert np.mean(model.predict(X[1::2]) == y[1::2]) > 0.9


def test_cosine_on_a_tree_is_refused() -> None:
    with pytest.raises(ValidationError, match="cosine needs algorithm: brute, not kd_tree"):
        Knn(metric="cosine", algorithm="kd_tree")
