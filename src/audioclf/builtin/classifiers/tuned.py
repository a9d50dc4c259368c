"""Hyperparameter search over the fields of another classifier, within the training clips."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import override

from audioclf.builtin.classifiers.search_space import Range, Space, as_json, invalid, with_values
from audioclf.plugin import AnyClassifier, Classifier, SearchMetric

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix

MAX_CHECKED = 1000
"""Combinations of values that are validated before the run; other random candidates are validated
when they are drawn."""


class Tuned(Classifier):
    """Hyperparameter search: fields of another classifier are chosen within the training clips.

    Candidates are compared in inner folds of the training clips, and the best is fitted on all of
    them; test clips are not used. Inner folds are stratified and, if the dataset has groups, never
    separate the clips of one group. The searches are scikit-learn's `GridSearchCV`,
    `RandomizedSearchCV` and `HalvingRandomSearchCV`.
    """

    type: Literal["tuned"] = "tuned"

    uses_groups: ClassVar[bool] = True

    classifier: AnyClassifier
    """Classifier to tune: any but `tuned`, built in or of a plugin."""

    search: Space
    """Fields to search, each with a list of values or a range `{low, high, log, integer}`."""

    strategy: Literal["grid", "random", "halving"] = "grid"
    """`grid` tries each combination of values; `random` draws `budget` candidates; `halving` draws
    `budget` candidates, tries all on few clips, and then a third of them on three times as many."""

    budget: int = Field(default=20, ge=1, le=100_000)
    """Number of candidates; the upper bound for a grid."""

    n_splits: int = Field(default=5, ge=2, le=100)
    """Number of inner folds; lowered if the smallest class has fewer clips or groups."""

    metric: SearchMetric = "accuracy"
    """Metric that decides between candidates, by its name among the metrics of a run. The default
    for classifiers that learn numbers is `mae`."""

    @field_validator("classifier", mode="after")
    @classmethod
    def _is_not_tuned(cls, classifier: Classifier) -> Classifier:
        if isinstance(classifier, Tuned):
            raise ValueError("a tuned classifier cannot be tuned: put all fields into one search")
        return classifier

    @field_validator("search", mode="after")
    @classmethod
    def _fits_the_fields(cls, search: Space, info: ValidationInfo) -> Space:
        classifier = info.data.get("classifier")
        if classifier is not None:
            details = [error for item in search for error in _problems(classifier, *item)]
            if details:
                raise ValidationError.from_exception_data("search", details)
        return search

    @model_validator(mode="after")
    def _metric_suits_the_target(self) -> Tuned:
        if "metric" not in self.model_fields_set and self.learns() == "number":
            object.__setattr__(self, "metric", "mae")
        return self

    @model_validator(mode="after")
    def _candidates_are_valid(self) -> Tuned:
        if self.strategy == "grid":
            self._check_grid()
        for values in islice(self._corners(), MAX_CHECKED):
            try:
                with_values(self.classifier, values)
            except ValidationError as exc:
                raise ValueError(invalid(values, exc)) from exc
        return self

    @override
    def fit_metrics(self) -> tuple[str, ...]:
        return (self.metric,)

    @override
    def scorer(self, estimator: Any) -> Any:
        chosen, fitted = self.unwrapped(estimator)
        return chosen.scorer(fitted)

    @override
    def unwrapped(self, estimator: Any) -> tuple[Classifier, Any]:
        chosen = with_values(self.classifier, estimator.best_params_)
        return chosen, estimator.best_estimator_.estimator_

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        return estimator.fit(X, y, clips=clips, **passed)

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        inner = self.classifier.fit_memory(n_rows, n_columns, n_classes)
        return inner + 4 * n_rows * n_columns

    def _check_grid(self) -> None:
        drawn = [name for name, choices in self.search if isinstance(choices, Range)]
        if drawn:
            raise ValueError(
                f"strategy: grid needs a list of values for `{drawn[0]}`; ranges need strategy: "
                "random or halving"
            )
        if self.n_combinations > self.budget:
            raise ValueError(
                f"the grid has {self.n_combinations} candidates, more than budget: {self.budget}; "
                "raise the budget, or let strategy: random draw that many"
            )

    @property
    def n_combinations(self) -> float:
        """Number of candidates that differ; infinite if a field has a range."""
        return math.prod(
            math.inf if isinstance(choices, Range) else len(choices) for _, choices in self.search
        )

    def _corners(self) -> Iterator[dict[str, Any]]:
        """Yield the combinations of all values, of a range its two ends."""
        names = [name for name, _ in self.search]
        choices = [c.ends if isinstance(c, Range) else c for _, c in self.search]
        return (dict(zip(names, values, strict=True)) for values in product(*choices))

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from audioclf.builtin.classifiers.tuned_search import TunedClassifier, TunedRegressor

        kind = TunedRegressor if self.learns() == "number" else TunedClassifier
        return kind(self, random_state=random_state)


def _problems(
    classifier: Classifier, name: str, choices: tuple[Any, ...] | Range
) -> Iterator[InitErrorDetails]:
    """Yield the errors in the values of one field, whatever the other fields are."""
    names = sorted(set(type(classifier).model_fields) - {"type"})
    if name not in names:
        yield _detail((name,), choices, _no_field(name, names))
    elif isinstance(choices, Range):
        for end, value in zip(("low", "high"), choices.ends, strict=True):
            yield from _value_problems(classifier, name, end, value)
    else:
        for index, value in enumerate(choices):
            yield from _value_problems(classifier, name, index, value)


def _no_field(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    advice = f"did you mean `{near[0]}`?" if near else f"its fields are {', '.join(names)}"
    return f"the classifier has no field `{name}`; {advice}"


def _value_problems(
    classifier: Classifier, name: str, where: str | int, value: Any
) -> Iterator[InitErrorDetails]:
    try:
        with_values(classifier, {name: value})
    except ValidationError as exc:
        errors = [error for error in exc.errors() if error["loc"][:1] == (name,)]
    else:
        return
    if {error["type"] for error in errors} == {"int_type"} and isinstance(where, str):
        yield _detail((name, where), value, f"`{name}` takes whole numbers: add integer: true")
        return
    for error in errors:
        message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
        if error["type"] != "value_error":
            message = f"expected {message}, not {as_json(value)}"
        yield _detail((name, where), value, message)


def _detail(loc: tuple[str | int, ...], value: Any, message: str) -> InitErrorDetails:
    error = PydanticCustomError("value_error", "{message}", {"message": message})
    return InitErrorDetails(type=error, loc=loc, input=value)
