"""A model, opened from compared bytes; no file of it names code to import."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from audioclf.plugin import FeatureError

if TYPE_CHECKING:
    from audioclf.plugin import Weights
    from audioclf_transformers.families import Family

_ONE_AT_A_TIME = threading.Lock()
_UNUSED = {"masked_spec_embed"}
"""Weights that only training needs."""


def open_model(weights: Weights) -> Family:
    """Open a model; its bytes are compared with the digest before they are parsed.

    Raises `ConfigError` if the digest is another one, `FeatureError` if it is no usable model.
    """
    with _ONE_AT_A_TIME:
        return _opened(weights)


@lru_cache(maxsize=4)
def _opened(weights: Weights) -> Family:
    contents, name = weights.read_folder(), weights.name
    config = _parsed(contents, "config.json", name)
    settings = _settings(contents, name)
    rate = settings.get("sampling_rate")
    if not isinstance(rate, int) or not 1_000 <= rate <= 768_000:
        raise FeatureError(
            f"{name} does not say the sample rate that it expects",
            hint="Copy preprocessor_config.json, with `sampling_rate`, beside config.json.",
        )
    from audioclf_transformers.families import FAMILIES

    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        raise FeatureError(
            f"{name} is of the type {config.get('model_type')!r}, which is not supported",
            hint=f"Use a model of one of the types {', '.join(FAMILIES)}, or export it to ONNX.",
        )
    try:
        return family(name, rate, _network(family, config, contents, name), settings)
    except FeatureError:
        raise
    except Exception as exc:  # of Transformers, PyTorch and safetensors, for any wrong value
        reason = " ".join(str(exc).split())[:300]
        raise FeatureError(f"{name} cannot be opened: {reason}") from exc


def _parsed(contents: Mapping[str, bytes], file: str, name: str) -> dict[str, Any]:
    try:
        data = json.loads(contents.get(file, b"{}"))
    except ValueError as exc:
        raise FeatureError(f"{file} of {name} is no JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise FeatureError(f"{file} of {name} is no mapping")
    return data


def _settings(contents: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """Return the settings of the input, which newer models have inside those of a processor."""
    if "preprocessor_config.json" in contents:
        return _parsed(contents, "preprocessor_config.json", name)
    inner = _parsed(contents, "processor_config.json", name).get("feature_extractor")
    return inner if isinstance(inner, dict) else {}


def _network(
    family: type[Family], config: dict[str, Any], contents: Mapping[str, bytes], name: str
) -> Any:
    """Return the network with its weights, ready to be called; each has to be in the files."""
    from safetensors.torch import load
    from torch import float32

    module, _, class_name = family.architecture.partition(":")
    cls: Any = getattr(import_module(f"transformers.models.{module}"), class_name)
    files = [file for file in contents if file.endswith(".safetensors")]
    if "model.safetensors" in files:
        files = ["model.safetensors"]
    tensors = {key: value for file in files for key, value in load(contents[file]).items()}
    with _quiet():
        # Without the name of a model, only the given config and tensors are read.
        network, report = cls.from_pretrained(
            None,
            config=_config(cls.config_class, config.get("audio_config", config)),
            state_dict=family.own_tensors(tensors),
            dtype=float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    if missing := sorted(set(report["missing_keys"]) - _UNUSED):
        raise FeatureError(
            f"{name} lacks {len(missing)} of the weights of a {class_name}, such as {missing[0]}"
        )
    return network.eval().requires_grad_(False)


def _config(cls: Any, data: Mapping[str, Any]) -> Any:
    """Return a config with the sizes and options of a file.

    Keys that name code, kernels, or ways to load weights are not among them.
    """
    options = cls().to_dict().keys() - {"dtype", "architectures", "transformers_version"}
    return cls(**{key: data[key] for key in options if key in data and not key.startswith("_")})


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress bars and reports of Transformers."""
    from transformers.utils import logging

    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()
