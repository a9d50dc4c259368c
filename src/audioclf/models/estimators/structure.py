"""Parts of a restored scikit-learn estimator, and the checks of each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from audioclf.models.estimators import trees, vectors

Check = Callable[[Any], None]


def parts_of(root: Any) -> list[Any]:
    """Return an estimator and all objects inside it, without repeats."""
    parts: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) not in parts:
            parts[id(part)] = part
            waiting.extend(_inside(part))
    return list(parts.values())


def _inside(part: Any) -> Iterator[Any]:
    if isinstance(part, dict):
        yield from part.values()
    elif isinstance(part, list | tuple | set | frozenset):
        yield from part
    elif isinstance(part, np.ndarray):
        yield from part.ravel().tolist() if part.dtype.hasobject else ()
    elif not isinstance(part, type | ModuleType | FunctionType):
        yield from getattr(part, "__dict__", {}).values()


def check_structure(estimator: Any) -> None:
    """Check every part that C code reads.

    `ValueError` names the type of a part whose nodes form no tree or whose arrays do not fit;
    `AttributeError`, `KeyError` or `TypeError` if one is missing or has another type.
    """
    parts = parts_of(estimator)
    for kind, fitted, check in _checks():
        for part in parts:
            if isinstance(part, kind) and hasattr(part, fitted):
                try:
                    check(part)
                except ValueError as exc:
                    raise ValueError(f"{type(part).__name__}: {exc}") from exc
    _check_owners(parts)


def _checks() -> list[tuple[tuple[type, ...], str, Check]]:
    """Return types, an attribute that only fitted ones have, and the check.

    Trees come first, since the checks of ensembles read them. Unfitted parts, such as the template
    of the trees of an ensemble, cannot predict and are not checked.
    """
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.ensemble._forest import BaseForest
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.svm._base import BaseLibSVM
    from sklearn.tree import BaseDecisionTree

    boosting = (GradientBoostingClassifier, GradientBoostingRegressor)
    hist = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    return [
        ((BaseDecisionTree,), "tree_", trees.check_decision_tree),
        ((BaseForest,), "estimators_", trees.check_ensemble),
        (boosting, "estimators_", trees.check_gradient_boosting),
        (hist, "_predictors", trees.check_hist_gradient_boosting),
        ((BaseLibSVM,), "support_vectors_", vectors.check_svc),
        ((KNeighborsClassifier, KNeighborsRegressor), "_fit_X", vectors.check_neighbors),
    ]


def _check_owners(parts: list[Any]) -> None:
    """Refuse a tree outside of an estimator, which cannot be checked."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree import BaseDecisionTree
    from sklearn.tree._tree import Tree

    hist = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    owned = {id(getattr(p, "tree_", None)) for p in parts if isinstance(p, BaseDecisionTree)}
    for part in parts:
        if isinstance(part, hist) and hasattr(part, "_predictors"):
            owned |= {id(predictor) for predictor in trees.hist_predictors(part)}
    for part in parts:
        if isinstance(part, Tree | TreePredictor) and id(part) not in owned:
            raise ValueError("a tree stands outside of a model of trees")
