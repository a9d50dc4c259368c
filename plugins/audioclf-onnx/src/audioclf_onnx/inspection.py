"""Description of an ONNX file, with the config that uses it, for `audioclf weights inspect`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.plugin import AudioclfError, Embedding, Weights
from audioclf_onnx.session import Session, Tensor, open_session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RATE_KEYS = ("sample_rate", "sampling_rate", "samplerate", "sr")
_USUAL_RATE = 16_000
_LONGEST = 10.0
"""Seconds of noise on which a model is tried."""


def describe(path: Path, make: Callable[[dict[str, Any]], Embedding]) -> str:
    """Return what is in an ONNX file, the result of a trial, and the YAML to paste.

    `make` returns the featurizer of a config. Raises `ConfigError` or `FeatureError` if the file
    cannot be read or is no model in one file.
    """
    weights = Weights.of(path)
    session = open_session(weights)
    rate = _rate(session.metadata)
    fields = _fields(weights, session, rate)
    lines = [
        ("file", f"{path}, {weights.size:,} bytes"),
        ("sha256", weights.sha256),
        *(("input", str(tensor)) for tensor in session.inputs),
        *(("output", str(tensor)) for tensor in session.outputs),
        *((f"says {key}", value[:60]) for key, value in sorted(session.metadata.items())),
        ("rate", f"{rate} Hz, as the file says" if rate else "the file does not say"),
        ("quantized", ", ".join(session.quantized) or "no"),
        *_trial(fields, make),
    ]
    width = max(len(name) for name, _ in lines) + 2
    facts = "\n".join(f"{name:{width}}{text}" for name, text in lines)
    return f"{facts}\n\n{_yaml(fields, session, rate)}" if fields else facts


def _rate(metadata: Mapping[str, str]) -> int | None:
    plain = {key.lower().rpartition(".")[2]: value for key, value in metadata.items()}
    values = [plain[key] for key in _RATE_KEYS if plain.get(key, "").isdecimal()]
    return int(values[0]) if values else None


def _fields(weights: Weights, session: Session, rate: int | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "path": str(weights.path),
        "sha256": weights.sha256,
        "sr": rate or _USUAL_RATE,
    }
    masks = [tensor.name for tensor in session.inputs if _is_mask(tensor)]
    (name, *_) = _others(session, masks)
    if masks:
        fields |= {"input": name, "ones": masks}
    if len(session.outputs) > 1:
        fields["output"] = session.outputs[0].name
    samples = next(tensor.shape for tensor in session.inputs if tensor.name == name)[-1:]
    if samples and isinstance(samples[0], int) and samples[0] > 0:
        fields["window"] = samples[0] / fields["sr"]
    return fields


def _is_mask(tensor: Tensor) -> bool:
    return "mask" in tensor.name.lower() or "int" in tensor.type


def _others(session: Session, masks: list[str]) -> list[str]:
    names = [tensor.name for tensor in session.inputs]
    return [name for name in names if name not in masks] or names


def _trial(
    fields: dict[str, Any], make: Callable[[dict[str, Any]], Embedding]
) -> Iterator[tuple[str, str]]:
    """Yield the shape of the features of noise and the least length; the latter becomes a field.

    If the model cannot be used, the fields are emptied.
    """
    import numpy as np

    featurizer, sr = make(fields), fields["sr"]
    noise = np.random.default_rng(0).normal(0.0, 0.1, round(_LONGEST * sr))
    sound = noise.astype(np.float32)
    try:
        n_bins, n_frames = featurizer.extract(sound, sr).shape
    except AudioclfError as exc:
        yield "cannot be used", exc.message
        if exc.hint:
            yield "hint", exc.hint
        fields.clear()
        return
    yield "features", f"{n_bins} in {n_frames} frames of {_LONGEST:g} s of noise"
    if "window" not in fields:
        least = _least(featurizer, sound, sr) / sr
        yield "least length", f"{least:.3g} s, by trial"
        fields["min_seconds"] = float(f"{least * 1.005:.3g}")


def _least(featurizer: Embedding, sound: NDArray[np.float32], sr: int) -> int:
    """Return the fewest samples that the model takes, by bisection."""
    low, high = 0, len(sound)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            featurizer.extract(sound[:middle], sr)
        except AudioclfError:
            low = middle
        else:
            high = middle
    return high


def _yaml(fields: dict[str, Any], session: Session, rate: int | None) -> str:
    remarks = {
        "sr": "" if rate else "  # a guess: look it up, since a wrong rate is not noticed",
        "output": f"  # or {', '.join(each.name for each in session.outputs[1:])}",
    }
    lines = ["featurizers:", "  embedding:", "    type: onnx"]
    for name, value in fields.items():
        text = json.dumps(value) if isinstance(value, str | list) else value
        lines.append(f"    {name}: {text}{remarks.get(name, '')}")
    lines.append('    license: ""  # of the weights, for the record')
    return "\n".join(lines)
