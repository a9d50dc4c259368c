import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.base.errors import FeatureError
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.short_time_options import Decibels
from tests.builtin.featurizers.signals import SR, Matrix, noise, tone


def librosa_mel(y: Matrix, sr: int = SR, **arguments: Any) -> Matrix:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"n_fft=.* is too large|Empty filters")
        return np.asarray(librosa.feature.melspectrogram(y=y, sr=sr, **arguments))


def assert_close(actual: Matrix, expected: Matrix) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=1e-6 * float(expected.max()))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    n_samples=st.integers(100, 6000),
    sr=st.sampled_from([8000, 16000, 22050]),
    n_fft=st.sampled_from([64, 255, 400, 1024, 2048]),
    hop_length=st.integers(30, 900),
    window=st.sampled_from(["hann", "hamming", "boxcar"]),
    pad_mode=st.sampled_from(["constant", "edge"]),
    power=st.sampled_from([1.0, 2.0, 3.0]),
    n_mels=st.integers(1, 150),
    fmin=st.floats(0.0, 300.0),
    fmax=st.none() | st.floats(400.0, 4000.0),
    htk=st.booleans(),
    norm=st.sampled_from(["slaney", None, 1.0]),
)
def test_band_energies_equal_those_of_librosa(n_samples: int, sr: int, **arguments: Any) -> None:
    y = noise(n_samples)
    features = MelSpectrogram(db=None, **arguments).extract(y, sr)
    assert_close(features, librosa_mel(y, sr, **arguments))


@pytest.mark.parametrize("y", [noise(66_150), tone(440.0, 30_000), tone(9000.0, 9000), noise(100)])
def test_default_levels_equal_those_of_librosa(y: Matrix) -> None:
    expected = librosa.power_to_db(librosa_mel(y))
    np.testing.assert_allclose(MelSpectrogram().extract(y, SR), expected, rtol=0.0, atol=1e-3)


def test_levels_of_real_recordings_equal_those_of_librosa(real_data: Callable[[str], Path]) -> None:
    ys = read_clips(real_data("barbie_vs_puppy.zip"), step=8)
    for y, levels in zip(ys, MelSpectrogram().extract_many(ys, SR), strict=True):
        expected = librosa.power_to_db(librosa_mel(y))
        np.testing.assert_allclose(levels, expected, rtol=0.0, atol=1e-3)


def read_clips(path: Path, step: int) -> list[Matrix]:
    """Return the first 3 s of every `step`-th recording in the archive, mono at `SR`."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".wav")][::step]
        files = [io.BytesIO(archive.read(name)) for name in names]
    sounds = [soundfile.read(file, dtype="float32", always_2d=True) for file in files]
    return [soxr.resample(y.mean(axis=1), sr, SR)[: 3 * SR] for y, sr in sounds]


@pytest.mark.parametrize("n_samples", [1, 2, 30])
def test_clips_of_a_few_samples_equal_those_of_librosa(n_samples: int) -> None:
    y = noise(n_samples)
    assert_close(MelSpectrogram(db=None).extract(y, SR), librosa_mel(y))


@pytest.mark.parametrize(("amin", "level"), [(1e-10, -100.0), (1e-5, -50.0)])
def test_silence_has_the_level_of_amin(amin: float, level: float) -> None:
    levels = MelSpectrogram(db=Decibels(amin=amin)).extract(np.zeros(9000, dtype=np.float32), SR)
    np.testing.assert_allclose(levels, level, rtol=1e-6)


def test_empty_filters_are_silent_without_a_warning() -> None:
    y = noise(5000)
    featurizer = MelSpectrogram(n_fft=256, n_mels=128, db=None)
    features = featurizer.extract(y, SR)
    assert (features == 0.0).all(axis=1).any()
    assert_close(features, librosa_mel(y, n_fft=256, n_mels=128))


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        (
            {"fmax": 4001.0},
            "fmax=4001 Hz lies above 4000 Hz, half the sample rate of 8000 Hz",
            "Lower fmax, or leave it out for half the sample rate.",
        ),
        (
            {"fmin": 4000.0},
            "fmin=4000 Hz must be below 4000 Hz, half the sample rate of 8000 Hz",
            "Lower fmin.",
        ),
    ],
)
def test_a_band_above_half_the_sample_rate_is_refused(
    fields: dict[str, float], message: str, hint: str
) -> None:
    assert MelSpectrogram(fmax=4000.0).extract(noise(3000), 8000).shape[0] == 128
    with pytest.raises(FeatureError) as caught:
        MelSpectrogram(**fields).extract(noise(3000), 8000)
    assert (caught.value.message, caught.value.hint) == (message, hint)
