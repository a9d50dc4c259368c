"""Write docs/reference from the code: `make docs`.

One page for each hook and each component of this repository's distributions, one for errors and one
for commands. The tests compare the pages with what this makes of the code.
"""

from __future__ import annotations

import inspect
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from audioclf.base import errors
from audioclf.base.errors import AudioclfError
from audioclf.cli import _COMMANDS, LazyGroup
from audioclf.components import hookspecs
from audioclf.components.component import KINDS, Component
from audioclf.components.discovery import discover
from audioclf.components.fields import BASES
from audioclf.components.finished_run import FinishedRun
from audioclf.components.metrics import METRICS
from audioclf.components.registry import Provider, Registry

REPO = Path(__file__).resolve().parents[1]
REFERENCE = REPO / "docs" / "reference"

_GENERATED = "<!-- Written by `make docs` from the code; change it there. -->\n"
_PREAMBLE = (
    "An error that a user can mend is one sentence on stderr that says what happened, where, and "
    "what to do next. Anything else is a bug of audioclf and keeps its traceback."
)
_METRICS_TEXT = (
    "The names that `metrics` of a config takes. Those with a scorer in scikit-learn are also the "
    "metrics of a search (`tuned`). The Brier score is at most 1 for two classes."
)
_MEANINGS = {
    "EXIT_OK": "done",
    "EXIT_BUG": "a bug of audioclf: please report the traceback",
    "EXIT_USAGE": "usage or config",
    "EXIT_DATA": "input data refused, or a finding of an audit",
    "EXIT_PARTIAL": "finished, but some files failed or a plugin could not be told of the run",
    "EXIT_MODEL": "model file refused",
    "EXIT_ENVIRONMENT": "environment: disk, memory, something that is not installed",
    "EXIT_INTERRUPTED": "interrupted by Ctrl-C",
    "EXIT_TERMINATED": "terminated by SIGTERM",
}
_RANGES = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} entries",
    "pattern": "`{}`",
}
_PLACES = {"loader": "dataset", "featurizer": "featurizers", "classifier": "classifiers"}
_MAX_DEFAULT = 60


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    registry = discover()
    found = {f"hook-{name}.md": _hook(name) for name in hook_names()}
    for provider in providers(registry):
        cls = provider.cls
        found[f"{cls.kind}-{cls.type_name()}.md"] = _component(provider)
    found["errors.md"] = _errors()
    found["metrics.md"] = _metrics()
    found["commands.md"] = _commands()
    return {"README.md": _index(registry), **found}


def hook_names() -> tuple[str, ...]:
    """Return the hooks that a plugin may implement."""
    return tuple(name for name in vars(hookspecs) if name.startswith("audioclf_"))


def error_classes() -> tuple[type[AudioclfError], ...]:
    """Return the errors of `audioclf.base.errors`, the base first."""
    found = [each for each in vars(errors).values() if inspect.isclass(each)]
    return tuple(each for each in found if issubclass(each, AudioclfError))


def distributions() -> set[str]:
    """Return the distributions of this repository."""
    files = [REPO / "pyproject.toml", *(REPO / "plugins").glob("*/pyproject.toml")]
    return {tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"] for path in files}


def providers(registry: Registry) -> Iterator[Provider]:
    """Yield the components of these distributions, by kind and name."""
    ours = distributions()
    for kind in KINDS:
        yield from (each for each in registry.providers(kind) if each.origin.distribution in ours)


def _index(registry: Registry) -> str:
    lines = [
        "# Reference",
        "",
        _GENERATED,
        "[Commands](commands.md), [metrics](metrics.md), [errors and exit codes](errors.md).",
        "",
    ]
    lines += ["## Hooks", "", "| hook | what it is for |", "|---|---|"]
    for name in hook_names():
        text = inspect.cleandoc(getattr(hookspecs, name).__doc__).split("\n")[0]
        lines.append(f"| [`{name}`](hook-{name}.md) | {_cell(text)} |")
    for kind in KINDS:
        lines += ["", f"## {kind.capitalize()}s", "", "| type | of | summary |", "|---|---|---|"]
        for each in providers(registry):
            if each.cls.kind == kind:
                name = each.cls.type_name()
                link = f"[`{name}`]({kind}-{name}.md)"
                lines.append(
                    f"| {link} | {each.origin.distribution} | {_cell(each.cls.summary())} |"
                )
    return "\n".join(lines) + "\n"


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    signature = str(inspect.signature(function)).replace("'", "")
    parts = [f"# Hook `{name}`", _GENERATED, f"`{name}{signature}`", _text(function.__doc__)]
    bases = {f"audioclf_{kind}s": BASES[kind] for kind in KINDS}
    for cls in [bases[name]] if name in bases else [FinishedRun]:
        parts += [f"## `{cls.__name__}`", _text(cls.__doc__), *_members(cls)]
    return "\n\n".join(parts) + "\n"


def _members(cls: type) -> Iterator[str]:
    """Yield what a class itself declares: fields, methods, properties, in their order."""
    fields = getattr(cls, "model_fields", {})
    if fields and issubclass(cls, Component):
        yield _fields_table(cls.model_json_schema())
    for name, member in vars(cls).items():
        if name.startswith("_") or name in fields:
            continue
        if isinstance(member, property):
            yield f"### `{name}`\n\n{_text(member.__doc__)}"
        elif inspect.isfunction(member) or isinstance(member, classmethod):
            function = getattr(member, "__func__", member)
            signature = str(inspect.signature(function)).replace("'", "")
            yield f"### `{name}{signature}`\n\n{_text(function.__doc__)}"


def _component(provider: Provider) -> str:
    cls = provider.cls
    name, place = cls.type_name(), _PLACES[cls.kind]
    required = [key for key, field in cls.model_fields.items() if field.is_required()]
    inner = ", ".join([f"type: {name}", *(f"{key}: ..." for key in required)])
    where = f"{place}: {{{inner}}}" if cls.kind == "loader" else f"{place}:\n  NAME: {{{inner}}}"
    schema = cls.model_json_schema()
    parts = [
        f"# {cls.kind.capitalize()} `{name}`",
        _GENERATED,
        f"`{cls.__module__}.{cls.__name__}`, of the distribution {provider.origin.distribution}.",
        f"```text\n{where}\n```",
        _text(cls.__doc__),
        "## Fields",
        _fields_table(schema),
    ]
    for title, definition in sorted(schema.get("$defs", {}).items()):
        if "properties" in definition:
            text = _text(definition.get("description"))
            parts += [f"### {title}", text, _fields_table(definition)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _fields_table(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (
            f"`{name}`",
            _type(field),
            "required" if name in required else _default(field),
            _range(field),
            " ".join(field.get("description", "").split()),
        )
        for name, field in schema["properties"].items()
        if name != "type"
    ]
    if not rows:
        return "It has no fields."
    header = "| field | type | default | range | meaning |\n|---|---|---|---|---|\n"
    return header + "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and len(text) > _MAX_DEFAULT:
        text = f"{{type: {value['type']}}}" if "type" in value else "see below"
    return f"`{text}`"


def _options(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(field.get("anyOf") or field.get("oneOf") or [field])


def _type(field: Mapping[str, Any]) -> str:
    return " or ".join(dict.fromkeys(map(_one_type, _options(field))))


def _one_type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "x-audioclf-component" in field:
        return f"a {field['x-audioclf-component']}"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _range(field: Mapping[str, Any]) -> str:
    found = []
    for option in _options(field):
        said = [text.format(_plain(option[key])) for key, text in _RANGES.items() if key in option]
        inner = option.get("items")
        if isinstance(inner, dict) and _range(inner):
            said.append(f"each {_range(inner)}")
        found += [", ".join(said)] if said else []
    return "; ".join(dict.fromkeys(found))


def _plain(bound: Any) -> Any:
    """Return a bound as all versions of pydantic write it: 2 and not 2.0."""
    return f"{bound:.12g}" if isinstance(bound, float) else bound


def _errors() -> str:
    codes = {name: getattr(errors, name) for name in vars(errors) if name.startswith("EXIT_")}
    rows = "\n".join(f"| {code} | {_MEANINGS[name]} |" for name, code in codes.items())
    parts = [
        "# Errors and exit codes",
        _GENERATED,
        _PREAMBLE,
        f"| exit code | meaning |\n|---|---|\n{rows}",
    ]
    for cls in error_classes():
        base = cls.__bases__[0].__name__
        kind = "" if cls is AudioclfError else f" A `{base}`."
        parts += [f"## `{cls.__name__}`", f"Exit code {cls.exit_code}.{kind}", _text(cls.__doc__)]
    return "\n\n".join(parts) + "\n"


def _metrics() -> str:
    rows = [
        (
            f"`{name}`",
            f"{info.low:g} to {info.high:g}".replace("inf", "infinity"),
            "lower" if info.lower_is_better else "greater",
            info.needs,
            "two only" if info.two_classes_only else "any",
            f"`{info.scorer}`" if info.scorer else "",
        )
        for name, info in METRICS.items()
    ]
    header = (
        "| metric | range | better | computed from | classes | scorer in scikit-learn |\n"
        "|---|---|---|---|---|---|\n"
    )
    table = header + "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join(["# Metrics", _GENERATED, _METRICS_TEXT, table]) + "\n"


def _commands() -> str:
    parts = ["# Commands", _GENERATED]
    for name in _COMMANDS:
        command = LazyGroup().get_command(None, name)
        parts += _command(f"audioclf {name}", command)
        for inner_name, inner in sorted(getattr(command, "commands", {}).items()):
            parts += _command(f"audioclf {name} {inner_name}", inner)
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> list[str]:
    shown = [each for each in command.params if each.name not in {"help"}]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    usage = " ".join([name, *(_argument(each) for each in arguments)])
    rows = [f"| {' | '.join(map(_cell, _parameter(each)))} |" for each in shown]
    table = "| parameter | default | meaning |\n|---|---|---|\n" + "\n".join(rows)
    parts = [f"## `{usage}`", _text(command.help or command.callback.__doc__)]
    return [*parts, table] if rows else parts


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _parameter(parameter: Any) -> tuple[str, str, str]:
    is_option = parameter.param_type_name == "option"
    names = ", ".join(f"`{each}`" for each in parameter.opts)
    name = names if is_option else f"`{_argument(parameter)}`"
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or default is False or default in ([], ()):
        shown = ""
    else:
        shown = f"`{getattr(default, 'value', default)}`"
    return name, shown, " ".join((getattr(parameter, "help", "") or "").split())


def _text(docstring: str | None) -> str:
    """Return a docstring as Markdown: the headings of numpy style become bold words."""
    lines = inspect.cleandoc(docstring or "").split("\n")
    out: list[str] = []
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if below and set(below) == {"-"} and line.strip():
            out += [f"**{line}**", ""]
        elif not (line and set(line) == {"-"}):
            indented = line.startswith("    ")
            out.append(f"  {line.strip()}" if indented else _entry(line))
    return "\n".join(_fenced(out)).strip()


def _fenced(lines: list[str]) -> Iterator[str]:
    """Put examples into fences; each ends with an empty line."""
    is_inside = False
    for line in [*lines, ""]:
        if line.startswith(">>>") and not is_inside:
            yield "```pycon"
            is_inside = True
        if is_inside and not line:
            yield "```"
            is_inside = False
        yield line


def _entry(line: str) -> str:
    """Return `name : type` of a section of parameters as an item of a list."""
    name, colon, kind = line.partition(" : ")
    return f"- `{name}` : {kind}" if colon and " " not in name.replace(", ", ",") else line


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Write the pages, and remove those of what is gone."""
    REFERENCE.mkdir(exist_ok=True)
    made = pages()
    for path in REFERENCE.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(made)} pages in {REFERENCE.relative_to(REPO)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
