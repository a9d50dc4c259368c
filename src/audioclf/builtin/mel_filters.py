"""Mel filterbanks: triangular filters, and their fast product with power spectra.

The filters are those of `librosa.filters.mel`: triangles whose corners are equally spaced on a
mel scale, evaluated at the frequencies of the Fourier transform. By default the scale is that of
the Auditory Toolbox, linear below 1 kHz and logarithmic above; `htk` chooses HTK's.

References
----------
M. Slaney, "Auditory Toolbox, version 2", Technical Report 1998-010, Interval Research, 1998.
S. Young et al., "The HTK Book", section 5.4, Cambridge University, 2006.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audioclf.builtin.short_time import TILE

Matrix = NDArray[np.float32]
Hertz = NDArray[np.float64]
MelNorm = Literal["slaney"] | float | None

_BANDS = 8
"""Filters in a group: neighbors overlap, so that a group looks at a short range of frequencies."""

_BINS = 1024
"""Most frequencies in one product: BLAS shares greater ones among threads, in another order."""

_LINEAR_HZ = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27.0


def mel_weights(
    *,
    sr: float,
    n_fft: int,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: MelNorm = "slaney",
) -> Matrix:
    """Return the filterbank, one filter a row, as `librosa.filters.mel` does.

    A filter that is narrower than the distance of two frequencies may hold none of them; its
    row is zero.

    Parameters
    ----------
    sr : float
        Sample rate in Hz.
    n_fft : int
        Samples in a frame.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Lowest and highest frequency in Hz; `fmax` defaults to `sr / 2`.
    htk : bool
        Whether the mel scale is HTK's.
    norm : "slaney", float or None
        `slaney` divides a filter by its width in Hz over two, so that all have the same area; a
        number p > 0 scales each to the p-norm one (`inf`: its greatest weight is one).

    Returns
    -------
    weights : np.ndarray [shape=(n_mels, n_fft // 2 + 1)], float32
    """
    fmax = sr / 2.0 if fmax is None else fmax
    corners = mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax, htk=htk)
    width = np.diff(corners)[:, np.newaxis]
    distance = corners[:, np.newaxis] - np.fft.rfftfreq(n_fft, 1.0 / sr)
    rising, falling = -distance[:-2] / width[:-1], distance[2:] / width[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        weights *= (2.0 / (corners[2:] - corners[:-2]))[:, np.newaxis]
    elif norm is not None:
        weights /= _row_norms(weights, norm)
    return weights.astype(np.float32)


def mel_frequencies(
    n_mels: int = 128, *, fmin: float = 0.0, fmax: float = 11025.0, htk: bool = False
) -> Hertz:
    """Return frequencies in Hz that are equally spaced on the mel scale, both ends included."""
    to_mel, to_hz = (_htk_mel, _htk_hz) if htk else (_slaney_mel, _slaney_hz)
    low, high = to_mel(np.array([fmin, fmax], dtype=np.float64))
    return to_hz(np.linspace(low, high, n_mels))


def _htk_mel(hz: Hertz) -> Hertz:
    return 2595.0 * np.log10(1.0 + hz / 700.0)


def _htk_hz(mel: Hertz) -> Hertz:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def _slaney_mel(hz: Hertz) -> Hertz:
    logarithmic = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, logarithmic)


def _slaney_hz(mel: Hertz) -> Hertz:
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, logarithmic)


def _row_norms(weights: Hertz, p: float) -> Hertz:
    """Return the p-norm of each row, shape (n_rows, 1), and one where it is next to nothing."""
    norms = np.linalg.norm(weights, ord=p, axis=1, keepdims=True)
    return np.where(norms < np.finfo(np.float32).tiny, 1.0, norms)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Neighboring filters over a range of frequencies; `adds` to what lies below the range."""

    bands: slice
    bins: slice
    weights: Matrix
    adds: bool


@dataclass(frozen=True, slots=True, eq=False)
class MelBank:
    """A filterbank cut into parts without most of its zeros, to be applied to many frames."""

    n_mels: int
    parts: tuple[_Part, ...]
    lanes_agree: bool

    def project(self, power: Matrix) -> Matrix:
        """Return the energy in each band of each frame.

        Parameters
        ----------
        power : np.ndarray [shape=(n_fft // 2 + 1, n)], float32, C order
            Spectra of n frames, n a multiple of `TILE`.

        Returns
        -------
        mel : np.ndarray [shape=(n_mels, n)], float32
            The numbers of a frame do not depend on the others, nor on its place among them.
        """
        if self.lanes_agree:
            return _project(self.parts, power)[: self.n_mels]
        alone = np.repeat(power, TILE, axis=1)
        return _project(self.parts, alone)[: self.n_mels, ::TILE]


@lru_cache(maxsize=32)
def mel_bank(
    sr: float,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool,
    norm: MelNorm,
) -> MelBank:
    """Return the filterbank of `mel_weights`, made once for each configuration."""
    weights = mel_weights(
        sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
    )
    parts = tuple(_parts(weights))
    return MelBank(n_mels, parts, _lanes_agree(parts, n_bins=weights.shape[1]))


def _parts(weights: Matrix) -> Iterator[_Part]:
    """Cut out groups of filters; the last is filled up with zeros, so that all have one shape."""
    for start in range(0, len(weights), _BANDS):
        rows = weights[start : start + _BANDS]
        group = np.pad(rows, ((0, _BANDS - len(rows)), (0, 0)))
        heard = np.flatnonzero(rows.any(axis=0))
        low, high = (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 1)
        for first in range(low, high, _BINS):
            bins = slice(first, min(first + _BINS, high))
            block = np.ascontiguousarray(group[:, bins])
            yield _Part(slice(start, start + _BANDS), bins, block, adds=first > low)


def _project(parts: tuple[_Part, ...], power: Matrix) -> Matrix:
    """Multiply each tile of frames on its own: products of one shape add up in one order."""
    mel = np.empty((parts[-1].bands.stop, power.shape[1]), dtype=np.float32)
    tiles, mel_tiles = _tiles(power), _tiles(mel)
    for part in parts:
        target = mel_tiles[:, part.bands]
        if part.adds:
            target += np.matmul(part.weights, tiles[:, part.bins])
        else:
            np.matmul(part.weights, tiles[:, part.bins], out=target)
    return mel


def _tiles(columns: Matrix) -> Matrix:
    """View an array (n_rows, n) as (n / TILE, n_rows, TILE)."""
    return columns.reshape(len(columns), -1, TILE).transpose(1, 0, 2)


def _lanes_agree(parts: tuple[_Part, ...], n_bins: int) -> bool:
    """Try whether this machine's BLAS gives a frame the same numbers anywhere in a tile.

    The usual ones do, because a tile fills their vector registers. Where one does not, each
    frame gets a tile of its own, which is slow but keeps the promise.
    """
    spectra = np.random.default_rng(0).random((n_bins, 4), dtype=np.float32)
    tiles = _tiles(_project(parts, np.repeat(spectra, TILE, axis=1)))
    return bool((tiles == tiles[:, :, :1]).all())
