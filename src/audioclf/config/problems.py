"""Messages for pydantic's errors in a config: position, key, nearest valid name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from audioclf.base.errors import ConfigError, PluginError
from audioclf.components.component import Component
from audioclf.components.fields import BASES
from audioclf.components.registry import Registry, suggest
from audioclf.config.yaml_source import Location, Problem, YamlSource

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_WANTED = {
    **dict.fromkeys(("tuple_type", "list_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping"),
    "bool_type": "true or false",
}
_HEX_PATTERN = re.compile(r"match pattern '\^\[0-9a-f(A-F)?\]\{64\}\$'")

_ONE_CLASS = (
    "Clips of this loader have one class each; `type: manifest` reads several labels, numbers and "
    "ordered classes from a table."
)


def config_error(source: YamlSource, problems: Sequence[Problem]) -> ConfigError:
    """Return all problems of a source as one error, in reading order."""
    ordered = sorted({*source.problems, *problems}, key=_reading_order)
    if len(ordered) == 1:
        return ConfigError(str(ordered[0]))
    lines = "".join(f"\n  {problem}" for problem in ordered)
    return ConfigError(f"{source.name}: {len(ordered)} problems:{lines}")


def _reading_order(problem: Problem) -> tuple[int, int, str]:
    position = problem.position
    return position.line or 0, position.column or 0, problem.message


def problem(source: YamlSource, error: Any, root: type[BaseModel], registry: Registry) -> Problem:
    """Return the problem of the file for one of `ValidationError.errors()`; `root` is the model."""
    location = in_data(source.data, error["loc"])
    where = ".".join(map(str, location))
    if error["type"] in _UNKNOWN:
        of_type = source.position((*location[:-1], "type"))
        if of_type.is_override and not source.position(location).is_override:
            return Problem(of_type, _leftover(source, location[:-1], root, registry))
        known = _field_names(source.data, location[:-1], root, registry)
        hint = suggest(str(location[-1]), known) or _elsewhere(source, location)
        if location in (("dataset", "labels"), ("dataset", "target")):
            hint = _ONE_CLASS
        hint = hint or f"Known here: {', '.join(known)}."
        message = f"unknown key {location[-1]!r}{_inside(location)}. {hint}"
        return Problem(source.position(location, of_key=True), message)
    if error["type"] == "missing":
        missing = error["loc"][-1]
        around = in_data(source.data, error["loc"][:-1])
        if isinstance(missing, int):
            name, given = ".".join(map(str, around)), _shown(error["input"])
            message = f"{name}: expected at least {missing + 1} items, not {given}"
            return Problem(source.position(around), message)
        message = f"key {missing!r} is missing{_inside((*around, missing))}"
        return Problem(source.position(around), message)
    message = _words(error)
    if not location:  # of several keys: the message begins with the one to change
        place = in_data(source.data, message.partition(" ")[0].rstrip(":").split("."))
        return Problem(source.position(place), message)
    if message.startswith("expected a mapping,") and isinstance(error["input"], str):
        has_type = "type" in _field_names(source.data, location, root, registry)
        message += f": write {{type: {error['input']}}}" if has_type else ""
    return Problem(source.position(location), f"{where}: {message}")


def _leftover(source: YamlSource, part: Location, root: type[BaseModel], registry: Registry) -> str:
    """Return which keys of a part belong to the type that an override has replaced."""
    known = _field_names(source.data, part, root, registry)
    keys = [at[-1] for at in source.keys if at[:-1] == part and at[-1] not in known]
    name, new = ".".join(map(str, part)), source.texts.get((*part, "type"), "...")
    return (
        f"{name} still has {', '.join(map(str, keys))} of its former type. "
        f"Replace the whole part: --set '{name}={{type: {new}}}'"
    )


def _elsewhere(source: YamlSource, location: Location) -> str:
    """Return a hint to a deeper place of the config that has the key of an override."""
    if len(location) > 1 or not source.position(location, of_key=True).is_override:
        return ""
    deeper = [at for at in source.values if len(at) > 1 and at[-1] == location[0]]
    return f"Did you mean {'.'.join(map(str, deeper[0]))!r}?" if deeper else ""


def _inside(location: Location) -> str:
    return f" in {'.'.join(map(str, location[:-1]))}" if len(location) > 1 else ""


def _words(error: Any) -> str:
    message = str(error["msg"])
    if error["type"] == "value_error":
        return message.removeprefix("Value error, ")
    if error["type"] in ("union_tag_invalid", "literal_error", "union_tag_not_found"):
        # Not the last "expected": it may be part of a name among the choices.
        choices = re.split(r"expected tags|should be", message)[-1]
        expected = re.findall(r"'([^']*)'", choices)
        given = error["input"].get("type") if isinstance(error["input"], dict) else error["input"]
        hint = suggest(str(given), expected) or f"Known: {', '.join(expected)}."
        return f"{given!r} is not known. {hint}" if given is not None else "needs a `type`"
    if _HEX_PATTERN.search(message):
        return f"expected a SHA-256, 64 digits from 0 to f, not {_shown(error['input'])}"
    if length := re.search(r"should have (at (?:most|least) \d+ items?) after", message):
        return f"expected {length[1]}, not {_shown(error['input'])}"
    wanted = _WANTED.get(error["type"]) or message.removeprefix("Input should be ").rstrip(".")
    text = f"expected {wanted}, not {_shown(error['input'])}"
    return f"{text}: write [{error['input']}]" if wanted == "a list" else text


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:37]}..."


def in_data(data: Any, loc: Sequence[str | int]) -> Location:
    """Return pydantic's location without steps that are not in the data, such as union tags."""
    location: Location = ()
    for part in loc:
        if _has(data, part):
            data = data[part]
            location = (*location, part)
    return location


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def _field_names(
    data: Any, location: Location, root: type[BaseModel], registry: Registry
) -> list[str]:
    """Return the valid keys at a location of the config."""
    models: list[type[Any]] = [root]
    for part in location:
        field = fields_of(_choose(models, data, registry)).get(str(part))
        if field is not None:
            models = _models_in(field.annotation)
        if not models:  # a mapping of plain values has any keys
            return []
        data = data[part]
    return sorted(fields_of(_choose(models, data, registry)))


def fields_of(model: type[Any]) -> dict[str, Any]:
    """Return the fields of a model or of a dataclass of pydantic."""
    fields: dict[str, Any] = model.__pydantic_fields__
    return fields


def _models_in(annotation: Any) -> list[type[Any]]:
    if isinstance(annotation, type) and hasattr(annotation, "__pydantic_fields__"):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _choose(models: list[type[Any]], data: Any, registry: Registry) -> type[Any]:
    """Return the model with the `type` of the data."""
    name = data.get("type") if isinstance(data, dict) else None
    for model in models:
        if issubclass(model, Component) and model in BASES.values():
            try:
                return registry.resolve(model.kind, str(name))
            except PluginError:
                return model
        field = fields_of(model).get("type")
        if field is not None and field.default == name:
            return model
    return models[0]
