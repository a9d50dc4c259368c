from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.audio.settings import AudioConfig
from audioclf.builtin.featurizers.chroma import Chroma
from audioclf.builtin.featurizers.clip_options import (
    ClipFeaturizer,
    TrimSilence,
    normalized,
    resampled,
)
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.spectral_shape import SpectralShape
from audioclf.builtin.featurizers.stft import Stft
from audioclf.components.pooling import Flatten
from audioclf.features.worker import plan_featurizer
from tests.builtin.featurizers.signals import SR, Matrix, noise

FAMILY: list[type[ClipFeaturizer]] = [MelSpectrogram, Mfcc, Stft, Chroma, SpectralShape]
OPTIONS: dict[str, Any] = {
    "trim_silence": TrimSilence(top_db=30.0),
    "normalize": "mean_variance",
    "n_steps": 7,
}


def padded(before: int, sounding: int, after: int, seed: int = 0) -> Matrix:
    silence = np.zeros(before, dtype=np.float32), np.zeros(after, dtype=np.float32)
    return np.concatenate([silence[0], noise(sounding, seed), silence[1]])


def matrix(n_bins: int, n_frames: int, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return (30.0 * rng.standard_normal((n_bins, n_frames)) - 50.0).astype(np.float32)


def trim(y: Matrix, **options: Any) -> Any:
    from librosa.effects import trim as theirs

    return theirs(y, **options)


@pytest.mark.parametrize("top_db", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("shape", [(9000, 8000, 12_000), (0, 5000, 6000), (3000, 1, 0)])
def test_trimming_is_that_of_librosa(top_db: float, shape: tuple[int, int, int]) -> None:
    y = padded(*shape) + 1e-3 * noise(sum(shape), 1)
    expected = trim(y, top_db=top_db)[0]
    assert np.array_equal(TrimSilence(top_db=top_db).trim(y), expected)


def test_silence_is_cut_off_before_framing() -> None:
    y = padded(20_480, 15_000, 20_000)
    part = trim(y)[0]
    assert 15_000 <= len(part) < 20_000
    found = MelSpectrogram(trim_silence=TrimSilence()).extract(y, SR)
    assert np.array_equal(found, MelSpectrogram().extract(part, SR))


@pytest.mark.parametrize("n_samples", [1, 100, 30_000])
def test_a_clip_that_is_silent_throughout_stays_whole(n_samples: int) -> None:
    y = np.zeros(n_samples, dtype=np.float32)
    assert len(TrimSilence().trim(y)) == n_samples


@pytest.mark.parametrize("n_samples", [300, 1200, 5000, 66_150])
def test_noise_is_not_trimmed_at_the_lowest_top_db(n_samples: int) -> None:
    # The frames of the longest clip are counted on noise: `flatten` would cut what it lost.
    y = noise(n_samples)
    assert len(TrimSilence(top_db=6.0).trim(y)) == n_samples


@settings(max_examples=60, derandomize=True, deadline=None)
@given(n_bins=st.integers(1, 9), n_frames=st.integers(2, 80), seed=st.integers(0, 999))
def test_the_mean_over_the_frames_is_taken_out(n_bins: int, n_frames: int, seed: int) -> None:
    features = matrix(n_bins, n_frames, seed)
    expected = features - features.mean(axis=1, keepdims=True, dtype=np.float64)
    np.testing.assert_allclose(normalized(features, "mean"), expected, atol=1e-5)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(n_bins=st.integers(1, 9), n_frames=st.integers(2, 80), seed=st.integers(0, 999))
def test_normalized_bins_have_mean_0_and_variance_1(n_bins: int, n_frames: int, seed: int) -> None:
    found = normalized(matrix(n_bins, n_frames, seed), "mean_variance").astype(np.float64)
    np.testing.assert_allclose(found.mean(axis=1), 0.0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("how", ["mean", "mean_variance"])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("value", [0.0, -100.0, 0.1, 1e-30, 1e30])
def test_a_constant_bin_becomes_0(how: Any, n_frames: int, value: float) -> None:
    features = np.full((3, n_frames), value, dtype=np.float32)
    np.testing.assert_allclose(normalized(features, how) / max(abs(value), 1.0), 0.0, atol=1e-12)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(n_frames=st.integers(1, 60), n_steps=st.integers(1, 90), seed=st.integers(0, 999))
def test_steps_are_interpolated_linearly_over_time(n_frames: int, n_steps: int, seed: int) -> None:
    features = matrix(3, n_frames, seed)
    frame_times = (np.arange(n_frames) + 0.5) / n_frames
    step_times = (np.arange(n_steps) + 0.5) / n_steps
    expected = [np.interp(step_times, frame_times, row) for row in features]
    found = resampled(features, n_steps)
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("n_frames", [1, 2, 7, 49, 130])
def test_as_many_steps_as_frames_are_the_frames(n_frames: int) -> None:
    features = matrix(5, n_frames)
    assert np.array_equal(resampled(features, n_frames), features)


@pytest.mark.parametrize("cls", FAMILY)
def test_the_options_come_in_their_order(cls: type[ClipFeaturizer]) -> None:
    y = padded(9000, 12_000, 9000)
    part = trim(y, top_db=30.0)[0]
    expected = resampled(normalized(cls().extract(part, SR), "mean_variance"), 7)
    assert np.array_equal(cls(**OPTIONS).extract(y, SR), expected)


@pytest.mark.parametrize("cls", FAMILY)
def test_with_options_a_featurizer_keeps_the_promises_of_all(cls: type[ClipFeaturizer]) -> None:
    featurizer = cls(**OPTIONS)
    ys = [noise(5000), padded(4000, 3000, 9000, 1), noise(1, 2), padded(0, 20_000, 5000, 3)]
    ys.append(np.zeros(500, dtype=np.float32))
    for y in ys:
        y.flags.writeable = False
    for y, features in zip(ys, featurizer.extract_many(ys, SR), strict=True):
        assert np.array_equal(features, featurizer.extract(y, SR))
        assert features.shape[1] == 7
        assert np.isfinite(features).all()
    assert cls.model_validate_json(featurizer.model_dump_json(), strict=True) == featurizer


def test_n_steps_gives_equal_widths_without_padding() -> None:
    featurizer = Mfcc(n_steps=10, pooling=Flatten(pad=-999.0))
    plan = plan_featurizer("mfcc", featurizer, AudioConfig(duration=2.0), "mfcc", None)
    assert (plan.max_frames, plan.width) == (10, 200)
    for n_samples in (1000, 20_000, 44_100):
        row = featurizer.pooling.pool(featurizer.extract(noise(n_samples), SR), plan.max_frames)
        assert row.shape == (200,)
        assert (row > -999.0).all()
