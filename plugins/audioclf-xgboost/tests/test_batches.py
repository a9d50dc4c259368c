from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audioclf.components import batches as module
from audioclf.plugin import Batches, ClassifierError
from audioclf_xgboost import XGBoost


def sounds(n_classes: int, n: int = 300) -> Batches:
    rng = np.random.default_rng(0)
    y = np.sort(np.arange(n) % n_classes)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    X[:, 0] += 4 * y
    return Batches(X, np.arange(n), y, n_classes)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_batches_teach_nearly_what_all_rows_do(
    monkeypatch: pytest.MonkeyPatch, n_classes: int
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 5 * 64)
    batches = sounds(n_classes)
    component = XGBoost(n_estimators=10, max_depth=3)
    whole: Any = component.build(random_state=0).fit(batches.matrix, batches.y)
    parts: Any = component.fit_batches(batches, random_state=0)
    proba = parts.predict_proba(batches.matrix)
    assert proba.shape == (300, n_classes)
    assert parts.classes_.tolist() == list(range(n_classes))
    np.testing.assert_allclose(proba, whole.predict_proba(batches.matrix), atol=0.1)
    assert np.mean(parts.predict(batches.matrix) == batches.y) > 0.95


def test_a_batched_fit_survives_the_model_file() -> None:
    batches, component = sounds(3), XGBoost(n_estimators=5)
    fitted: Any = component.fit_batches(batches, random_state=0)
    restored: Any = component.restore(component.dump(fitted))
    X = batches.matrix
    assert np.array_equal(restored.predict_proba(X), fitted.predict_proba(X))


def test_only_bins_can_be_made_of_blocks() -> None:
    with pytest.raises(ClassifierError, match="tree_method: exact needs all rows in memory"):
        XGBoost(tree_method="exact").fit_batches(sounds(2), random_state=0)
