"""Views of clips: side by side in the row of their clip, and rows of their own for a fit.

Everything that counts clips (folds, audits, predictions, intervals) sees one row per clip, so that
all views of a clip stand on the same side of every split. Only a fit looks at the views as rows.
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
