"""Ensembles: several classifiers whose probabilities are averaged or learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainSerializer,
    model_validator,
)
from typing_extensions import override

from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.plugin import AnyClassifier, Classifier

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix

MemberName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=40)]


def _pairs(members: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(members.items())


def _mapping(pairs: Any) -> Any:
    """Accept the pairs of another ensemble, as a search over its fields passes them."""
    return dict(pairs) if isinstance(pairs, tuple) else pairs


def _several(members: dict[str, Classifier]) -> tuple[tuple[str, Classifier], ...]:
    if len(members) < 2:
        raise ValueError("an ensemble needs at least two classifiers")
    for name, member in members.items():
        if member.learns() == "number":
            raise ValueError(f"{name}: an ensemble is of classes, and {member.type_name()} is not")
    return _pairs(members)


if TYPE_CHECKING:
    Members = tuple[tuple[str, Classifier], ...]
    Weights = tuple[tuple[str, float], ...]
else:
    # Mappings in YAML and Python, stored as pairs because a component is hashable.
    Members = Annotated[
        dict[MemberName, AnyClassifier],
        BeforeValidator(_mapping),
        AfterValidator(_several),
        PlainSerializer(dict),
    ]
    Weights = Annotated[
        dict[str, Annotated[FiniteFloat, Field(gt=0)]],
        BeforeValidator(_mapping),
        AfterValidator(_pairs),
        PlainSerializer(dict),
    ]


class Ensemble(Classifier):
    """Base of `vote` and `stack`: classifiers by name that see the same features."""

    model_format: ClassVar[str] = "members"

    classifiers: Members
    """At least two classifiers by name, built in or of plugins, each with its fields."""

    def inner(self) -> dict[str, Classifier]:
        """Return all classifiers that are fitted, by name."""
        return dict(self.classifiers)

    @override
    def members(self, n_columns: int, n_classes: int) -> dict[str, tuple[Classifier, int]]:
        return {name: (member, n_columns) for name, member in self.classifiers}

    @override
    def take_apart(self, estimator: Any) -> dict[str, Any]:
        fitted: dict[str, Any] = estimator.members_
        return fitted

    @override
    def put_together(self, estimators: Mapping[str, Any]) -> Any:
        return self.build(random_state=0).with_members(dict(estimators))

    @override
    def unwrapped(self, estimator: Any) -> tuple[Classifier, Any]:
        apart = {
            name: member.unwrapped(estimator.members_[name])
            for name, member in self.inner().items()
        }
        chosen = self.with_inner({name: member for name, (member, _) in apart.items()})
        return chosen, chosen.put_together({name: fitted for name, (_, fitted) in apart.items()})

    def with_inner(self, inner: Mapping[str, Classifier]) -> Classifier:
        """Return the ensemble with other classifiers in place of `inner`."""
        pairs = tuple((name, inner[name]) for name, _ in self.classifiers)
        return self.model_copy(update={"classifiers": pairs})

    @override
    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        parts = self.inner().values()
        passed = [part.fit_keywords(groups=groups, shape=shape) for part in parts]
        return {name: value for keywords in passed for name, value in keywords.items()}

    @override
    def holds_out_rows(self) -> bool:
        return any(part.holds_out_rows() or part.uses_groups for part in self.inner().values())

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        return estimator.fit(X, y, clips=clips, **passed)

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        parts = self.inner().values()
        return max(part.fit_memory(n_rows, n_columns, n_classes) for part in parts)


class Vote(Ensemble):
    """Mean of the probabilities of several classifiers.

    Each of them is fitted on all training clips. The class with the highest weighted mean is
    predicted. All of them need probabilities; `svm` has them with `probability: true`.

    L. I. Kuncheva, "Combining pattern classifiers", 2nd edition, 2014, section 5.2.
    """

    type: Literal["vote"] = "vote"

    weights: Weights = ()
    """Weight of a classifier by its name, above 0; 1 for those that are not named."""

    @model_validator(mode="after")
    def _weights_have_a_classifier(self) -> Vote:
        if unknown := sorted(set(dict(self.weights)) - set(self.inner())):
            names = ", ".join(self.inner())
            raise ValueError(f"`weights` names {unknown[0]!r}; the classifiers are {names}")
        return self

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from audioclf.builtin.classifiers.ensemble_fit import VoteClassifier

        return VoteClassifier(self, random_state=random_state)


class Stack(Ensemble):
    """A classifier that learns from the scores of several others.

    The scores that it learns from are those of inner folds, for clips that the others were not
    fitted on; the inner folds are stratified and keep groups together. Then the others are fitted
    on all training clips.

    D. H. Wolpert, "Stacked generalization", Neural Networks 5, 1992.
    """

    type: Literal["stack"] = "stack"

    uses_groups: ClassVar[bool] = True

    final: AnyClassifier = LogisticRegression()
    """Classifier that learns from the scores, one column per classifier and class (one column per
    classifier for two classes)."""

    n_splits: int = Field(default=5, ge=2, le=100)
    """Number of inner folds; lowered if the smallest class has fewer clips or groups."""

    @model_validator(mode="after")
    def _final_is_no_name(self) -> Stack:
        if "final" in dict(self.classifiers):
            raise ValueError("no classifier of a stack can have the name 'final'")
        if self.final.needs_shape():
            raise ValueError(
                f"`final` learns from scores, and {self.final.type_name()} from frames"
            )
        return self

    @override
    def inner(self) -> dict[str, Classifier]:
        return {**super().inner(), "final": self.final}

    @override
    def with_inner(self, inner: Mapping[str, Classifier]) -> Classifier:
        changed = super().with_inner(inner)
        return changed.model_copy(update={"final": inner["final"]})

    @override
    def members(self, n_columns: int, n_classes: int) -> dict[str, tuple[Classifier, int]]:
        n_scores = len(self.classifiers) * (n_classes if n_classes > 2 else 1)
        return {**super().members(n_columns, n_classes), "final": (self.final, n_scores)}

    @override
    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        keywords = super().fit_keywords(groups=groups, shape=shape)
        return keywords if groups is None else {**keywords, "groups": groups}

    @override
    def holds_out_rows(self) -> bool:
        return True

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        # The rows of an inner fold are a copy.
        return super().fit_memory(n_rows, n_columns, n_classes) + 4 * n_rows * n_columns

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from audioclf.builtin.classifiers.ensemble_fit import StackClassifier

        return StackClassifier(self, random_state=random_state)
