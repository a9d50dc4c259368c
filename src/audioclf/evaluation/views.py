"""Views of clips: side by side in the row of their clip, and rows of their own for a fit.

Everything that counts clips (folds, audits, predictions, intervals) sees one row per clip, so that
all views of a clip stand on the same side of every split. Only a fit looks at the views as rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from audioclf.batches import Batches
from audioclf.evaluation.scoring import ViewAverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components import Classifier, Featurizer

    Matrix = NDArray[np.float32]
    Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Views:
    """What a row of a design matrix holds.

    Parameters
    ----------
    count : int
        Views of the clip that stand side by side, the plain one first.
    averaged : bool
        Whether a prediction is the mean of the scores of all views, not that of the first alone.
    """

    count: int = 1
    averaged: bool = False

    @classmethod
    def of(cls, featurizer: Featurizer) -> Views:
        """Return what the rows of a featurizer hold."""
        count = len(featurizer.views())
        return cls(count, count > 1 and featurizer.averages_views())

    @property
    def predicted(self) -> int:
        """The number of views that a prediction looks at."""
        return self.count if self.averaged else 1

    def plain(self, matrix: Matrix) -> Matrix:
        """Return the columns of the plain view."""
        return matrix[:, : matrix.shape[1] // self.count]

    def to_predict(self, matrix: Matrix) -> Matrix:
        """Return the columns that a prediction looks at."""
        return matrix if self.averaged else self.plain(matrix)

    def stacked(self, matrix: Matrix) -> Matrix:
        """Return each view as a row of its own, those of one clip together; nothing is copied."""
        return matrix.reshape(len(matrix) * self.count, -1)

    def repeated(self, per_clip: Codes) -> Codes:
        """Return for each view what holds for its clip."""
        return per_clip if self.count == 1 else np.repeat(per_clip, self.count)

    def positions(self, clips: Codes) -> Codes:
        """Return where in the stacked matrix the views of these clips are."""
        places: Codes = (clips[:, None] * self.count + np.arange(self.count)).ravel()
        return places

    def scorer(self, estimator: Any) -> Any:
        """Make an estimator that takes single views take the columns of `to_predict`."""
        return ViewAverage(estimator, self.count) if self.averaged else estimator


PLAIN = Views()
"""The clip itself and nothing else."""


class Fitting(Protocol):
    """What a fit needs to know: the cell, or as much of it."""

    @property
    def classifier(self) -> Classifier:
        """Who built the estimator."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Shape (n_bins, n_frames) of what a view holds."""

    @property
    def views(self) -> Views:
        """What a row holds."""


def fit_rows(
    cell: Fitting,
    estimator: Any,
    X: Matrix,
    y: Codes,
    groups: Codes | None = None,
) -> Any:
    """Fit an estimator on the rows of some clips.

    Parameters
    ----------
    cell : Cell
    estimator : scikit-learn classifier
        What `build` of its classifier returned.
    X : np.ndarray [shape=(n_clips, n_views * n_features)], float32
    y : np.ndarray [shape=(n_clips,)], int
        Codes of the classes, `0..k-1`.
    groups : np.ndarray [shape=(n_clips,)], int, optional
        Code of each clip's group, for classifiers that use them. Where there are several views and
        no groups, each clip is a group.

    Returns
    -------
    estimator : scikit-learn classifier
        Fitted on single views: it takes n_features columns.
    """
    classifier, views, clips = cell.classifier, cell.views, np.arange(len(X))
    if groups is None and views.count > 1:
        groups = clips
    units = None if groups is None else views.repeated(groups)
    passed = classifier.fit_keywords(groups=units, shape=cell.shape)
    if views.count == 1:
        estimator.fit(X, y, **passed)
        return estimator
    return classifier.fit_views(
        estimator, views.stacked(X), views.repeated(y), views.repeated(clips), **passed
    )


def fit_batches(
    classifier: Classifier,
    views: Views,
    matrix: Matrix,
    clips: Codes,
    y: Codes,
    *,
    seed: int,
) -> Any:
    """Fit in batches on some rows of a matrix, of which no copy is made.

    Parameters are those of `fit_rows`; `clips` are the rows of the matrix, `y` their codes.
    """
    rows = Batches(
        views.stacked(matrix), views.positions(clips), views.repeated(y), int(y.max()) + 1
    )
    return classifier.fit_batches(rows, random_state=seed)
