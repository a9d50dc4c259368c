"""Per-channel energy normalization: each band divided by its own recent level.

Y. Wang et al., "Trainable frontend for robust and far-field keyword spotting", ICASSP, 2017. V.
Lostanlen et al., "Per-channel energy normalization: why and how", IEEE Signal Processing Letters
26(1), 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, FiniteFloat

from audioclf.dsp.first_call import compiled_by_one
from audioclf.plugin import Settings

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix


class Pcen(Settings):
    """Per-channel energy normalization as in `librosa.pcen`.

    With S the energy of a band and M the energy smoothed over time, it is
    `(S / (eps + M)**gain + bias)**power - bias**power`.
    """

    gain: FiniteFloat = Field(default=0.98, ge=0, le=2)
    """Exponent of the smoothed energy, in [0, 2]: 1 removes slow changes of the level."""

    bias: FiniteFloat = Field(default=2.0, ge=0)
    """Offset before the compression, at least 0."""

    power: FiniteFloat = Field(default=0.5, ge=0, le=2)
    """Exponent of the compression, in [0, 2]; 0 for a logarithm."""

    time_constant: FiniteFloat = Field(default=0.4, ge=0.001, le=1000)
    """Time constant of the smoothing in s, from 0.001 to 1000. M starts at 1, as in librosa, so the
    first seconds of a clip are louder."""

    eps: FiniteFloat = Field(default=1e-6, ge=1e-30)
    """Offset of the smoothed energy, at least 1e-30: much lower energies are not amplified."""

    scale: FiniteFloat = Field(default=2.0**31, gt=0, le=2.0**40)
    """Factor of the band energies before the normalization; librosa recommends 2**31 for waveforms
    in [-1, 1], as here."""

    @compiled_by_one("librosa", "pcen")
    def convert(self, mel: Matrix, sr: int, hop_length: int) -> Matrix:
        """Return the normalized band energies [shape=(n_mels, n_frames)], float32."""
        import librosa
        import numpy as np

        with np.errstate(divide="ignore", over="ignore"):  # bias 0: the logarithm of silence
            scaled = mel.astype(np.float64) * self.scale
            fields = self.model_dump(exclude={"scale"})
            normalized = librosa.pcen(scaled, sr=sr, hop_length=hop_length, **fields)
            return np.asarray(normalized, dtype=np.float32)
