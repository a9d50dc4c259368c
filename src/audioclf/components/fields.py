"""Fields of pydantic models that hold a component or an input path."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, ValidationInfo, WithJsonSchema

from audioclf.components.augmenter import Augmenter
from audioclf.components.classifier import Classifier
from audioclf.components.component import Component, Kind
from audioclf.components.featurizer import Featurizer
from audioclf.components.input_path import InputPath as InputPath
from audioclf.components.loader import Loader

BASES: dict[Kind, type[Component]] = {
    "loader": Loader,
    "featurizer": Featurizer,
    "classifier": Classifier,
    "augmenter": Augmenter,
}


ComponentBuilder = Callable[[Kind, Any, "dict[str, Any]"], Component]
"""`(kind, data, context) -> component`: builds a component from its mapping in a config."""


def _build_by(kind: Kind) -> Callable[[Any, ValidationInfo], Any]:
    def build(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Component) or not info.context or "build" not in info.context:
            return value
        builder: ComponentBuilder = info.context["build"]
        return builder(kind, value, info.context)

    return build


COMPONENT_KEY = "x-audioclf-component"
"""Key in the JSON schema of a field for the kind of component that it holds."""


def _component_type(base: type[Component], kind: Kind) -> Any:
    return Annotated[
        SerializeAsAny[base],  # type: ignore[valid-type,misc]
        BeforeValidator(_build_by(kind)),
        WithJsonSchema({COMPONENT_KEY: kind}),
    ]


if TYPE_CHECKING:
    AnyLoader = Loader
    AnyFeaturizer = Featurizer
    AnyClassifier = Classifier
    AnyAugmenter = Augmenter
else:
    AnyLoader = _component_type(Loader, "loader")
    """A loader field: YAML names it by `type`, Python passes the object."""
    AnyFeaturizer = _component_type(Featurizer, "featurizer")
    """A featurizer field, for featurizers that wrap others."""
    AnyClassifier = _component_type(Classifier, "classifier")
    """A classifier field, for searches around a classifier."""
    AnyAugmenter = _component_type(Augmenter, "augmenter")
    """An augmenter field."""


def validate_component(
    cls: type[Component], data: dict[str, Any], context: dict[str, Any] | None = None
) -> Component:
    """Validate plain data as strictly as a config file.

    Numbers in quotes and booleans for numbers are errors. Lists become tuples and strings paths,
    for which the data goes through JSON.
    """
    return cls.model_validate_json(json.dumps(data), strict=True, context=context)
