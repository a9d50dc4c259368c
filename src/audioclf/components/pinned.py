"""Weights of featurizers at any depth, and copies of components with other paths and digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from audioclf.components.component import Component, components_inside
from audioclf.components.featurizer import Featurizer
from audioclf.components.fields import validate_component
from audioclf.components.registry import Registry
from audioclf.components.weights import Weights

T = TypeVar("T", bound=Component)


def weights_inside(component: Component) -> Iterator[tuple[str, Weights]]:
    """Yield the weights of a featurizer and of those inside of it, each with its place.

    The place is "" for the featurizer itself, else such as "parts.speech". `ConfigError` if a file
    cannot be read, or has another digest than the featurizer demands.
    """
    for place, part in [("", component), *components_inside(component)]:
        if isinstance(part, Featurizer):
            for weights in part.weight_files():
                yield place, weights


def pinned(component: T, registry: Registry) -> T:
    """Return a component whose digest fields hold the digests of its weights."""
    found = [(place, item) for place, item in weights_inside(component) if item.digest_field]
    if not found:
        return component
    data = component.model_dump(mode="json")
    for place, weights in found:
        fields_at(data, place)[weights.digest_field] = weights.sha256
    again = validate_component(type(component), data, {"build": registry.build})
    assert isinstance(again, type(component))
    return component if again == component else again


def fields_at(data: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the fields of the component at a place of dumped data, to be changed.

    `KeyError` if there is none. Names may contain dots.
    """
    fields: Any = data
    while place:
        heads = [key for key in fields if place == key or place.startswith(f"{key}.")]
        head = max(heads, key=len, default=None) if isinstance(fields, dict) else None
        if head is None:
            raise KeyError(place)
        fields, place = fields[head], place[len(head) + 1 :]
    if not isinstance(fields, dict):
        raise KeyError(place)
    return fields
