from typing import Any, Literal

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audioclf.base.errors import FeatureError
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.short_time_options import Spectral
from audioclf.builtin.featurizers.stft import Stft
from audioclf.dsp import short_time
from audioclf.dsp.short_time import power_to_db

Matrix = NDArray[np.float32]
SR = 22050

FEATURIZERS = [
    MelSpectrogram(),
    MelSpectrogram(n_fft=512, hop_length=100, n_mels=33, power=1.5, db=None),
    MelSpectrogram(n_fft=1000, win_length=700, hop_length=300, power=1.0, pad_mode="edge"),
    Stft(n_fft=512),
    Stft(n_fft=255, hop_length=64, power=0.7, db=None),
    Mfcc(deltas=2),
]


def noise(n_samples: int, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(n_samples)).astype(np.float32)


def same_bits(one: list[Matrix], other: list[Matrix]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("featurizer", FEATURIZERS, ids=lambda f: f.type)
@settings(max_examples=20, derandomize=True, deadline=None)
@given(lengths=st.lists(st.integers(1, 9000), min_size=1, max_size=9), seed=st.integers(0, 999))
def test_a_clip_is_the_same_alone_and_in_a_batch(
    featurizer: Spectral, lengths: list[int], seed: int
) -> None:
    ys = [noise(length, seed + index) for index, length in enumerate(lengths)]
    alone = [featurizer.extract(y, SR) for y in ys]
    assert same_bits(featurizer.extract_many(ys, SR), alone)


@pytest.mark.parametrize("featurizer", FEATURIZERS, ids=lambda f: f.type)
def test_the_size_of_blocks_changes_nothing(
    featurizer: Spectral, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = noise(60_000)
    expected = featurizer.extract(y, SR)
    monkeypatch.setattr(short_time, "_BLOCK_SAMPLES", 1)
    assert same_bits([featurizer.extract(y, SR)], [expected])


@pytest.mark.parametrize("featurizer", FEATURIZERS, ids=lambda f: f.type)
def test_the_number_of_blas_threads_changes_nothing(featurizer: Spectral) -> None:
    y = noise(40_000)
    with threadpool_limits(1, user_api="blas"):
        expected = featurizer.extract(y, SR)
    with threadpool_limits(2, user_api="blas"):
        assert same_bits([featurizer.extract(y, SR)], [expected])


@pytest.mark.parametrize("featurizer", FEATURIZERS, ids=lambda f: f.type)
def test_features_are_float32_in_c_order_and_own_their_memory(featurizer: Spectral) -> None:
    first, second = featurizer.extract_many([noise(5000), noise(7000)], SR)
    for features in (first, second):
        assert features.dtype == np.float32
        assert features.flags.c_contiguous
        assert features.base is None
    assert not np.shares_memory(first, second)


def test_a_strided_waveform_is_read_right() -> None:
    y = noise(8000)
    assert same_bits([Stft().extract(y[::2], SR)], [Stft().extract(y[::2].copy(), SR)])


def test_a_clip_without_samples_is_refused() -> None:
    with pytest.raises(FeatureError, match=r"^the clip has no samples; at least one is needed$"):
        Stft().extract(np.zeros(0, dtype=np.float32), SR)


def test_without_centering_a_clip_must_fill_one_frame() -> None:
    featurizer = Stft(n_fft=512, center=False)
    assert featurizer.extract(noise(512), SR).shape == (257, 1)
    with pytest.raises(FeatureError, match="has 511 samples, fewer than the n_fft=512 of") as info:
        featurizer.extract(noise(511), SR)
    assert info.value.hint == "Set `center: true`, which pads short clips, or lower n_fft."


@pytest.mark.parametrize(("pad_mode", "needed"), [("reflect", 257), ("symmetric", 256)])
def test_a_mirror_image_needs_enough_samples(
    pad_mode: Literal["reflect", "symmetric"], needed: int
) -> None:
    featurizer = Stft(n_fft=512, pad_mode=pad_mode)
    assert featurizer.extract(noise(needed), SR).shape[0] == 257
    message = rf"has {needed - 1} samples, fewer than the {needed} that `pad_mode: {pad_mode}`"
    with pytest.raises(FeatureError, match=message) as info:
        featurizer.extract(noise(needed - 1), SR)
    assert info.value.hint == "Set `pad_mode: constant`, which pads with zeros, or lower n_fft."


@pytest.mark.parametrize("ref", [1.0, 1e-3, 50.0, "max"])
@pytest.mark.parametrize("amin", [1e-10, 1e-5, 1e-30])
@pytest.mark.parametrize("top_db", [80.0, 0.0, 12.5, None])
def test_levels_equal_those_of_librosa(ref: Any, amin: float, top_db: float | None) -> None:
    rng = np.random.default_rng(0)
    S = (10.0 ** rng.uniform(-14, 2, (20, 30))).astype(np.float32)
    reference = np.max if ref == "max" else ref
    expected = librosa.power_to_db(S, ref=reference, amin=amin, top_db=top_db)
    np.testing.assert_allclose(power_to_db(S, ref, amin, top_db), expected, atol=2e-5)


def test_levels_of_silence_equal_those_of_librosa() -> None:
    S = np.zeros((3, 4), dtype=np.float32)
    np.testing.assert_allclose(power_to_db(S), librosa.power_to_db(S), rtol=1e-6)
    assert (power_to_db(S, "max") == 0.0).all()
