"""Synthetic sounds: short waveforms from a seeded generator.

All are float32 at `SR`, mono, and below full scale. A simple classifier can distinguish them, and
they are pleasant enough for a classroom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]
    Floats = NDArray[np.float64]

SR = 8000
"""Sample rate of all sounds in Hz."""

NOISE = 0.003
"""Standard deviation of the noise in every sound, as of a quiet room."""


def tone(rng: Generator) -> Waveform:
    """Return a steady tone with two overtones and a slight vibrato."""
    times = _times(rng)
    center = rng.uniform(250.0, 900.0)
    pitch = center * (1.0 + 0.01 * np.sin(2.0 * np.pi * rng.uniform(3, 7) * times))
    return _finished(_harmonics(times, pitch, (1.0, 0.4, 0.2)), rng)


def chirp(rng: Generator) -> Waveform:
    """Return a tone that rises over one to two octaves."""
    times = _times(rng)
    share = times / times[-1]
    pitch = rng.uniform(250.0, 500.0) * 2.0 ** (rng.uniform(1.2, 2.2) * share)
    return _finished(_harmonics(times, pitch, (1.0, 0.3)), rng)


def noise(rng: Generator) -> Waveform:
    """Return noise in a band somewhere between 400 and 3600 Hz."""
    times = _times(rng)
    center = rng.uniform(1000.0, 3000.0)
    return _finished(_banded(rng.standard_normal(len(times)), center, 600.0), rng)


def trill(rng: Generator) -> Waveform:
    """Return a high tone that is switched on and off 15 to 25 times per second."""
    times = _times(rng)
    pitch = np.full(len(times), rng.uniform(1800.0, 2600.0))
    gate = 0.5 + 0.5 * np.sin(2.0 * np.pi * rng.uniform(15.0, 25.0) * times)
    return _finished(_harmonics(times, pitch, (1.0, 0.2)) * gate**2, rng)


def murmur(rng: Generator, slope: float) -> Waveform:
    """Return noise whose loudness wanders; its spectrum tilts by `slope` dB from end to end."""
    times = _times(rng)
    spectrum = np.fft.rfft(rng.standard_normal(len(times)))
    tilt = slope + rng.normal(0.0, 6.0)
    gains = rng.normal(0.0, 5.0, 8)  # differs between clips, not between classes
    at = np.linspace(0.0, 1.0, len(spectrum))
    level = tilt * (at - 0.5) + np.interp(at, np.linspace(0.0, 1.0, 8), gains)
    y = np.fft.irfft(spectrum * 10.0 ** (level / 20.0), len(times))
    wander = np.interp(times, np.linspace(0.0, times[-1], 9), rng.normal(0.0, 0.6, 9))
    return _finished(y * np.exp(wander), rng)


def room(rng: Generator, slope: float) -> Waveform:
    """Return 1 s of noise of standard deviation 1; its spectrum tilts by `slope` dB."""
    spectrum = np.fft.rfft(rng.standard_normal(SR))
    gains = 10.0 ** (slope * (np.linspace(0.0, 1.0, len(spectrum)) - 0.5) / 20.0)
    y = np.fft.irfft(spectrum * gains, SR)
    quiet: Floats = y / np.std(y)
    return quiet.astype(np.float32)


def machine(rng: Generator, pitch: float) -> Waveform:
    """Return 1 s of the hum of a machine that turns at `pitch` Hz."""
    times = np.arange(SR) / SR
    turns = pitch * (1.0 + 0.01 * rng.standard_normal() + 0.005 * np.sin(2 * np.pi * times))
    gains = [1.0 / number for number in range(1, 13)]
    y = _harmonics(times, turns, gains * np.exp(0.15 * rng.standard_normal(12)))
    hum: Floats = y / np.std(y)
    return hum.astype(np.float32)


def knocks(rng: Generator) -> Waveform:
    """Return 1 s with some short knocks of a peak of about 1."""
    y, length = np.zeros(SR), round(0.03 * SR)
    decay = np.exp(-np.arange(length) / (0.006 * SR))
    for start in rng.choice(SR - length, rng.integers(3, 7), replace=False):
        y[start : start + length] += decay * _banded(rng.standard_normal(length), 1800.0, 900.0)
    knocked: Floats = y
    return knocked.astype(np.float32)


def syllable(rng: Generator, pitch: float, formants: Sequence[float], glide: float) -> Waveform:
    """Return a voiced sound: a pulse train of some pitch through resonances.

    `pitch` and `formants` are in Hz; the resonances move by `glide` octaves from start to end.
    """
    times = _times(rng)
    share = times / times[-1]
    fundamental = pitch * (1.0 + 0.05 * rng.standard_normal()) * 2.0 ** (-0.2 * share)
    phase = 2.0 * np.pi * np.cumsum(fundamental) / SR
    shift = 2.0 ** (glide * (share - 0.5) + 0.03 * rng.standard_normal())
    y = np.zeros(len(times))
    for number in range(1, int(0.45 * SR / pitch)):
        frequency = number * fundamental
        gain = sum(1.0 / (1.0 + ((frequency - f * shift) / 90.0) ** 2) for f in formants)
        y += gain * np.sin(number * phase) * (frequency < 0.47 * SR)
    return _finished(y, rng)


def _times(rng: Generator) -> Floats:
    """Return the times of the samples of a sound of 0.45 to 0.6 s."""
    return np.arange(round(rng.uniform(0.45, 0.6) * SR)) / SR


def _harmonics(times: Floats, pitch: Floats, gains: Sequence[float]) -> Floats:
    phase = 2.0 * np.pi * np.cumsum(pitch) / SR
    total = np.zeros(len(times))
    for number, gain in enumerate(gains, start=1):
        total += gain * np.sin(number * phase)
    return total


def _banded(y: Floats, center: float, width: float) -> Floats:
    spectrum = np.fft.rfft(y)
    frequencies = np.fft.rfftfreq(len(y), 1.0 / SR)
    return np.fft.irfft(spectrum * (np.abs(frequencies - center) < width), len(y))


def _finished(y: Floats, rng: Generator) -> Waveform:
    """Return the sound with soft ends, silence around it, some loudness, and the room's noise."""
    fade = np.minimum(1.0, np.minimum(np.arange(len(y)), np.arange(len(y))[::-1]) / (0.02 * SR))
    before, after = (round(rng.uniform(0.02, 0.08) * SR) for _ in range(2))
    faded = y * fade
    level = rng.uniform(0.05, 0.15) / np.sqrt(
        np.mean(faded**2)
    )  # loudness does not depend on the kind
    loud = np.pad(level * faded, (before, after))
    quiet: Floats = loud + NOISE * rng.standard_normal(len(loud))
    return quiet.astype(np.float32)
