"""Training rows of a classifier that fits others inside of it, as a search or an ensemble does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from audioclf.plugin import Classifier


@dataclass(frozen=True)
class TrainingRows:
    """Rows and labels with the group and the clip of each row, None where there are none.

    `shape` is (n_bins, n_frames) of the matrix in a row, for classifiers that need it.
    """

    X: Any
    y: Any
    groups: Any = None
    clips: Any = None
    shape: tuple[int, int] | None = None

    def taken(self, rows: Any) -> TrainingRows:
        """Return some of the rows."""
        groups, clips = (None if of is None else of[rows] for of in (self.groups, self.clips))
        return replace(self, X=self.X[rows], y=self.y[rows], groups=groups, clips=clips)

    def fitted(self, component: Classifier, random_state: int) -> Any:
        """Return the fitted estimator of a classifier."""
        built: Any = component.build(random_state=random_state)
        passed = component.fit_keywords(groups=self.groups, shape=self.shape)
        if self.clips is None and not component.holds_out_rows():
            return built.fit(self.X, self.y, **passed)
        clips = np.arange(len(self.y)) if self.clips is None else self.clips
        return component.fit_views(built, self.X, self.y, clips, **passed)
