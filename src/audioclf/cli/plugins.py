"""`audioclf plugins`, with `show`, `check`, `doctor` and `new`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioclf.base.errors import EXIT_DATA, EXIT_USAGE, PluginError
from audioclf.cli.options import JsonOption, SetOption, StrictOption, load_registry, new_app
from audioclf.cli.terminal import format_table, json_text, say
from audioclf.components.component import KINDS, Component, Kind
from audioclf.components.registry import DISABLE_VARIABLE, PluginRecord, Provider, Registry, suggest

if TYPE_CHECKING:
    from audioclf.testing import Outcome

app = new_app()

NameArgument = Annotated[
    str, typer.Argument(help="A component, such as svm or classifier:svm.", show_default=False)
]


@app.callback(invoke_without_command=True)
def plugins(ctx: typer.Context, as_json: JsonOption = False, strict: StrictOption = False) -> None:
    """List, explain, check and create plugins."""
    if ctx.invoked_subcommand is not None:
        return
    from audioclf.components.discovery import discover

    registry = discover(strict=strict)
    if as_json:
        say(json_text([_record_data(record) for record in registry.plugins]))
    else:
        say(_overview(registry))


@app.command()
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Explain a component: its fields, their defaults and meanings."""
    providers = _find(load_registry(), name)
    if as_json:
        say(json_text([provider.cls.model_json_schema() for provider in providers]))
    else:
        say("\n\n".join(_explain(provider) for provider in providers))


@app.command()
def check(
    name: NameArgument,
    overrides: SetOption = [],  # noqa: B006  typer copies it
    as_json: JsonOption = False,
) -> None:
    """Check that a component keeps the contract of its kind, as its author's tests do."""
    from audioclf.cli.component_fields import make_component
    from audioclf.testing import run_checks

    registry = load_registry()
    components = [(p, make_component(p.cls, overrides, registry)) for p in _find(registry, name)]
    tell = (lambda text: None) if as_json else say
    data = []
    for provider, component in components:
        outcomes: list[Outcome] = []
        tell(f"{_qualified(provider.cls)}  from {provider.origin}")
        for outcome in _quietly(run_checks(component)):
            outcomes.append(outcome)
            tell(_line(outcome))
        data.append(_check_data(provider, outcomes))
        tell(_tally(outcomes))
    if as_json:
        say(json_text(data))
    sys.exit(0 if all(checked["ok"] for checked in data) else EXIT_DATA)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """List plugins that are broken, outdated, clashing or disabled, with a remedy for each."""
    from audioclf.components.discovery import discover
    from audioclf.components.doctor import diagnose

    registry = discover()
    diagnoses = diagnose(registry, os.environ.get(DISABLE_VARIABLE, ""))
    harmful = [item for item in diagnoses if not item.is_harmless]
    if as_json:
        say(json_text([asdict(item) for item in diagnoses]))
    else:
        for item in diagnoses:
            say(f"{item.state:<9} {item.plugin}: {item.reason}.\n{'':<9} {item.advice}.")
        plugins = f"{len(registry.plugins)} plugin{'s' * (len(registry.plugins) != 1)}"
        say(f"{plugins}, {f'{len(harmful)} to be fixed' if harmful else 'all work'}")
    sys.exit(EXIT_USAGE if harmful else 0)


@app.command()
def new(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), show_default=False)],
    name: Annotated[
        str, typer.Argument(help="What a config calls the component.", show_default=False)
    ],
    folder: Annotated[
        Path, typer.Option("--dir", help="Where the folder audioclf-NAME is made.")
    ] = Path(),
    add: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Add the component to the plugin in this folder."),
    ] = None,
) -> None:
    """Write a plugin with one working component and its tests, as a start."""
    from audioclf.starters.plugin_template import add_component, new_plugin

    if add is None:
        target = new_plugin(_kind(kind), name, folder, registry=load_registry())
        files = sorted(path for path in target.rglob("*") if path.is_file())
    else:
        target, files = add, add_component(_kind(kind), name, add, registry=load_registry())
    say("\n".join(map(str, files)))
    say(f"\nNext: cd {target} && pip install -e '.[test]' && pytest")


def _quietly(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Yield each outcome; what a component prints meanwhile is not among the results."""
    from audioclf.testing.capture import captured_stdout

    while True:
        try:
            with captured_stdout():
                outcome = next(outcomes, None)
        except ValueError as exc:  # the component announces a failure of an unknown check
            raise PluginError(str(exc)) from exc
        if outcome is None:
            return
        yield outcome


def _kind(word: str) -> Kind:
    for kind in KINDS:
        if kind == word:
            return kind
    hint = suggest(word, KINDS) or f"Kinds are {', '.join(KINDS)}."
    raise PluginError(f"no kind of component is called {word!r}.", hint=hint)


def _qualified(cls: type[Component]) -> str:
    return f"{cls.kind}:{cls.type_name()}"


def _line(outcome: Outcome) -> str:
    status = "FAILED" if outcome.status == "failed" else outcome.status
    message = f": {outcome.message}" if outcome.message else ""
    return f"  {status:<8}  {outcome.name}{message}"


def _check_data(provider: Provider, outcomes: list[Outcome]) -> dict[str, Any]:
    checks = [
        {"name": o.name, "promise": o.promise, "status": o.status, "message": o.message}
        for o in outcomes
    ]
    return {
        "component": _qualified(provider.cls),
        "from": str(provider.origin),
        "ok": all(outcome.status != "failed" for outcome in outcomes),
        "checks": checks,
    }


def _tally(outcomes: list[Outcome]) -> str:
    words = {"ok": "ok", "failed": "failed", "expected": "expected to fail", "skipped": "skipped"}
    counts = {word: sum(o.status == status for o in outcomes) for status, word in words.items()}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    return f"{len(outcomes)} checks: {', '.join(parts)}"


def _record_data(record: PluginRecord) -> dict[str, Any]:
    return {
        "distribution": record.origin.distribution,
        "version": record.origin.version,
        "entry_point": record.origin.entry_point,
        "status": record.status,
        "reason": record.reason,
        "components": [_qualified(cls) for cls in record.components],
        "notify": record.run_finished is not None,
        "decodes": list(record.decodes),
    }


def _notify_hint(record: PluginRecord) -> str:
    if record.decodes:
        return f"decodes {' '.join(record.decodes)}"
    can = record.run_finished is not None
    return f"--notify {record.origin.entry_point} notifies it of a run" if can else ""


def _overview(registry: Registry) -> str:
    plugin_rows = [
        (str(record.origin), record.status, record.reason or _notify_hint(record))
        for record in registry.plugins
    ]
    component_rows = [
        (kind, provider.cls.type_name(), str(provider.origin.distribution), provider.cls.summary())
        for kind in KINDS
        for provider in registry.providers(kind)
    ]
    return "\n\n".join(
        [
            format_table(("plugin", "status", "reason"), plugin_rows),
            format_table(("kind", "type", "from", "summary"), component_rows),
        ]
    )


def _find(registry: Registry, name: str) -> list[Provider]:
    wanted_kind, _, wanted = name.rpartition(":")
    every = [provider for kind in KINDS for provider in registry.providers(kind)]
    providers = [
        provider
        for provider in every
        if provider.cls.type_name() == wanted and provider.cls.kind.startswith(wanted_kind)
    ]
    if not providers:
        known = sorted(provider.cls.type_name() for provider in every)
        hint = suggest(wanted, known) or f"Installed are: {', '.join(known)}."
        raise PluginError(f"no component is called {name!r}.", hint=hint)
    return providers


def _explain(provider: Provider) -> str:
    cls = provider.cls
    doc = "\n".join(line.strip() for line in (cls.__doc__ or "").strip().splitlines())
    fields = format_table(("field", "type", "default", "meaning"), _field_rows(cls))
    terms = [f"Terms of use: {cls.terms_of_use}"] if cls.terms_of_use else []
    parts = [f"{_qualified(cls)}  from {provider.origin}", doc, *terms, fields, *_weights(cls)]
    return "\n\n".join(parts)


def _weights(cls: type[Component]) -> Iterator[str]:
    """Yield the table of the weights that a featurizer reads by default."""
    from pydantic import ValidationError

    from audioclf.components.pinned import weights_inside

    try:
        rows = [
            (item.name, str(item.size), item.license or "unknown", item.sha256)
            for _, item in weights_inside(cls())
        ]
    except ValidationError:  # the weights are in a field without default
        return
    except Exception as exc:  # noqa: BLE001  foreign code; a missing package is no reason to fail
        yield str(getattr(exc, "message", exc))
        return
    if rows:
        yield format_table(("weights", "bytes", "licence", "sha256"), rows)


def _field_rows(cls: type[Component]) -> list[tuple[str, str, str, str]]:
    rows = []
    properties = cls.model_json_schema()["properties"]
    for name, field in cls.model_fields.items():
        default = "required" if field.is_required() else _shown(field.default)
        meaning = " ".join((field.description or "").split())
        if name != "type":
            rows.append((name, _type_words(properties[name]), default, meaning))
    return rows


def _shown(default: object) -> str:
    text = (
        default.model_dump_json()
        if hasattr(default, "model_dump_json")
        else json.dumps(default, default=str)
    )
    return text if len(text) <= 30 else "see --json"


def _type_words(schema: dict[str, Any]) -> str:
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " | ".join(dict.fromkeys(_type_words(option) for option in options))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    return str(schema.get("type", "any"))
