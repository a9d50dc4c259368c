"""`audioclf plugins`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from audioclf.cli.common import JsonOption, StrictOption, load_registry, single_command
from audioclf.cli.output import format_table, say
from audioclf.components import KINDS, Component
from audioclf.errors import PluginError
from audioclf.registry import PluginRecord, Provider, Registry, suggest

app = single_command()


@app.callback(invoke_without_command=True)
def plugins(
    ctx: typer.Context,
    as_json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """List what is installed, from where, and what is broken."""
    if ctx.invoked_subcommand is not None:
        return
    from audioclf.discovery import discover

    registry = discover(strict=strict)
    if as_json:
        say(json.dumps([_record_data(record) for record in registry.plugins], indent=2))
    else:
        say(_overview(registry))


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(help="A component, such as svm or classifier:svm.", show_default=False),
    ],
    as_json: JsonOption = False,
) -> None:
    """Explain a component: its fields, their defaults and meanings."""
    found = _find(load_registry(), name)
    if as_json:
        say(json.dumps([provider.cls.model_json_schema() for provider in found], indent=2))
    else:
        say("\n\n".join(_explain(provider) for provider in found))


def _record_data(record: PluginRecord) -> dict[str, Any]:
    return {
        "distribution": record.origin.distribution,
        "version": record.origin.version,
        "entry_point": record.origin.entry_point,
        "status": record.status,
        "reason": record.reason,
        "components": [f"{cls.kind}:{cls.type_name()}" for cls in record.components],
    }


def _overview(registry: Registry) -> str:
    plugin_rows = [
        (str(record.origin), record.status, record.reason) for record in registry.plugins
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
    found = [
        provider
        for provider in every
        if provider.cls.type_name() == wanted and provider.cls.kind.startswith(wanted_kind)
    ]
    if not found:
        known = sorted(provider.cls.type_name() for provider in every)
        hint = suggest(wanted, known) or f"Installed are: {', '.join(known)}."
        raise PluginError(f"no component is called {name!r}.", hint=hint)
    return found


def _explain(provider: Provider) -> str:
    cls = provider.cls
    doc = "\n".join(line.strip() for line in (cls.__doc__ or "").strip().splitlines())
    fields = format_table(("field", "type", "default", "meaning"), _field_rows(cls))
    return f"{cls.kind}:{cls.type_name()}  from {provider.origin}\n\n{doc}\n\n{fields}"


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
    text = default.model_dump_json() if hasattr(default, "model_dump_json") else json.dumps(default)
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
