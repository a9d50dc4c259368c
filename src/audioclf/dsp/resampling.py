"""Resampling of a waveform."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix


def resample(y: Matrix, orig_sr: int, target_sr: int) -> Matrix:
    """Resample a waveform [shape=(n_samples,)] as `librosa.resample(res_type="soxr_hq")` does.

    Rates are in Hz. If they are equal, the waveform itself is returned.
    """
    if orig_sr == target_sr:
        return y
    import numpy as np
    import soxr

    n_samples = math.ceil(len(y) * (float(target_sr) / orig_sr))
    resampled: Matrix = soxr.resample(y, orig_sr, target_sr, "soxr_hq")[:n_samples]
    if len(resampled) == n_samples:
        return resampled
    return np.pad(resampled, (0, n_samples - len(resampled)))
