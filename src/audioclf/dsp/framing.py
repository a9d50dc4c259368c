"""Parameters of the frames of a waveform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import FiniteFloat

PadMode = Literal["constant", "edge", "linear_ramp", "reflect", "symmetric"]
Window = str | FiniteFloat | Annotated[tuple[str | FiniteFloat, ...], MinLen(1)]


@dataclass(frozen=True, slots=True)
class Framing:
    """Frames of a waveform; the fields are those of `librosa.stft`, resolved."""

    n_fft: int
    hop_length: int
    win_length: int
    window: Window
    center: bool
    pad_mode: PadMode

    @property
    def n_bins(self) -> int:
        """Number of frequencies, from 0 to half the sample rate."""
        return self.n_fft // 2 + 1
