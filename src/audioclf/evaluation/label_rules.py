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


def computed(estimator: Any, X: NDArray[np.float32]) -> tuple[NDArray[Any], Any, Any]:
    """Return the labels of rows, and an estimator with the rows of which it gives the scores.

    For a pipeline of scikit-learn these are its last step and what the others make of the rows.
    """
    steps = [estimator]
    if _name_of(estimator) == "Pipeline":
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    if not all(map(_name_of, steps)):
        return estimator.predict(X), estimator, X
    rows: Any = X
    for step in steps[:-1]:
        rows = step.transform(rows)
    rule = _RULES.get(_name_of(steps[-1]))
    found = rule(steps[-1], rows) if rule is not None else None
    labels, scored = found or (steps[-1].predict(rows), steps[-1])
    return labels, scored, rows


def _name_of(estimator: Any) -> str:
    kind = type(estimator)
    return str(kind.__name__) if kind.__module__.startswith("sklearn.") else ""


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
        votes = np.zeros((len(of_pairs), n_classes), dtype=np.intp)
        for column, (i, j) in enumerate(zip(*np.triu_indices(n_classes, 1), strict=True)):
            votes[np.arange(len(votes)), np.where(of_pairs[:, column] > 0, i, j)] += 1
        labels = svc.classes_[votes.argmax(axis=1)]
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
