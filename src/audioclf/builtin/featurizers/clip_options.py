"""Options for each clip: trimmed silence, normalized bins, a fixed number of frames, in that order.

S. Furui, "Cepstral analysis technique for automatic speaker verification", IEEE Transactions on
Acoustics, Speech, and Signal Processing 29(2), 1981. O. Viikki and K. Laurila, "Cepstral domain
segmental feature vector normalization for noise robust speech recognition", Speech Communication
25, 1998.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.dsp.first_call import compiled_by_one
from audioclf.plugin import Featurizer, Settings

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph

Normalization = Literal["mean", "mean_variance"]


class TrimSilence(Settings):
    """Threshold of silence at both ends of a clip, as in `librosa.effects.trim`."""

    top_db: FiniteFloat = Field(default=60.0, ge=6)
    """Distance in dB below the loudest frame from which a frame is silent, at least 6."""

    @compiled_by_one("librosa", "trim")
    def trim(self, y: Matrix) -> Matrix:
        """Return the part of a waveform between its first and last frame that is not silent.

        Frames have 2048 samples in hops of 512; a clip that is silent throughout is returned whole.
        """
        from librosa.effects import trim

        part: Matrix = trim(y, top_db=self.top_db)[0]
        return part


class ClipFeaturizer(Featurizer):
    """Base of featurizers with options for each clip."""

    trim_silence: TrimSilence | None = None
    """Trimming of silence at both ends of the waveform, which changes the number of frames; null
    for none."""

    normalize: Normalization | None = None
    """Normalization of each bin over the clip: `mean` subtracts the mean, `mean_variance` also
    divides by the standard deviation; null for none."""

    n_steps: int | None = Field(default=None, ge=1, le=65_536)
    """Number of frames after linear interpolation over time, the same for clips of all lengths;
    null for no interpolation."""

    @override
    def has_steady_frames(self) -> bool:
        return self.trim_silence is None or self.n_steps is not None

    @override
    def extract(self, y: Matrix, sr: int) -> Matrix:
        return self.extract_many([y], sr)[0]

    @override
    def extract_many(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        if self.trim_silence is not None:
            ys = [self.trim_silence.trim(y) for y in ys]
        matrices = self.featurize(ys, sr)
        if self.normalize is not None:
            matrices = [normalized(features, self.normalize) for features in matrices]
        if self.n_steps is not None:
            matrices = [resampled(features, self.n_steps) for features in matrices]
        return matrices

    @override
    def extract_windows(
        self, y: Matrix, sr: int, starts: Sequence[int], n_samples: int
    ) -> list[Matrix]:
        from audioclf.dsp.shared_frames import Windows

        return self.extract_many(Windows(y, starts, n_samples), sr)

    @override
    def to_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        from audioclf.builtin.featurizers import in_onnx

        if self.trim_silence is not None:
            y = in_onnx.trimmed(graph, y, self.trim_silence.top_db)
        matrix = self.frames_in_onnx(graph, y, sr)
        if self.normalize is not None:
            matrix = in_onnx.normalized(graph, matrix, self.normalize)
        if self.n_steps is not None:
            matrix = in_onnx.resampled(graph, matrix, self.n_steps)
        return matrix

    def frames_in_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        """Add the nodes of `featurize` and return the value of the matrix, without the options."""
        return super().to_onnx(graph, y, sr)

    @abstractmethod
    def featurize(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return the matrix [shape=(n_bins, n_frames)] of each waveform, without the options.

        Raises FeatureError if a clip is too short, or a field does not fit the sample rate in Hz.
        """


def normalized(features: Matrix, how: Normalization) -> Matrix:
    """Return frames with mean 0 in each bin, and with `mean_variance` variance 1, over n_frames.

    A bin that is constant up to rounding in float32 is 0 after `mean_variance`.
    """
    import numpy as np

    exact = features.astype(np.float64)
    mean = exact.mean(axis=1, keepdims=True)
    centered = exact - mean
    if how == "mean_variance":
        std = np.sqrt(np.square(centered).mean(axis=1, keepdims=True))
        varies = std > np.finfo(np.float32).eps * np.abs(exact).max(axis=1, keepdims=True)
        centered = np.where(varies, centered, 0.0) / np.where(varies, std, 1.0)
    return np.asarray(centered, dtype=np.float32)


def resampled(features: Matrix, n_steps: int) -> Matrix:
    """Return the matrix at `n_steps` points in time, interpolated linearly, not averaged.

    Each step has the value at the center of an equal part of the clip, the outer ones that of the
    first or last frame. With as many steps as frames, the matrix does not change.
    """
    import numpy as np

    n_frames = features.shape[1]
    place = (np.arange(n_steps) + 0.5) * n_frames / n_steps - 0.5
    place = np.clip(place, 0.0, n_frames - 1.0)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, n_frames - 1)
    low = features[:, below].astype(np.float64)
    mixed = low + (features[:, above] - low) * (place - below)
    return np.ascontiguousarray(mixed, dtype=np.float32)
