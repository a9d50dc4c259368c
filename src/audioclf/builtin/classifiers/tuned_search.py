"""Estimators of `tuned`: searches of scikit-learn over components.

A candidate is a validated component that builds its estimator; its parameters are its fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.utils.metaestimators import available_if

from audioclf.builtin.classifiers.search_space import Range, invalid, shown, with_values
from audioclf.builtin.classifiers.training_rows import TrainingRows
from audioclf.builtin.classifiers.tuned_folds import folds_of_numbers, inner_folds
from audioclf.plugin import METRICS, AudioclfError, Classifier, ClassifierError, SearchMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]
    Pair = tuple[Indices, Indices]

FACTOR = 3
"""Factor by which `halving` reduces the candidates and increases the clips in each round."""


def _fitted_has(attribute: str, name: str) -> Callable[[Any], bool]:
    return lambda estimator: hasattr(getattr(estimator, attribute, None), name)


class _Tuned(BaseEstimator):  # type: ignore[misc]
    """Search in inner folds of the training rows, with the best candidate fitted on all of them.

    `best_params_` holds its values by field; `best_score_`, the mean metric over the inner folds,
    is optimistic, as the best of many.
    """

    def __init__(self, component: Any, random_state: int = 0) -> None:
        self.component = component
        self.random_state = random_state

    def fit(self, X: Any, y: Any, **of_rows: Any) -> _Tuned:
        """Search, and fit the best candidate on all rows; `of_rows` are those of `TrainingRows`.

        Inner splits do not separate rows of one clip. Raises ClassifierError if there are no inner
        folds or a candidate fails.
        """
        rows = TrainingRows(X, np.asarray(y), **of_rows)
        search = self._search(rows)
        try:
            # Under the name `groups` they would go to the splitter, not to `fit`.
            units = None if rows.groups is None else np.asarray(rows.groups)
            search.fit(X, rows.y, units=units, clips=rows.clips)
        except AudioclfError:
            raise
        except (AttributeError, ValueError) as exc:
            text = " ".join(str(exc).split())
            raise ClassifierError(f"the search by {self.component.metric} failed: {text}") from exc
        self.best_estimator_ = search.best_estimator_
        self.best_params_ = dict(search.best_params_)
        self.best_score_ = float(search.best_score_)
        return self

    def _search(self, rows: TrainingRows) -> Any:
        raise NotImplementedError

    def predict(self, X: Any) -> Any:
        """Return the labels or numbers predicted by the best candidate."""
        return self.best_estimator_.predict(X)


class TunedRegressor(RegressorMixin, _Tuned):  # type: ignore[misc]
    """Search among candidates that learn numbers."""

    def _search(self, rows: TrainingRows) -> Any:
        component, seed = self.component, self.random_state
        folds = folds_of_numbers(rows.y, rows.groups, component.n_splits, seed)
        candidate = CandidateRegressor(component.classifier, seed, shape=rows.shape)
        return _search(component, candidate, folds, np.zeros(len(rows.y), dtype=np.intp), seed)


class TunedClassifier(ClassifierMixin, _Tuned):  # type: ignore[misc]
    """Search among candidates that learn classes."""

    def fit(self, X: Any, y: Any, **of_rows: Any) -> TunedClassifier:
        """Search, and fit the best candidate on all rows."""
        super().fit(X, y, **of_rows)
        self.classes_ = self.best_estimator_.classes_
        return self

    def _search(self, rows: TrainingRows) -> Any:
        component, seed = self.component, self.random_state
        needs_scores = METRICS[component.metric].needs != "labels"
        folds = inner_folds(
            rows.y, rows.groups, component.n_splits, seed, needs_scores=needs_scores
        )
        candidate = CandidateClassifier(component.classifier, seed, shape=rows.shape)
        return _search(component, candidate, folds, rows.y, seed)

    @available_if(_fitted_has("best_estimator_", "predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the scores of the best candidate, in the order of `classes_`."""
        return self.best_estimator_.predict_proba(X)

    @available_if(_fitted_has("best_estimator_", "decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """Return the decision values of the best candidate."""
        return self.best_estimator_.decision_function(X)


class _Candidate(BaseEstimator):  # type: ignore[misc]
    """Estimator of a component, with the `values` of its fields that `set_params` gave."""

    def __init__(
        self,
        component: Classifier,
        random_state: int,
        values: dict[str, Any] | None = None,
        shape: tuple[int, int] | None = None,
    ) -> None:
        self.component = component
        self.random_state = random_state
        self.values = values
        self.shape = shape

    def set_params(self, **values: Any) -> _Candidate:
        """Set fields of the component."""
        self.values = {**(self.values or {}), **values}
        return self

    def _fitted(self, X: Any, y: Any, units: Any, clips: Any) -> Any:
        chosen = with_values(self.component, self.values or {})
        return TrainingRows(X, y, units, clips, self.shape).fitted(chosen, self.random_state)

    @contextmanager
    def _named(self) -> Iterator[None]:
        values = self.values or {}
        try:
            yield
        except ValidationError as exc:
            raise ClassifierError(invalid(values, exc)) from exc
        except AudioclfError as exc:
            message = f"the candidate {shown(values)} failed: {exc.message}"
            raise ClassifierError(message, hint=exc.hint) from exc
        except Exception as exc:
            text = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
            raise ClassifierError(f"the candidate {shown(values)} raised {text}") from exc


class CandidateRegressor(RegressorMixin, _Candidate):  # type: ignore[misc]
    """Candidate that learns numbers."""

    def fit(self, X: Any, y: Any, units: Any = None, clips: Any = None) -> CandidateRegressor:
        """Build and fit; `units` are the groups."""
        with self._named():
            self.estimator_ = self._fitted(X, y, units, clips)
        return self

    def predict(self, X: Any) -> Any:
        """Return one number per row."""
        with self._named():
            return self.estimator_.predict(X)


class CandidateClassifier(ClassifierMixin, _Candidate):  # type: ignore[misc]
    """Candidate that learns classes.

    Labels are encoded again, because an inner fold may lack a class.
    """

    def fit(self, X: Any, y: Any, units: Any = None, clips: Any = None) -> CandidateClassifier:
        """Build and fit; a single class is predicted always. `units` are the groups."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        with self._named():
            if len(self.classes_) < 2:
                self.estimator_ = DummyClassifier().fit(X, codes)
                return self
            self.estimator_ = self._fitted(X, codes, units, clips)
        return self

    def predict(self, X: Any) -> Any:
        """Return one label per row."""
        with self._named():
            return self.classes_[np.asarray(self.estimator_.predict(X)).astype(np.intp)]

    @available_if(_fitted_has("estimator_", "predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return one column per class, in the order of `classes_`."""
        with self._named():
            proba = np.asarray(self.estimator_.predict_proba(X))
            return proba[:, np.argsort(self.estimator_.classes_)]

    @available_if(_fitted_has("estimator_", "decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Any:
        """Return the decision values."""
        with self._named():
            return self.estimator_.decision_function(X)


def _search(
    tuned: Any, candidate: _Candidate, folds: list[Pair], y: Indices, random_state: int
) -> Any:
    """Return scikit-learn's search, unfitted."""
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    space = {
        name: Draws(choices) if isinstance(choices, Range) else list(choices)
        for name, choices in tuned.search
    }
    common: dict[str, Any] = {
        "estimator": candidate,
        "scoring": _scoring(tuned.metric, folds, y),
        "cv": folds,
        "error_score": "raise",
        "n_jobs": 1,
    }
    if tuned.strategy == "grid":
        return GridSearchCV(param_grid=space, **common)
    n_candidates = int(min(tuned.budget, tuned.n_combinations))
    common = {**common, "param_distributions": space, "random_state": random_state}
    if tuned.strategy == "random":
        return RandomizedSearchCV(n_iter=n_candidates, **common)
    return _halving(n_candidates, len(folds), y, common)


def _halving(n_candidates: int, n_folds: int, y: Indices, common: dict[str, Any]) -> Any:
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingRandomSearchCV

    fewest = 2 * n_folds * len(np.unique(y))
    if len(y) < fewest:
        raise ClassifierError(
            f"strategy: halving starts with 2 clips of each class in each inner fold, {fewest} in "
            f"all, and the training side has {len(y)}",
            hint="Use strategy: random, or fewer n_splits.",
        )
    return HalvingRandomSearchCV(
        n_candidates=n_candidates, factor=FACTOR, min_resources="exhaust", **common
    )


def _scoring(metric: SearchMetric, folds: list[Pair], y: Indices) -> str | PartialScorer | None:
    info, n_classes = METRICS[metric], len(np.unique(y))
    if info.two_classes_only and n_classes > 2:
        raise ClassifierError(
            f"metric: {metric} of the search is defined for two classes, and there are {n_classes}",
            hint=f"Use {metric}_macro instead.",
        )
    lacking = any(len(np.unique(y[side])) < n_classes for pair in folds for side in pair)
    if info.needs != "labels" and lacking:
        return PartialScorer(metric, np.unique(y))
    return (info.multiclass_scorer if n_classes > 2 else None) or info.scorer


class Draws:
    """Distribution of the numbers in a range, for scikit-learn's random searches."""

    def __init__(self, between: Range) -> None:
        self.between = between

    def rvs(self, random_state: np.random.RandomState) -> float:
        """Return one number, uniform or uniform in its logarithm."""
        low, high = self.between.ends
        stop = high + 1 if self.between.integer else high
        if self.between.log:
            drawn = math.exp(random_state.uniform(math.log(low), math.log(stop)))
        else:
            drawn = float(random_state.uniform(low, stop))
        return min(max(math.floor(drawn) if self.between.integer else drawn, low), high)


class PartialScorer:
    """A metric of scores on an inner fold that lacks a class; greater is better.

    Classes that the training side lacks have the score 0; rank metrics are averaged over the
    classes that the test side holds.
    """

    def __init__(self, metric: SearchMetric, classes: Indices) -> None:
        self.metric = metric
        self.classes = classes

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the metric of an estimator on the test side."""
        from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

        scores = self._scores(estimator, X)
        if self.metric == "log_loss":
            scores = np.clip(scores, np.finfo(float).eps, 1.0)
            scores /= scores.sum(axis=1, keepdims=True)
            return -float(log_loss(y, scores, labels=self.classes))
        rank = roc_auc_score if self.metric == "roc_auc" else average_precision_score
        held = [(y == code, column) for code, column in zip(self.classes, scores.T, strict=True)]
        return float(np.mean([rank(truth, column) for truth, column in held if truth.any()]))

    def _scores(self, estimator: Any, X: Any) -> NDArray[np.float64]:
        if self.metric == "log_loss" or hasattr(estimator, "predict_proba"):
            values, absent = np.asarray(estimator.predict_proba(X)), 0.0
        else:
            values, absent = np.asarray(estimator.decision_function(X)), -np.inf
        if values.ndim == 1:
            values = np.column_stack([-values, values])
        absent = min(absent, values.min() - 1) if absent else 0.0
        scores = np.full((len(values), len(self.classes)), absent)
        scores[:, np.searchsorted(self.classes, estimator.classes_)] = values
        return scores
