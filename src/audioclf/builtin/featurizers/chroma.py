"""Chroma: energy of each frame in the pitch classes of all octaves, by librosa's filters.

D. P. W. Ellis, "Chroma feature analysis and synthesis", Columbia University, 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Gt
from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.featurizers.short_time_options import Spectral
from audioclf.dsp.first_call import compiled_by_one
from audioclf.plugin import NotInOnnxError

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph


_FMIN, _FMAX = 150.0, 4000.0
_THRESHOLD = 0.1
"""Range of pitches in Hz and share of a frame's largest power, the defaults of `piptrack`."""


class Chroma(Spectral):
    """Energy in each pitch class, as in `librosa.feature.chroma_stft`.

    Names and defaults are those of librosa, except that its `norm=np.inf` is written `inf`. The
    first bin is C if `base_c` is true. A frame of silence is zero.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(2 * np.pi * 440.0 * np.arange(22050) / 22050).astype(np.float32)
    >>> F = Chroma(tuning=0.0).extract(y, 22050)
    >>> F.shape
    (12, 44)
    >>> int(F[:, 20].argmax())  # A, the tenth after C
    9
    """

    row_name: ClassVar[str] = "pitch class"

    type: Literal["chroma"] = "chroma"

    norm: Literal["inf"] | Annotated[FiniteFloat, Gt(0)] | None = "inf"
    """Norm of each frame: `inf` for the maximum, a number p > 0 for the p-norm; null for none."""

    tuning: FiniteFloat | None = Field(default=None, ge=-0.5, le=0.5)
    """Deviation from A = 440 Hz, in bins, in [-0.5, 0.5]; null estimates it for each clip, which
    takes most of the time."""

    n_chroma: int = Field(default=12, ge=1, le=1200)
    """Number of pitch classes in an octave."""

    ctroct: FiniteFloat = Field(default=5.0, gt=-20, lt=20)
    """Center of the weights of frequencies, in octaves above A0 (27.5 Hz)."""

    octwidth: Annotated[FiniteFloat, Gt(0)] | None = 2.0
    """Width of the weights around `ctroct` in octaves; null for equal weights."""

    base_c: bool = True
    """Whether the first bin is C; otherwise it is A."""

    @override
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return chroma [shape=(n_chroma, n_frames)], not negative, at most 1 with `norm: inf`."""
        from audioclf.dsp.short_time import raise_to, transform

        framing = self.framing()
        spectra = transform(ys, framing, framing.n_bins, lambda magnitude: raise_to(magnitude, 2.0))
        return [self._fold(power, sr) for power in spectra]

    @override
    def frames_in_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        import numpy as np

        from audioclf.builtin.featurizers import in_onnx

        if self.tuning is None:
            raise NotInOnnxError("chroma cannot estimate the tuning in ONNX; train with tuning: 0")
        squares = in_onnx.magnitudes(graph, y, self.framing(), double=False)
        weights = self._filters(self.tuning, sr)
        chroma = graph.op("MatMul", graph.constant(weights), graph.cast(squares, np.float32))
        if self.norm is None:
            return chroma
        if self.norm == "inf":
            size = graph.op("ReduceMax", chroma, axes=[0], keepdims=1)
        else:
            power = graph.op("Pow", chroma, graph.constant(self.norm))
            total = graph.op("ReduceSum", power, graph.constant([0], np.int64), keepdims=1)
            size = graph.op("Pow", total, graph.constant(1 / self.norm))
        is_silent = graph.op("Less", size, graph.constant(np.finfo(np.float32).tiny))
        return graph.op("Div", chroma, graph.op("Where", is_silent, graph.constant(1.0), size))

    def _filters(self, tuning: float, sr: int) -> Matrix:
        from librosa.filters import chroma as chroma_filters

        fields = self.model_dump(include={"n_fft", "n_chroma", "ctroct", "octwidth", "base_c"})
        weights: Matrix = chroma_filters(sr=sr, tuning=tuning, **fields)
        return weights

    @compiled_by_one("librosa", "chroma")
    def _fold(self, power: Matrix, sr: int) -> Matrix:
        import numpy as np
        from librosa import util
        from scipy.sparse import csr_array

        tuning = self.tuning
        if tuning is None:
            tuning = estimated_tuning(power, sr, self.n_chroma)
        weights = self._filters(tuning, sr)
        # A sparse product adds up in one order; that of BLAS depends on its number of threads.
        chroma = csr_array(weights) @ power
        norm = np.inf if self.norm == "inf" else self.norm
        return np.asarray(util.normalize(chroma, norm=norm, axis=0), dtype=np.float32)


def estimated_tuning(power: Matrix, sr: int, bins_per_octave: int) -> float:
    """Return `librosa.estimate_tuning` of power [shape=(n_bins, n_frames)] in bins, -0.5 to 0.5.

    Pitches are maxima of the spectrum, moved by a parabola through the three bins around each (J.
    O. Smith, "Spectral Audio Signal Processing", 2011); 0 where there is no pitch.
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
