"""The JSON schema of configs, with the components of all installed plugins."""

from __future__ import annotations

import contextlib
from typing import Any

from audioclf.base.errors import PluginError
from audioclf.components.component import KINDS
from audioclf.components.fields import COMPONENT_KEY
from audioclf.components.registry import Registry
from audioclf.config.run_config import RunConfig


def config_schema(registry: Registry) -> dict[str, Any]:
    """Return the JSON schema of configs; names provided by two plugins are left out."""
    schema = RunConfig.model_json_schema()
    definitions = schema.setdefault("$defs", {})
    for kind in KINDS:
        choices = []
        for type_name in registry.types(kind):
            with contextlib.suppress(PluginError):
                component = registry.resolve(kind, type_name).model_json_schema()
                definitions.update(component.pop("$defs", {}))
                component["required"] = ["type", *component.get("required", [])]
                definitions[f"{kind}_{type_name}"] = component
                choices.append({"$ref": f"#/$defs/{kind}_{type_name}"})
        definitions[f"any_{kind}"] = {"oneOf": choices}
    filled: dict[str, Any] = _with_references(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **filled}


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    kind = node.get(COMPONENT_KEY)
    rest = {key: _with_references(value) for key, value in node.items() if key != COMPONENT_KEY}
    return rest if kind is None else {**rest, "$ref": f"#/$defs/any_{kind}"}
