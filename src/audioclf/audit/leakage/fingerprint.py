"""Audio fingerprint of a clip, by which copies are found among many clips.

A print has two parts. The exact part is the SHA-256 of the decoded samples: equal for a WAV and
the FLAC made from it. The robust part is the spectrum of the whole clip at every 15.6 Hz of the
telephone band. It survives another gain, encoding or sample rate, noise, and a cut; a shift in
time turns its phases linearly. Two takes of one word differ in it as their waveforms do.

The transform at multiples of one frequency is that of the clip folded to one period of it, so it
takes one short transform, however long the clip is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import numpy as np

from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Pooling
from audioclf.dsp.blocks import in_rows, row_sums, table_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]
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

_ZERO = np.float32(0.0)
"""The sum of -0.0 and this is 0.0."""


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
        return list(table_of(ys, WIDTH, partial(_prints, sr=sr))[:, None, :])


def exact_part(prints: Matrix) -> Matrix:
    """Return the columns that are equal where the decoded samples are [shape=(n, N_EXACT)]."""
    return prints[:, :N_EXACT]


def robust_part(prints: Matrix) -> Spectra:
    """Return spectra [shape=(n, N_LINES)], complex64, each of norm 1, or 0 for silence."""
    return np.ascontiguousarray(prints[:, N_EXACT:WIDTH], dtype=np.float32).view(np.complex64)


def _prints(ys: Sequence[Matrix], sr: int) -> Matrix:
    """Return the prints of some clips of ascending lengths [shape=(n, WIDTH)]."""
    period, most = max(2, round(sr / SPACING_HZ)), round(LONGEST_SECONDS * sr)
    beginnings = [y[:most] for y in ys]
    lengths = [len(y) for y in beginnings]
    rows = in_rows(beginnings, period)
    counts = -(-np.array(lengths) // period)
    rows += _ZERO
    samples = rows.astype("<f4", copy=False).reshape(-1)
    starts = (np.cumsum(counts) - counts) * period
    digests = [
        sha256((samples[at : at + n] if n == len(y) else y.astype("<f4") + _ZERO).data)
        for y, at, n in zip(ys, starts.tolist(), lengths, strict=True)
    ]
    prints = np.empty((len(ys), WIDTH), dtype=np.float32)
    exact = np.frombuffer(b"".join(digest.digest() for digest in digests), dtype=">u2")
    prints[:, :N_EXACT] = exact.reshape(-1, N_EXACT)
    prints[:, N_EXACT:] = _robust(row_sums(rows, counts), np.array(lengths), sr).view(np.float32)
    return prints


def _robust(folded: Matrix, n_samples: Codes, sr: int) -> Spectra:
    """Return the spectrum of each clip [shape=(n, N_LINES)], of norm 1 or 0.

    `folded` [shape=(n, period)] are the sums of all its parts of a length.
    """
    from scipy import fft

    period = folded.shape[1]
    _center(folded, n_samples)
    every = fft.rfft(folded)
    first = int(np.ceil(LOW_HZ * period / sr))
    last = int(min(HIGH_HZ, 0.45 * sr) * period / sr)
    spectra = np.zeros((len(folded), N_LINES), dtype=np.complex64)
    inside = every[:, first : min(first + N_LINES, last + 1)]
    spectra[:, : inside.shape[1]] = inside
    norms, all_norms = (np.linalg.norm(each, axis=1) for each in (spectra, every))
    norms[norms <= np.maximum(1e-4 * all_norms, 1e-5)] = np.inf  # no more than rounding
    spectra /= norms[:, None]
    return spectra


def _center(folded: Matrix, n_samples: Codes) -> None:
    """Take the mean of the samples from each sum, as often as there are samples in it."""
    times, n_more = np.divmod(n_samples, folded.shape[1])
    means = folded.sum(axis=1).astype(np.float64) / n_samples
    folded -= (means * times).astype(np.float32)[:, None]
    has_more = np.arange(folded.shape[1]) < n_more[:, None]
    np.subtract(folded, means.astype(np.float32)[:, None], out=folded, where=has_more)
