"""Ordered classes by binary fits of whether a clip is above a class.

E. Frank and M. Hall, "A simple approach to ordinal classification", ECML 2001. Every classifier
takes this route, by the fits of several labels per clip.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from audioclf.evaluation.class_fits import OneFitPerClass, fit_final_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import Codes, Targets
    from audioclf.evaluation.fitting import FinalFit
    from audioclf.evaluation.predictions import Outputs
    from audioclf.evaluation.results import Pipeline

    Floats = NDArray[np.float64]


class OrderedFits(OneFitPerClass):
    """Binary classifiers of whether a clip is above a class, one for each class but the highest.

    The scores of ordered classes are differences of the scores of being above two of them.
    """

    @property
    def classes_(self) -> Codes:
        """Codes of the ordered classes, as an estimator of scikit-learn has them."""
        return np.arange(len(self.estimators) + 1)

    def class_outputs(self, X: NDArray[np.float32]) -> Outputs:
        """Return scores of the classes, their kind, and None, as there are no decision values."""
        _, above, kind, _ = self.outputs(X)
        return (None if above is None else scores_of_ranks(above)), kind, None

    def predict(self, X: NDArray[np.float32]) -> Codes:  # type: ignore[override]
        """Return the class with the highest score, or without scores the number of those below."""
        scores, _, _ = self.class_outputs(X)
        if scores is None:
            ranks: Codes = self.outputs(X).states.sum(axis=1, dtype=np.intp)
            return ranks
        highest: Codes = scores.argmax(axis=1)
        return highest


def scores_of_ranks(above: Floats) -> Floats:
    """Return scores of ordered classes, which sum to 1, from those of being above each class.

    A clip cannot be above a class and not above a lower one: scores that increase are replaced by
    the mean of the nearest sequences below and above that do not.

    >>> scores_of_ranks(np.array([[0.9, 0.4], [0.4, 0.6]])).round(3).tolist()
    [[0.1, 0.5, 0.4], [0.5, 0.0, 0.5]]
    """
    low = np.minimum.accumulate(above, axis=1)
    high = np.maximum.accumulate(above[:, ::-1], axis=1)[:, ::-1]
    n = len(above)
    falling = np.column_stack([np.ones(n), (low + high) / 2.0, np.zeros(n)])
    return falling[:, :-1] - falling[:, 1:]


def fit_final_ranks(
    pipeline: Pipeline,
    matrix: NDArray[np.float32],
    targets: Targets,
    *,
    seed: int,
    in_batches: bool = False,
) -> FinalFit:
    """Fit ordered classes on all clips, as on the training side of a fold."""
    ranks = targets.above_ranks()
    fit = fit_final_classes(pipeline, matrix, ranks, seed=seed, in_batches=in_batches)
    found: OneFitPerClass = fit.estimator
    return replace(fit, estimator=OrderedFits(found.estimators, found.thresholds, found.notes))
