"""Views of clips: side by side in the row of their clip, and single rows for a fit.

Folds, audits, predictions and intervals use one row per clip, so that all views of a clip are on
the same side of every split. Only a fit uses each view as a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.evaluation.predictions import ViewAverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.featurizer import Featurizer

    Matrix = NDArray[np.float32]
    Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Views:
    """Views in a row of a design matrix.

    The last `training_only` of them, changed copies, are for fits alone.
    """

    count: int = 1
    averaged: bool = False
    training_only: int = 0

    @classmethod
    def of(cls, featurizer: Featurizer, copies: int = 0) -> Views:
        """Return the views in the rows of a featurizer, with changed copies of each clip."""
        count = len(featurizer.views())
        return cls(count + copies, count > 1 and featurizer.averages_views(), copies)

    @property
    def predicted(self) -> int:
        """Number of views that a prediction uses."""
        return self.count - self.training_only if self.averaged else 1

    def plain(self, matrix: Matrix) -> Matrix:
        """Return the columns of the plain view."""
        return matrix[:, : matrix.shape[1] // self.count]

    def to_predict(self, matrix: Matrix) -> Matrix:
        """Return the columns that a prediction uses."""
        return matrix[:, : matrix.shape[1] // self.count * self.predicted]

    def stacked(self, matrix: Matrix) -> Matrix:
        """Return each view as a row, those of one clip together, without a copy."""
        return matrix.reshape(len(matrix) * self.count, -1)

    def repeated(self, per_clip: NDArray[Any]) -> NDArray[Any]:
        """Return the value of its clip for each view."""
        return per_clip if self.count == 1 else np.repeat(per_clip, self.count, axis=0)

    def positions(self, clips: Codes) -> Codes:
        """Return the positions of the views of these clips in the stacked matrix."""
        positions: Codes = (clips[:, None] * self.count + np.arange(self.count)).ravel()
        return positions

    def scorer(self, estimator: Any) -> Any:
        """Return an estimator for the columns of `to_predict` from one for single views."""
        return ViewAverage(estimator, self.predicted) if self.averaged else estimator


PLAIN = Views()
"""The clip itself as the only view."""
