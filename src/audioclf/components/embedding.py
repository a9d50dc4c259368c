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
