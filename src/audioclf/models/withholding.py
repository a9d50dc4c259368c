"""Predictions that name no class: ties, and scores below a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EQUAL = 1e-9
"""Largest difference of two scores that are equal except for rounding."""


def is_tie(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for each row of scores [shape=(n_rows, n_classes)] whether two share the highest.

    >>> is_tie(np.array([[0.4, 0.4, 0.2], [0.5, 0.3, 0.2]])).tolist()
    [True, False]
    """
    highest = scores.max(axis=1, keepdims=True)
    shared: NDArray[np.bool_] = np.count_nonzero(scores >= highest - _EQUAL, axis=1) > 1
    return shared


def names_no_class(
    scores: NDArray[np.float64], codes: NDArray[np.intp], below: float
) -> NDArray[np.bool_]:
    """Return for each row whether a model that abstains names no class.

    So it is if the score of its class is below the limit, or two classes share the highest score.
    """
    low: NDArray[np.bool_] = scores[np.arange(len(codes)), codes] < below
    return low | is_tie(scores)
