"""`audioclf weights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audioclf.cli.options import load_registry, new_app
from audioclf.cli.terminal import say

app = new_app()


@app.callback()
def weights() -> None:
    """Describe a file of a pre-trained model, with the YAML that uses it."""


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="A file, such as model.onnx.", show_default=False)],
) -> None:
    """Print what a file of weights holds, its digest, and the YAML of a featurizer that uses it.

    The plugin for files of this kind opens the file and tries it on noise.
    """
    from audioclf.base.errors import ConfigError, PluginError
    from audioclf.components.featurizer import Featurizer
    from audioclf.components.guard import guard

    if not file.exists():
        raise ConfigError(f"no such file: {file}")
    for provider in load_registry().providers("featurizer"):
        if issubclass(provider.cls, Featurizer):
            where = f"{provider.cls.type_name()}, {provider.origin}"
            with guard(where, PluginError, known=lambda exc: exc):
                text = provider.cls.describe_weights(file)
            if text is not None:
                say(text)
                return
    raise ConfigError(
        f"no installed featurizer reads {file}",
        hint="Files of ONNX models (*.onnx) need the plugin audioclf-onnx.",
    )
