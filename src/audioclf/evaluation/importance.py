"""Feature importance of a fitted classifier, over frequency and time.

A tree ensemble has the decrease of impurity of each column, a linear model the size of its
coefficients (of scaled columns, if its pipeline scales them). For any other classifier it is the
permutation importance: the decrease of accuracy, or of the explained variance of numbers, when a
band of columns is shuffled (Breiman 2001, "Random forests", section 10). Bands with the same
information share their importance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.evaluation.class_fits import OneFitPerClass
from audioclf.evaluation.label_rules import labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import Targets

    Floats = NDArray[np.float64]

MAX_ROWS = 500
MAX_BANDS = 16
MAX_SIDE = 64
"""Largest number of rows and columns of a matrix of importances."""
MAX_NAMED = 20
"""Largest number of features that are listed by name."""

Layout = Literal["flatten", "stats"]


def importance(
    estimator: Any,
    X: NDArray[np.float32],
    y: NDArray[Any],
    *,
    n_bins: int,
    layout: Layout = "flatten",
    seed: int = 0,
) -> Floats:
    """Return the importance of each bin [shape=(n_bins,)], or (n_bins, n_frames) for "flatten".

    The steps of a scikit-learn pipeline must keep the columns. `X` and `y` are for the permutation
    importance, best of clips that were not fitted. The sum is 1, or 0 if no column is used.
    """
    columns = column_importance(estimator, X.shape[1])
    if columns is None:
        columns = permutation_importance(estimator, X, y, n_bins, seed)
    shape = columns.reshape(-1, n_bins)
    result = shape.T if layout == "flatten" else shape.sum(axis=0)
    total = result.sum()
    return result / total if total > 0 else result


def mean_importance(
    fitted: OneFitPerClass, X: NDArray[np.float32], targets: Targets, **options: Any
) -> Floats | None:
    """Return the mean of `importance` over the classes, each on its labelled clips; None for none.

    The scale is that of one class: the sum is 1, or less where a class uses no column.
    """
    assert targets.states is not None
    if fitted.shared is not None:
        of_states = OneFitPerClass(fitted.estimators, fitted.thresholds)  # also of ordered classes
        has_own = column_importance(fitted.shared, X.shape[1]) is not None
        return importance(fitted.shared if has_own else of_states, X, targets.states, **options)
    of_classes = []
    for code, estimator in enumerate(fitted.estimators):
        if not isinstance(estimator, float):
            known = targets.states[:, code] >= 0
            y = (targets.states[known, code] > 0).astype(np.intp)
            of_classes.append(importance(estimator, X[known], y, **options))
    return np.mean(of_classes, axis=0) if of_classes else None


def column_importance(estimator: Any, n_features: int) -> Floats | None:
    """Return the importances of a tree or a linear model; None for other estimators."""
    final = _final_step(estimator)
    for name in ("feature_importances_", "coef_"):
        try:
            values = np.asarray(getattr(final, name), dtype=np.float64)
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            continue
        if values.shape[-1:] == (n_features,) and np.isfinite(values).all():
            importances: Floats = np.abs(values).reshape(-1, n_features).mean(axis=0)
            return importances
    return None


def permutation_importance(
    estimator: Any, X: NDArray[np.float32], y: NDArray[Any], n_bins: int, seed: int
) -> Floats:
    """Return the decrease of accuracy when a band of bins is shuffled, spread over its columns.

    At most `MAX_BANDS` bands and `MAX_ROWS` rows are used, each once; an increase counts as 0.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(X))[:MAX_ROWS])
    X, y = np.array(X[rows]), y[rows]
    order = rng.permutation(len(X))
    before = _accuracy(estimator, X, y)
    bin_of = np.arange(X.shape[1]) % n_bins
    worth = np.zeros(X.shape[1])
    for band in np.array_split(np.arange(n_bins), min(MAX_BANDS, n_bins)):
        columns = np.flatnonzero(np.isin(bin_of, band))
        kept = X[:, columns]
        X[:, columns] = kept[order]
        worth[columns] = max(0.0, before - _accuracy(estimator, X, y)) / len(columns)
        X[:, columns] = kept
    return worth


def importances_data(
    importances: Mapping[str, Floats], names: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Return importances by pipeline as plain data, of `MAX_SIDE` rows and columns at most.

    With the names of the bins of pipelines, also their most important features.
    """
    data = {"cells": {name: _rounded(smaller(values)) for name, values in importances.items()}}
    features = {
        name: named_importances(importances[name], of_bins)
        for name, of_bins in (names or {}).items()
        if len(of_bins) == len(importances[name])
    }
    return data | {"features": features} if features else data


def named_importances(values: Floats, names: Sequence[str]) -> list[list[Any]]:
    """Return names and relative importances of at most `MAX_NAMED` bins, the highest first."""
    of_bins = values.reshape(len(values), -1).sum(axis=1)
    first = np.argsort(-of_bins, kind="stable")[:MAX_NAMED]
    rounded = _rounded(of_bins)
    return [[names[at], rounded[at]] for at in first.tolist() if rounded[at] > 0]


def smaller(values: Floats) -> Floats:
    """Return means over blocks, at most `MAX_SIDE` on each side."""
    for axis in range(values.ndim):
        edges = np.linspace(0, values.shape[axis], min(MAX_SIDE, values.shape[axis]) + 1)
        starts = edges[:-1].astype(int)
        widths = np.diff([*starts, values.shape[axis]])
        summed = np.add.reduceat(values, starts, axis=axis)
        values = summed / widths.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    return values


def _rounded(values: Floats) -> Any:
    top = values.max(initial=0.0)
    return np.round(values / top if top > 0 else values, 3).tolist()


def _final_step(estimator: Any) -> Any:
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def _accuracy(estimator: Any, X: NDArray[np.float32], y: NDArray[Any]) -> float:
    if y.dtype.kind == "f":
        return 1.0 - float(np.mean((np.asarray(estimator.predict(X)) - y) ** 2) / y.var())
    return float(np.mean(labels_of(estimator, X) == y))
