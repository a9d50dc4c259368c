"""`audiomentations`: seeded, thread-safe, of one length, and refused with a reason."""

from __future__ import annotations

import pickle
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.components.registry import Origin
from audioclf.features.augmented import Changed
from audioclf.features.cache_key import KeyMaker, versions_in_key
from audioclf.testing import Check, parametrize_with_checks
from audioclf_audiomentations import Audiomentations
from tests.conftest import write_wav

audiomentations = pytest.importorskip("audiomentations")
SR = 16_000
Y = np.random.default_rng(0).normal(0.0, 0.1, SR).astype(np.float32)


def made(transform: str, **fields: Any) -> Audiomentations:
    return Audiomentations.model_validate({"transform": transform, **fields})


def changed(augmenter: Audiomentations, seed: int = 0, y: np.ndarray = Y) -> np.ndarray:
    return augmenter.augment(y, SR, np.random.default_rng(seed))


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    write_wav(tmp_path / "b" / "noise.wav", Y[:4000], SR)
    write_wav(tmp_path / "a" / "noise.wav", Y[4000:9000] / 2, SR)
    return tmp_path


@pytest.mark.slow
@parametrize_with_checks([Audiomentations(transform="AddGaussianNoise")])
def test_it_keeps_the_promises_of_all_augmenters(component: Audiomentations, check: Check) -> None:
    check(component)


@pytest.mark.parametrize("transform", ["SevenBandParametricEQ", "TimeMask", "PitchShift", "Gain"])
def test_the_sound_is_that_of_the_library(transform: str) -> None:
    result = changed(made(transform), seed=7)
    number = int(np.random.default_rng(7).integers(2**32))
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    expected = getattr(audiomentations, transform)(p=1.0)(Y.copy(), SR)
    np.testing.assert_array_equal(result, expected)
    assert not np.array_equal(result, Y)


def test_threads_do_not_meet() -> None:
    augmenter = made("AddColorNoise")
    alone = [changed(augmenter, seed) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: changed(augmenter, seed), range(16)))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("transform", "parameters"),
    [
        ("AddBackgroundNoise", {}),
        ("AddShortNoises", {"min_time_between_sounds": 0.1, "max_time_between_sounds": 0.2}),
        ("ApplyImpulseResponse", {}),
    ],
)
def test_sounds_of_a_folder_are_mixed_in_and_known_to_the_run(
    transform: str, parameters: dict[str, float], sounds: Path
) -> None:
    augmenter = made(transform, parameters=parameters, path=sounds)
    result = changed(augmenter)
    assert result.shape == Y.shape
    assert not np.array_equal(result, Y)
    assert [source.name for source in augmenter.sounds()] == [
        str(sounds / name / "noise.wav") for name in "ab"
    ]
    again = pickle.loads(pickle.dumps(augmenter))  # as for a worker process
    np.testing.assert_array_equal(changed(again), result)


def test_a_longer_and_a_shorter_result_are_cut_and_padded() -> None:
    longer = changed(made("AdjustDuration", parameters={"duration_seconds": 2}, fit_length=True))
    np.testing.assert_array_equal(longer, Y)
    seconds = {"duration_seconds": 0.25, "padding_position": "end"}
    shorter = changed(made("AdjustDuration", parameters=seconds, fit_length=True))
    assert len(shorter) == len(Y)
    assert not shorter[4000:].any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transform": "AddGausianNoise"}, "no transform 'AddGausianNoise'; it has: AddBackground"),
        ({"transform": "Lambda"}, "no transform 'Lambda'"),
        ({"transform": "Gain", "parameters": {"db": 3}}, "no parameter 'db'; it has: min_gain_db"),
        ({"transform": "Gain", "parameters": {"p": 1}}, "set `probability` of the change"),
        ({"transform": "Gain", "path": "x"}, "Gain has no `path` of sounds"),
        ({"transform": "AddShortNoises"}, "AddShortNoises needs a `path` of sounds"),
        ({"transform": "AddShortNoises", "parameters": {"sounds_path": "x"}}, "set `path` instead"),
        ({"transform": "AddShortNoises", "path": "https://a.example/x.zip"}, "not a URL"),
        ({"transform": "Resample"}, "Resample changes the length of clips: set `fit_length: true`"),
        (
            {"transform": "TimeStretch", "parameters": {"leave_length_unchanged": False}},
            "TimeStretch changes the length",
        ),
        (
            {"transform": "Gain", "parameters": {"min_gain_db": 9, "max_gain_db": 3}},
            "Gain refuses its parameters",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        Audiomentations.model_validate(fields)


def test_a_missing_package_of_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match="needs the package pyroomacoustics: pip install"):
        made("RoomSimulator", fit_length=True)


def test_the_key_of_cached_features_holds_the_version_and_the_parameters(sounds: Path) -> None:
    origins = (Origin("audioclf-audiomentations", "0.1.0", "audiomentations"),)
    keys = set()
    for augmenter in [
        made("Gain"),
        made("Gain", parameters={"max_gain_db": 3.0}),
        made("AddShortNoises", path=sounds / "a"),
        made("AddShortNoises", path=sounds / "b"),
    ]:
        featurizer = Changed.of(Mfcc(), [augmenter], 0, 1)
        assert versions_in_key(origins)["audiomentations"]
        maker = KeyMaker.make(audio=AudioConfig(), featurizer=featurizer, origins=origins)
        assert maker is not None
        keys.add(maker.fixed)
    assert len(keys) == 4
