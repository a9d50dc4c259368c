"""Base class of featurizers that run a pre-trained model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.base.errors import FeatureError
from audioclf.components.component import components_inside
from audioclf.components.featurizer import Featurizer
from audioclf.components.onnx_graph import NotInOnnxError, OnnxGraph

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix


class Embedding(Featurizer):
    """Base class of featurizers that run a pre-trained model at its own sample rate.

    A clip is resampled from `audio.sr`, changed by `prepare`, padded with `pad` and given to
    `embed`; then the frames are averaged by `average`. One clip is one call: batches change the
    numbers of many models.
    """

    pad: FiniteFloat = Field(default=0.0, ge=0, le=60)
    """Silence in s that is added at both ends of a clip."""

    average: int = Field(default=1, ge=1)
    """Successive frames that are averaged to one before they are cached and pooled; 1 for none."""

    @abstractmethod
    def model_rate(self) -> int:
        """Return the sample rate of the model in Hz."""

    def prepare(self, y: Matrix) -> Matrix:
        """Return the waveform at `model_rate` as the model wants it, such as scaled."""
        return y

    @abstractmethod
    def embed(self, y: Matrix) -> Matrix:
        """Return the output of the model for one clip.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,)], float32
            Result of `prepare` with the padding; not to be changed.

        Returns
        -------
        F : np.ndarray [shape=(n_bins, n_frames)], float32

        Raises
        ------
        FeatureError
            If the clip is too short (`too_short` makes the error), or the model cannot be run.
        """

    @override
    def extract(self, y: Matrix, sr: int) -> Matrix:
        import numpy as np

        from audioclf.dsp.resampling import resample

        rate = self.model_rate()
        sound = np.pad(self.prepare(resample(y, sr, rate)), round(self.pad * rate))
        return averaged(self.embed(sound), self.average)

    def prepare_in_onnx(self, graph: OnnxGraph, y: str) -> str:
        """Add the nodes of `prepare`, of which the default has none, and return their value."""
        return y

    def embed_in_onnx(self, graph: OnnxGraph, y: str) -> str:
        """Add the nodes of `embed` and return their value; errors are those of `to_onnx`."""
        raise NotInOnnxError(f"the featurizer {self.type_name()} has no form in ONNX")

    @override
    def to_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        rate = self.model_rate()
        if sr != rate:
            raise NotInOnnxError(
                f"the featurizer {self.type_name()} resamples from {sr} Hz to {rate} Hz, which is "
                f"not expressed in ONNX; train with audio.sr: {rate}"
            )
        sound, n = self.prepare_in_onnx(graph, y), round(self.pad * rate)
        if n:
            sound = graph.padded(sound, n, n, mode="constant")
        return _averaged_in(graph, self.embed_in_onnx(graph, sound), self.average)

    @override
    def notes(self, sr: int) -> Sequence[str]:
        rate = self.model_rate()
        if sr >= rate:
            return ()
        note = (
            f"the model expects sound at {rate} Hz, and audio.sr: {sr} keeps nothing above "
            f"{sr / 2:g} Hz; set audio.sr: {rate} if the recordings have more"
        )
        return (note,)

    def too_short(self, n_samples: int, least: int) -> FeatureError:
        """Return the error for a padded clip of fewer samples than the model needs."""
        rate = self.model_rate()
        return FeatureError(
            f"the clip has {n_samples / rate:.3g} s with its padding, and the model needs at least "
            f"{least / rate:.3g} s",
            hint=f"Set pad to {self.pad + (least - n_samples) / rate / 2:.2g} or more.",
        )


def has_embedding(featurizer: Featurizer) -> bool:
    """Return whether a featurizer is an embedding, or has one inside."""
    inside = (item for _, item in components_inside(featurizer))
    return any(isinstance(item, Embedding) for item in (featurizer, *inside))


def averaged(frames: Matrix, n: int) -> Matrix:
    """Return the means of `n` successive frames, of the rest as well, [shape=(n_bins, n_means)]."""
    import numpy as np

    if n == 1:
        return frames
    starts = np.arange(0, frames.shape[1], n)
    sums = np.add.reduceat(frames.astype(np.float64), starts, axis=1)
    counts = np.diff([*starts, frames.shape[1]])
    return np.asarray(sums / counts, dtype=np.float32)


def _averaged_in(graph: OnnxGraph, frames: str, n: int) -> str:
    """Add the nodes of `averaged`."""
    if n == 1:
        return frames
    group, count = graph.constant([n], "int64"), graph.size(frames, axis=1)
    rest = graph.op("Mod", graph.op("Sub", group, graph.op("Mod", count, group)), group)
    ones = graph.op("Add", graph.op("Mul", frames, graph.constant(0.0)), graph.constant(1.0))
    sums, counts = (
        graph.op(
            "ReduceSum",
            graph.reshape(graph.padded(value, 0, rest, mode="constant", rank=2), [0, -1, n]),
            graph.constant([2], "int64"),
            keepdims=0,
        )
        for value in (graph.cast(frames, "float64"), graph.cast(ones, "float64"))
    )
    return graph.cast(graph.op("Div", sums, counts), "float32")
