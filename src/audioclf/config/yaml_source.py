"""YAML as data with the position of each key and value.

Only plain data: tags, aliases and duplicate keys are problems, keys are strings. Plain scalars
follow the core schema of YAML 1.2, where `no`, `on` and `1:30` are strings, `1e-3` is a number, and
only `true` and `false` are booleans.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.events import AliasEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from audioclf.base.errors import ConfigError
from audioclf.base.limits import Limits, limits_in_force

Location = tuple[str | int, ...]

OVERRIDE = "--set "
"""Beginning of the name of an override as a source."""


@dataclass(frozen=True, slots=True)
class Position:
    """A position for messages: `file:line:column`, or an override."""

    source: str
    line: int | None = None
    column: int | None = None

    @property
    def is_override(self) -> bool:
        """Whether it is an override of the command line."""
        return self.source.startswith(OVERRIDE)

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem and its position."""

    position: Position
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


@dataclass
class YamlSource:
    """Plain data, the position of each key and value, and the text of each scalar."""

    name: str
    data: Any = None
    keys: dict[Location, Position] = field(default_factory=dict)
    values: dict[Location, Position] = field(default_factory=dict)
    texts: dict[Location, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def position(self, location: Location, *, of_key: bool = False) -> Position:
        """Return the position of a value or key, or of the nearest mapping around it."""
        if of_key and location in self.keys:
            return self.keys[location]
        for end in range(len(location), -1, -1):
            if location[:end] in self.values:
                return self.values[location[:end]]
        return Position(self.name)


def read_yaml(path: Path) -> YamlSource:
    """Read a config file, within the limits in force."""
    most = limits_in_force().max_config_bytes
    try:
        with path.open("rb") as stream:
            raw = stream.read(most + 1)
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: no such file") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    if raw.startswith(b"PK\3\4"):
        raise ConfigError(f"{path}: a model or another zip archive, where a config is expected")
    if len(raw) > most:
        raise ConfigError(f"{path}: larger than {most / 1024:g} KiB, too large for a config")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: byte {exc.start} is not UTF-8") from exc
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> YamlSource:
    """Parse YAML text; problems that do not stop the parser are collected in `problems`."""
    source = YamlSource(name)
    try:
        node = _Loader(text, source).get_single_node()
    except yaml.MarkedYAMLError as exc:
        raise ConfigError(f"{_position(name, exc.problem_mark)}: {_sentence(exc)}") from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{name}: not YAML: {' '.join(str(exc).split())}") from exc
    if node is not None:
        source.data = _construct(node, (), source)
    return source


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    """Composes nodes without resolving tags; refuses aliases and deep nesting."""

    def __init__(self, text: str, source: YamlSource) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._source = source
        self._depth = 0
        self._limits: Limits = limits_in_force()

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(AliasEvent):
            event: Any = self.get_event()  # type: ignore[no-untyped-call]
            position = _position(self._source.name, event.start_mark)
            message = f"aliases are not allowed: replace *{event.anchor} by its value"
            self._source.problems.append(Problem(position, message))
            return yaml.ScalarNode(_STR, "", event.start_mark, event.end_mark)
        most = self._limits.max_config_depth
        if self._depth >= most:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ConfigError(
                f"{_position(self._source.name, mark)}: nested more than {most} levels deep"
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_STR = "tag:yaml.org,2002:str"
_PLAIN_TAGS = {_STR, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _construct(node: yaml.Node, location: Location, source: YamlSource) -> Any:
    position = _position(source.name, node.start_mark)
    source.values[location] = position
    if node.tag not in _PLAIN_TAGS:
        source.problems.append(Problem(position, f"tags are not allowed: remove {node.tag}"))
        return None
    if isinstance(node, yaml.MappingNode):
        return dict(_items(node, location, source))
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*location, i), source) for i, child in enumerate(node.value)]
    source.texts[location] = node.value
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    if plain and _NOT_FINITE.fullmatch(node.value):
        source.problems.append(Problem(position, f"{node.value} is not a finite number"))
        return None
    return resolve_plain(node.value) if plain else node.value


def _items(
    node: yaml.MappingNode, location: Location, source: YamlSource
) -> Iterator[tuple[str, Any]]:
    seen: dict[str, Position] = {}
    for key_node, value_node in node.value:
        position = _position(source.name, key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode):
            source.problems.append(Problem(position, "a key must be a scalar"))
            continue
        key = key_node.value
        if key in seen:
            message = f"duplicate key {key!r}: remove it here or in line {seen[key].line}"
            source.problems.append(Problem(position, message))
            continue
        seen[key] = source.keys[*location, key] = position
        yield key, _construct(value_node, (*location, key), source)


def resolve_plain(text: str) -> str | int | float | bool | None:
    """Read an unquoted scalar by the core schema of YAML 1.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) < 40 and _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def dump_yaml(data: Any) -> str:
    """Return plain data as YAML that this module reads back unchanged."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


_BREAK = re.compile("[\n\r\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # YAML has line breaks besides \n, which without quotes are read back as spaces.
    plain = isinstance(resolve_plain(text), str) and not _BREAK.search(text)
    style = None if plain else '"'
    return dumper.represent_scalar(_STR, text, style=style)


_Dumper.add_representer(str, _represent_str)


def _position(name: str, mark: Any) -> Position:
    return Position(name, mark.line + 1, mark.column + 1)


def _sentence(exc: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (exc.context, exc.problem) if part]
    return "not YAML: " + ", ".join(parts)
