"""Base class of components: frozen pydantic models with one verb.

The fields of a component are its configuration, `type: Literal["mel"] = "mel"` is its name in YAML,
and one method is its behaviour. The validated YAML is the working object: it pickles, hashes,
compares, round-trips to JSON, and can be made in Python: `MelSpectrogram(n_mels=64)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Kind = Literal["loader", "featurizer", "classifier", "augmenter"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Component(BaseModel):
    """Base class of components: immutable; unknown keys are an error.

    A concrete subclass declares `type: Literal["name"] = "name"`; without it the import fails.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    kind: ClassVar[Kind]

    terms_of_use: ClassVar[str] = ""
    """Licence terms that bind users of this component and of models made with it, such as `no
    commercial use`; empty if there are none besides those of its package."""

    expected_failed_checks: ClassVar[Mapping[str, str]] = {}
    """Checks of `audioclf.testing` that this class fails on purpose, each with its reason."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "type" in cls.model_fields:
            _check_type_literal(cls)
        elif not getattr(cls, "__abstractmethods__", None) and "kind" not in vars(cls):
            raise TypeError(f'{cls.__qualname__} needs a field `type: Literal["name"] = "name"`')

    @classmethod
    def type_name(cls) -> str:
        """Return the name of this component in YAML."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]


def terms_of(component: Component) -> dict[str, str]:
    """Return the terms of use of a component and of those inside of it, by type."""
    parts = [component, *(part for _, part in components_inside(component))]
    return {part.type_name(): part.terms_of_use for part in parts if part.terms_of_use}


def components_inside(value: object, place: str = "") -> Iterator[tuple[str, Component]]:
    """Yield the components inside of a component, at any depth, such as `("parts.mfcc", Mfcc())`.

    Fields that are models, mappings, lists and lists of pairs are searched.
    """
    for name, item in _items(value):
        where = f"{place}.{name}" if place else str(name)
        if isinstance(item, Component):
            yield where, item
        yield from components_inside(item, where)


def _items(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, BaseModel):
        return value
    if isinstance(value, dict):
        return value.items()
    if not isinstance(value, list | tuple):
        return ()
    pairs = all(isinstance(item, tuple) and len(item) == 2 for item in value)
    return value if pairs else enumerate(value)


def _check_type_literal(cls: type[Component]) -> None:
    field = cls.model_fields["type"]
    values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    if len(values) != 1 or field.default != values[0] or not isinstance(values[0], str):
        raise TypeError(
            f"{cls.__qualname__}.type must be a Literal of one string that is also its default, "
            'as in `type: Literal["mel"] = "mel"`'
        )
