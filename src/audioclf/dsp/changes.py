"""Changes of a waveform [shape=(n_samples,)] that keep its length: noise, bands, time, room."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import fft, signal

from audioclf.dsp.analysis_windows import analysis_window
from audioclf.dsp.mel_filters import mel_frequencies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

Color = Literal["white", "pink", "brown"]

_EXPONENTS: dict[Color, float] = {"white": 0.0, "pink": 0.5, "brown": 1.0}
_LOWEST = 20.0
"""Frequency in Hz below which pink and brown noise do not grow."""
_FRAME_SECONDS = 0.064
_MELS = 201
_OVERLAP = 4
_TINY = np.float32(1e-20)
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
    sections: list[list[float]] = []
    if low is not None and low < sr / 2:
        sections += _butterworth(low / sr, highpass=True)
    if high is not None and high < sr / 2:
        sections += _butterworth(high / sr, highpass=False)
    if not sections:
        return y
    return signal.sosfilt(sections, y).astype(np.float32)


def _butterworth(limit: float, *, highpass: bool) -> list[list[float]]:
    """Return the sections of a Butterworth filter of order 4, as `signal.butter` in closed form.

    That function takes longer than the filter for a short clip.
    """
    cos, sin = math.cos(2 * np.pi * limit), math.sin(2 * np.pi * limit)
    edge = 1 + cos if highpass else 1 - cos
    middle = -edge if highpass else edge
    widths = (sin * math.sin(np.pi / 8), sin * math.sin(3 * np.pi / 8))
    return [
        [value / (1 + w) for value in (edge / 2, middle, edge / 2, 1 + w, -2 * cos, 1 - w)]
        for w in widths
    ]


def shifted(y: Waveform, n_samples: int) -> Waveform:
    """Return a clip that begins later, or earlier if negative, with silence in the gap."""
    result = np.zeros_like(y)
    n_kept = len(y) - abs(n_samples)
    if n_kept > 0:
        start, source = max(0, n_samples), max(0, -n_samples)
        result[start : start + n_kept] = y[source : source + n_kept]
    return result


def masked(
    y: Waveform, sr: int, times: tuple[float, float], bands: tuple[float, float]
) -> Waveform:
    """Return a clip with silence in a part of the time and in a band of frequencies.

    Both reach from one share to another: of the clip, and of the mel scale up to half the rate.
    """
    result = y.copy()
    if bands[1] > bands[0] and len(y):
        n_fft = fft.next_fast_len(len(y), real=True)
        scale = mel_frequencies(_MELS, fmax=sr / 2)
        edges = np.interp(bands, np.linspace(0, 1, _MELS), scale) * n_fft / sr
        spectrum = fft.rfft(y, n_fft)
        spectrum[round(edges[0]) : round(edges[1])] = 0
        result = fft.irfft(spectrum, n_fft, overwrite_x=True)[: len(y)]
    result[round(times[0] * len(y)) : round(times[1] * len(y))] = 0
    return result


def fitted(y: NDArray[Any], n_samples: int) -> Waveform:
    """Return the first samples, with silence at the end if there are too few."""
    result = np.zeros(n_samples, dtype=np.float32)
    result[: len(y)] = y[:n_samples]
    return result


def stretched(y: Waveform, sr: int, rate: float) -> Waveform:
    """Return a clip at `rate` times its speed and the same pitch, by a phase vocoder.

    Its length is `len(y) / rate`. As `librosa.effects.time_stretch`, without compiled code.
    """
    if rate == 1 or len(y) < _SHORTEST:
        return y
    n_fft = _frame_size(len(y), sr)
    return _vocoded(y, rate, n_fft, n_fft, round(len(y) / rate))


def transposed(y: Waveform, sr: int, semitones: float) -> Waveform:
    """Return a clip at another pitch, with the same speed and length.

    Each frame of a phase vocoder is resampled by its Fourier transform, to a multiple of 4 samples.
    """
    n_fft = _frame_size(len(y), sr)
    size = max(_OVERLAP, _OVERLAP * round(n_fft / _OVERLAP * 2 ** (-semitones / 12)))
    if size == n_fft or len(y) < _SHORTEST:
        return y
    return _vocoded(y, size / n_fft, n_fft, size, len(y))


def _frame_size(n_samples: int, sr: int) -> int:
    """Return the samples of a frame of a phase vocoder, a power of two."""
    n_fft: int = 1 << round(math.log2(_FRAME_SECONDS * sr))
    return min(n_fft, 1 << max(0, n_samples.bit_length() - 1))


def _vocoded(y: Waveform, rate: float, n_fft: int, size: int, n_samples: int) -> Waveform:
    """Return a clip at another speed by frames of `n_fft` samples, each resampled to `size`."""
    hop = n_fft // _OVERLAP
    n_frames = math.ceil(len(y) / hop) + 1
    padded = np.zeros(n_fft + (n_frames + 1) * hop, dtype=np.float32)
    padded[n_fft // 2 : n_fft // 2 + len(y)] = y
    step = padded.strides[0]
    frames = np.ndarray((n_frames + 2, n_fft), np.float32, padded, 0, (hop * step, step))
    bins = fft.rfft(frames * analysis_window("hann", n_fft, n_fft), axis=1)
    levels = np.abs(bins)
    steps = np.arange(0.0, n_frames, rate)
    left = steps.astype(int)
    share = (steps - left).astype(np.float32)[:, None]
    magnitudes = (1 - share) * levels[left] + share * levels[left + 1]
    # Phases as numbers of absolute value 1, also of silence: products of them add up the advances.
    bins *= 1 / np.maximum(levels, _TINY)
    bins[levels < _TINY] = 1
    phases = np.concatenate([bins[:1], (bins[1:] * bins[:-1].conj())[left[:-1]]])
    for before, after in pairwise(phases):  # faster than `cumprod`
        after *= before
    phases *= magnitudes
    changed = fft.irfft(phases, size, axis=1, overwrite_x=True)
    window = analysis_window("hann", size, size)
    changed *= window * np.float32(size / n_fft)
    result = _overlapped(changed, size // _OVERLAP)
    result /= np.maximum(
        _overlapped(np.broadcast_to(window**2, changed.shape), size // _OVERLAP), _TINY
    )
    return fitted(result.ravel()[size // 2 :], n_samples)


def _overlapped(frames: NDArray[np.float32], hop: int) -> NDArray[np.float32]:
    """Return the sum of frames, each `hop` samples after the one before."""
    blocks = frames.reshape(len(frames), _OVERLAP, hop)
    total = np.zeros((len(frames) + _OVERLAP - 1, hop), dtype=np.float32)
    for number in range(_OVERLAP):
        total[number : number + len(frames)] += blocks[:, number]
    return total


def decaying_noise(
    sr: int,
    rt60: float,
    direct_ratio: float,
    rng: np.random.Generator,
    *,
    n_samples: int | None = None,
) -> NDArray[Any]:
    """Return an impulse response: the direct sound, and noise that decays by 60 dB in `rt60` s.

    `direct_ratio` is the ratio of the energy of the direct sound to that of the noise, in dB, on
    average. The response has `n_samples` at most.
    """
    whole = max(2, round(rt60 * sr))
    response = np.ones(min(whole, n_samples or whole), dtype=np.float32)
    rate = min(3 * math.log(10) / (rt60 * sr), 20.0)  # of the amplitude, for each sample
    energy = math.expm1(-2 * rate * (whole - 1)) / -math.expm1(2 * rate)
    gain = math.sqrt(10 ** (-direct_ratio / 10) / energy)
    tail = response[1:]
    np.exp(np.arange(1, len(response), dtype=np.float32) * np.float32(-rate), out=tail)
    tail *= rng.standard_normal(len(tail), dtype=np.float32)
    tail *= np.float32(gain)
    return response


def reverberated(y: Waveform, response: NDArray[Any]) -> Waveform:
    """Return a clip in a room, by an impulse response that begins with its largest sample."""
    audible = response[: len(y)].astype(np.float32)
    n_fft = fft.next_fast_len(len(y) + len(audible) - 1, real=True)
    spectrum = fft.rfft(y, n_fft)
    spectrum *= fft.rfft(audible, n_fft)
    return as_loud(fft.irfft(spectrum, n_fft, overwrite_x=True)[: len(y)], y)
