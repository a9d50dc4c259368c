"""Cells made of predictions, for tests of comparisons."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from audioclf.components.metrics import Metric
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.results import FoldResult, SomeFolds
from audioclf.evaluation.splits import Fold
from tests.targets import targets_of


def cell_of(folds: Sequence[Fold], predictions: Iterable[np.ndarray]) -> SomeFolds:
    """Return a pipeline that predicted these labels on the test sides of these folds."""
    results = (
        FoldResult(fold, np.asarray(y_pred, dtype=np.intp), None, "none", 0.1, 0.1)
        for fold, y_pred in zip(folds, predictions, strict=True)
    )
    return SomeFolds(tuple(results))


def make_folds(n_clips: int, n_splits: int = 5, repeats: int = 1) -> list[Fold]:
    """Deal clips into folds of equal size, in another order for each repeat."""
    everything = np.arange(n_clips)
    return [
        Fold(repeat, str(part), np.setdiff1d(everything, test), np.sort(test))
        for repeat in range(repeats)
        for part, test in enumerate(
            np.array_split(np.random.default_rng(repeat).permutation(n_clips), n_splits)
        )
    ]


def guesser(y: np.ndarray, folds: Sequence[Fold], accuracy: float, seed: int) -> SomeFolds:
    """Return a pipeline that is right by chance, as often as `accuracy`; with probabilities."""
    rng = np.random.default_rng(seed)
    n_classes = int(y.max()) + 1
    results = []
    for fold in folds:
        truth = y[fold.test]
        wrong = (truth + rng.integers(1, n_classes, len(truth))) % n_classes
        y_pred = np.where(rng.random(len(truth)) < accuracy, truth, wrong)
        scores = 0.2 / n_classes + 0.8 * np.eye(n_classes)[y_pred]
        results.append(FoldResult(fold, y_pred, scores, "probability", 0.1, 0.1))
    return SomeFolds(tuple(results))


def compared(
    pipelines: Mapping[str, SomeFolds],
    y: np.ndarray,
    metric: Metric = "accuracy",
    groups: np.ndarray | None = None,
    **more: Any,
) -> Comparison:
    """Compare pipelines over clips, or over groups of them."""
    targets = targets_of(y, groups, unit="clip" if groups is None else "group")
    return compare(pipelines, metric, targets, seed=0, **more)
