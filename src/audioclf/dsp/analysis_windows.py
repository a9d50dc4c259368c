"""Analysis windows of `scipy.signal.get_window`, in periodic form.

The usual ones are sums of cosines (Harris, Proceedings of the IEEE 66(1), 1978) and are computed
here, since importing scipy.signal takes longer than featurizing a hundred clips.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from audioclf.dsp.framing import Window

_COSINE_SUMS = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
}


@lru_cache(maxsize=32)
def analysis_window(window: Window, win_length: int, n_fft: int) -> NDArray[np.float32]:
    """Return the window, centered in a frame with zeros around it, as float32, read only.

    `window` is as for `scipy.signal.get_window`; it covers `win_length` of the `n_fft` samples. A
    window that does not exist, is not finite, or is zero everywhere is a ValueError.
    """
    values = _periodic(window, win_length)
    if not (np.isfinite(values).all() and values.any()):
        raise ValueError(f"window {window!r} is not finite, or zero everywhere")
    framed = np.zeros(n_fft, dtype=np.float32)
    start = (n_fft - win_length) // 2
    framed[start : start + win_length] = values
    framed.flags.writeable = False
    return framed


def _periodic(window: Window, length: int) -> NDArray[np.float64]:
    if isinstance(window, str) and window in _COSINE_SUMS:
        return _cosine_sum(_COSINE_SUMS[window], length)
    from scipy.signal import get_window

    try:
        with np.errstate(all="ignore"):
            values = get_window(cast("Any", window), length, fftbins=True)
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, ZeroDivisionError) as exc:
        raise ValueError(
            f"window {window!r} is not one that scipy.signal.get_window makes ({exc}); "
            f"common ones are {', '.join(sorted(_COSINE_SUMS))}"
        ) from exc


def _cosine_sum(amplitudes: tuple[float, ...], length: int) -> NDArray[np.float64]:
    if length == 1:
        return np.ones(1)
    phase = 2.0 * np.pi * np.arange(length) / length
    terms = [(-1) ** k * a * np.cos(k * phase) for k, a in enumerate(amplitudes)]
    return np.asarray(np.sum(terms, axis=0), dtype=np.float64)
