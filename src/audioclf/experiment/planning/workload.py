"""How much a run has to do, and which clips stand for all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.dataset.dataset import Dataset, codes_of
from audioclf.evaluation.splits import Splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Extent:
    """The numbers on which time, memory and disk depend.

    Parameters
    ----------
    n_clips, n_classes, n_pipelines, n_folds, n_repeats : int
        `n_folds` counts those of all repeats.
    n_train, n_test : int
        Clips on the larger sides of all folds.
    n_tested : int
        Clips that each repeat tests.
    """

    n_clips: int
    n_classes: int
    n_pipelines: int
    n_folds: int
    n_repeats: int
    n_train: int
    n_test: int
    n_tested: int

    @classmethod
    def of(cls, dataset: Dataset, splits: Splits, n_pipelines: int) -> Extent:
        """Count."""
        folds = splits.folds
        n_repeats = 1 + max(fold.repeat for fold in folds)
        return cls(
            n_clips=len(dataset),
            n_classes=len(dataset.classes),
            n_pipelines=n_pipelines,
            n_folds=len(folds),
            n_repeats=n_repeats,
            n_train=max(len(fold.train) for fold in folds),
            n_test=max(len(fold.test) for fold in folds),
            n_tested=math.ceil(sum(len(fold.test) for fold in folds) / n_repeats),
        )

    @property
    def n_fits(self) -> int:
        """Fits of all pipelines."""
        return self.n_pipelines * self.n_folds

    @property
    def n_predictions(self) -> int:
        """Rows of the table of predictions."""
        return self.n_pipelines * self.n_repeats * self.n_tested


class Sample:
    """Picks clips with the same share of each class as the dataset, the same ones every time."""

    def __init__(self, dataset: Dataset) -> None:
        self.codes = codes_of(dataset)
        self._by_class = np.argsort(self.codes, kind="stable")

    def positions(self, n: int) -> Codes:
        """Return `n` positions, by class and then id; those of all clips if there are no more."""
        n_clips = len(self._by_class)
        steps = np.linspace(0, n_clips - 1, min(n, n_clips)).round().astype(np.intp)
        return self._by_class[steps]

    def labels(self, n: int) -> Codes:
        """Return the codes of the clips at these positions."""
        return self.codes[self.positions(n)]
