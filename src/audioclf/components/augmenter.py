"""Base class of augmenters: one waveform in, a changed waveform of the same length out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from audioclf.components.component import Component, Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.dataset.sources import AudioSource


class Augmenter(Component):
    """Base class of augmenters: one waveform in, a changed waveform of the same length out."""

    kind: ClassVar[Kind] = "augmenter"

    probability: float = Field(default=1.0, gt=0, le=1)
    """Probability that a copy is changed, in (0, 1]; otherwise this change is left out of it."""

    @abstractmethod
    def augment(
        self, y: NDArray[np.float32], sr: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return a changed copy of one clip.

        Draw every random number from `rng`, so that the same clip and copy give the same sound in
        any thread or process.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,)], float32
            Mono waveform; not to be changed.
        sr : int
            Sample rate in Hz.
        rng : np.random.Generator
            Source of random numbers, seeded by the run, the clip and the number of the copy.

        Returns
        -------
        y : np.ndarray [shape=(n_samples,)], float32
            Finite, with as many samples as the clip; values may lie outside of [-1, 1].

        Raises
        ------
        FeatureError
            If the clip cannot be changed.
        """

    def sounds(self) -> Sequence[AudioSource]:
        """Return the recordings that are mixed into clips; none by default.

        A run refuses them if they are clips of its dataset as well, because a sound must not be on
        both sides of a split.

        Raises
        ------
        ConfigError, DatasetError
            If there are none, or they cannot be listed.
        """
        return ()
