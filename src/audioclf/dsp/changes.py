"""Changes of a waveform [shape=(n_samples,)] that keep its length: noise, bands, time, room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

Color = Literal["white", "pink", "brown"]

_EXPONENTS: dict[Color, float] = {"white": 0.0, "pink": 0.5, "brown": 1.0}
_LOWEST = 20.0
"""Frequency in Hz below which pink and brown noise do not grow."""
_ORDER = 4
_FRAME_SECONDS = 0.064
_SHORTEST = 64
"""Samples below which a clip is not stretched."""


def mean_power(y: NDArray[Any]) -> float:
    """Return the mean of the squares in double precision; 0 for no samples."""
    return float(np.mean(np.square(y, dtype=np.float64))) if len(y) else 0.0


def mixed(y: Waveform, noise: NDArray[Any], snr: float) -> Waveform:
    """Return a clip with noise of the same length, at a ratio of their mean powers in dB."""
    power = mean_power(noise)
    if power == 0:
        return y
    scale = math.sqrt(mean_power(y) / power * 10 ** (-snr / 10))
    return (y + scale * noise).astype(np.float32)


def as_loud(changed: NDArray[Any], y: Waveform) -> Waveform:
    """Return a changed clip with the mean power of the clip."""
    power = mean_power(changed)
    scale = math.sqrt(mean_power(y) / power) if power > 0 else 1.0
    return (scale * changed).astype(np.float32)


def colored_noise(n_samples: int, sr: int, color: Color, rng: np.random.Generator) -> NDArray[Any]:
    """Return white noise, or noise that falls by 3 (pink) or 6 (brown) dB per octave."""
    noise = rng.standard_normal(n_samples)
    if color == "white":
        return noise
    frequencies = np.maximum(np.fft.rfftfreq(n_samples, 1 / sr), _LOWEST)
    return np.fft.irfft(np.fft.rfft(noise) / frequencies ** _EXPONENTS[color], n_samples)


def band_limited(y: Waveform, sr: int, low: float | None, high: float | None) -> Waveform:
    """Return a clip after Butterworth filters that remove what lies below and above, in Hz.

    A limit at or above half the sample rate removes nothing.
    """
    filters: list[Any] = []
    if low is not None and low < sr / 2:
        filters.append(signal.butter(_ORDER, low, "highpass", fs=sr, output="sos"))
    if high is not None and high < sr / 2:
        filters.append(signal.butter(_ORDER, high, "lowpass", fs=sr, output="sos"))
    if not filters:
        return y
    return signal.sosfilt(np.concatenate(filters), y).astype(np.float32)


def shifted(y: Waveform, n_samples: int) -> Waveform:
    """Return a clip that begins later, or earlier if negative, with silence in the gap."""
    result = np.zeros_like(y)
    n_kept = len(y) - abs(n_samples)
    if n_kept > 0:
        start, source = max(0, n_samples), max(0, -n_samples)
        result[start : start + n_kept] = y[source : source + n_kept]
    return result


def fitted(y: NDArray[Any], n_samples: int) -> Waveform:
    """Return the first samples, with silence at the end if there are too few."""
    y = y[:n_samples].astype(np.float32)
    return np.pad(y, (0, n_samples - len(y)))


def stretched(y: Waveform, sr: int, rate: float) -> Waveform:
    """Return a clip at `rate` times its speed and the same pitch, by a phase vocoder.

    Its length is `len(y) / rate`. As `librosa.effects.time_stretch`, without compiled code.
    """
    if rate == 1 or len(y) < _SHORTEST:
        return y
    n_fft = 2 ** round(math.log2(_FRAME_SECONDS * sr))
    n_fft = min(n_fft, 2 ** int(math.log2(len(y))))
    hop = n_fft // 4
    options: dict[str, Any] = {"nperseg": n_fft, "noverlap": n_fft - hop}
    bins = signal.stft(y.astype(np.float64), boundary="zeros", padded=True, **options)[2]
    steps = np.arange(0.0, bins.shape[1], rate)
    bins = np.pad(bins, ((0, 0), (0, 2)))
    left = steps.astype(int)
    share = steps - left
    before, after = bins[:, left], bins[:, left + 1]
    magnitude = (1 - share) * np.abs(before) + share * np.abs(after)
    expected = 2 * np.pi * hop * np.arange(len(bins))[:, None] / n_fft
    advance = np.angle(after) - np.angle(before) - expected
    advance -= 2 * np.pi * np.round(advance / (2 * np.pi))
    phase = np.cumsum(expected + advance, axis=1) - (expected + advance) + np.angle(bins[:, :1])
    result = signal.istft(magnitude * np.exp(1j * phase), boundary=True, **options)[1]
    return fitted(result, round(len(y) / rate))


def transposed(y: Waveform, sr: int, semitones: float) -> Waveform:
    """Return a clip at another pitch, with the same speed and length."""
    import soxr

    if semitones == 0 or len(y) < _SHORTEST:
        return y
    ratio = 2 ** (semitones / 12)
    longer = stretched(y, sr, 1 / ratio)
    return fitted(soxr.resample(longer, sr * ratio, sr), len(y))


def decaying_noise(
    sr: int, rt60: float, direct_ratio: float, rng: np.random.Generator
) -> NDArray[Any]:
    """Return an impulse response: the direct sound, and noise that decays by 60 dB in `rt60` s.

    `direct_ratio` is the ratio of the energy of the direct sound to that of the noise, in dB.
    """
    times = np.arange(1, max(2, round(rt60 * sr))) / sr
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / rt60)
    tail *= math.sqrt(10 ** (-direct_ratio / 10) / float(np.sum(tail**2)))
    return np.concatenate([[1.0], tail])


def reverberated(y: Waveform, response: NDArray[Any]) -> Waveform:
    """Return a clip in a room, by an impulse response that begins with its largest sample."""
    return as_loud(signal.fftconvolve(y, response)[: len(y)], y)
