"""Pipelines, and their predictions on each fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audioclf.components.classifier import BASELINE_TYPES, Classifier
from audioclf.evaluation.predictions import ScoreKind
from audioclf.evaluation.splits import Fold
from audioclf.evaluation.views import PLAIN, Views

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pipeline:
    """One featurizer with one classifier, by their names in the config.

    `described` is the classifier's name and origin, `shape` (n_bins, n_frames) that of a row's
    matrix.
    """

    name: str
    featurizer: str
    classifier_name: str
    classifier: Classifier
    described: str
    shape: tuple[int, int] | None = None
    views: Views = PLAIN

    @property
    def is_baseline(self) -> bool:
        """Whether the classifier predicts from the labels of the training clips alone."""
        return self.classifier.type_name() in BASELINE_TYPES.values()


@dataclass(frozen=True)
class FoldResult:
    """Predictions of one fitted classifier on the test side of one fold.

    `scores` [shape=(n_test, n_classes)] sum to 1; a class without training clips has 0. Memory is
    in bytes, `model_bytes` that of the pickled estimator, `peak_memory` the growth of the process;
    None if not measured. `chosen` are the `best_params_` of a search. `decision_values` rank clips
    where scores saturate; a class without training clips has `-inf`. With several labels per clip,
    `y_pred` [shape=(n_test, n_classes)] is 1 or 0, scores are those of each class by itself, and
    `thresholds` [shape=(n_classes,)] are the scores from which a class is predicted. Predicted
    numbers are float64 and have no scores.
    """

    fold: Fold
    y_pred: NDArray[Any]
    scores: NDArray[np.float64] | None
    score_kind: ScoreKind
    fit_seconds: float
    predict_seconds: float
    warnings: tuple[str, ...] = ()
    chosen: Mapping[str, Any] | None = None
    model_bytes: int | None = None
    peak_memory: int | None = None
    decision_values: NDArray[np.float64] | None = None
    thresholds: NDArray[np.float64] | None = None


class Predicted(Protocol):
    """An object with out-of-fold predictions: a pipeline of this run, or one read from disk."""

    @property
    def folds(self) -> tuple[FoldResult, ...]:
        """One result per fold."""


@dataclass(frozen=True)
class SomeFolds:
    """Out-of-fold predictions of no pipeline in particular."""

    folds: tuple[FoldResult, ...]


@dataclass(frozen=True)
class PipelineResult:
    """The out-of-fold predictions of one pipeline."""

    pipeline: Pipeline
    folds: tuple[FoldResult, ...]

    @property
    def fit_seconds(self) -> float:
        """Mean wall-clock seconds of one fit."""
        return float(np.mean([fold.fit_seconds for fold in self.folds]))

    @property
    def predict_seconds_per_clip(self) -> float:
        """Mean wall-clock seconds of the prediction of one clip, its scores included."""
        clips = sum(len(fold.fold.test) for fold in self.folds)
        return sum(fold.predict_seconds for fold in self.folds) / clips

    @property
    def model_bytes(self) -> int | None:
        """Median size of the fitted estimators that were measured."""
        sizes = [fold.model_bytes for fold in self.folds if fold.model_bytes is not None]
        return round(float(np.median(sizes))) if sizes else None

    @property
    def peak_memory(self) -> int | None:
        """Largest growth of a process during one fit, in bytes."""
        peaks = [fold.peak_memory for fold in self.folds if fold.peak_memory is not None]
        return max(peaks, default=None)

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores."""
        return self.folds[0].score_kind

    @property
    def warnings(self) -> dict[str, int]:
        """Warnings of the classifier, with the number of folds."""
        return dict(Counter(text for fold in self.folds for text in fold.warnings))
