"""`audioclf weights`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.cli.options import load_registry, new_app
from audioclf.cli.terminal import say

if TYPE_CHECKING:
    from audioclf.components.featurizer import Featurizer

app = new_app()


@app.callback()
def weights() -> None:
    """Describe or download a pre-trained model, with the YAML that uses it."""


@app.command()
def inspect(
    file: Annotated[
        Path, typer.Argument(help="A file or folder, such as model.onnx.", show_default=False)
    ],
) -> None:
    """Print what a file of weights holds, its digest, and the YAML of a featurizer that uses it.

    The plugin for files of this kind opens the file and tries it on noise.
    """
    from audioclf.base.errors import ConfigError

    if not file.exists():
        raise ConfigError(f"no such file: {file}")
    _say_first(
        lambda cls: cls.describe_weights(file),
        ConfigError(
            f"no installed featurizer reads {file}",
            hint="Files of ONNX models (*.onnx) need the plugin audioclf-onnx, folders with a "
            "config.json audioclf-transformers.",
        ),
    )


@app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ORG/NAME@REVISION",
            help="A model of Hugging Face with the hash of a commit, 40 hexadecimal digits.",
            show_default=False,
        ),
    ],
) -> None:
    """Download a model into the folder of models; print its digests and the YAML that uses it.

    No other command downloads weights. Only config.json, preprocessor_config.json and
    model.safetensors are taken. The folder is that of AUDIOCLF_MODELS_DIR, or a default.
    """
    from audioclf.base.errors import ConfigError

    _say_first(
        lambda cls: cls.fetch_weights(name),
        ConfigError(
            f"no installed featurizer downloads {name}",
            hint="Models of Hugging Face, such as org/name@revision, need the plugin "
            "audioclf-transformers.",
        ),
    )


def _say_first(call: Callable[[type[Featurizer]], str | None], otherwise: Exception) -> None:
    """Print the first text that an installed featurizer returns."""
    from audioclf.base.errors import PluginError
    from audioclf.components.featurizer import Featurizer
    from audioclf.components.guard import guard

    for provider in load_registry().providers("featurizer"):
        if issubclass(provider.cls, Featurizer):
            where = f"{provider.cls.type_name()}, {provider.origin}"
            with guard(where, PluginError, known=lambda exc: exc):
                text = call(provider.cls)
            if text is not None:
                say(text)
                return
    raise otherwise
