"""Prints: equal for equal samples, near for copies that were changed, far for other sounds."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from audioclf.audio.settings import AudioConfig
from audioclf.audit.leakage.copies import correlation
from audioclf.audit.leakage.fingerprint import WIDTH, Fingerprint, exact_part, robust_part
from audioclf.features.worker import plan_featurizer
from audioclf.starters.sample_data.sounds import SR, chirp, murmur, noise, tone

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]


def print_of(y: Waveform, sr: int = SR) -> Waveform:
    found: Waveform = Fingerprint().extract(y.astype(np.float32), sr)
    return found


def likeness(a: Waveform, b: Waveform) -> float:
    spectra = robust_part(np.concatenate([print_of(a), print_of(b)]))
    return float(correlation(spectra, np.array([[0, 1]]))[0])


def encoded(y: Waveform, container: str, subtype: str) -> Waveform:
    buffer = io.BytesIO()
    soundfile.write(buffer, y, SR, format=container, subtype=subtype)
    buffer.seek(0)
    decoded: Waveform = soundfile.read(buffer, dtype="float32")[0]
    return decoded


@pytest.fixture(params=[tone, chirp, noise], ids=["tone", "chirp", "noise"])
def y(request: pytest.FixtureRequest) -> Waveform:
    make: Callable[[Generator], Waveform] = request.param
    return make(np.random.default_rng(5))


def noisy(y: Waveform, snr_db: float) -> Waveform:
    rng = np.random.default_rng(6)
    level = np.sqrt(np.mean(y**2)) * 10.0 ** (-snr_db / 20.0)
    louder: Waveform = (y + level * rng.standard_normal(len(y))).astype(np.float32)
    return louder


def test_equal_samples_have_an_equal_exact_part(y: Waveform) -> None:
    assert np.array_equal(exact_part(print_of(y)), exact_part(print_of(y.copy())))


def test_one_bit_of_one_sample_changes_the_exact_part(y: Waveform) -> None:
    other = y.copy()
    other[100] = np.nextafter(other[100], np.float32(1.0))
    assert not np.array_equal(exact_part(print_of(y)), exact_part(print_of(other)))


def test_minus_zero_is_zero() -> None:
    silence = np.zeros(4000, dtype=np.float32)
    assert np.array_equal(print_of(silence), print_of(-silence))


def test_the_exact_part_is_whole_numbers_that_float32_holds(y: Waveform) -> None:
    exact = exact_part(print_of(y))
    assert np.array_equal(exact, np.round(exact))
    assert exact.min() >= 0
    assert exact.max() < 2**16


CHANGES: dict[str, Callable[[Waveform], Waveform]] = {
    "4 ms later": lambda y: np.pad(y, (round(0.004 * SR), 0)),
    "50 ms later": lambda y: np.pad(y, (round(0.05 * SR), 0)),
    "300 ms later": lambda y: np.pad(y, (round(0.3 * SR), 0)),
    "mu-law": lambda y: encoded(y, "WAV", "ULAW"),
    "Vorbis": lambda y: encoded(y, "OGG", "VORBIS"),
    "noise at 30 dB": lambda y: noisy(y, 30.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_has_a_similar_robust_part(
    y: Waveform, change: Callable[[Waveform], Waveform]
) -> None:
    assert likeness(y, change(y)) > 0.95


def test_a_gain_leaves_the_sound(y: Waveform) -> None:
    assert likeness(y, 0.1 * y) > 0.999


def test_another_rate_leaves_the_sound(y: Waveform) -> None:
    import soxr

    assert likeness(y, soxr.resample(soxr.resample(y, SR, 22050), 22050, SR)) > 0.95


def test_other_sounds_of_the_same_kind_are_farther_than_copies() -> None:
    rng = np.random.default_rng(7)
    for make in (tone, chirp, noise):
        one, other = make(rng), make(rng)
        assert likeness(one, other) < likeness(one, noisy(one, 30.0)) - 0.05


def test_silence_has_no_robust_part() -> None:
    assert not robust_part(print_of(np.zeros(4000, dtype=np.float32))).any()


def test_a_constant_has_a_finite_print() -> None:
    assert np.isfinite(print_of(np.full(4000, 0.25, dtype=np.float32))).all()


@pytest.mark.parametrize("n_samples", [1, 10, 300])
@pytest.mark.parametrize("sr", [1000, 8000, 48000])
def test_any_length_at_any_rate_has_a_finite_print(n_samples: int, sr: int) -> None:
    y = np.random.default_rng(0).normal(0.0, 0.1, n_samples).astype(np.float32)
    found = print_of(y, sr)
    assert found.shape == (1, WIDTH)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_a_batch_gives_what_each_clip_gives_alone() -> None:
    rng = np.random.default_rng(8)
    ys = [murmur(rng, 0.0)[: 1500 * count] for count in (3, 1, 2, 1)]
    ys.append(rng.normal(0.0, 0.1, 61 * SR).astype(np.float32))
    for one, many in zip(ys, Fingerprint().extract_many(ys, SR), strict=True):
        assert np.array_equal(print_of(one), many)


def test_the_engine_keeps_a_print_as_one_row() -> None:
    plan = plan_featurizer("print", Fingerprint(), AudioConfig(sr=SR), "a test", None)
    assert plan.width == WIDTH
