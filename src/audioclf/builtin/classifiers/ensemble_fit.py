"""Estimators of `vote` and `stack`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from audioclf.builtin.classifiers.tuned_folds import inner_folds
from audioclf.builtin.classifiers.tuned_search import CandidateClassifier, fitted
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

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        shape: tuple[int, int] | None = None,
        clips: Any = None,
    ) -> EnsembleClassifier:
        """Fit each member on all rows; `clips` numbers the clip of each row."""
        members = {}
        for name, component in self.component.classifiers:
            with _named(name):
                members[name] = fitted(
                    component, X, y, groups, clips, shape=shape, random_state=self.random_state
                )
        return self.with_members(members)

    def predict(self, X: Any) -> Any:
        """Return the class of the highest probability of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Any) -> Any:
        """Return one column per class, in the order of `classes_`."""
        raise NotImplementedError

    def _scorer(self, name: str, component: Classifier) -> Any:
        return component.scorer(self.members_[name])


class VoteClassifier(EnsembleClassifier):
    """Weighted mean of the probabilities of the members."""

    def predict_proba(self, X: Any) -> Any:
        """Return the means, in the order of `classes_`."""
        weights = dict(self.component.weights)
        total, sum_of_weights = 0.0, 0.0
        for name, component in self.component.classifiers:
            weight = weights.get(name, 1.0)
            with _named(name):
                total = total + weight * _probabilities(self._scorer(name, component), X)
            sum_of_weights += weight
        return total / sum_of_weights


class StackClassifier(EnsembleClassifier):
    """A final classifier on the scores of the members."""

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        shape: tuple[int, int] | None = None,
        clips: Any = None,
    ) -> StackClassifier:
        """Fit the members in inner folds, the final one on their scores, and the members on all."""
        folds = inner_folds(
            y,
            groups,
            self.component.n_splits,
            self.random_state,
            hint="Use `vote` instead of `stack`",
        )
        held_out = np.concatenate([test for _, test in folds])
        n_classes = len(np.unique(y))
        columns = []
        for name, component in self.component.classifiers:
            with _named(name):
                columns.append(
                    np.concatenate(
                        [
                            self._held_out(component, X, y, fold, groups, shape, clips, n_classes)
                            for fold in folds
                        ]
                    )
                )
        scores = np.hstack(columns)
        of_held_out = [None if part is None else part[held_out] for part in (groups, clips)]
        with _named("final"):
            final = fitted(
                self.component.final,
                scores,
                y[held_out],
                *of_held_out,
                shape=None,
                random_state=self.random_state,
            )
        super().fit(X, y, groups, shape, clips)
        self.members_["final"] = final
        return self

    def _held_out(
        self,
        component: Classifier,
        X: Any,
        y: Any,
        fold: Any,
        groups: Any,
        shape: Any,
        clips: Any,
        n_classes: int,
    ) -> Any:
        """Return the scores of the test side of an inner fold, whose training may lack a class."""
        train, test = fold
        model = CandidateClassifier(component, self.random_state, shape=shape)
        units, of_clips = (None if part is None else part[train] for part in (groups, clips))
        model.fit(X[train], y[train], units, of_clips)
        return _columns(model, X[test], n_classes)

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the final classifier, in the order of `classes_`."""
        n_classes = len(self.classes_)
        columns = []
        for name, component in self.component.classifiers:
            with _named(name):
                columns.append(_columns(self._scorer(name, component), X, n_classes))
        with _named("final"):
            final = self._scorer("final", self.component.final)
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
