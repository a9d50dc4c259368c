"""Mel filterbanks: triangular filters, and their products with power spectra.

The filters are those of `librosa.filters.mel`, on the scale of the Auditory Toolbox (M. Slaney,
Interval Research, 1998), linear below 1 kHz and logarithmic above, or of HTK (S. Young et al., "The
HTK Book", 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Matrix = NDArray[np.float32]
Hertz = NDArray[np.float64]
MelNorm = Literal["slaney"] | float | None

_RUN = 48
"""Largest number of frequencies in one sum."""

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
    warp: float = 1.0,
) -> Matrix:
    """Return the filters [shape=(n_mels, n_fft // 2 + 1), float32] of `librosa.filters.mel`.

    The row of a filter without a frequency of the transform is zero. `fmin` and `fmax` are in Hz,
    `fmax` is half the sample rate by default. `norm="slaney"` divides a filter by half its width in
    Hz, for equal areas; a number p > 0 scales each to the p-norm 1 (`inf`: greatest weight 1).
    `warp` is a factor of the corners, as in `vtlp_warp`.
    """
    fmax = sr / 2.0 if fmax is None else fmax
    corners = mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax, htk=htk)
    if warp != 1.0:
        corners = vtlp_warp(corners, warp, sr=sr)
    width = np.diff(corners)[:, np.newaxis]
    distance = corners[:, np.newaxis] - np.fft.rfftfreq(n_fft, 1.0 / sr)
    rising, falling = -distance[:-2] / width[:-1], distance[2:] / width[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        weights *= (2.0 / (corners[2:] - corners[:-2]))[:, np.newaxis]
    elif norm is not None:
        weights /= _row_norms(weights, norm)
    return weights.astype(np.float32)


def vtlp_warp(frequencies: Hertz, alpha: float, *, sr: float) -> Hertz:
    """Return frequencies in Hz warped piecewise linearly, as in vocal tract length perturbation.

    They are multiplied by `alpha` up to a boundary, from which on a straight line leads to half the
    sample rate. Formants reach up to 4800 Hz as in the paper, and at most `0.3 * sr`, which is the
    same at its 16 kHz.

    >>> vtlp_warp(np.array([0.0, 1000.0, 8000.0]), 1.1, sr=16000)
    array([   0., 1100., 8000.])
    """
    top = sr / 2.0
    f_lo = min(4800.0, 0.3 * sr) * min(alpha, 1.0)
    boundary = f_lo / alpha
    beyond = top - (top - f_lo) / (top - boundary) * (top - frequencies)
    return np.where(frequencies <= boundary, alpha * frequencies, beyond)


def mel_frequencies(
    n_mels: int = 128, *, fmin: float = 0.0, fmax: float = 11025.0, htk: bool = False
) -> Hertz:
    """Return frequencies in Hz, equally spaced on the mel scale, with both ends."""
    ends = np.array([fmin, fmax], dtype=np.float64)
    if htk:
        low, high = 2595.0 * np.log10(1.0 + ends / 700.0)
        mel: Hertz = np.linspace(low, high, n_mels)
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = _BREAK_MEL + np.log(np.maximum(ends, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    low, high = np.where(ends < _BREAK_HZ, ends / _LINEAR_HZ, above)
    mel = np.linspace(low, high, n_mels)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)


def _row_norms(weights: Hertz, p: float) -> Hertz:
    """Return the p-norm of each row, shape (n_rows, 1), or 1 if it is almost zero."""
    norms = np.linalg.norm(weights, ord=p, axis=1, keepdims=True)
    return np.where(norms < np.finfo(np.float32).tiny, 1.0, norms)


@dataclass(frozen=True, slots=True, eq=False)
class MelBank:
    """A sparse filterbank for many frames.

    Wide filters are divided into runs of frequencies, since long sums in single precision lose
    digits; `starts` are the first runs of the filters, None if no filter is divided.
    """

    weights: csr_array[np.float32]
    starts: NDArray[np.intp] | None = None

    def project(self, power: Matrix) -> Matrix:
        """Return the bands [shape=(n_mels, n)] of power spectra [shape=(n_fft // 2 + 1, n)].

        Each band adds up its frequencies from low to high, so a frame is independent of the other
        frames and of its position. Both arrays are float32, the power in C order.
        """
        mel = np.asarray(self.weights @ power, dtype=np.float32)
        return mel if self.starts is None else np.add.reduceat(mel, self.starts, axis=0)


@lru_cache(maxsize=32)
def mel_bank(
    sr: float,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool,
    norm: MelNorm,
    warp: float = 1.0,
) -> MelBank:
    """Return the filterbank of `mel_weights`, cached for each configuration."""
    from scipy.sparse import csr_array

    weights = mel_weights(
        sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm, warp=warp
    )
    runs = [run for row in weights for run in _runs(row)]
    if len(runs) == len(weights):
        return MelBank(csr_array(weights))
    counts = [len(_runs(row)) for row in weights]
    return MelBank(csr_array(np.stack(runs)), np.cumsum([0, *counts[:-1]]))


def _runs(row: Matrix) -> list[Matrix]:
    """Divide a filter into filters of at most `_RUN` frequencies with the same sum."""
    used = np.flatnonzero(row)
    runs = []
    for start in range(0, max(1, len(used)), _RUN):
        run = np.zeros_like(row)
        run[used[start : start + _RUN]] = row[used[start : start + _RUN]]
        runs.append(run)
    return runs
