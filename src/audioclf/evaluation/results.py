"""Cells, and their predictions on each fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audioclf.components.classifier import Classifier
from audioclf.evaluation.predictions import ScoreKind
from audioclf.evaluation.splits import Fold
from audioclf.evaluation.views import PLAIN, Views

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pipeline:
    """One featurizer with one classifier, by the names that the config gives them.

    `described` names the classifier and where it comes from, for messages. `shape` is that of the
    matrix (n_bins, n_frames) that each row holds frame by frame, for classifiers that use it.
    `views` says how many views of its clip a row holds.
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
        """Whether the classifier predicts from the frequencies of the classes alone."""
        return self.classifier.type_name() == "dummy"


@dataclass(frozen=True)
class FoldResult:
    """What one fitted classifier said of the test side of one fold.

    Parameters
    ----------
    fold : Fold
    y_pred : np.ndarray [shape=(n_test,)], int
        Codes of the predicted classes.
    scores : np.ndarray [shape=(n_test, n_classes)], float64, or None
        In the order of the dataset's classes; each row sums to 1. A class that the training side
        lacked has 0.
    score_kind : {"probability", "decision", "none"}
    fit_seconds, predict_seconds : float
        Wall-clock time.
    warnings : tuple of str
        What the classifier warned of, once each.
    chosen : dict, optional
        What a search chose inside this training side: the fitted estimator's `best_params_`, as
        plain values.
    model_bytes : int, optional
        Size of the pickled estimator; None if it was not measured, or cannot be pickled.
    peak_memory : int, optional
        Bytes by which the process grew at most while it fitted; None where the system does not
        tell.
    """

    fold: Fold
    y_pred: NDArray[np.intp]
    scores: NDArray[np.float64] | None
    score_kind: ScoreKind
    fit_seconds: float
    predict_seconds: float
    warnings: tuple[str, ...] = ()
    chosen: Mapping[str, Any] | None = None
    model_bytes: int | None = None
    peak_memory: int | None = None


class Predicted(Protocol):
    """Whatever has out-of-fold predictions: a pipeline that has just run, or one read from disk."""

    @property
    def folds(self) -> tuple[FoldResult, ...]:
        """One result per fold."""


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
        """Median size of a fitted estimator, of those that were measured."""
        sizes = [fold.model_bytes for fold in self.folds if fold.model_bytes is not None]
        return round(float(np.median(sizes))) if sizes else None

    @property
    def peak_memory(self) -> int | None:
        """Bytes by which a process grew at most during one fit."""
        peaks = [fold.peak_memory for fold in self.folds if fold.peak_memory is not None]
        return max(peaks, default=None)

    @property
    def score_kind(self) -> ScoreKind:
        """What the scores are."""
        return self.folds[0].score_kind

    @property
    def warnings(self) -> dict[str, int]:
        """What the classifier warned of, with the number of folds that met it."""
        return dict(Counter(text for fold in self.folds for text in fold.warnings))
