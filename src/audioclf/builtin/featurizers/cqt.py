"""Constant-Q transform: frequencies at equal distances on a log scale, computed by librosa.

C. Schörkhuber and A. Klapuri, "Constant-Q transform toolbox for music processing", 7th Sound and
Music Computing Conference, 2010.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Gt
from pydantic import Field, FiniteFloat, field_validator
from typing_extensions import override

from audioclf.builtin.featurizers.clip_options import ClipFeaturizer
from audioclf.builtin.featurizers.short_time_options import Decibels
from audioclf.dsp.first_call import compiled_by_one
from audioclf.dsp.framing import PadMode
from audioclf.plugin import FeatureError

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix

_C1 = 440.0 * 2.0 ** (-45 / 12)
"""Frequency in Hz of the note at which the transform starts by default."""


class Cqt(ClipFeaturizer):
    """Magnitude of the constant-Q transform, in dB by default.

    Names and defaults are those of `librosa.cqt`. With C the result of librosa, the level is
    `10 log10(|C|**2 / ref)`, so `ref` and `amin` of `db` are powers; with `db: null` it is `|C|`.
    `tuning` is not estimated, so it must not be null.

    Lower frequencies have longer filters. A clip must be as long as the longest filter, by default
    16384 samples at 22050 Hz, or 0.75 s.

    librosa compiles loops for it at the first call in an environment, which takes up to half a
    minute; other processes wait for that.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(2 * np.pi * 440.0 * np.arange(22050) / 22050).astype(np.float32)
    >>> F = Cqt().extract(y, 22050)
    >>> F.shape
    (84, 44)
    >>> int(F[:, 20].argmax())  # A4 is 45 semitones above C1
    45
    """

    row_name: ClassVar[str] = "frequency bin"

    type: Literal["cqt"] = "cqt"

    hop_length: int = Field(default=512, ge=1)
    """Samples between two frames, at least 1; fastest if divisible by 2 once per octave."""

    fmin: Annotated[FiniteFloat, Gt(0)] | None = None
    """Lowest frequency in Hz; null for C1, about 32.7 Hz."""

    n_bins: int = Field(default=84, ge=1, le=2000)
    """Number of frequencies, from `fmin` upwards."""

    bins_per_octave: int = Field(default=12, ge=1, le=400)
    """Number of frequencies in an octave."""

    tuning: FiniteFloat = Field(default=0.0, ge=-0.5, le=0.5)
    """Deviation from A = 440 Hz, in bins, in [-0.5, 0.5]."""

    filter_scale: FiniteFloat = Field(default=1.0, gt=0, le=10)
    """Factor of the lengths of the filters, in (0, 10]: below 1 for better resolution in time."""

    norm: Annotated[FiniteFloat, Gt(0)] | None = 1.0
    """Exponent p > 0 of the p-norm of the filters; null for no normalization."""

    sparsity: FiniteFloat = Field(default=0.01, ge=0, lt=1)
    """Share of the magnitude of each filter that is set to zero, in [0, 1)."""

    window: str = "hann"
    """Name of a window of `scipy.signal.get_window`."""

    scale: bool = True
    """Whether to divide each frequency by the square root of the length of its filter."""

    pad_mode: PadMode = "constant"
    """Padding of the waveform at both ends: see `stft`."""

    db: Decibels | None = Decibels()
    """Conversion to dB; null gives the magnitude."""

    @field_validator("window")
    @classmethod
    def _can_be_made(cls, window: str) -> str:
        from audioclf.dsp.analysis_windows import analysis_window

        analysis_window(window, 16, 16)
        return window

    @override
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return the transform [shape=(n_bins, n_frames)] in dB, or its magnitude without `db`."""
        with compiled_by_one("librosa", "cqt"):
            needed = self._needed_samples(sr)
            for y in ys:
                self._check_length(len(y), needed, sr)
            return [self._transform(y, sr) for y in ys]

    @property
    def _lowest(self) -> float:
        fmin = self.fmin or _C1
        return fmin * math.exp2(self.tuning / self.bins_per_octave)

    def _needed_samples(self, sr: int) -> int:
        """Return the length of the longest filter, rounded up to a power of two as in librosa."""
        import numpy as np
        from librosa.filters import wavelet_lengths

        step = 4.0 ** (1.0 / self.bins_per_octave)
        lengths, highest = wavelet_lengths(
            freqs=self._lowest * 2.0 ** (np.arange(self.n_bins) / self.bins_per_octave),
            sr=sr,
            window=self.window,
            filter_scale=self.filter_scale,
            gamma=0,
            alpha=(step - 1.0) / (step + 1.0),  # librosa's, where octaves are divided equally
        )
        if highest > sr / 2:
            raise FeatureError(
                f"n_bins={self.n_bins} frequencies from {self._lowest:.1f} Hz reach up to "
                f"{highest:.0f} Hz, above {sr / 2:g} Hz, half the sample rate of {sr} Hz",
                hint="Lower n_bins or fmin, or raise audio.sr.",
            )
        return 1 << math.ceil(math.log2(max(lengths)))

    def _check_length(self, n_samples: int, needed: int, sr: int) -> None:
        if n_samples < needed:
            silence = " without its silence" if self.trim_silence is not None else ""
            raise FeatureError(
                f"the clip has {n_samples} samples{silence} ({n_samples / sr:.2f} s), fewer than "
                f"the {needed} ({needed / sr:.2f} s) that the filter at {self._lowest:.1f} Hz "
                "needs",
                hint="Raise fmin and lower n_bins, or lower filter_scale: halving filter_scale "
                "halves what is needed.",
            )

    def _transform(self, y: Matrix, sr: int) -> Matrix:
        import librosa
        import numpy as np

        fields = self.model_dump(exclude={*ClipFeaturizer.model_fields, "type", "fmin", "db"})
        transformed = librosa.cqt(y, sr=sr, fmin=self.fmin or _C1, **fields)
        magnitude = np.ascontiguousarray(np.abs(transformed), dtype=np.float32)
        if self.db is None:
            return magnitude
        return self.db.convert(np.square(magnitude, out=magnitude))
