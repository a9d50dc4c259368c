from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.builtin.classifiers.sgd import Sgd
from audioclf.components import batches as module
from audioclf.evaluation.predictions import scores_of_rows
from audioclf.plugin import Batches


def separable(n: int = 600, *, share: float = 0.5) -> Batches:
    """Rows sorted by class, as clips sorted by name are."""
    rng = np.random.default_rng(0)
    y = (np.arange(n) >= round(n * share)).astype(np.intp)
    X = rng.normal(size=(n, 6)).astype(np.float32) * np.float32(100.0)
    X[:, 0] += 250 * y
    return Batches(X, np.arange(n), y, 2)


def accuracy(model: Any, batches: Batches) -> float:
    return float(np.mean(model.predict(batches.matrix) == batches.y))


def test_a_fit_in_batches_learns_though_rows_are_sorted_by_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 6 * 100)
    batches = separable()
    assert accuracy(Sgd(max_iter=30).fit_batches(batches, random_state=0), batches) > 0.85


def test_a_fit_in_batches_gives_scores_like_a_fit_of_all_rows() -> None:
    model: Any = Sgd(max_iter=30).fit_batches(separable(), random_state=0)
    proba = model.predict_proba(separable().matrix[:5])
    assert proba.shape == (5, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-6)
    assert model.classes_.tolist() == [0, 1]


def test_a_seed_gives_the_same_batched_fit() -> None:
    batches = separable()
    first, again = (Sgd(max_iter=30).fit_batches(batches, random_state=3) for _ in range(2))
    assert np.array_equal(first[-1].coef_, again[-1].coef_)


def test_balanced_classes_count_the_same_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 6 * 100)
    batches = separable(share=0.95)
    rare = batches.matrix[batches.y == 1]
    plain, balanced = (
        Sgd(class_weight=weight, max_iter=30).fit_batches(batches, random_state=0)
        for weight in (None, "balanced")
    )
    assert np.mean(balanced.predict(rare)) > np.mean(plain.predict(rare))


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_far_from_all_classes_scores_order_them_as_the_decision_values(loss: Any) -> None:
    y = np.repeat([0, 1, 2], 40)
    model: Any = Sgd(loss=loss).build(random_state=0).fit(np.eye(3, dtype=np.float32)[y], y)
    model[-1].coef_ = -np.eye(3) - 1.0
    far = np.array([[1e4, 2e4, 3e4]], dtype=np.float32)
    assert (model.decision_function(far) < -1000).all()
    scores, kind = scores_of_rows(Sgd(loss=loss).scorer(model), far, 3)
    assert kind == "probability"
    assert scores is not None
    assert scores.sum() == pytest.approx(1)
    assert scores.argmax() == model.decision_function(far).argmax() == model.predict(far)[0]
    assert len(set(scores[0].tolist())) > 1


def test_alpha_0_can_only_fail_and_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Sgd(alpha=0)
