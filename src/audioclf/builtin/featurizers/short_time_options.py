"""Fields of featurizers with short-time spectra: frames, and levels in dB, named as in librosa."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge
from pydantic import Field, FiniteFloat, ValidationInfo, field_validator
from typing_extensions import override

from audioclf.builtin.featurizers.clip_options import ClipFeaturizer
from audioclf.dsp.framing import Framing, PadMode, Window
from audioclf.plugin import Settings

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph

Power = Annotated[FiniteFloat, Ge(1e-37)]


class Decibels(Settings):
    """Conversion of power to dB, as in `librosa.power_to_db`."""

    ref: Power | Literal["max"] = 1.0
    """Power at 0 dB; `max` is the greatest power in the clip."""

    amin: Power = 1e-10
    """Lower bound of the power, at least 1e-37; the default is -100 dB."""

    top_db: FiniteFloat | None = Field(default=80.0, ge=0)
    """Largest distance in dB below the greatest level of the clip; null for no limit."""

    def convert(self, power: Matrix) -> Matrix:
        """Return the levels in dB, written over `power`."""
        from audioclf.dsp.short_time import power_to_db

        return power_to_db(power, self.ref, self.amin, self.top_db, out=power)

    def to_onnx(self, graph: OnnxGraph, power: str) -> str:
        """Add the nodes of `convert` and return the value of the levels."""
        from audioclf.builtin.featurizers.in_onnx import to_db

        return to_db(graph, power, self.ref, self.amin, self.top_db)


class Spectral(ClipFeaturizer):
    """Base of featurizers with overlapping frames of the waveform."""

    n_fft: int = Field(default=2048, ge=4, le=1 << 20)
    """Samples in a frame, at least 4; powers of two are fastest."""

    hop_length: int | None = Field(default=512, ge=1)
    """Samples between the starts of two frames, at least 1; null for `win_length // 4`."""

    win_length: int | None = Field(default=None, ge=1)
    """Length of the window in samples, centered in the frame; null for `n_fft`."""

    window: Window = "hann"
    """Window of `scipy.signal.get_window`: a name, (name, parameter), or a Kaiser beta."""

    center: bool = True
    """Whether frame t is centered at sample `t * hop_length`, with the waveform padded by
    `n_fft // 2` on both sides; otherwise it starts there, and a clip must fill one frame."""

    pad_mode: PadMode = "constant"
    """Content of the padding: zeros, the outermost sample, a ramp to zero, or the mirror image
    without (`reflect`) or with (`symmetric`) the outermost sample, as in `numpy.pad`."""

    @field_validator("win_length")
    @classmethod
    def _fits_the_frame(cls, win_length: int | None, info: ValidationInfo) -> int | None:
        if win_length is None or not {"n_fft", "hop_length"} <= info.data.keys():
            return win_length
        if win_length > info.data["n_fft"]:
            raise ValueError(f"win_length={win_length} must not exceed n_fft={info.data['n_fft']}")
        if win_length < 4 and info.data["hop_length"] is None:
            raise ValueError(f"win_length={win_length} is too short for a default hop_length")
        return win_length

    @field_validator("window")
    @classmethod
    def _can_be_made(cls, window: Window, info: ValidationInfo) -> Window:
        if {"n_fft", "win_length"} <= info.data.keys():
            from audioclf.dsp.analysis_windows import analysis_window

            n_fft = info.data["n_fft"]
            analysis_window(window, info.data["win_length"] or n_fft, n_fft)
        return window

    @override
    def samples_per_frame(self, sr: int) -> int:
        return self.n_fft

    def framing(self) -> Framing:
        """Return the frames with `win_length` and `hop_length` resolved as librosa does."""
        win_length = self.n_fft if self.win_length is None else self.win_length
        hop_length = win_length // 4 if self.hop_length is None else self.hop_length
        return Framing(self.n_fft, hop_length, win_length, self.window, self.center, self.pad_mode)

    @override
    def shared_step(self, sr: int) -> int | None:
        return None if self.trim_silence is not None else self.framing().hop_length
