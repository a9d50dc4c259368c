"""A component from its class and `--set` options."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audioclf.base.errors import ConfigError
from audioclf.components.component import Component
from audioclf.components.fields import validate_component
from audioclf.components.registry import Registry


def make_component(cls: type[Component], overrides: Iterable[str], registry: Registry) -> Component:
    """Return a component with its defaults, and the fields that were typed.

    Overrides are `key=value`, the value in YAML; paths are relative to the working directory.
    """
    what = f"{cls.kind} {cls.type_name()!r}"
    data: dict[str, Any] = {"type": cls.type_name()}
    for override in overrides:
        _put(data, override)
    required = [name for name, field in cls.model_fields.items() if field.is_required()]
    missing = [name for name in required if name not in data]
    if missing:
        hint = f"Add --set {missing[0]}=VALUE."
        raise ConfigError(f"the {what} has no default for `{missing[0]}`", hint=hint)
    context = {"build": registry.build, "base_dir": str(Path.cwd())}
    try:
        return validate_component(cls, data, context)
    except ValidationError as exc:
        raise ConfigError(f"the {what} is not valid: {_first(exc)}") from exc


def _put(data: dict[str, Any], override: str) -> None:
    from audioclf.config.yaml_source import parse_yaml

    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override}: expected key=value, as in path=recordings")
    for part in parts[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {override}: `{part}` holds no fields")
    data[parts[-1]] = parse_yaml(text, f"--set {override}").data


def _first(exc: ValidationError) -> str:
    error = exc.errors()[0]
    where = ".".join(map(str, error["loc"]))
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"`{where}`: {message}" if where else message
