"""Loading and validation of config files, with all problems of a file at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audioclf.base.errors import ConfigError
from audioclf.components.registry import Registry
from audioclf.config.problems import config_error, in_data, problem
from audioclf.config.run_config import RunConfig
from audioclf.config.yaml_source import (
    OVERRIDE,
    Location,
    Position,
    YamlSource,
    parse_yaml,
    read_yaml,
)


def load_config(
    path: str | Path,
    *,
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Read and validate a config file.

    Parameters
    ----------
    path : path
        YAML file; relative paths inside it are relative to its folder.
    overrides : iterable of str
        In the form `a.b=c`: the value, read as YAML, replaces or adds the key. Paths in it are
        relative to the working directory.
    registry : Registry, optional
        Registry of components; by default that of the installed plugins.
    fixed : mapping, optional
        Values that replace those of the file; None for a default. An override of such a key is an
        error.

    Raises
    ------
    ConfigError
        With every problem of the file, each with its position.
    """
    return _load(read_yaml(Path(path)), Path(path), overrides, registry, fixed)


def config_of(
    data: Mapping[str, Any],
    *,
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Validate a config given as plain data; relative paths are relative to the working folder."""
    source = YamlSource("config", json.loads(json.dumps(data, default=str)))
    return _load(source, Path("run.yaml"), overrides, registry, fixed)


def read_config(text: str, path: Path, *, registry: Registry | None = None) -> RunConfig:
    """Validate the text of a config; relative paths are relative to the folder of its file."""
    return _load(parse_yaml(text, str(path)), path, (), registry)


def _load(
    source: YamlSource,
    path: Path,
    overrides: Iterable[str],
    registry: Registry | None,
    fixed: Mapping[str, Any] | None = None,
) -> RunConfig:
    if registry is None:
        from audioclf.components.discovery import discover

        registry = discover()
    if not isinstance(source.data, dict):
        raise ConfigError(f"{source.name}: expected a mapping with keys such as `dataset`")
    source.data.setdefault("name", _name_from(path))
    overrides = list(overrides)
    for key, value in (fixed or {}).items():
        _fix(source, key, value, overrides)
    typed = [text for override in overrides for text in _apply_override(source, override)]
    return _validate(source, path.absolute().parent, typed, registry)


def _fix(source: YamlSource, key: str, value: Any, overrides: Iterable[str]) -> None:
    """Set a key, or remove it for None, whatever the file says."""
    for override in overrides:
        if override.partition("=")[0].strip().split(".")[0] == key:
            raise ConfigError(f"{OVERRIDE}{override}: {key} is not chosen here, but by the model")
    _forget(source, (key,))
    if value is None:
        source.data.pop(key, None)
    else:
        source.data[key] = value


def _name_from(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).lstrip("_.-") or "run"


def _apply_override(source: YamlSource, override: str) -> list[str]:
    """Set a value and return the texts of its scalars."""
    key, equals, text = override.partition("=")
    position = Position(f"{OVERRIDE}{override}")
    if not equals or not key.strip():
        raise ConfigError(f"{position}: expected key=value, as in split.test_size=0.3")
    parsed = parse_yaml(text, str(position))
    location: Location = ()
    node: Any = source.data
    parts = key.strip().split(".")
    for part in parts[:-1]:
        location = (*location, _step(node, part, position))
        if isinstance(node, dict) and part not in node:
            node[part] = {}
            source.keys[location] = position
        node = node[location[-1]]
    location = (*location, _step(node, parts[-1], position))
    _forget(source, location)
    node[location[-1]] = parsed.data
    source.keys[location] = position
    source.values.update({(*location, *inner): position for inner in parsed.values})
    source.values[location] = position
    source.texts.update({(*location, *inner): text for inner, text in parsed.texts.items()})
    source.problems += parsed.problems
    return list(parsed.texts.values())


def _step(node: Any, part: str, position: Position) -> str | int:
    if isinstance(node, dict):
        return part
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return int(part)
    if isinstance(node, list) and part.isdecimal():
        raise ConfigError(f"{position}: there is no item {part}; the list has {len(node)}, from 0")
    raise ConfigError(f"{position}: {part!r} cannot be set, because its parent is not a mapping")


def _forget(source: YamlSource, location: Location) -> None:
    """Remove positions, texts and problems at and below a location that an override replaces."""
    size = len(location)
    replaced = {str(place) for at, place in source.values.items() if at[:size] == location}
    source.problems = [p for p in source.problems if str(p.position) not in replaced]
    source.values = {at: place for at, place in source.values.items() if at[:size] != location}
    source.keys = {at: place for at, place in source.keys.items() if at[:size] != location}
    source.texts = {at: text for at, text in source.texts.items() if at[:size] != location}


def _validate(
    source: YamlSource, base_dir: Path, typed: list[str], registry: Registry
) -> RunConfig:
    context = {"build": registry.build, "base_dir": str(base_dir), "typed": typed}
    for _ in range(8):
        try:
            config = RunConfig.model_validate_json(
                json.dumps(source.data), strict=True, context=context
            )
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=False)
            if not _keep_words(source, errors):
                raise config_error(
                    source, [problem(source, e, RunConfig, registry) for e in errors]
                ) from None
        else:
            break
    if source.problems:
        raise config_error(source, [])
    return config


def _keep_words(source: YamlSource, errors: Sequence[Any]) -> bool:
    """Restore the text of scalars where strings are expected: a class `1e3` needs no quotes."""
    changed = False
    for error in errors:
        location = in_data(source.data, error["loc"])
        if error["type"] == "string_type" and location in source.texts:
            _assign(source.data, location, source.texts[location])
            changed = True
    return changed


def _assign(data: Any, location: Location, value: Any) -> None:
    for part in location[:-1]:
        data = data[part]
    data[location[-1]] = value
