from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audioclf.builtin.featurizers.chroma import estimated_tuning
from tests.conftest import imported_by


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
