"""Predictions by hand, for tests of what is computed from them."""

from typing import Any

import numpy as np

from audioclf.components.metrics import METRICS, Metric
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import FoldResult, PipelineResult
from audioclf.evaluation.splits import Fold
from tests.targets import targets_of

OF_ONE_LABEL: list[Metric] = [name for name, info in METRICS.items() if "class" in info.targets]
"""Metrics of clips with one label each."""


class _NoCell:
    name = "cell"


def cell_of(*folds: FoldResult) -> PipelineResult:
    return PipelineResult(_NoCell(), folds)  # type: ignore[arg-type]


def fold_of(
    test: np.ndarray,
    y_pred: np.ndarray,
    scores: np.ndarray | None = None,
    kind: Any = "probability",
    *,
    repeat: int = 0,
    name: str = "0",
) -> FoldResult:
    """Return what was predicted of the clips at `test`, one value for each of them."""
    fold = Fold(repeat, name, np.arange(1), np.asarray(test))
    kind = "none" if scores is None else kind
    return FoldResult(fold, np.asarray(y_pred), scores, kind, 0.1, 0.1)


def result_of(
    y: np.ndarray, y_pred: np.ndarray, scores: np.ndarray | None = None, kind: Any = "probability"
) -> PipelineResult:
    """Return predictions of all clips, in two folds."""
    half = len(y) // 2
    tests = (np.arange(half), np.arange(half, len(y)))
    return cell_of(
        *(
            fold_of(t, y_pred[t], None if scores is None else scores[t], kind, name=str(i))
            for i, t in enumerate(tests)
        )
    )


def repeated(y: np.ndarray, n_repeats: int, seed: int = 0) -> PipelineResult:
    """Return predictions of repeated holdouts of half the clips, some worse than others."""
    rng = np.random.default_rng(seed)
    folds = []
    for repeat in range(n_repeats):
        test = rng.permutation(len(y))[: len(y) // 2]
        scores = scores_for(y[test], rng)
        folds.append(fold_of(test, scores.argmax(axis=1), scores, repeat=repeat))
    return cell_of(*folds)


def scores_for(y: np.ndarray, rng: np.random.Generator, k: int | None = None) -> np.ndarray:
    """Return scores that favor the true class somewhat."""
    k = int(y.max()) + 1 if k is None else k
    scores = rng.dirichlet(np.ones(k), len(y)) + 0.3 * np.eye(k)[y]
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def random_case(k: int, n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return codes of `k` classes, predictions and scores."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    scores = scores_for(y, rng)
    return y, scores.argmax(axis=1), scores


def estimated(
    result: PipelineResult, metric: Metric, y: np.ndarray, units: Any = None, *, seed: int = 0
) -> Estimate:
    """Return a metric that the pipeline has; each clip is a unit unless units are given."""
    found = estimate(result, metric, targets_of(y, units), seed=seed)
    assert found is not None
    return found
