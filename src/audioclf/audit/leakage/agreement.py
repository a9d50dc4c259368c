"""Agreement of two waveforms at the best shift, by which copies differ from other takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioclf.audit.inputs import Matrix
from audioclf.audit.leakage.fingerprint import HIGH_HZ, LOW_HZ

SAME = 0.92
"""Agreement of two waveforms above which they are one recording."""

BRIEF_SECONDS, BRIEF_LOSS = 0.25, 0.03
"""Overlap of which few frames are compared, and the part of its agreement that it loses."""

MAX_SHIFT = 0.6
"""Largest delay of one copy behind the other, in s."""

_FRAME_SECONDS = 0.03
_FADE_SECONDS = 0.03
"""Without fades, tones above 3.4 kHz agree, since only their ends have energy below."""


def agreement(a: Matrix, b: Matrix, sr: int) -> float:
    """Return the agreement of two waveforms in 100-3400 Hz at the best shift, in [0, 1].

    Their ends are faded, and they are shifted against each other by the lag of the greatest
    cross-correlation. The value is the mean of the correlation coefficients of frames of 30 ms,
    without its sign, each weighted by the amplitude of the frame rather than by its energy, so that
    one loud vowel does not dominate a whole word. It is 0 if less than half of the energy of one
    lies in the overlap, or if there is only rounding noise, and less by `BRIEF_LOSS` for a brief
    overlap.
    """
    return agreements([a], [b], room_for(a, b, sr), sr)[0]


def room_for(a: Matrix, b: Matrix, sr: int) -> int:
    """Return the length of transforms that have room for both at any shift."""
    longest = max(len(a), len(b))
    return _fast_length(longest + min(longest, round(MAX_SHIFT * sr) + 1))


def agreements(ones: Sequence[Matrix], others: Sequence[Matrix], n: int, sr: int) -> list[float]:
    """Return the agreement of each pair, from transforms of a length `n` that has room for all."""
    from scipy import fft

    distinct = {id(y): y for y in (*ones, *others)}
    padded = np.zeros((len(distinct), n), dtype=np.float32)
    for row, y in zip(padded, distinct.values(), strict=True):
        row[: len(y)] = (y - y.mean()) * _fades(len(y), sr)
    spectra = fft.rfft(padded)
    spectra[:, : int(np.ceil(LOW_HZ * n / sr))] = 0.0
    spectra[:, int(min(HIGH_HZ, 0.45 * sr) * n / sr) + 1 :] = 0.0
    places = {key: place for place, key in enumerate(distinct)}
    low, high = ([places[id(y)] for y in side] for side in (ones, others))
    correlations = np.abs(fft.irfft(spectra[low] * spectra[high].conj(), n))
    most = min(round(MAX_SHIFT * sr), n // 2 - 1)
    around = np.concatenate([correlations[:, n - most :], correlations[:, : most + 1]], axis=1)
    lags = (around.argmax(axis=1) - most).tolist()
    limited = fft.irfft(spectra, n, overwrite_x=True)
    bands = [row[: len(y)] for row, y in zip(limited, distinct.values(), strict=True)]
    energies = [
        float(x @ x) if x @ x > max(1e-8 * float(y @ y), 1e-12) else np.inf
        for x, y in zip(bands, distinct.values(), strict=True)
    ]
    return [
        _overlap_agreement(bands[i], bands[k], (energies[i], energies[k]), lag, sr)
        for i, k, lag in zip(low, high, lags, strict=True)
    ]


def _fades(n_samples: int, sr: int) -> Matrix:
    """Return factors that fade the ends of a waveform: a sharp end has energy everywhere."""
    factors = np.ones(n_samples, dtype=np.float32)
    n_faded = min(n_samples // 2, round(_FADE_SECONDS * sr))
    rise = np.sin(np.pi / 2 * np.arange(1, n_faded + 1) / (n_faded + 1)) ** 2
    factors[:n_faded] = rise
    factors[n_samples - n_faded :] = rise[::-1]
    return factors


def _overlap_agreement(
    a: Matrix, b: Matrix, energies: tuple[float, float], lag: int, sr: int
) -> float:
    length = max(1, round(_FRAME_SECONDS * sr))
    in_a, in_b = max(lag, 0), max(-lag, 0)
    n_samples = max(0, min(len(a) - in_a, len(b) - in_b))
    x, y = a[in_a:][:n_samples], b[in_b:][:n_samples]
    if 2.0 * float(x @ x) < energies[0] or 2.0 * float(y @ y) < energies[1]:
        return 0.0
    x = x * _fades(len(b), sr)[in_b:][:n_samples]  # so that both have the fades of both
    y = y * _fades(len(a), sr)[in_a:][:n_samples]
    frames = np.zeros((2, -(-n_samples // length) * length), dtype=np.float32)
    frames[0, :n_samples], frames[1, :n_samples] = x, y
    x, y = frames.reshape(2, -1, length)
    common, of_x, of_y = (np.einsum("ij,ij->i", *each) for each in ((x, y), (x, x), (y, y)))
    amplitude = np.sqrt(np.sqrt(of_x * of_y))
    total = max(float(amplitude.sum()), 1e-12)
    value = abs(float((common / np.maximum(amplitude, 1e-12)).sum())) / total
    return value if n_samples >= BRIEF_SECONDS * sr else max(0.0, value - BRIEF_LOSS)


def _fast_length(n: int) -> int:
    """Return 4, 5, 6 or 7 times a power of two, at least `n`: few lengths serve all pairs."""
    unit = 1 << max(0, (n - 1).bit_length() - 3)
    return max(4, -(-n // unit)) * unit
