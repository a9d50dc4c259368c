"""Magnitude spectrogram of the short-time Fourier transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.featurizers.short_time_options import Decibels, Spectral

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph


class Stft(Spectral):
    """Magnitude of the short-time Fourier transform, in dB by default.

    With X the transform that `librosa.stft` gives:

    - with `db`, the result is the level `10 log10(|X|**2 / ref)`, whatever `power` is: a level
      is one of power, so `ref` and `amin` are powers. The defaults give
      `librosa.amplitude_to_db(abs(X))`, which is also `librosa.power_to_db(abs(X)**2)`;
    - with `db: null`, it is `|X|**power`.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(2 * np.pi * 440.0 * np.arange(22050) / 22050).astype(np.float32)
    >>> F = Stft(n_fft=512).extract(y, 22050)
    >>> F.shape
    (257, 173)
    >>> int(F[:, 80].argmax()) * 22050 // 512
    430
    """

    row_name: ClassVar[str] = "frequency bin"

    type: Literal["stft"] = "stft"

    hop_length: int | None = Field(default=None, ge=1)
    """Samples between the starts of two frames, at least 1; null for `win_length // 4`."""

    power: FiniteFloat = Field(default=1.0, gt=0, le=4)
    """Exponent of the magnitude if `db` is null, in (0, 4]: 1 for magnitude, 2 for power."""

    db: Decibels | None = Decibels()
    """Conversion to dB; null gives `|X|**power`."""

    @override
    def frames_in_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        import numpy as np

        from audioclf.builtin.featurizers import in_onnx

        squares = in_onnx.magnitudes(graph, y, self.framing(), double=self.db is not None)
        if self.db is None:
            return in_onnx.raised(graph, squares, self.power)
        return self.db.to_onnx(graph, graph.cast(squares, np.float32))

    @override
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return spectra [shape=(n_fft // 2 + 1, n_frames)] in dB, or `|X|**power` without `db`."""
        from audioclf.dsp.short_time import raise_to, transform

        exponent = self.power if self.db is None else 2.0
        framing = self.framing()
        spectra = transform(
            ys,
            framing,
            framing.n_bins,
            lambda magnitude: raise_to(magnitude, exponent),
            # In dB the faint bins count as much as the loud ones.
            double=self.db is not None,
        )
        return spectra if self.db is None else [self.db.convert(s) for s in spectra]
