import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.builtin.featurizers.mfcc import Mfcc, delta
from tests.builtin.featurizers.signals import SR, Matrix, noise, tone


def librosa_mfcc(y: Matrix, **arguments: Any) -> Matrix:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"n_fft=.* is too large|Empty filters")
        return np.asarray(librosa.feature.mfcc(y=y, sr=SR, **arguments))


def assert_close(actual: Matrix, expected: Matrix) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("y", [noise(66_150), tone(440.0, 30_000), noise(100)])
def test_defaults_equal_those_of_librosa(y: Matrix) -> None:
    assert_close(Mfcc().extract(y, SR), librosa_mfcc(y))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    n_samples=st.integers(1, 6000),
    n_mfcc=st.integers(1, 30),
    dct_type=st.sampled_from([1, 2, 3]),
    norm=st.sampled_from(["ortho", None]),
    lifter=st.sampled_from([0.0, 22.0, 5.5]),
    mel_norm=st.sampled_from(["slaney", None, 2.0]),
    n_fft=st.sampled_from([256, 400, 1024]),
    hop_length=st.integers(60, 600),
    n_mels=st.integers(30, 64),
    fmin=st.floats(0.0, 200.0),
    fmax=st.none() | st.floats(3000.0, 11025.0),
    htk=st.booleans(),
    power=st.sampled_from([1.0, 2.0]),
)
def test_coefficients_equal_those_of_librosa(n_samples: int, **arguments: Any) -> None:
    y = noise(n_samples)
    features, expected = Mfcc(**arguments).extract(y, SR), librosa_mfcc(y, **arguments)
    assert features.shape == expected.shape
    scale = 1e-5 * float(np.abs(expected).max())
    np.testing.assert_allclose(features, expected, rtol=0.0, atol=scale)


def test_deltas_are_appended_in_order() -> None:
    y = noise(20_000)
    expected = librosa_mfcc(y, n_mfcc=13)
    features = Mfcc(n_mfcc=13, deltas=2).extract(y, SR)
    assert features.shape == (39, expected.shape[1])
    assert_close(features[:13], expected)
    assert_close(features[13:26], librosa.feature.delta(expected))
    assert_close(features[26:], librosa.feature.delta(expected, order=2))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_frames", [9, 10, 17, 18, 100])
def test_deltas_equal_those_of_librosa(order: int, n_frames: int) -> None:
    x = np.random.default_rng(0).standard_normal((5, n_frames)).astype(np.float32)
    expected = librosa.feature.delta(x.astype(np.float64), order=order)
    np.testing.assert_allclose(delta(x, order), expected, atol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_frames", [1, 2, 4, 5, 8])
def test_deltas_of_few_frames_prolong_the_outermost(order: int, n_frames: int) -> None:
    x = np.random.default_rng(0).standard_normal((5, n_frames)).astype(np.float32)
    expected = librosa.feature.delta(x.astype(np.float64), order=order, mode="nearest")
    np.testing.assert_allclose(delta(x, order), expected, atol=1e-6)
