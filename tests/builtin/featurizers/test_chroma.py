import warnings
from typing import Any

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audioclf.builtin.featurizers.chroma import Chroma, estimated_tuning
from audioclf.builtin.featurizers.cqt import Cqt
from audioclf.builtin.featurizers.spectral_shape import SpectralShape
from audioclf.plugin import Featurizer
from tests.builtin.featurizers.signals import SR, Matrix, noise
from tests.conftest import imported_by


def chord(n_samples: int, *frequencies: float) -> Matrix:
    times = np.arange(n_samples) / SR
    tones = [0.2 * np.sin(2 * np.pi * frequency * times) for frequency in frequencies]
    mixed = np.sum([*tones, 0.01 * noise(n_samples)], axis=0)
    return np.asarray(mixed, dtype=np.float32)


def librosa_chroma(y: Matrix, **arguments: Any) -> Matrix:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"n_fft=.* is too large|Trying to estimate")
        return np.asarray(librosa.feature.chroma_stft(y=y, sr=SR, **arguments))


def assert_close(actual: Matrix, expected: Matrix) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=2e-5 * scale)


@pytest.mark.parametrize(
    "y", [noise(66_150), chord(30_000, 440.0), chord(20_000, 261.6, 329.6, 392.0), noise(900)]
)
def test_defaults_equal_those_of_librosa(y: Matrix) -> None:
    assert_close(Chroma().extract(y, SR), librosa_chroma(y))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    n_samples=st.integers(1, 9000),
    n_fft=st.sampled_from([512, 1000, 2048]),
    hop_length=st.integers(100, 700),
    tuning=st.floats(-0.5, 0.5),
    norm=st.sampled_from([None, 1.0, 2.0]),
    n_chroma=st.sampled_from([12, 24, 7]),
    ctroct=st.floats(3.0, 7.0),
    octwidth=st.none() | st.floats(0.5, 4.0),
    base_c=st.booleans(),
)
def test_any_parameters_are_those_of_librosa(n_samples: int, **arguments: Any) -> None:
    y = noise(n_samples)
    assert_close(Chroma(**arguments).extract(y, SR), librosa_chroma(y, **arguments))


@pytest.mark.parametrize(("frequency", "pitch_class"), [(440.0, 9), (261.63, 0), (1479.98, 6)])
def test_a_tone_is_strongest_in_its_pitch_class(frequency: float, pitch_class: int) -> None:
    features = Chroma(tuning=0.0).extract(chord(22_050, frequency), SR)
    assert (features.argmax(axis=0) == pitch_class).all()
    assert features.max() == 1.0


@pytest.mark.parametrize("y", [np.zeros(9000), np.zeros(1), np.ones(1), np.eye(1, 9000, 4000)[0]])
def test_where_no_pitch_is_found_there_is_no_warning(y: NDArray[np.float64]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = Chroma().extract(y.astype(np.float32), SR)
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "featurizer", [Chroma(tuning=0.0), SpectralShape(), Cqt(fmin=220.0, n_bins=36)]
)
def test_the_number_of_blas_threads_changes_nothing(featurizer: Featurizer) -> None:
    y = noise(66_150)
    with threadpool_limits(1, user_api="blas"):
        expected = featurizer.extract(y, SR)
    with threadpool_limits(2, user_api="blas"):
        assert np.array_equal(featurizer.extract(y, SR), expected)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    frequencies=st.lists(st.floats(60.0, 5000.0), min_size=0, max_size=4),
    level=st.sampled_from([1e-4, 1e-2, 1.0]),
    sr=st.sampled_from([4000, 22_050, 44_100]),
    n_fft=st.sampled_from([256, 1024, 2048]),
    bins_per_octave=st.sampled_from([12, 24, 7]),
    seed=st.integers(0, 1000),
)
def test_the_tuning_is_that_of_librosa(
    frequencies: list[float], level: float, sr: int, n_fft: int, bins_per_octave: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    times = np.arange(12_000) / sr
    y = level * rng.standard_normal(12_000)
    y = (y + sum(np.sin(2 * np.pi * each * times) for each in frequencies)).astype(np.float32)
    power = np.abs(librosa.stft(y, n_fft=n_fft)) ** 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Trying to estimate")
        expected = librosa.estimate_tuning(
            S=power, sr=sr, n_fft=n_fft, bins_per_octave=bins_per_octave
        )
    assert estimated_tuning(power, sr, bins_per_octave) == expected


@pytest.mark.parametrize("shape", [(1, 3), (2, 3), (129, 0), (129, 4)])
def test_spectra_without_a_peak_are_in_tune(shape: tuple[int, int]) -> None:
    power: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
    assert estimated_tuning(power, 22_050, 12) == 0.0


@pytest.mark.slow
def test_features_need_no_code_that_is_compiled_at_run_time() -> None:
    """Processes that compile the same code at one moment can crash each other."""
    code = """
import numba.np.ufunc.gufunc as compiled
import numpy as np
def refuse(self, *args, **kwargs):
    raise AssertionError(f"{self.__name__} was called")
compiled.GUFunc.__call__ = refuse
from audioclf.builtin.featurizers.chroma import Chroma
from audioclf.builtin.featurizers.spectral_shape import SHAPES, SpectralShape
y = np.random.default_rng(0).standard_normal(9000).astype(np.float32)
assert Chroma().extract(y, 22050).shape[0] == 12
SpectralShape(features=SHAPES).extract(y, 22050)
"""
    assert imported_by(code, ["numba"]) == {"numba"}
