"""`audioclf schema`."""

from __future__ import annotations

import json

from audioclf.cli.options import load_registry, single_command
from audioclf.cli.terminal import say

app = single_command()


@app.command()
def schema() -> None:
    """Print the JSON schema of configs, for editors."""
    registry = load_registry()
    from audioclf.config.schema import config_schema

    say(json.dumps(config_schema(registry), indent=2))
