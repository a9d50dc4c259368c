import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audioclf.dsp.mel_filters import MelBank, mel_bank, mel_frequencies, mel_weights
from audioclf.dsp.short_time import TILE

Matrix = NDArray[np.float32]


def librosa_weights(**arguments: Any) -> Matrix:
    from librosa.filters import mel

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")
        return np.asarray(mel(**arguments))


def spectra(n_bins: int, n_frames: int, seed: int = 0) -> Matrix:
    return np.random.default_rng(seed).random((n_bins, n_frames), dtype=np.float32)


def bank(n_fft: int = 1024, n_mels: int = 40) -> MelBank:
    return mel_bank(22050, n_fft, n_mels, 0.0, None, False, "slaney")


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    sr=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    n_fft=st.sampled_from([64, 255, 400, 1024, 2048]),
    n_mels=st.integers(1, 200),
    fmin=st.floats(0.0, 1500.0),
    fmax=st.none() | st.floats(1600.0, 4000.0),
    htk=st.booleans(),
    norm=st.sampled_from(["slaney", None, 1.0, 2.0, 0.5, 3.5]),
)
def test_filters_equal_those_of_librosa(**arguments: Any) -> None:
    expected = librosa_weights(**arguments)
    actual = mel_weights(**arguments)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6 * expected.max())


@pytest.mark.parametrize("htk", [False, True])
def test_mel_frequencies_equal_those_of_librosa(htk: bool) -> None:
    expected = librosa.mel_frequencies(50, fmin=20.0, fmax=9000.0, htk=htk)
    np.testing.assert_allclose(mel_frequencies(50, fmin=20.0, fmax=9000.0, htk=htk), expected)


@pytest.mark.parametrize("n_fft", [64, 255, 2048, 1 << 14])
@pytest.mark.parametrize("n_mels", [1, 8, 40, 129])
def test_a_bank_multiplies_as_its_filters_do(n_fft: int, n_mels: int) -> None:
    power = spectra(n_fft // 2 + 1, 2 * TILE)
    weights = mel_weights(sr=22050, n_fft=n_fft, n_mels=n_mels).astype(np.float64)
    expected = weights @ power.astype(np.float64)
    np.testing.assert_allclose(bank(n_fft, n_mels).project(power), expected, rtol=2e-5, atol=1e-9)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    n_fft=st.sampled_from([64, 400, 2048, 8192]),
    n_mels=st.integers(1, 140),
    seed=st.integers(0, 1000),
)
def test_a_frame_does_not_depend_on_its_place(n_fft: int, n_mels: int, seed: int) -> None:
    power = spectra(n_fft // 2 + 1, 3 * TILE, seed)
    order = np.random.default_rng(seed).permutation(power.shape[1])
    shuffled = bank(n_fft, n_mels).project(np.ascontiguousarray(power[:, order]))
    assert np.array_equal(shuffled, bank(n_fft, n_mels).project(power)[:, order])
