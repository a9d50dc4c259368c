"""Audio fingerprint of a clip, by which copies are found among many clips.

A print has two parts. The exact part is the SHA-256 of the decoded samples: equal for a WAV and
the FLAC made from it. The robust part survives another gain, another encoding, another sample
rate, some noise, silence before and after, and a shift in time.

The robust part takes Fourier transforms of the levels of mel bands along time, at slow "modulation"
frequencies (S. Greenberg and B. Kingsbury, "The modulation spectrogram", ICASSP 1997). A shift in
time turns the phases of all bands alike, and a gain adds a constant, so the product of one band's
transform with the conjugate of its neighbor's keeps neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Pooling
from audioclf.dsp.framing import Framing
from audioclf.dsp.mel_filters import mel_bank
from audioclf.dsp.short_time import transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

N_EXACT = 16
"""Columns of the exact part: the SHA-256 as 16 numbers of 16 bits, which float32 holds exactly."""

N_MELS = 16
LOW_HZ, HIGH_HZ = 100.0, 3400.0
"""Telephone band, which most changes of a recording preserve."""

RANGE_DB = 30.0
"""Levels further below the maximum of a clip are raised to this distance."""

MODULATIONS = np.geomspace(1.0, 16.0, 12)
"""Modulation frequencies in Hz."""

LONGEST_SECONDS = 60.0
"""The robust part is that of the beginning of a longer clip."""

N_ROBUST = 2 * (N_MELS - 1) * len(MODULATIONS)
WIDTH = N_EXACT + N_ROBUST
"""Columns of a print."""

_FRAME_SECONDS = 0.046
_HOP_SECONDS = 0.016
_SMALL = 1e-6


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
        framing = _framing(sr)
        bank = mel_bank(
            sr, framing.n_fft, N_MELS, LOW_HZ, min(HIGH_HZ, 0.45 * sr), False, "slaney", 1.0
        )
        heads = [y[: round(LONGEST_SECONDS * sr)] for y in ys]
        mels = transform(heads, framing, N_MELS, lambda m: bank.project(np.square(m, out=m)))
        seconds = framing.hop_length / sr
        return [
            np.concatenate([_exact(y), _robust(power, seconds)])[None, :]
            for y, power in zip(ys, mels, strict=True)
        ]


def exact_part(prints: Matrix) -> Matrix:
    """Return the columns that are equal where the decoded samples are [shape=(n, N_EXACT)]."""
    return prints[:, :N_EXACT]


def robust_part(prints: Matrix) -> Matrix:
    """Return the columns that are near where clips sound alike, of norm 1, or 0 for silence."""
    return prints[:, N_EXACT:]


def _framing(sr: int) -> Framing:
    n_fft = 1 << round(np.log2(_FRAME_SECONDS * sr))
    return Framing(n_fft, max(1, round(_HOP_SECONDS * sr)), n_fft, "hann", True, "constant")


def _exact(y: Matrix) -> Matrix:
    digest = hashlib.sha256(np.add(y, np.float32(0.0), dtype="<f4").tobytes()).digest()  # no -0.0
    return np.frombuffer(digest, dtype=">u2").astype(np.float32)


def _robust(power: Matrix, seconds: float) -> Matrix:
    """Return products of neighboring bands' modulation spectra, scaled to the norm 1."""
    greatest = float(power.max())
    if greatest <= 1e-10:
        return np.zeros(N_ROBUST, dtype=np.float32)
    floor = greatest * 10.0 ** (-RANGE_DB / 10.0)
    level = np.log(np.maximum(power, np.float32(floor)) / floor)
    spectra = level @ _waves(power.shape[1], seconds)
    products = spectra[1:] * spectra[:-1].conj()
    # The root of the magnitude keeps strong modulations from dominating all others.
    products /= np.sqrt(np.maximum(np.abs(products), 1e-12))
    flat = np.concatenate([products.real, products.imag]).ravel()
    norm = float(np.linalg.norm(flat))
    return (flat / norm if norm > _SMALL else np.zeros(N_ROBUST)).astype(np.float32)


@lru_cache(maxsize=64)
def _waves(n_frames: int, seconds: float) -> NDArray[np.complex128]:
    """Return the complex oscillations of all modulations [shape=(n_frames, n_modulations)]."""
    times = np.arange(n_frames) * seconds
    return np.exp(-2j * np.pi * np.outer(times, MODULATIONS))
