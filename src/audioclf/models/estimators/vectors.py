"""Checks of restored support vectors and nearest neighbors before C code reads them.

Search trees of nearest neighbors are not stored but rebuilt from the training rows: a forged tree
would access foreign memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from audioclf.models.estimators.trees import columns_of


def check_svc(estimator: Any) -> None:
    """Check that the arrays of an SVM fit each other; raise `ValueError` if not."""
    counts, vectors = np.asarray(estimator._n_support), estimator.support_vectors_  # noqa: SLF001
    if estimator._impl not in ("c_svc", "nu_svc", "epsilon_svr") or estimator._sparse:  # noqa: SLF001
        raise ValueError("it is no dense classifier or regressor")
    if estimator._impl == "epsilon_svr":  # noqa: SLF001
        if counts.shape != (2,) or counts[0] < 0:
            raise ValueError(f"support vectors of {counts.shape} sides instead of 2")
        n_vectors, n_columns, n_functions = int(counts[0]), 1, 1
    else:
        n_classes = len(estimator.classes_)
        if counts.shape != (n_classes,) or n_classes < 2 or counts.min() < 0:
            raise ValueError(f"support vectors of {counts.shape} classes instead of {n_classes}")
        n_vectors, n_columns = int(counts.sum()), n_classes - 1
        n_functions = n_classes * (n_classes - 1) // 2
    expected: dict[str, tuple[int, ...]] = {
        "support_vectors_": (n_vectors, columns_of(estimator)),
        "support_": (n_vectors,),
        "_dual_coef_": (n_columns, n_vectors),
        "_intercept_": (n_functions,),
    }
    for name, shape in expected.items():
        _check_numbers(name, getattr(estimator, name), shape)
    if len(vectors) == 0 or np.size(estimator._probA) or np.size(estimator._probB):  # noqa: SLF001
        raise ValueError("it has no support vectors, or probabilities of its own")


def check_neighbors(estimator: Any) -> None:
    """Check that labels and rows of nearest neighbors fit each other; raise `ValueError` if not."""
    rows, labels = estimator._fit_X, estimator._y  # noqa: SLF001
    if not isinstance(rows, np.ndarray) or rows.ndim != 2:
        raise ValueError("its training rows are no matrix")
    _check_numbers("_fit_X", rows, (len(rows), columns_of(estimator)))
    classes: Any = getattr(estimator, "classes_", None)
    is_several = isinstance(classes, list)
    _check_numbers("_y", labels, (len(rows), len(classes)) if is_several else (len(rows),))
    if classes is not None:
        n_codes = [len(each) for each in classes] if is_several else len(classes)
        is_code = (labels >= 0) & (labels < np.array(n_codes))
        if not np.issubdtype(labels.dtype, np.integer) or not labels.size or not is_code.all():
            raise ValueError("a training row has a class that there is not")
    if estimator._fit_method not in ("brute", "kd_tree", "ball_tree"):  # noqa: SLF001
        raise ValueError(f"unknown way of search {estimator._fit_method!r}")  # noqa: SLF001
    if estimator._tree is not None or estimator.effective_metric_ == "precomputed":  # noqa: SLF001
        raise ValueError("it brings distances or a search tree of its own")


def _check_numbers(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise ValueError(f"{name} has shape {np.shape(array)} instead of {shape}")
    if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        raise ValueError(f"{name} holds something else than finite numbers")


@contextmanager
def without_search_trees(parts: Iterable[Any]) -> Iterator[None]:
    """Remove the search trees of all nearest neighbors among these objects within a block."""
    removed = [(part, part._tree) for part in _neighbors(parts)]  # noqa: SLF001
    try:
        for part, _ in removed:
            part._tree = None  # noqa: SLF001
        yield
    finally:
        for part, tree in removed:
            part._tree = tree  # noqa: SLF001


def grow_search_trees(parts: Iterable[Any]) -> None:
    """Rebuild the search trees of nearest neighbors as fitting does."""
    from sklearn.neighbors import BallTree, KDTree

    kinds = {"kd_tree": KDTree, "ball_tree": BallTree}
    for part in _neighbors(parts):
        if part._fit_method in kinds:  # noqa: SLF001
            part._tree = kinds[part._fit_method](  # noqa: SLF001
                part._fit_X,  # noqa: SLF001
                part.leaf_size,
                metric=part.effective_metric_,
                **part.effective_metric_params_,
            )


def _neighbors(parts: Iterable[Any]) -> list[Any]:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    kinds = (KNeighborsClassifier, KNeighborsRegressor)
    return [part for part in parts if isinstance(part, kinds) and hasattr(part, "_fit_X")]
