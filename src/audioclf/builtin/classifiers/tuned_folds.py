"""Inner folds of a search or an ensemble, made of the training rows."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.plugin import ClassifierError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]
    Pair = tuple[Indices, Indices]


HINT = "Set the fields by hand instead of `tuned`"


def folds_of_numbers(y: Any, groups: Any, n_splits: int, random_state: int) -> list[Pair]:
    """Return shuffled pairs (train, test) of the training rows that keep groups together."""
    from sklearn.model_selection import GroupKFold, KFold

    units = np.arange(len(y)) if groups is None else np.asarray(groups)
    n_units = len(np.unique(units))
    _check_units(n_units, HINT)
    cls = KFold if groups is None else GroupKFold
    splitter = cls(min(n_splits, n_units), shuffle=True, random_state=random_state)
    return list(splitter.split(y, y, groups))


def _check_units(n_units: int, hint: str) -> None:
    if n_units < 2:
        raise ClassifierError(
            "all clips of the training side are of one group, and inner folds need 2: one to "
            "learn from, one to predict",
            hint=f"{hint}, or split in another way.",
        )


def inner_folds(
    y: Indices,
    groups: Any,
    n_splits: int,
    random_state: int,
    *,
    needs_scores: bool = False,
    hint: str = HINT,
) -> list[Pair]:
    """Return stratified pairs (train, test) of the training rows that keep groups together.

    `n_splits` is lowered, with a warning, to the fewest clips or groups of a class. Folds on which
    fits cannot be compared are left out; if none is left, that is a ClassifierError with the hint.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    lowered = _affordable(y, groups, n_splits, hint)
    if lowered < n_splits:
        unit = "clips" if groups is None else "groups"
        warnings.warn(
            f"inner folds lowered from {n_splits} to {lowered}: a class has no more {unit} in the "
            "training side",
            stacklevel=2,
        )
    cls = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = cls(n_splits=lowered, shuffle=True, random_state=random_state)
    folds = [pair for pair in splitter.split(y, y, groups) if len(pair[1])]
    return scorable_folds(folds, y, needs_scores=needs_scores, hint=hint)


def _affordable(y: Indices, groups: Any, n_splits: int, hint: str) -> int:
    units = np.arange(len(y)) if groups is None else np.asarray(groups)
    fewest = min(len(np.unique(units[y == code])) for code in np.unique(y))
    if groups is None and fewest < 2:
        raise ClassifierError(
            "the smallest class has 1 clip in the training side, and inner folds need 2: one to "
            "learn from, one to predict",
            hint=f"Add recordings of that class. {hint}.",
        )
    _check_units(len(np.unique(units)), hint)
    return min(n_splits, max(2, fewest))


def scorable_folds(folds: list[Pair], y: Indices, *, needs_scores: bool, hint: str) -> list[Pair]:
    """Return the folds on which fits can be compared."""
    n_classes = len(np.unique(y))
    present = [tuple(len(np.unique(y[side])) for side in pair) for pair in folds]
    scorable = [
        pair
        for pair, (train, test) in zip(folds, present, strict=True)
        if train > 1 and (test > 1 or not needs_scores)
    ]
    if not scorable:
        side = "has two classes on both sides" if needs_scores else "can train on two classes"
        raise ClassifierError(
            f"no inner fold {side}, because its groups hold one class each",
            hint=f"{hint}, or add groups of each class.",
        )
    if len(scorable) < len(folds):
        warnings.warn(
            f"{len(scorable)} of {len(folds)} inner folds are used: the others have one class on a "
            "side",
            stacklevel=3,
        )
    if min(train for train, _ in present) < n_classes:
        warnings.warn(
            "an inner fold trains without a class, whose clips are of one group", stacklevel=3
        )
    return scorable
