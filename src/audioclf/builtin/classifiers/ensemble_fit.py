"""Estimators of `vote` and `stack`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from audioclf.builtin.classifiers.training_rows import TrainingRows
from audioclf.builtin.classifiers.tuned_folds import inner_folds
from audioclf.builtin.classifiers.tuned_search import CandidateClassifier
from audioclf.plugin import AudioclfError, Classifier, ClassifierError


class EnsembleClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base: the fitted members by name are `members_`."""

    def __init__(self, component: Any, random_state: int = 0) -> None:
        self.component = component
        self.random_state = random_state

    def with_members(self, members: dict[str, Any]) -> EnsembleClassifier:
        """Set the fitted members."""
        self.members_ = members
        self.classes_ = np.asarray(next(iter(members.values())).classes_)
        return self

    def fit(self, X: Any, y: Any, **of_rows: Any) -> EnsembleClassifier:
        """Fit each member on all rows; `of_rows` are those of `TrainingRows`."""
        return self.with_members(self._fitted(TrainingRows(X, y, **of_rows)))

    def _fitted(self, rows: TrainingRows) -> dict[str, Any]:
        members = {}
        for name, component in self.component.classifiers:
            with _named(name):
                members[name] = self._rows_of(name, rows).fitted(component, self.random_state)
        return members

    def _rows_of(self, name: str, rows: TrainingRows) -> TrainingRows:
        """Return the columns of a member."""
        X, shape = self.component.selected(name, rows.X), self.component.shape_of(name, rows.shape)
        return replace(rows, X=X, shape=shape)

    def predict(self, X: Any) -> Any:
        """Return the class of the highest probability of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> Any:
        """Return one column per class, in the order of `classes_`."""
        raise NotImplementedError

    def _scores(self, X: Any, scores: Callable[[Any, Any], Any]) -> Iterator[tuple[str, Any]]:
        """Yield a function of the scorer and the rows of each member, with its name."""
        for name, component in self.component.classifiers:
            with _named(name):
                scorer = component.scorer(self.members_[name])
                yield name, scores(scorer, self.component.selected(name, X))


class VoteClassifier(EnsembleClassifier):
    """Weighted mean of the probabilities of the members."""

    def predict_proba(self, X: Any) -> Any:
        """Return the means, in the order of `classes_`."""
        weights = dict(self.component.weights)
        total, sum_of_weights = 0.0, 0.0
        for name, probabilities in self._scores(X, _probabilities):
            weight = weights.get(name, 1.0)
            total = total + weight * probabilities
            sum_of_weights += weight
        return total / sum_of_weights


class StackClassifier(EnsembleClassifier):
    """A final classifier on the scores of the members."""

    def _fitted(self, rows: TrainingRows) -> dict[str, Any]:
        """Fit the members in inner folds, the final one on their scores, and the members on all."""
        folds = inner_folds(
            rows.y,
            rows.groups,
            self.component.n_splits,
            self.random_state,
            hint="Use `vote` instead of `stack`",
        )
        n_classes = len(np.unique(rows.y))
        columns = []
        for name, component in self.component.classifiers:
            with _named(name):
                of_member = self._rows_of(name, rows)
                held_out = [
                    self._held_out(component, of_member, n_classes, *fold) for fold in folds
                ]
                columns.append(np.concatenate(held_out))
        of_scores = rows.taken(np.concatenate([test for _, test in folds]))
        of_scores = replace(of_scores, X=np.hstack(columns), shape=None)
        with _named("final"):
            final = of_scores.fitted(self.component.final, self.random_state)
        return {**super()._fitted(rows), "final": final}

    def _held_out(
        self, component: Classifier, rows: TrainingRows, n_classes: int, train: Any, test: Any
    ) -> Any:
        """Return the scores of the test side of an inner fold, whose training may lack a class."""
        inner = rows.taken(train)
        model = CandidateClassifier(component, self.random_state, shape=rows.shape)
        model.fit(inner.X, inner.y, inner.groups, inner.clips)
        return _columns(model, rows.X[test], n_classes)

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the final classifier, in the order of `classes_`."""
        of_class = partial(_columns, n_classes=len(self.classes_))
        columns = [values for _, values in self._scores(X, of_class)]
        with _named("final"):
            final = self.component.final.scorer(self.members_["final"])
            return _probabilities(final, np.hstack(columns))


def _probabilities(estimator: Any, X: Any) -> Any:
    if not hasattr(estimator, "predict_proba"):
        raise ClassifierError(
            "it gives no probabilities, which an ensemble averages",
            hint="Choose another classifier, or set `probability: true` where it is `svm`.",
        )
    return np.asarray(estimator.predict_proba(X), dtype=np.float64)[
        :, np.argsort(estimator.classes_)
    ]


def _columns(estimator: Any, X: Any, n_classes: int) -> Any:
    """Return probabilities or else decision values as float32 columns; one for two classes.

    The columns of classes that the estimator has not met are 0.
    """
    if hasattr(estimator, "predict_proba"):
        values = np.asarray(estimator.predict_proba(X))
    else:
        values = np.asarray(estimator.decision_function(X))
        if values.ndim == 1:
            values = np.column_stack([-values, values])
    columns = np.zeros((len(X), n_classes), dtype=np.float32)
    columns[:, np.asarray(estimator.classes_).astype(np.intp)] = values
    return columns[:, 1:] if n_classes == 2 else columns


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the member in errors."""
    try:
        yield
    except AudioclfError as exc:
        raise ClassifierError(f"classifier {name!r}: {exc.message}", hint=exc.hint) from exc
    except Exception as exc:
        text = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
        raise ClassifierError(f"classifier {name!r} raised {text}") from exc
