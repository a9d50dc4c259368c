"""Which families of clips stand on both sides of a split, and how much of the test they are.

A family is a number that clips share: of copies, of a group, of a recording. A clip that shares its
number with none cannot leak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audioclf.evaluation import Splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]

MAX_ROWS = 100
"""Most rows that are listed as evidence of one finding."""


def across(splits: Splits, codes: Codes) -> set[int]:
    """Return the families of which one clip trains while another is tested."""
    found: set[int] = set()
    for fold in splits.folds:
        found.update(np.intersect1d(codes[fold.train], codes[fold.test]).tolist())
    return found


def leaking_share(splits: Splits, codes: Codes) -> float:
    """Return the share of test clips, over all folds, whose family trains as well."""
    hits = [np.isin(codes[fold.test], codes[fold.train]) for fold in splits.folds]
    return float(np.concatenate(hits).mean())


def count(number: int, singular: str) -> str:
    """Return the number with the word, as in `2 sets`."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"


def percent(share: float) -> str:
    """Return a share in [0, 1] as percent."""
    return f"{100 * share:.1f} %"
