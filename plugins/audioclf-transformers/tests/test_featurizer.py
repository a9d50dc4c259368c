"""`transformers`: the numbers of each family, and one sentence for each refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audioclf.audio.settings import AudioConfig
from audioclf.features.worker import plan_featurizer
from audioclf.plugin import AudioclfError, ConfigError, EnvironmentMissingError, FeatureError
from audioclf.testing import Check, CheckSkippedError, checks_for
from audioclf_transformers import Transformers

Saved = Callable[[str], Path]
Tiny = Callable[[str], tuple[Any, Any]]
SR = 16_000
Y = np.random.default_rng(0).normal(0.0, 0.1, SR).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["wav2vec2", "whisper", "ast", "clap"])
@pytest.mark.parametrize("check", checks_for(Transformers(model=Path("m"))), ids=lambda c: c.name)
def test_it_keeps_the_promises_of_all_featurizers(family: str, check: Check, saved: Saved) -> None:
    component = Transformers(model=saved(family), pad=0.1, average=2)
    try:
        check(component)
    except CheckSkippedError as exc:
        pytest.skip(str(exc))


def wave(model: Any, extractor: Any, y: Any) -> Any:
    inputs = extractor(y, sampling_rate=SR, return_tensors="pt")
    return model(**inputs, output_hidden_states=True).hidden_states[-1][0]


def whisper(model: Any, extractor: Any, y: Any) -> Any:
    inputs = extractor(y, sampling_rate=SR, return_tensors="pt")
    states = model.model.encoder(inputs.input_features).last_hidden_state
    assert states.shape[1] == 100
    return states[0, :50]


def ast(model: Any, extractor: Any, y: Any) -> Any:
    inputs = extractor(y, sampling_rate=SR, return_tensors="pt")
    tokens = model.audio_spectrogram_transformer(**inputs).last_hidden_state[0]
    bands, times = 3, 12  # patches of 16, every 10, of 40 bands and 128 frames
    assert len(tokens) == 2 + bands * times
    by_time = [
        torch.stack([tokens[2 + band * times + time] for band in range(bands)]).mean(0)
        for time in range(times)
    ]
    return torch.stack(by_time[:10])  # the 98 frames of the sound, every 10


def clap(model: Any, extractor: Any, y: Any) -> Any:
    inputs = extractor(y, sampling_rate=48_000, return_tensors="pt")
    pooled = model.audio_model(**inputs).pooler_output
    return model.audio_projection(pooled)


@pytest.mark.parametrize(
    ("family", "reference"),
    [
        ("wav2vec2", wave),
        ("hubert", wave),
        ("wavlm", wave),
        ("whisper", whisper),
        ("ast", ast),
        pytest.param("clap", clap, marks=pytest.mark.slow),
        pytest.param("clap_fused", clap, marks=pytest.mark.slow),
    ],
)
def test_its_frames_are_those_of_the_library(
    family: str, reference: Callable[..., Any], tiny: Tiny, saved: Saved
) -> None:
    y = Y[:12_000] if "clap" in family else Y  # 0.25 s at 48 kHz is repeated
    with torch.inference_mode():
        expected = reference(*tiny(family), y)
    featurizer = Transformers(model=saved(family))
    features = featurizer.extract(y, featurizer.model_rate())
    assert features.shape == expected.T.shape
    np.testing.assert_allclose(features, expected.T, rtol=1e-4, atol=1e-5)
    assert np.ptp(features, axis=0).min() > 0.01


@pytest.mark.parametrize(("layer", "index"), [(0, 0), (1, 1), (-1, 2), (2, 2), (-3, 0)])
def test_the_layer_is_chosen(layer: int, index: int, tiny: Tiny, saved: Saved) -> None:
    model, extractor = tiny("wav2vec2")
    with torch.inference_mode():
        inputs = extractor(Y, sampling_rate=SR, return_tensors="pt")
        states = model(**inputs, output_hidden_states=True).hidden_states
    features = Transformers(model=saved("wav2vec2"), layer=layer).extract(Y, SR)
    np.testing.assert_allclose(features, states[index][0].T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "seconds", "n_frames"),
    [("wavlm", 2.01, 49 + 49), ("wavlm", 2.5, 49 + 49 + 24), ("whisper", 2.01, 101)],
)
def test_long_clips_are_cut_into_windows(
    family: str, seconds: float, n_frames: int, saved: Saved
) -> None:
    y = np.resize(Y, round(seconds * SR))
    features = Transformers(model=saved(family), window=1.0).extract(y, SR)
    assert features.shape == (16, n_frames)
    n_samples = SR if family == "wavlm" else 2 * SR
    first = Transformers(model=saved(family)).extract(y[:n_samples], SR)
    np.testing.assert_array_equal(features[:, : first.shape[1]], first)


@pytest.fixture
def folder(saved: Saved, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved("wav2vec2"), tmp_path / "m"))


def edit(folder: Path, file: str, **values: Any) -> None:
    """Change values of a JSON file of a model."""
    data = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(data | values))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def lacking(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["wav2vec2.encoder.layers.1.final_layer_norm.weight"]
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "fields", "error", "words"),
    [
        (pickled, {}, ConfigError, "its weights are only in pytorch_model.bin, which is not read"),
        (without("model.safetensors"), {}, ConfigError, "m: it has no model.safetensors"),
        (without("config.json"), {}, ConfigError, "m: it has no config.json, so it is no model"),
        (without("preprocessor_config.json"), {}, FeatureError, "m does not say the sample rate"),
        (shutil.rmtree, {}, ConfigError, "m: there is no such folder with a model"),
        (None, {"sha256": "0" * 64}, ConfigError, "m: the SHA-256 of the weights is "),
        (None, {"layer": 3}, FeatureError, "m has 2 layers, and no layer 3"),
        (lacking, {}, FeatureError, "m lacks 1 of the weights of a Wav2Vec2Model, such as enc"),
        (
            lambda folder: edit(folder, "config.json", model_type="bert"),
            {},
            FeatureError,
            "m is of the type 'bert', which is not supported",
        ),
        (
            lambda folder: edit(folder, "config.json", hidden_size=32),
            {},
            FeatureError,
            "m cannot be opened: ",
        ),
        (
            lambda folder: (folder / "config.json").write_text("{"),
            {},
            FeatureError,
            "config.json of m is no JSON",
        ),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"no tensors"),
            {},
            FeatureError,
            "m cannot be opened: ",
        ),
    ],
)
def test_one_sentence_says_why_a_model_cannot_be_used(
    folder: Path,
    change: Callable[[Path], Any] | None,
    fields: dict[str, Any],
    error: type[AudioclfError],
    words: str,
) -> None:
    if change:
        change(folder)
    with pytest.raises(error) as caught:
        Transformers(model=folder, **fields).extract(Y, SR)
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_a_short_clip_names_the_least_length(saved: Saved) -> None:
    with pytest.raises(
        FeatureError, match=r"0\.01 s with its padding, and the model needs at leas"
    ):
        Transformers(model=saved("wav2vec2")).extract(Y[:160], SR)
    assert Transformers(model=saved("wav2vec2"), pad=0.1).extract(Y[:160], SR).shape == (16, 10)


def test_nan_is_refused_on_the_noise_that_every_run_tries_first(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["wav2vec2.feature_projection.projection.bias"][0] = np.nan
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(FeatureError, match=r"returned \d+ NaN or inf values"):
        plan_featurizer("x", Transformers(model=folder), AudioConfig(sr=SR), "transformers", None)


def test_a_low_rate_is_noted(saved: Saved) -> None:
    featurizer = Transformers(model=saved("wav2vec2"))
    note = plan_featurizer("x", featurizer, AudioConfig(sr=8000), "transformers", None).note
    assert "the model expects sound at 16000 Hz, and audio.sr: 8000 keeps nothing above" in note


def test_files_that_are_not_read_do_not_change_the_digest(folder: Path) -> None:
    (before,) = Transformers(model=folder).weight_files()
    (folder / "README.md").write_text("Licence")
    (folder / "vocab.json").write_text("{}")
    (after,) = Transformers(model=folder).weight_files()
    edit(folder, "preprocessor_config.json", do_normalize=False)
    (changed,) = Transformers(model=folder).weight_files()
    assert (before.sha256, before.size) == (after.sha256, after.size)
    assert changed.sha256 != before.sha256


def test_a_config_cannot_name_code_or_kernels(folder: Path, tmp_path: Path) -> None:
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    edit(
        folder,
        "config.json",
        auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"},
        attn_implementation="kernels-community/evil",
        _attn_implementation="kernels-community/evil",
        quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True},
    )
    assert Transformers(model=folder).extract(Y, SR).shape == (16, 49)
    assert not (tmp_path / "ran").exists()


def test_half_precision_and_several_files_are_read(folder: Path) -> None:
    expected = Transformers(model=folder).extract(Y, SR)
    tensors = sorted(load_file(folder / "model.safetensors").items())
    (folder / "model.safetensors").unlink()
    for index, part in enumerate((tensors[::2], tensors[1::2]), 1):
        half = {name: tensor.half() for name, tensor in part}
        save_file(half, folder / f"model-{index:05}-of-00002.safetensors")
    features = Transformers(model=folder).extract(Y, SR)
    np.testing.assert_allclose(features, expected, rtol=0.1, atol=0.05)


def test_a_fetched_model_is_named_by_its_revision(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIOCLF_MODELS_DIR", str(tmp_path))
    name = f"facebook/tiny@{'1a' * 20}"
    featurizer = Transformers.model_validate({"model": name})
    with pytest.raises(EnvironmentMissingError) as caught:
        featurizer.extract(Y, SR)
    assert caught.value.message == f"{name} is not in {tmp_path}"
    assert caught.value.hint == f"Run `audioclf weights fetch {name}`; a run downloads nothing."
    shutil.copytree(saved("wav2vec2"), tmp_path / f"facebook--tiny@{'1a' * 20}")
    (weights,) = featurizer.weight_files()
    assert (weights.name, weights.field, weights.digest_field) == (name, "model", "sha256")
    assert featurizer.extract(Y, SR).shape == (16, 49)
    assert featurizer.model_dump(mode="json")["model"] == name
