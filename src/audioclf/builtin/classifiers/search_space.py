"""Search space of `tuned`: lists of values, and ranges."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    FiniteFloat,
    PlainSerializer,
    Tag,
    ValidationError,
    model_validator,
)

from audioclf.plugin import Classifier, Settings


class Range(Settings):
    """Range of numbers for a random search."""

    low: int | FiniteFloat
    """Lower bound, included."""

    high: int | FiniteFloat
    """Upper bound, above `low`, included."""

    log: bool = False
    """Whether to draw uniformly on a log scale, as for `C` or `learning_rate`; needs `low` > 0."""

    integer: bool = False
    """Whether to draw whole numbers."""

    @model_validator(mode="after")
    def _ends_fit(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low: {self.low} must be below high: {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log: true needs a low above 0, not {self.low}")
        if self.integer and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise ValueError("integer: true needs whole numbers as low and high")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Both bounds, as int or float."""
        kind = int if self.integer else float
        return kind(self.low), kind(self.high)


def _frozen(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError("a value is a number, a word, true, false, null or a list of these")


def _listed(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of values or {_RANGE}, not {as_json(value)}")
    if not value:
        raise ValueError("the list needs at least one value")
    return tuple(value)


_RANGE = "a range as in {low: 0.01, high: 100, log: true}"
_Value = Annotated[Any, AfterValidator(_frozen)]
_Values = Annotated[tuple[_Value, ...], BeforeValidator(_listed)]
_Choices = Annotated[
    Annotated[_Values, Tag("values")] | Annotated[Range, Tag("range")],
    Discriminator(lambda value: "range" if isinstance(value, dict | Range) else "values"),
]


def _pairs(space: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    if not space:
        raise ValueError("the search needs at least one field")
    return tuple(space.items())


if TYPE_CHECKING:
    Space = tuple[tuple[str, tuple[Any, ...] | Range], ...]
else:
    # A mapping in YAML and Python, stored as pairs because a component is hashable.
    Space = Annotated[dict[str, _Choices], AfterValidator(_pairs), PlainSerializer(dict)]


def as_json(value: Any) -> str:
    """Return a value for a message."""
    return json.dumps(value, default=str)


def with_values(classifier: Classifier, values: dict[str, Any]) -> Classifier:
    """Return the classifier with other values of some fields, validated as strictly as a config."""
    if not values:
        return classifier
    return type(classifier).model_validate({**dict(classifier), **values}, strict=True)


def invalid(values: dict[str, Any], exc: ValidationError) -> str:
    """Return the message for an invalid candidate."""
    reason = str(exc.errors()[0]["msg"]).removeprefix("Value error, ")
    return f"the candidate {shown(values)} is not valid: {reason}"


def shown(values: dict[str, Any]) -> str:
    """Return the values of a candidate on one line, similar to YAML.

    >>> shown({"C": 0.1, "kernel": "rbf"})
    '{C: 0.1, kernel: rbf}'
    """
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"
