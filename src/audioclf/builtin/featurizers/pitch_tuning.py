"""Estimate of the tuning relative to 440 Hz, without code that is compiled at run time.

librosa compiles the inner loops of `piptrack` with Numba when they are first needed, and keeps
them beside its own files. Processes that do so at the same moment can crash (seen with Numba
0.68), and workers start together: see docs/development/adr/0018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audioclf.builtin.featurizers.clip_options import Matrix

_FMIN, _FMAX = 150.0, 4000.0
_THRESHOLD = 0.1
"""Range of pitches in Hz and share of a frame's largest power, the defaults of `piptrack`."""


def estimated_tuning(power: Matrix, sr: int, bins_per_octave: int) -> float:
    """Return `librosa.estimate_tuning` of power spectra; 0 where there is no pitch.

    Pitches are maxima of the spectrum, moved by a parabola through the three bins around each
    (J. O. Smith, "Spectral Audio Signal Processing", quadratic interpolation of peaks, 2011).

    Parameters
    ----------
    power : np.ndarray [shape=(n_bins, n_frames)], float32
        At least three bins, the last at half the sample rate.
    sr : int
        Sample rate, in Hz.
    bins_per_octave : int

    Returns
    -------
    tuning : float
        In fractions of a bin, from -0.5 up to 0.5.
    """
    import numpy as np
    from librosa import pitch_tuning

    frequencies = np.linspace(0.0, sr / 2, len(power))
    loud = np.where(power > _THRESHOLD * power.max(axis=0), power, np.float32(0.0))
    peaks = np.zeros(power.shape, dtype=bool)
    peaks[1:-1] = (loud[1:-1] > loud[:-2]) & (loud[1:-1] >= loud[2:])
    peaks &= ((frequencies >= _FMIN) & (frequencies < min(_FMAX, sr / 2)))[:, np.newaxis]
    bins, frames = np.nonzero(peaks)
    if not len(bins):
        return 0.0
    # The precisions of librosa: pitches at the edge of a histogram bin must fall on the same side.
    below, at, above = (power[bins + step, frames] for step in (-1, 0, 1))
    slope = (above - below) / 2
    curvature = (above + below) - 2 * at.astype(np.float64)
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.zeros_like(slope)
    np.divide(-slope, curvature, out=shift, where=inside, casting="same_kind")
    height = at + np.float32(0.5) * slope * shift
    pitches = ((bins + shift) * float(sr) / (2 * (len(power) - 1))).astype(np.float32)
    strong = height >= np.median(height)
    return float(pitch_tuning(pitches[strong], bins_per_octave=bins_per_octave))
