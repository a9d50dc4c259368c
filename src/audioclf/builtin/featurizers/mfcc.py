"""Mel-frequency cepstral coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import override

from audioclf.builtin.featurizers.mel import MelBands, Norm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph

_HALF = 4
"""Frames on each side of the one whose delta is estimated, as in librosa's `width=9`."""

_WEIGHTS = {
    1: [k / 60.0 for k in range(-_HALF, _HALF + 1)],
    2: [(3.0 * k * k - 20.0) / 462.0 for k in range(-_HALF, _HALF + 1)],
}
"""First and second derivative of the line and the parabola fitted to nine frames."""


class Mfcc(MelBands):
    """Mel-frequency cepstral coefficients, optionally with deltas.

    Names, defaults and numbers are those of `librosa.feature.mfcc`: the cosine transform of
    `power_to_db(melspectrogram(y))`, so `norm` is that of the cosine transform and `mel_norm`
    that of the filters. Empty filters, of which librosa warns, give silent bands here.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).normal(0.0, 0.1, 22050).astype(np.float32)
    >>> Mfcc(n_mfcc=13, deltas=2).extract(y, 22050).shape
    (39, 44)
    """

    row_name: ClassVar[str] = "coefficient"

    type: Literal["mfcc"] = "mfcc"

    n_mfcc: int = Field(default=20, ge=1)
    """Number of coefficients, from 1 to `n_mels`; the zeroth, the overall level, is the first."""

    dct_type: Literal[1, 2, 3] = 2
    """Type of the cosine transform; 2 as in the Auditory Toolbox, 3 as in HTK."""

    norm: Literal["ortho"] | None = "ortho"
    """Scaling of the cosine transform: orthonormal, or null for none."""

    lifter: FiniteFloat = Field(default=0.0, ge=0)
    """Scales coefficient n = 1, 2, ... by `1 + lifter / 2 * sin(pi * n / lifter)`; 0 for none."""

    mel_norm: Norm = "slaney"
    """Norm of the filters: `slaney` for equal area, a number p > 0 for the p-norm, null: none."""

    deltas: Literal[0, 1, 2] = 0
    """Number of appended time derivatives, each of the size of the coefficients."""

    @model_validator(mode="after")
    def _bands_suffice(self) -> Mfcc:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} must not exceed n_mels={self.n_mels}")
        if self.dct_type == 1 and self.n_mels < 2:
            raise ValueError("dct_type=1 needs n_mels of at least 2")
        return self

    @override
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return the coefficients and deltas [shape=(n_mfcc * (1 + deltas), n_frames)]."""
        return [self._coefficients(mel) for mel in self.mel_power(ys, sr, self.mel_norm)]

    @override
    def frames_in_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        import numpy as np
        from scipy.fft import dct

        from audioclf.builtin.featurizers import in_onnx

        level = in_onnx.to_db(graph, self.mel_power_in_onnx(graph, y, sr, self.mel_norm))
        basis = dct(np.eye(self.n_mels), type=self.dct_type, axis=0, norm=self.norm)
        basis = basis[: self.n_mfcc] * self._gain()
        coefficients = graph.op("MatMul", graph.constant(basis), level)
        derivatives = [
            in_onnx.derivative(graph, coefficients, _WEIGHTS[order])
            for order in range(1, self.deltas + 1)
        ]
        return graph.op("Concat", coefficients, *derivatives, axis=0)

    def _gain(self) -> NDArray[np.float64]:
        """Return the factors of the coefficients [shape=(n_mfcc, 1)] by the lifter."""
        import numpy as np

        n = np.arange(1, self.n_mfcc + 1)[:, np.newaxis]
        if self.lifter == 0:
            return np.ones(n.shape)
        return np.asarray(1.0 + self.lifter / 2.0 * np.sin(np.pi * n / self.lifter))

    def _coefficients(self, mel: Matrix) -> Matrix:
        import numpy as np
        from scipy.fft import dct

        from audioclf.dsp.short_time import power_to_db

        level = power_to_db(mel, out=mel)
        cepstrum = dct(level, type=self.dct_type, axis=0, norm=self.norm, workers=1)
        coefficients = np.array(cepstrum[: self.n_mfcc], dtype=np.float32)
        if self.lifter > 0:
            coefficients *= self._gain().astype(np.float32)
        derivatives = [delta(coefficients, order) for order in range(1, self.deltas + 1)]
        return np.concatenate([coefficients, *derivatives])


def delta(features: Matrix, order: int = 1) -> Matrix:
    """Return the derivative, per frame or frame squared, of a polynomial through nine frames.

    As `librosa.feature.delta(features, order=order)` (Savitzky and Golay, Analytical Chemistry
    36(8), 1964): the outermost four frames get the derivative of the outermost nine. A shorter clip
    is prolonged by its outermost frames, as librosa does with `mode="nearest"`.
    """
    import numpy as np

    weights = _WEIGHTS[order]
    edges = ((0, 0), (_HALF, _HALF))
    is_short = features.shape[1] < len(weights)
    x = np.pad(features, edges, mode="edge") if is_short else features
    x = x.astype(np.float64)
    n_inner = x.shape[1] - 2 * _HALF
    inner = sum(w * x[:, k : k + n_inner] for k, w in enumerate(weights))
    derivative = inner if is_short else np.pad(inner, edges, mode="edge")
    return np.asarray(derivative, dtype=np.float32)
