"""`audioclf schema`."""

from __future__ import annotations

from audioclf.cli.options import load_registry
from audioclf.cli.terminal import json_text, say


def schema() -> None:
    """Print the JSON schema of configs, for editors."""
    registry = load_registry()
    from audioclf.config.schema import config_schema

    say(json_text(config_schema(registry)))
