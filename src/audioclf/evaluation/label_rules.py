"""Labels and scores of scikit-learn's estimators from one computation instead of two.

`predict` and `decision_function` of a support vector machine compute the same kernel, `predict` and
`predict_proba` of a forest ask the same trees, and those of a pipeline scale the same rows. Labels
are those of `predict` to the bit, ties included.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


_MOST = 1 << 22
"""Elements of a matrix that is made at a time."""


def computed(estimator: Any, X: NDArray[np.float32]) -> tuple[NDArray[Any], Any, Any]:
    """Return the labels of rows, and an estimator with the rows of which it gives the scores.

    For a pipeline of scikit-learn these are its last step and what the others make of the rows.
    """
    *steps, last = _steps_of(estimator)
    if not all(map(_name_of, [*steps, last])):
        return estimator.predict(X), estimator, X
    rows = _transformed(steps, X)
    rule = _RULES.get(_name_of(last))
    found = rule(last, rows) if rule is not None else None
    labels, scored = found or (last.predict(rows), last)
    return labels, scored, rows


def labels_of(estimator: Any, X: NDArray[np.float32]) -> NDArray[Any]:
    """Return what `predict` returns; for a support vector machine in a fraction of the time."""
    *steps, last = _steps_of(estimator)
    if _name_of(last) == "SVC" and last.kernel == "rbf" and len(last.classes_) > 2:
        return _by_products(last, np.asarray(_transformed(steps, X), dtype=np.float64))
    return np.asarray(estimator.predict(X))


def _steps_of(estimator: Any) -> list[Any]:
    if _name_of(estimator) != "Pipeline":
        return [estimator]
    return [step for _, step in estimator.steps if step not in (None, "passthrough")]


def _transformed(steps: list[Any], rows: Any) -> Any:
    for step in steps:
        rows = step.transform(rows)
    return rows


def _name_of(estimator: Any) -> str:
    kind = type(estimator)
    return str(kind.__name__) if kind.__module__.startswith("sklearn.") else ""


def _by_products(svc: Any, rows: NDArray[np.float64]) -> NDArray[Any]:
    """Let pairs of classes vote by products of matrices, whose rounding differs from libsvm's.

    Rows with a decision value so close to 0 that rounding could matter are left to libsvm.
    """
    vectors, n_classes = svc.support_vectors_, len(svc.classes_)
    pairs = list(zip(*np.triu_indices(n_classes, 1), strict=True))
    if svc.break_ties or not isinstance(vectors, np.ndarray) or len(vectors) * len(pairs) > _MOST:
        return np.asarray(svc.predict(rows))
    gamma = svc._gamma  # noqa: SLF001 - a number, which the parameter need not be
    starts = np.concatenate([[0], np.cumsum(svc.n_support_)])
    weights = np.zeros((len(vectors), len(pairs)))
    for column, (i, j) in enumerate(pairs):
        of_i, of_j = slice(*starts[i : i + 2]), slice(*starts[j : j + 2])
        weights[of_i, column] = svc.dual_coef_[j - 1, of_i]
        weights[of_j, column] = svc.dual_coef_[i, of_j]
    lengths, of_vectors = (rows**2).sum(axis=1), (vectors**2).sum(axis=1)
    rounding = 1e-14 * (1 + gamma * rows.shape[1] * (lengths.max() + of_vectors.max()))
    unsure = rounding * (1 + np.abs(weights).sum(axis=0))
    votes = np.zeros((len(rows), n_classes), dtype=np.intp)
    close = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), step := max(1, _MOST // len(vectors))):
        block = slice(start, start + step)
        kernel = rows[block] @ (2 * vectors.T)
        kernel -= lengths[block, None]
        kernel -= of_vectors
        kernel *= gamma
        of_pairs = np.exp(kernel, out=kernel) @ weights + svc.intercept_
        close[block] = (np.abs(of_pairs) <= unsure).any(axis=1)
        votes[block] = _votes(of_pairs, n_classes)
    labels: NDArray[Any] = svc.classes_[votes.argmax(axis=1)]
    if close.any():
        labels[close] = svc.predict(rows[close])
    return labels


def _votes(of_pairs: NDArray[np.float64], n_classes: int) -> NDArray[np.intp]:
    """Count for each class the pairs that it wins: above 0 is a vote for the first class."""
    votes = np.zeros((len(of_pairs), n_classes), dtype=np.intp)
    for column, (i, j) in enumerate(zip(*np.triu_indices(n_classes, 1), strict=True)):
        votes[np.arange(len(votes)), np.where(of_pairs[:, column] > 0, i, j)] += 1
    return votes


def _by_votes(svc: Any, rows: Any) -> tuple[NDArray[Any], Any] | None:
    """Let each pair of classes vote, as libsvm does: 0 is a vote for the second class."""
    n_classes = len(svc.classes_)
    if svc.break_ties or (n_classes > 2 and svc.decision_function_shape != "ovr"):
        return None
    if n_classes == 2:
        values = svc.decision_function(rows)
        labels = svc.classes_[(values >= 0).astype(np.intp)]
    else:
        from sklearn.utils.multiclass import _ovr_decision_function

        of_pairs = copy.copy(svc).set_params(decision_function_shape="ovo").decision_function(rows)
        labels = svc.classes_[_votes(of_pairs, n_classes).argmax(axis=1)]
        values = _ovr_decision_function(of_pairs < 0, -of_pairs, n_classes)
    return labels, SimpleNamespace(classes_=svc.classes_, decision_function=lambda X: values)


def _by_probability(forest: Any, rows: Any) -> tuple[NDArray[Any], Any]:
    """Take the first class of the highest probability."""
    proba = forest.predict_proba(rows)
    labels = forest.classes_.take(np.argmax(proba, axis=1), axis=0)
    return labels, SimpleNamespace(classes_=forest.classes_, predict_proba=lambda X: proba)


_RULES = {
    "SVC": _by_votes,
    "NuSVC": _by_votes,
    "RandomForestClassifier": _by_probability,
    "ExtraTreesClassifier": _by_probability,
}
