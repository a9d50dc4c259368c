import contextlib
import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.base.errors import FeatureError
from audioclf.builtin.featurizers.spectral_shape import SHAPES, SpectralShape
from tests.builtin.featurizers.signals import SR, Matrix, noise, tone

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "bandwidth": ("p",),
    "contrast": ("fmin", "n_bands", "quantile", "linear"),
    "rolloff": ("roll_percent",),
    "flatness": ("amin", "power"),
}


def by_librosa(name: str, y: Matrix, n_fft: int, hop_length: int, **fields: Any) -> Matrix:
    arguments = {key: fields[key] for key in ARGUMENTS.get(name, ()) if key in fields}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"n_fft=.* is too large")
        if name == "zero_crossings":
            framing: dict[str, Any] = {"frame_length": n_fft, "hop_length": hop_length}
            return np.asarray(librosa.feature.zero_crossing_rate(y, **framing))
        if name == "rms":
            return np.asarray(librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop_length))
        framing = {"n_fft": n_fft, "hop_length": hop_length}
        if name == "flatness":
            return np.asarray(librosa.feature.spectral_flatness(y=y, **framing, **arguments))
        theirs = getattr(librosa.feature, f"spectral_{name}")
        return np.asarray(theirs(y=y, sr=SR, **framing, **arguments))


def assert_close(actual: Matrix, expected: Matrix) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=1e-3)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("y", [noise(66_150), noise(30_000) + tone(700.0, 30_000), noise(900)])
def test_defaults_equal_those_of_librosa(name: Any, y: Matrix) -> None:
    found = SpectralShape(features=(name,)).extract(y, SR)
    assert_close(found, by_librosa(name, y, 2048, 512))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    name=st.sampled_from(SHAPES),
    n_samples=st.integers(1, 9000),
    n_fft=st.sampled_from([512, 1000, 2048]),
    hop_length=st.integers(100, 500),
    p=st.floats(0.5, 4.0),
    fmin=st.floats(100.0, 300.0),
    n_bands=st.integers(1, 5),
    quantile=st.floats(0.01, 0.5),
    linear=st.booleans(),
    roll_percent=st.floats(0.1, 0.95),
    power=st.sampled_from([1.0, 2.0]),
)
def test_any_parameters_are_those_of_librosa(
    name: Any, n_samples: int, n_fft: int, hop_length: int, **fields: Any
) -> None:
    y = noise(n_samples)
    featurizer = SpectralShape(features=(name,), n_fft=n_fft, hop_length=hop_length, **fields)
    assert_close(featurizer.extract(y, SR), by_librosa(name, y, n_fft, hop_length, **fields))


def test_the_rows_stand_in_the_order_of_the_features() -> None:
    y = noise(20_000)
    both = SpectralShape(features=("rms", "contrast", "centroid")).extract(y, SR)
    assert both.shape == (9, 40)
    assert np.array_equal(both[:1], SpectralShape(features=("rms",)).extract(y, SR))
    assert np.array_equal(both[1:8], SpectralShape(features=("contrast",)).extract(y, SR))
    assert np.array_equal(both[8:], SpectralShape(features=("centroid",)).extract(y, SR))


@pytest.mark.parametrize("n_samples", [1, 2, 500, 22050])
@pytest.mark.parametrize("level", [0.0, 0.5, 1e-20])
def test_a_constant_is_finite_without_a_warning(n_samples: int, level: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = SpectralShape().extract(np.full(n_samples, level, dtype=np.float32), SR)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "edge"])
def test_all_rows_have_the_same_frames(center: bool, pad_mode: Any) -> None:
    featurizer = SpectralShape(center=center, pad_mode=pad_mode, n_fft=1001, hop_length=333)
    y = noise(9000)
    y.flags.writeable = False
    assert featurizer.extract(y, SR).shape[0] == 13


def test_contrast_beyond_half_the_sample_rate_is_refused() -> None:
    with pytest.raises(FeatureError) as caught:
        SpectralShape().extract(noise(9000), 8000)
    assert caught.value.message == (
        "the highest of n_bands=6 bands of contrast starts at 6400 Hz, not below 4000 Hz, half "
        "the sample rate of 8000 Hz"
    )
    hint = "Lower n_bands or fmin, or leave contrast out of `features`."
    assert caught.value.hint == hint
    assert SpectralShape(n_bands=5).extract(noise(9000), 8000).shape[0] == 12


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    n_fft=st.integers(4, 600),
    sr=st.sampled_from([8000, 22_050, 48_000]),
    fmin=st.floats(20.0, 2000.0),
    n_bands=st.integers(1, 6),
)
def test_contrast_is_refused_or_finite(n_fft: int, sr: int, fmin: float, n_bands: int) -> None:
    featurizer = SpectralShape(
        features=("contrast",), n_fft=n_fft, hop_length=n_fft, fmin=fmin, n_bands=n_bands
    )
    with contextlib.suppress(FeatureError):
        assert np.isfinite(featurizer.extract(noise(1500), sr)).all()


def test_bands_that_hold_no_frequency_are_refused() -> None:
    with pytest.raises(FeatureError) as caught:
        SpectralShape(n_fft=64, n_bands=3).extract(noise(9000), SR)
    assert caught.value.message == (
        "n_fft=64 at 22050 Hz is too coarse for contrast: the band from 0 to 200 Hz holds too few "
        "frequencies of the transform"
    )
    assert caught.value.hint == "Raise n_fft or fmin, or leave contrast out of `features`."
