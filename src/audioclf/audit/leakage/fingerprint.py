"""Audio fingerprint of a clip, by which copies are found among many clips.

A print has two parts. The exact part is the SHA-256 of the decoded samples: equal for a WAV and
the FLAC made from it. The robust part is the spectrum of the whole clip at every 15.6 Hz of the
telephone band. It survives another gain, encoding or sample rate, noise, and a cut; a shift in
time turns its phases linearly. Two takes of one word differ in it as their waveforms do.

The transform at multiples of one frequency is that of the clip folded to one period of it, so it
takes one short transform, however long the clip is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Pooling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Spectra = NDArray[np.complex64]

N_EXACT = 16
"""Columns of the exact part: the SHA-256 as 16 numbers of 16 bits, which float32 holds exactly."""

LOW_HZ, HIGH_HZ = 100.0, 3400.0
"""Telephone band, which most changes of a recording preserve."""

SPACING_HZ = 15.625
"""Distance of the frequencies."""

N_LINES = 212
"""Number of frequencies, from `LOW_HZ` to `HIGH_HZ`."""

LONGEST_SECONDS = 60.0
"""The robust part is that of the beginning of a longer clip."""

WIDTH = N_EXACT + 2 * N_LINES
"""Columns of a print."""


class Fingerprint(Featurizer):
    """The print of a clip as a matrix with one row [shape=(1, WIDTH)], float32."""

    type: Literal["fingerprint"] = "fingerprint"

    pooling: Pooling = Flatten()
    """The print is one row already."""

    def extract(self, y: Matrix, sr: int) -> Matrix:
        """Return the print [shape=(1, WIDTH)], float32."""
        return self.extract_many([y], sr)[0]

    def extract_many(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return the print of each clip [shape=(1, WIDTH)], float32."""
        if not ys:
            return []
        prints = np.empty((len(ys), 1, WIDTH), dtype=np.float32)
        prints[:, 0, :N_EXACT] = [_exact(y) for y in ys]
        prints[:, 0, N_EXACT:] = _robust(ys, sr).view(np.float32)
        return list(prints)


def exact_part(prints: Matrix) -> Matrix:
    """Return the columns that are equal where the decoded samples are [shape=(n, N_EXACT)]."""
    return prints[:, :N_EXACT]


def robust_part(prints: Matrix) -> Spectra:
    """Return spectra [shape=(n, N_LINES)], complex64, each of norm 1, or 0 for silence."""
    return np.ascontiguousarray(prints[:, N_EXACT:], dtype=np.float32).view(np.complex64)


def _exact(y: Matrix) -> Matrix:
    digest = hashlib.sha256(np.add(y, np.float32(0.0), dtype="<f4").data).digest()  # no -0.0
    return np.frombuffer(digest, dtype=">u2").astype(np.float32)


def _robust(ys: Sequence[Matrix], sr: int) -> Spectra:
    """Return the spectrum of the beginning of each clip [shape=(n, N_LINES)], of norm 1 or 0."""
    from scipy import fft

    period = max(2, round(sr / SPACING_HZ))
    every = fft.rfft(np.stack([_folded(y[: round(LONGEST_SECONDS * sr)], period) for y in ys]))
    first = int(np.ceil(LOW_HZ * period / sr))
    last = int(min(HIGH_HZ, 0.45 * sr) * period / sr)
    spectra = np.zeros((len(ys), N_LINES), dtype=np.complex64)
    inside = every[:, first : min(first + N_LINES, last + 1)]
    spectra[:, : inside.shape[1]] = inside
    norms, all_norms = (np.linalg.norm(each, axis=1) for each in (spectra, every))
    norms[norms <= np.maximum(1e-4 * all_norms, 1e-5)] = np.inf  # no more than rounding
    spectra /= norms[:, None]
    return spectra


def _folded(y: Matrix, period: int) -> Matrix:
    """Return the sum of all parts of a length, without the mean of the samples."""
    whole = len(y) // period * period
    folded: Matrix = y[:whole].reshape(-1, period).sum(axis=0)
    folded[: len(y) - whole] += y[whole:]
    mean = float(folded.sum()) / len(y)
    folded -= mean * (len(y) // period)
    folded[: len(y) - whole] -= mean
    return folded
