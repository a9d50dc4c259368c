"""Ensembles: several classifiers whose probabilities are averaged or learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainSerializer,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from typing_extensions import override

from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.featurizers.concat import Concat
from audioclf.plugin import AnyClassifier, Classifier, Featurizer

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph

MemberName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=40)]
_BY_NAME = {"weights", "features", "columns"}
"""Fields with a value for each classifier by its name."""


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


def _as_tuple(ends: Any) -> Any:
    """Accept a list: behind `_mapping` it is no list of JSON any more."""
    return tuple(ends) if isinstance(ends, list) else ends


def _is_a_range(ends: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= ends[0] < ends[1]:
        raise ValueError("the first column is 0 or more, and the second number is greater")
    return ends


if TYPE_CHECKING:
    Members = tuple[tuple[str, Classifier], ...]
    Weights = tuple[tuple[str, float], ...]
    Features = tuple[tuple[str, str], ...]
    Columns = tuple[tuple[str, tuple[int, int]], ...]
else:
    # Mappings in YAML and Python, stored as pairs because a component is hashable.
    def _named(values: Any, after: Callable[[Any], Any] = _pairs) -> Any:
        mapping = dict[MemberName, values]
        parts = (BeforeValidator(_mapping), AfterValidator(after), PlainSerializer(dict))
        return Annotated[mapping, *parts]

    Members = _named(AnyClassifier, _several)
    Weights = _named(Annotated[FiniteFloat, Field(gt=0)])
    Features = _named(str)
    Ends = Annotated[tuple[int, int], BeforeValidator(_as_tuple), AfterValidator(_is_a_range)]
    Columns = _named(Ends)


class Ensemble(Classifier):
    """Base of `vote` and `stack`: classifiers by name, on the same features or each on its own."""

    model_format: ClassVar[str] = "members"

    classifiers: Members
    """At least two classifiers by name, built in or of plugins, each with its fields."""

    features: Features = ()
    """Featurizer of each classifier, by their names in the config. Then a run has one pipeline of
    the ensemble, on the joined rows of these featurizers. Without it all classifiers have the
    features of the pipeline."""

    columns: Columns = ()
    """First column of each classifier, and the column after its last, in the rows of the ensemble;
    a run sets them by `features`."""

    _shapes: dict[str, tuple[int, int]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_of_classifiers(self) -> Ensemble:
        names = [name for name, _ in self.classifiers]
        for field in _BY_NAME & type(self).model_fields.keys():
            if unknown := sorted(dict(getattr(self, field)).keys() - set(names)):
                listed = ", ".join(names)
                raise ValueError(f"`{field}` names {unknown[0]!r}; the classifiers are {listed}")
        for field in ("features", "columns"):
            given = dict(getattr(self, field))
            missing = [name for name in names if name not in given]
            if given and missing:
                raise ValueError(f"`{field}` lacks {missing[0]!r}: give it for every classifier")
        return self

    @model_serializer(mode="wrap")
    def _without_unused_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out fields that versions without them would refuse."""
        data: dict[str, Any] = handler(self)
        unused = [name for name in ("features", "columns") if not getattr(self, name)]
        return {name: value for name, value in data.items() if name not in unused}

    def inner(self) -> dict[str, Classifier]:
        """Return all classifiers that are fitted, by name."""
        return dict(self.classifiers)

    @override
    def members(self, n_columns: int, n_classes: int) -> dict[str, tuple[Classifier, int]]:
        return {
            name: (member, self._width_of(name, n_columns)) for name, member in self.classifiers
        }

    def _width_of(self, name: str, n_columns: int) -> int:
        start, stop = dict(self.columns).get(name, (0, n_columns))
        return stop - start

    @override
    def own_features(self) -> dict[str, str]:
        return dict(self.features)

    @override
    def joined(self, featurizers: Mapping[str, Featurizer]) -> Featurizer:
        return Concat(parts=dict(featurizers))

    @override
    def for_rows(self, rows: Mapping[str, tuple[int, tuple[int, int] | None]]) -> Self:
        columns, shapes, start = {}, {}, 0
        for feature, (width, shape) in rows.items():
            columns[feature] = (start, start + width)
            start += width
            if shape is not None:
                shapes[feature] = shape
        of_each = tuple((name, columns[feature]) for name, feature in self.features)
        changed = self.model_copy(update={"columns": of_each})
        changed._shapes = {  # noqa: SLF001  of its own class
            name: shapes[feature] for name, feature in self.features if feature in shapes
        }
        return changed

    def selected(self, name: str, X: Matrix) -> Matrix:
        """Return the columns of a classifier."""
        import numpy as np

        columns = dict(self.columns).get(name)
        return X if columns is None else np.ascontiguousarray(X[:, slice(*columns)])

    def shape_of(self, name: str, shape: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the shape of the matrix in a row of a classifier; `shape` is that of all."""
        return self._shapes.get(name) if self.columns else shape

    @override
    def needs_shape(self) -> bool:
        return not self.features and not self.columns and super().needs_shape()

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
        chosen = chosen.model_copy(update={"features": ()})  # a model file has no config
        return chosen, chosen.put_together({name: fitted for name, (_, fitted) in apart.items()})

    def with_inner(self, inner: Mapping[str, Classifier]) -> Classifier:
        """Return the ensemble with other classifiers in place of `inner`."""
        pairs = tuple((name, inner[name]) for name, _ in self.classifiers)
        return self.model_copy(update={"classifiers": pairs})

    @override
    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        keywords: dict[str, Any] = {}
        for name, part in self.inner().items():
            keywords |= part.fit_keywords(groups=groups, shape=self.shape_of(name, shape))
        if self.columns:  # each has its own
            keywords.pop("shape", None)
        return keywords

    @override
    def holds_out_rows(self) -> bool:
        return any(part.holds_out_rows() or part.uses_groups for part in self.inner().values())

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        return estimator.fit(X, y, clips=clips, **passed)

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        parts = self.members(n_columns, n_classes).values()
        own = 0 if not self.columns else 4 * n_rows * n_columns  # selected columns are a copy
        return own + max(part.fit_memory(n_rows, width, n_classes) for part, width in parts)

    def _scores_to_onnx(
        self, graph: OnnxGraph, rows: str, scored: Callable[[str, str], str]
    ) -> dict[str, str]:
        """Return the scores of each classifier for its columns."""
        columns = dict(self.columns)
        return {
            name: scored(name, graph.part(rows, 1, *columns[name]) if columns else rows)
            for name, _ in self.classifiers
        }


class Vote(Ensemble):
    """Mean of the probabilities of several classifiers.

    Each of them is fitted on all training clips. The class with the highest weighted mean is
    predicted. All of them need probabilities; `svm` has them with `probability: true`.

    L. I. Kuncheva, "Combining pattern classifiers", 2nd edition, 2014, section 5.2.
    """

    type: Literal["vote"] = "vote"

    weights: Weights = ()
    """Weight of a classifier by its name, above 0; 1 for those that are not named."""

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from audioclf.builtin.classifiers.ensemble_fit import VoteClassifier

        return VoteClassifier(self, random_state=random_state)

    @override
    def members_to_onnx(
        self, graph: OnnxGraph, rows: str, n_classes: int, scored: Callable[[str, str], str]
    ) -> str:
        weights = dict(self.weights)
        shares = {name: weights.get(name, 1.0) for name, _ in self.classifiers}
        total = sum(shares.values())
        return graph.op(
            "Sum",
            *(
                graph.op("Mul", scores, graph.constant(shares[name] / total))
                for name, scores in self._scores_to_onnx(graph, rows, scored).items()
            ),
        )


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

    @override
    def members_to_onnx(
        self, graph: OnnxGraph, rows: str, n_classes: int, scored: Callable[[str, str], str]
    ) -> str:
        scores = list(self._scores_to_onnx(graph, rows, scored).values())
        if n_classes == 2:
            scores = [graph.part(values, 1, 1, 2) for values in scores]
        return scored("final", graph.op("Concat", *scores, axis=1))
