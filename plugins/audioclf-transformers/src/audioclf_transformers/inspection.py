"""Description of a model with the config that uses it, for `audioclf weights`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from audioclf.plugin import Embedding

_SECONDS = 10.0
"""Length of the noise on which a model is tried."""
_MANY_FRAMES = 20
"""Frames a second above which an average is proposed."""


def describe(
    model: Path | str, make: Callable[[dict[str, Any]], Embedding], terms: str = ""
) -> str:
    """Return what a model is, the digests of its files, the result of a trial, and the YAML.

    Raises `ConfigError` or `FeatureError` if the model cannot be used.
    """
    fields: dict[str, Any] = {"type": "transformers", "model": str(model)}
    featurizer = make(fields)
    (weights,) = featurizer.weight_files()
    contents = weights.read_folder()
    rate = featurizer.model_rate()
    noise = np.random.default_rng(0).normal(0.0, 0.1, round(_SECONDS * rate)).astype(np.float32)
    n_bins, n_frames = featurizer.extract(noise, rate).shape
    fields |= {"sha256": weights.sha256, "license": terms}
    if n_frames > _MANY_FRAMES * _SECONDS:
        fields["average"] = 10
    lines = [
        ("folder", str(weights.path)),
        *(
            (name, f"{hashlib.sha256(content).hexdigest()}, {len(content):,} bytes")
            for name, content in contents.items()
        ),
        ("sha256", f"{weights.sha256}, of all these files"),
        ("model_type", json.loads(contents["config.json"])["model_type"]),
        ("rate", f"{rate} Hz"),
        ("features", f"{n_bins} in {n_frames} frames of {_SECONDS:g} s of noise"),
        ("licence", terms or "look it up on the page of the model"),
    ]
    width = max(len(name) for name, _ in lines) + 2
    facts = "\n".join(f"{name:{width}}{text}" for name, text in lines)
    return f"{facts}\n\n{_yaml(fields, rate)}"


def _yaml(fields: dict[str, Any], rate: int) -> str:
    lines = [f"audio: {{sr: {rate}}}", "featurizers:", "  embedding:"]
    for name, value in fields.items():
        text = json.dumps(value) if name in ("model", "license") else value
        lines.append(f"    {name}: {text}")
    return "\n".join(lines)
