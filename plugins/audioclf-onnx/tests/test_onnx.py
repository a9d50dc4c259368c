"""`onnx`: which models it takes, how it calls them, and what it refuses."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import audioclf_onnx
from audioclf.audio.settings import AudioConfig
from audioclf.components.discovery import discover, provided_by
from audioclf.components.registry import Origin, PluginRecord, Registry
from audioclf.config.loading import config_of
from audioclf.features.worker import plan_featurizer
from audioclf.models.onnx.names import WAVEFORM
from audioclf.models.onnx.sound import featurizer_session
from audioclf.plugin import ConfigError, FeatureError, NotInOnnxError, OnnxGraph
from audioclf.testing import Check, parametrize_with_checks
from audioclf_onnx import Onnx

onnx = pytest.importorskip("onnx", reason="the tests make models with onnx")
helper, FLOAT, INT64 = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64

SR = 8000
Y = np.random.default_rng(0).normal(0.0, 0.1, SR).astype(np.float32)


def node(kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, outputs, **attributes)


def constant(name: str, values: Any) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: dict[str, list[Any]],
    constants: Sequence[Any] = (),
) -> Path:
    """Write a model; a mapping has the type and shape of each input, and the shape of an output."""
    graph = helper.make_graph(
        nodes,
        "tests",
        [helper.make_tensor_value_info(name, *value) for name, value in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def blocks(path: Path, batch: Any = "batch", samples: Any = "samples", size: int = 100) -> Path:
    """Write a model whose frames are blocks of `size` samples."""
    return save(
        path,
        [node("Reshape", ["x", "shape"], "frames")],
        {"x": (FLOAT, [batch, samples])},
        {"frames": [1, "frames", size]},
        [constant("shape", [1, -1, size])],
    )


def vector(path: Path, fixed: int | None = None) -> Path:
    """Write a model from a waveform of rank 1 to its mean and maximum, and its sum."""
    nodes = [
        node("ReduceMean", ["x"], "mean", axes=[0], keepdims=1),
        node("ReduceMax", ["x"], "max", axes=[0], keepdims=1),
        node("Concat", ["mean", "max"], "both", axis=0),
        node("ReduceMean", ["x"], "other", axes=[0], keepdims=1),
    ]
    return save(path, nodes, {"x": (FLOAT, [fixed or "n"])}, {"both": [2], "other": [1]})


def masked(path: Path) -> Path:
    """Write a model with an attention mask, which it multiplies."""
    nodes = [
        node("Cast", ["mask"], "factor", to=FLOAT),
        node("Mul", ["x", "factor"], "product"),
        node("Reshape", ["product", "shape"], "frames"),
    ]
    inputs = {"x": (FLOAT, [1, "n"]), "mask": (INT64, [1, "n"])}
    return save(path, nodes, inputs, {"frames": [1, "t", 100]}, [constant("shape", [1, -1, 100])])


MODEL = vector(Path(tempfile.mkdtemp(prefix="audioclf-onnx-")) / "m.onnx")
"""The checks need a component before there is a fixture."""


@parametrize_with_checks(
    [
        Onnx(path=MODEL, sr=SR, output="both"),
        Onnx(path=MODEL, sr=SR, output="both", window=0.1, hop=0.05, average=2),
    ]
)
def test_it_keeps_the_promises_of_all_featurizers(component: Onnx, check: Check) -> None:
    check(component)


@pytest.mark.parametrize("batch", [1, "batch", None])
def test_frames_of_a_batch_of_one_are_the_features(tmp_path: Path, batch: Any) -> None:
    featurizer = Onnx(path=blocks(tmp_path / "m.onnx", batch), sr=SR)
    np.testing.assert_array_equal(featurizer.extract(Y, SR), Y.reshape(-1, 100).T)


@pytest.mark.parametrize(("shape", "frames"), [((1, 100, "t"), None), ((1, "a", "b"), "last")])
def test_frames_on_the_last_axis_are_declared_or_set(
    tmp_path: Path, shape: tuple[Any, ...], frames: Any
) -> None:
    path = save(
        tmp_path / "m.onnx",
        [node("Reshape", ["x", "shape"], "y")],
        {"x": (FLOAT, [1, "n"])},
        {"y": list(shape)},
        [constant("shape", [1, 100, -1])],
    )
    featurizer = Onnx(path=path, sr=SR, frames=frames)
    np.testing.assert_array_equal(featurizer.extract(Y, SR), Y.reshape(100, -1))


def test_a_vector_is_one_frame_and_the_output_is_chosen(tmp_path: Path) -> None:
    featurizer = Onnx(path=vector(tmp_path / "m.onnx"), sr=SR, output="both", scale=2.0)
    expected = [[2 * Y.mean()], [2 * Y.max()]]
    np.testing.assert_allclose(featurizer.extract(Y, SR), expected, rtol=1e-4, atol=1e-7)


def test_other_inputs_get_ones(tmp_path: Path) -> None:
    featurizer = Onnx(path=masked(tmp_path / "m.onnx"), sr=SR, input="x", ones=("mask",))
    np.testing.assert_array_equal(featurizer.extract(Y, SR), Y.reshape(-1, 100).T)


def test_a_normalized_clip_has_mean_0_and_variance_1(tmp_path: Path) -> None:
    featurizer = Onnx(path=blocks(tmp_path / "m.onnx"), sr=SR, normalize=True, pad=0.1)
    sound = featurizer.extract(3 * Y + 1, SR).T.ravel()[800:-800]
    assert (sound.mean(), sound.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-4))


@pytest.mark.parametrize(("hop", "n_frames"), [(None, 3), (0.2, 4), (0.4, 3)])
def test_the_fewest_windows_cover_a_clip(tmp_path: Path, hop: float | None, n_frames: int) -> None:
    path = blocks(tmp_path / "m.onnx", 1, 3200, 3200)
    features = Onnx(path=path, sr=SR, window=0.4, hop=hop).extract(Y, SR)
    assert features.shape == (3200, n_frames)
    step = round((hop or 0.4) * SR)
    padded = np.pad(Y, (0, 3200))
    for index, window in enumerate(features.T):
        np.testing.assert_array_equal(window, padded[index * step : index * step + 3200])


def broken(path: Path) -> Path:
    path.write_bytes(b"no model")
    return path


def external(path: Path) -> Path:
    model = onnx.load(blocks(path))
    onnx.external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    onnx.save(model, path)
    return path


def spectrogram(path: Path, shape: Sequence[Any] = (1, 96, 64)) -> Path:
    nodes = [node("Identity", ["x"], "y")]
    return save(path, nodes, {"x": (FLOAT, list(shape))}, {"y": list(shape)})


def deep(path: Path) -> Path:
    nodes = [node("Reshape", ["x", "shape"], "y")]
    shape = [constant("shape", [1, 2, -1, 50])]
    return save(path, nodes, {"x": (FLOAT, [1, "n"])}, {"y": [1, 2, "t", 50]}, shape)


@pytest.mark.parametrize(
    ("make", "fields", "words"),
    [
        (broken, {}, "m.onnx is no ONNX model that onnxruntime"),
        (external, {}, "m.onnx keeps its weights in other files, which are not read"),
        (spectrogram, {}, "the input x [1, 96, 64] tensor(float) of m.onnx is no waveform"),
        (
            lambda path: spectrogram(path, (96, 64)),
            {},
            "x [96, 64] tensor(float) of m.onnx is no wave",
        ),
        (vector, {}, "m.onnx has 2 outputs: both [2] tensor(float); other [1] tensor(float)"),
        (vector, {"output": "all"}, "m.onnx has no output 'all'"),
        (masked, {}, "m.onnx has 2 inputs: x [1, n] tensor(float); mask [1, n] tensor(int64)"),
        (masked, {"input": "x"}, "m.onnx also needs the input 'mask'"),
        (masked, {"ones": ("musk",)}, "m.onnx has no input 'musk'"),
        (
            lambda path: vector(path, 3200),
            {"output": "both"},
            "m.onnx takes 3200 samples at a time",
        ),
        (deep, {}, "the output 'y' of m.onnx has the shape [1, 2, 80, 50]; a vector, or one for"),
        (lambda path: blocks(path, size=700), {}, "on 1 s of sound, m.onnx cannot be run: "),
        (blocks, {"min_seconds": 2.0}, "the clip has 1 s with its padding, and the model needs at"),
    ],
)
def test_one_sentence_says_why_a_model_cannot_be_used(
    tmp_path: Path, make: Callable[[Path], Path], fields: dict[str, Any], words: str
) -> None:
    featurizer = Onnx(path=make(tmp_path / "m.onnx"), sr=SR, **fields)
    with pytest.raises(FeatureError) as caught:
        featurizer.extract(Y, SR)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_another_digest_is_refused_before_the_file_is_parsed(tmp_path: Path) -> None:
    path = broken(tmp_path / "m.onnx")
    with pytest.raises(
        ConfigError, match=r"the SHA-256 of the weights is .*, and 0000.* was expected"
    ):
        Onnx(path=path, sr=SR, sha256="0" * 64).extract(Y, SR)
    digest = hashlib.sha256(b"no model").hexdigest()
    with pytest.raises(FeatureError, match="is no ONNX model"):
        Onnx(path=path, sr=SR, sha256=digest.upper()).extract(Y, SR)
    (weights,) = Onnx(path=path, sr=SR, license="CC0").weight_files()
    assert (weights.sha256, weights.size, weights.license, weights.field, weights.digest_field) == (
        *(digest, 8, "CC0"),
        *("path", "sha256"),
    )


def test_a_url_and_a_hop_without_window_are_refused() -> None:
    with pytest.raises(ConfigError, match="weights are read from this computer, not from a URL"):
        Onnx.model_validate({"path": "https://x/m.onnx", "sr": SR}).weight_files()
    with pytest.raises(ValidationError, match="hop needs a window"):
        Onnx(path=Path("m.onnx"), sr=SR, hop=0.1)


def test_nan_is_refused_on_the_noise_that_every_run_tries_first(tmp_path: Path) -> None:
    nodes = [node("Log", ["x"], "logs"), node("Reshape", ["logs", "shape"], "y")]
    shape = [constant("shape", [1, -1, 100])]
    path = save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, [1, "n"])}, {"y": [1, "t", 100]}, shape)
    with pytest.raises(FeatureError, match=r"returned \d+ NaN or inf values"):
        plan_featurizer("x", Onnx(path=path, sr=SR), AudioConfig(sr=SR), "onnx", None)


def test_a_quantized_model_and_a_low_rate_are_noted(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], "q", "scale", "zero"),
        node("DequantizeLinear", ["q", "scale", "zero"], "back"),
        node("Reshape", ["back", "shape"], "y"),
    ]
    shape = [constant("shape", [1, -1, 100])]
    path = save(tmp_path / "m.onnx", nodes, {"x": (FLOAT, [1, "n"])}, {"y": [1, "t", 100]}, shape)
    note = plan_featurizer("x", Onnx(path=path, sr=SR), AudioConfig(sr=4000), "onnx", None).note
    assert "the model expects sound at 8000 Hz, and audio.sr: 4000 keeps nothing above" in note
    assert "m.onnx is quantized (DynamicQuantizeLinear), so its numbers depend on the pro" in note


def test_one_clip_is_one_call_whatever_other_clips_are_there(tmp_path: Path) -> None:
    """The model divides by the greatest sample of its batch, as that of openWakeWord does."""
    nodes = [
        node("ReduceMax", ["x"], "max", keepdims=0),
        node("Div", ["x", "max"], "y"),
        node("Reshape", ["y", "shape"], "frames"),
    ]
    shape = [constant("shape", [1, -1, 100])]
    path = save(
        tmp_path / "m.onnx", nodes, {"x": (FLOAT, ["b", "n"])}, {"frames": [1, "t", 100]}, shape
    )
    featurizer = Onnx(path=path, sr=SR)
    both = featurizer.extract_many([Y, 9 * Y[:800]], SR)
    for y, features in zip((Y, 9 * Y[:800]), both, strict=True):
        np.testing.assert_array_equal(features, featurizer.extract(y, SR))


def test_a_bad_digest_is_one_sentence() -> None:
    config = {
        "dataset": {"type": "folder", "path": "x"},
        "featurizers": {"e": {"type": "onnx", "path": "m.onnx", "sr": SR, "sha256": "abc"}},
        "classifiers": {"svm": {"type": "svm"}},
    }
    origin = Origin("audioclf-onnx", "1.0", "onnx")
    record = PluginRecord(origin, "ok", "", *provided_by(audioclf_onnx))
    others = [each for each in discover().plugins if each.origin.distribution != "audioclf-onnx"]
    with pytest.raises(ConfigError) as caught:
        config_of(config, registry=Registry((*others, record)))
    assert str(caught.value).endswith(
        'featurizers.e.sha256: expected a SHA-256, 64 digits from 0 to f, not "abc"'
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"output": "both"},
        {"output": "both", "scale": 3.0, "normalize": True, "pad": 0.1},
        {"input": "x", "ones": ("mask",)},
        {"average": 3},
        {"average": 3, "pad": 0.05},
    ],
)
def test_it_is_spliced_into_an_exported_graph(tmp_path: Path, fields: dict[str, Any]) -> None:
    make = masked if "ones" in fields else vector if "output" in fields else blocks
    featurizer = Onnx(path=make(tmp_path / "m.onnx"), sr=SR, **fields)
    session = featurizer_session(featurizer, SR)
    for y in (Y, Y[:700]):
        (matrix,) = session.run(None, {WAVEFORM: y})
        np.testing.assert_allclose(matrix, featurizer.extract(y, SR), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "sr", "problem"),
    [
        ({"window": 0.1}, SR, "the windows of the featurizer onnx are not expressed"),
        ({}, 4000, "onnx resamples from 4000 Hz to 8000 Hz"),
    ],
)
def test_parts_without_a_form_in_onnx_are_named(
    tmp_path: Path, fields: dict[str, Any], sr: int, problem: str
) -> None:
    featurizer = Onnx(path=blocks(tmp_path / "m.onnx"), sr=SR, **fields)
    with pytest.raises(NotInOnnxError, match=problem):
        featurizer_session(featurizer, sr)


def test_operators_of_others_are_not_spliced(tmp_path: Path) -> None:
    path = vector(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.node[0].domain = "com.microsoft"
    with pytest.raises(NotInOnnxError, match="not those of ONNX"):
        OnnxGraph().spliced(model.SerializeToString(), {}, "both")
