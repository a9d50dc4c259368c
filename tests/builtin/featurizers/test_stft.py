import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.builtin.featurizers.short_time_options import Decibels
from audioclf.builtin.featurizers.stft import Stft
from audioclf.components.fields import validate_component
from tests.builtin.featurizers.signals import SR, Matrix, noise, tone


def librosa_stft(y: Matrix, **arguments: Any) -> Matrix:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"n_fft=.* is too large for input")
        return np.asarray(np.abs(librosa.stft(y, **arguments)))


def assert_close(actual: Matrix, expected: Matrix) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=1e-6 * float(expected.max()))


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    n_samples=st.integers(1, 5000),
    n_fft=st.sampled_from([4, 17, 64, 255, 400, 512, 1024, 2048]),
    win_share=st.none() | st.floats(0.3, 1.0),
    hop_share=st.none() | st.floats(0.1, 2.0),
    window=st.sampled_from(["hann", "hamming", "blackman", "boxcar", ("kaiser", 5.0), 9.0]),
    center=st.booleans(),
    pad_mode=st.sampled_from(["constant", "edge", "linear_ramp"]),
    power=st.sampled_from([1.0, 2.0, 1.5]),
)
def test_magnitudes_equal_those_of_librosa(
    n_samples: int,
    n_fft: int,
    win_share: float | None,
    hop_share: float | None,
    power: float,
    **arguments: Any,
) -> None:
    arguments["n_fft"] = n_fft
    arguments["win_length"] = None if win_share is None else max(4, int(win_share * n_fft))
    arguments["hop_length"] = None if hop_share is None else max(1, int(hop_share * n_fft))
    y = noise(n_samples if arguments["center"] else n_samples + n_fft)
    features = Stft(power=power, db=None, **arguments).extract(y, SR)
    assert_close(features, librosa_stft(y, **arguments) ** power)


@pytest.mark.parametrize("pad_mode", ["reflect", "symmetric"])
@pytest.mark.parametrize("hop_length", [64, 100, 200])
@pytest.mark.parametrize("n_samples", [257, 511, 512, 5000])
def test_mirror_images_equal_those_of_librosa(
    pad_mode: Any, hop_length: int, n_samples: int
) -> None:
    y = noise(n_samples)
    featurizer = Stft(n_fft=512, hop_length=hop_length, pad_mode=pad_mode, db=None)
    expected = librosa_stft(y, n_fft=512, hop_length=hop_length, pad_mode=pad_mode)
    assert_close(featurizer.extract(y, SR), expected)


@pytest.mark.parametrize("hop_length", [256, 300, 700])
def test_a_mirror_image_is_that_of_the_whole_clip(hop_length: int) -> None:
    # With so long a hop librosa mirrors only the samples that its last frames see.
    y = noise(3000)
    featurizer = Stft(n_fft=512, hop_length=hop_length, pad_mode="reflect", db=None)
    padded = np.pad(y, 256, mode="reflect")
    expected = librosa_stft(padded, n_fft=512, hop_length=hop_length, center=False)
    assert_close(featurizer.extract(y, SR), expected)


@pytest.mark.parametrize("y", [noise(30_000), tone(1000.0, 30_000), noise(300)])
def test_default_levels_equal_amplitude_to_db(y: Matrix) -> None:
    expected = librosa.amplitude_to_db(librosa_stft(y))
    np.testing.assert_allclose(Stft().extract(y, SR), expected, rtol=0.0, atol=1e-3)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_levels_are_those_of_power_for_any_exponent(power: float) -> None:
    y = noise(10_000)
    expected = librosa.power_to_db(librosa_stft(y) ** 2)
    np.testing.assert_allclose(Stft(power=power).extract(y, SR), expected, rtol=0.0, atol=1e-3)


def test_ref_and_amin_are_powers() -> None:
    y = noise(10_000)
    db = Decibels(ref=0.04, amin=0.01, top_db=None)
    expected = librosa.amplitude_to_db(librosa_stft(y), ref=0.2, amin=0.1, top_db=None)
    np.testing.assert_allclose(Stft(db=db).extract(y, SR), expected, rtol=0.0, atol=1e-3)


def test_a_tone_is_loudest_at_its_frequency() -> None:
    levels = Stft(n_fft=1024).extract(tone(5000.0, 22050), SR)
    assert levels[:, 20].argmax() == round(5000.0 * 1024 / SR)


def test_a_window_with_a_parameter_can_be_given_in_yaml() -> None:
    fields = {"type": "stft", "window": ["kaiser", 8.0]}
    assert validate_component(Stft, fields) == Stft(window=("kaiser", 8.0))


@pytest.mark.parametrize(
    ("win_length", "hop_length", "expected"), [(None, None, 512), (400, None, 100), (400, 7, 7)]
)
def test_the_default_hop_is_a_quarter_of_the_window(
    win_length: int | None, hop_length: int | None, expected: int
) -> None:
    assert Stft(win_length=win_length, hop_length=hop_length).framing().hop_length == expected
