"""Featurizers and poolings as ONNX graphs give the numbers of `extract` and `pool`."""

from typing import Any

import numpy as np
import pytest

from audioclf.components.onnx_graph import NotInOnnxError, OnnxGraph
from audioclf.models.onnx.sound import featurizer_session
from audioclf.plugin import Featurizer
from tests.models.making import registry

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SR = 8000
SMALL: dict[str, Any] = {"n_fft": 256, "hop_length": 64}
FRAMES: dict[str, Any] = {"type": "flatten", "pad": -3.0}
EVERYTHING: dict[str, Any] = {"type": "stats", "segment_statistics": ["mean", "std"]}
MAX_FRAMES = 90


def featurizer(type_name: str, **fields: Any) -> Featurizer:
    built = registry().build("featurizer", {"type": type_name, **fields}, {})
    assert isinstance(built, Featurizer)
    return built


def sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    t = np.arange(SR) / SR
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) * (t > 0.3) * (t < 0.7)
    made = {
        "noise": rng.normal(0, 0.1, 5000),
        "tone between silences": tone + 1e-5 * rng.normal(size=SR),
        "silence": np.zeros(3000),
        "clipped": rng.normal(0, 2, 4000).clip(-1, 1),
        "short": rng.normal(0, 0.1, 150),
    }
    return {name: y.astype(np.float32) for name, y in made.items()}


@pytest.mark.parametrize(
    ("type_name", "fields"),
    [
        ("mel", {**SMALL, "n_mels": 20}),
        ("mel", {**SMALL, "n_mels": 20, "pooling": FRAMES}),
        ("mel", {**SMALL, "n_mels": 20, "pooling": {**EVERYTHING, "segments": 40}}),
        ("mel", {**SMALL, "n_mels": 20, "pooling": {**EVERYTHING, "deltas": True}}),
        ("mel", {**SMALL, "n_mels": 20, "db": {"ref": "max", "top_db": 40, "amin": 1e-6}}),
        ("mel", {**SMALL, "n_mels": 20, "db": {"ref": 0.5, "top_db": None}, "htk": True}),
        ("mel", {**SMALL, "n_mels": 20, "power": 1.0, "fmin": 100, "fmax": 3000, "warp": 1.1}),
        ("mel", {**SMALL, "n_mels": 20, "n_fft": 300, "win_length": 200, "pad_mode": "edge"}),
        ("mel", {**SMALL, "n_mels": 20, "n_fft": 100, "center": False, "window": "hamming"}),
        ("mel", {**SMALL, "n_mels": 20, "normalize": "mean", "trim_silence": {"top_db": 20}}),
        ("mel", {**SMALL, "n_mels": 20, "normalize": "mean_variance", "n_steps": 30}),
        ("stft", SMALL),
        ("stft", {**SMALL, "db": None, "power": 2.0, "pad_mode": "reflect"}),
        ("mfcc", {**SMALL, "n_mels": 30}),
        ("chroma", {**SMALL, "tuning": 0.1}),
        ("chroma", {**SMALL, "tuning": 0.0, "norm": 2.0, "base_c": False, "pooling": FRAMES}),
        ("chroma", {**SMALL, "tuning": 0.0, "norm": None}),
        ("mfcc", {**SMALL, "n_mels": 30, "deltas": 2, "lifter": 22}),
        ("mfcc", {**SMALL, "n_mels": 30, "dct_type": 3, "norm": None, "pooling": FRAMES}),
        (
            "concat",
            {
                "parts": {
                    "mel": {"type": "mel", **SMALL, "n_mels": 10},
                    "mfcc": {
                        "type": "mfcc",
                        **SMALL,
                        "n_mels": 30,
                        "n_steps": 7,
                        "pooling": FRAMES,
                    },
                }
            },
        ),
    ],
)
def test_the_graph_gives_the_row_of_each_sound(type_name: str, fields: dict[str, Any]) -> None:
    component = featurizer(type_name, **fields)
    session = featurizer_session(component, SR, MAX_FRAMES)
    for name, y in sounds().items():
        expected = component.pooling.pool(component.extract(y, SR), MAX_FRAMES)
        (got,) = session.run(None, {"waveform": y})
        assert got.shape == expected.shape, name
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got, expected, atol=5e-4 * scale, err_msg=name)


@pytest.mark.parametrize(
    ("type_name", "fields", "message"),
    [
        ("mel", {"pcen": {}, "db": None}, "`pcen` has no form in ONNX"),
        ("mel", {"pad_mode": "symmetric"}, "pad_mode: symmetric has no form in ONNX"),
        ("chroma", {}, "chroma cannot estimate the tuning in ONNX; train with tuning: 0"),
        ("cqt", {}, "the featurizer cqt has no form in ONNX"),
    ],
)
def test_what_has_no_form_is_named(type_name: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(NotInOnnxError, match=message):
        featurizer(type_name, **fields).to_onnx(OnnxGraph(), "waveform", SR)
