"""Folders of models, their names and the formats that are read."""

from __future__ import annotations

import re
from pathlib import Path

from audioclf.plugin import ConfigError, models_folder

HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})", re.ASCII)
"""`org/name@revision`, a model of Hugging Face at a commit."""

_PICKLES = ("*.bin", "*.pt", "*.ckpt", "*.h5", "*.msgpack")
"""Weights in formats that are not read; most can run code."""

CONVERT = (
    "Take a revision with model.safetensors: many models have it in a pull request on their page. "
    "Or convert a model that you trust with `AutoModel.from_pretrained(...).save_pretrained(...)`."
)


def folder_of(model: str, revision: str) -> Path:
    """Return the place of a fetched model."""
    return models_folder() / f"{model.replace('/', '--')}@{revision}"


def check_format(folder: Path) -> None:
    """Refuse a folder without a config, or with weights only in formats that are not read."""
    if not is_model(folder):
        raise ConfigError(f"{folder}: it has no config.json, so it is no model")
    if any(folder.glob("model*.safetensors")):
        return
    others = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if not others:
        raise ConfigError(f"{folder}: it has no model.safetensors", hint="Copy the whole model.")
    raise ConfigError(no_safetensors(str(folder), others[0]), hint=CONVERT)


def no_safetensors(model: str, other: str) -> str:
    """Return the message for a model whose weights are in another format."""
    return f"{model}: its weights are only in {other}, which is not read, since it can run code"


def is_model(folder: Path) -> bool:
    """Return whether a folder has the config of a model."""
    return (folder / "config.json").is_file()
