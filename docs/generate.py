"""Generator of docs/reference: `make docs`.

It writes one page for each hook and for each component of the distributions in this repository, and
pages for commands, metrics and errors. The tests compare the stored pages with the generated ones.
"""

from __future__ import annotations

import inspect
import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from docstrings import markdown

from audioclf.base import errors
from audioclf.base.errors import AudioclfError
from audioclf.cli import LazyGroup
from audioclf.cli.help import EXAMPLES, argument_name
from audioclf.components import hookspecs
from audioclf.components.combination import Combination
from audioclf.components.component import KINDS, Component
from audioclf.components.discovery import discover, provided_by
from audioclf.components.fields import BASES
from audioclf.components.finished_run import FinishedRun
from audioclf.components.metrics import METRICS
from audioclf.components.registry import Origin, PluginRecord, Provider, Registry

REPO = Path(__file__).resolve().parents[1]
REFERENCE = REPO / "docs" / "reference"

_GENERATED = "<!-- Written by `make docs` from the code; change it there. -->\n"
_PREAMBLE = (
    "An error that you can fix is one sentence on stderr: what happened, where, and what to do. "
    "Any other error is a bug of audioclf and shows its traceback."
)
_COMMANDS_TEXT = """\
All commands have `--help` and `-v`, which shows versions, messages of libraries and the traceback
of an error. `audioclf --install-completion` sets up completion of commands, options and included
configs in the shell. Results go to standard output, all else to standard error. On a terminal,
tables fit its width and have colors, unless the variable `NO_COLOR` is set."""

_METRICS_TEXT = (
    "The names that `metrics` of a config takes. Those with a scorer in scikit-learn are also the "
    "metrics of a search (`tuned`). The Brier score is at most 1 for two classes."
)
_MEANINGS = {
    "EXIT_OK": "done",
    "EXIT_BUG": "a bug of audioclf: please report the traceback",
    "EXIT_USAGE": "usage or config",
    "EXIT_DATA": "input data refused, or a finding of an audit",
    "EXIT_PARTIAL": "finished, but some files failed or a notification failed",
    "EXIT_MODEL": "model file refused",
    "EXIT_ENVIRONMENT": "environment: disk, memory, a package that is not installed",
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
_MAX_DEFAULT = 60


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    registry = whole_registry()
    components = {
        f"{each.cls.kind}-{each.cls.type_name()}.md": _component(each)
        for each in providers(registry)
    }
    return {
        "README.md": _index(registry),
        **{f"hook-{name}.md": _hook(name) for name in hook_names()},
        **components,
        "errors.md": _errors(),
        "metrics.md": _metrics(),
        "commands.md": _commands(),
    }


def hook_names() -> tuple[str, ...]:
    """Return the hooks that a plugin may implement."""
    return tuple(name for name in vars(hookspecs) if name.startswith("audioclf_"))


def error_classes() -> tuple[type[AudioclfError], ...]:
    """Return the errors of `audioclf.base.errors`, the base class first."""
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    return tuple(cls for cls in classes if issubclass(cls, AudioclfError))


def command_names() -> list[str]:
    """Return the commands in the order of `audioclf --help`."""
    return LazyGroup().list_commands(None)


def projects() -> dict[Path, dict[str, Any]]:
    """Return the metadata of this repository's distributions by their folder."""
    files = [REPO / "pyproject.toml", *sorted((REPO / "plugins").glob("*/pyproject.toml"))]
    return {
        path.parent: tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in files
    }


def whole_registry() -> Registry:
    """Return the registry with all plugins of this repository, installed or not."""
    records = discover().plugins
    installed = {record.origin.distribution for record in records}
    for folder, project in projects().items():
        if project["name"] not in installed:
            sys.path.insert(0, str(folder / "src"))
            for name, module in project["entry-points"].get("audioclf", {}).items():
                origin = Origin(project["name"], project["version"], name)
                components, _ = provided_by(import_module(module))
                records = (*records, PluginRecord(origin, "ok", "", components))
    return Registry(records)


def providers(registry: Registry) -> Iterator[Provider]:
    """Yield the components of this repository's distributions, by kind and name."""
    names = {project["name"] for project in projects().values()}
    for kind in KINDS:
        yield from (each for each in registry.providers(kind) if each.origin.distribution in names)


def _page(*parts: str) -> str:
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(columns: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table; `columns` are separated by commas."""
    header = columns.split(", ")
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _index(registry: Registry) -> str:
    hooks = [
        (f"[`{name}`](hook-{name}.md)", _first_line(getattr(hookspecs, name)))
        for name in hook_names()
    ]
    parts = ["## Hooks", _table("hook, summary", hooks)]
    for kind in KINDS:
        rows = [
            (
                f"[`{each.cls.type_name()}`]({kind}-{each.cls.type_name()}.md)",
                each.origin.distribution,
                each.cls.summary(),
            )
            for each in providers(registry)
            if each.cls.kind == kind
        ]
        parts += [f"## {kind.capitalize()}s", _table("type, distribution, summary", rows)]
    links = "[Commands](commands.md), [metrics](metrics.md), [errors and exit codes](errors.md)."
    return _page("# Reference", _GENERATED, links, *parts)


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    bases = {f"audioclf_{kind}s": BASES[kind] for kind in KINDS}
    cls: type = bases.get(name, FinishedRun)
    return _page(
        f"# Hook `{name}`",
        _GENERATED,
        f"`{name}{_signature(function)}`",
        markdown(function.__doc__),
        f"## `{cls.__name__}`",
        markdown(cls.__doc__),
        *_members(cls),
    )


def _signature(function: Callable[..., Any]) -> str:
    return str(inspect.signature(function)).replace("'", "")


def _members(cls: type) -> Iterator[str]:
    """Yield the fields, methods and properties that a class declares itself, in their order.

    A classifier has those of members from a base without a page.
    """
    fields = getattr(cls, "model_fields", {})
    if fields and issubclass(cls, Component):
        yield _fields_table(cls.model_json_schema())
    inherited = vars(Combination) if Combination in cls.__bases__ else {}
    for name, member in {**vars(cls), **inherited}.items():
        if name.startswith("_") or name in fields:
            continue
        if isinstance(member, property):
            yield f"### `{name}`\n\n{markdown(member.__doc__)}"
        elif inspect.isfunction(member) or isinstance(member, classmethod):
            function: Any = getattr(member, "__func__", member)
            yield f"### `{name}{_signature(function)}`\n\n{markdown(function.__doc__)}"


def _component(provider: Provider) -> str:
    cls = provider.cls
    schema = cls.model_json_schema()
    parts = [
        f"# {cls.kind.capitalize()} `{cls.type_name()}`",
        _GENERATED,
        f"`{cls.__module__}.{cls.__name__}`, of the distribution {provider.origin.distribution}.",
        f"```text\n{_example(cls)}\n```",
        markdown(cls.__doc__),
        f"Terms of use: {cls.terms_of_use}." if cls.terms_of_use else "",
        "## Fields",
        _fields_table(schema),
    ]
    for title, definition in sorted(schema.get("$defs", {}).items()):
        if "properties" in definition:
            text = markdown(definition.get("description"))
            parts += [f"### {title}", text, _fields_table(definition)]
    return _page(*parts)


def _example(cls: type[Component]) -> str:
    """Return the YAML of a component with its required fields."""
    required = [name for name, field in cls.model_fields.items() if field.is_required()]
    mapping = ", ".join([f"type: {cls.type_name()}", *(f"{name}: ..." for name in required)])
    if cls.kind == "loader":
        return f"dataset: {{{mapping}}}"
    if cls.kind == "augmenter":
        return f"augment: [{{{mapping}}}]"
    return f"{cls.kind}s:\n  NAME: {{{mapping}}}"


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
    return _table("field, type, default, range, meaning", rows) if rows else "It has no fields."


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if field.get("type") == "object" and value == []:  # pairs, in a config a mapping
        value = {}
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
    if field.get("type") == "object":
        by_name = [field.get("additionalProperties"), *field.get("patternProperties", {}).values()]
        values = [value for value in by_name if isinstance(value, dict)]
        return f"mapping to {_type(values[0])}" if values else "object"
    return str(field.get("type", "any"))


def _range(field: Mapping[str, Any]) -> str:
    ranges = []
    for option in _options(field):
        bounds = [
            text.format(_plain(option[key])) for key, text in _RANGES.items() if key in option
        ]
        items = option.get("items")
        if isinstance(items, dict) and _range(items):
            bounds.append(f"each {_range(items)}")
        if bounds:
            ranges.append(", ".join(bounds))
    return "; ".join(dict.fromkeys(ranges))


def _plain(bound: Any) -> Any:
    """Return a bound in the form that all versions of pydantic share: 2 and not 2.0."""
    return f"{bound:.12g}" if isinstance(bound, float) else bound


def _errors() -> str:
    names = [name for name in vars(errors) if name.startswith("EXIT_")]
    codes = [(str(getattr(errors, name)), _MEANINGS[name]) for name in names]
    parts = ["# Errors and exit codes", _GENERATED, _PREAMBLE, _table("exit code, meaning", codes)]
    for cls in error_classes():
        base = "" if cls is AudioclfError else f" A `{cls.__bases__[0].__name__}`."
        parts += [
            f"## `{cls.__name__}`",
            f"Exit code {cls.exit_code}.{base}",
            markdown(cls.__doc__),
        ]
    return _page(*parts)


def _metrics() -> str:
    rows = [
        (
            f"`{name}`" + "".join(f", also `{alias}`" for alias in info.aliases),
            f"{info.low:g} to {info.high:g}".replace("inf", "infinity"),
            "lower" if info.lower_is_better else "greater",
            info.needs,
            "two only" if info.two_classes_only else "any",
            ", ".join(info.targets),
            f"`{info.scorer}`" if info.scorer else "",
        )
        for name, info in METRICS.items()
    ]
    columns = "metric, range, better, computed from, classes, targets, scorer in scikit-learn"
    return _page("# Metrics", _GENERATED, _METRICS_TEXT, _table(columns, rows))


def _commands() -> str:
    parts = ["# Commands", _GENERATED, _COMMANDS_TEXT]
    for name in command_names():
        command = LazyGroup().get_command(None, name)
        parts += _command(f"audioclf {name}", command)
        if lines := EXAMPLES.get(name):
            parts.append("\n".join(["```sh", *(f"audioclf {line}" for line in lines), "```"]))
        for inner_name, inner in sorted(getattr(command, "commands", {}).items()):
            parts += _command(f"audioclf {name} {inner_name}", inner)
    return _page(*parts)


def _command(name: str, command: Any) -> list[str]:
    parameters = [each for each in command.params if each.name != "help"]
    arguments = [] if hasattr(command, "commands") else command.collect_usage_pieces(None)[1:]
    parts = [
        f"## `{' '.join([name, *arguments])}`",
        markdown(command.help or command.callback.__doc__),
    ]
    if parameters:
        parts.append(_table("parameter, default, meaning", map(_parameter, parameters)))
    return parts


def _parameter(parameter: Any) -> tuple[str, str, str]:
    is_option = parameter.param_type_name == "option"
    name = ", ".join(
        f"`{each}`" for each in (parameter.opts if is_option else [argument_name(parameter)])
    )
    default = parameter.default
    has_default = default is not None and default is not False and default not in ([], ())
    text = f"`{getattr(default, 'value', default)}`" if has_default else ""
    meaning = " ".join((getattr(parameter, "help", "") or "").split())
    return name, "required" if parameter.required else text, meaning


def main() -> int:
    """Write all pages, and remove pages of components that no longer exist."""
    REFERENCE.mkdir(exist_ok=True)
    generated = pages()
    for path in REFERENCE.glob("*.md"):
        if path.name not in generated:
            path.unlink()
    for name, text in generated.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
    typer.echo(f"{len(generated)} pages in {REFERENCE.relative_to(REPO)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
