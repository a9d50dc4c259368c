"""The waveform itself as a featurizer, so that the cache can hold the clips that a report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from audioclf.components import Featurizer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Waveform(Featurizer):
    """The samples of a clip as a matrix with one row."""

    type: Literal["waveform"] = "waveform"

    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        """Return the samples [shape=(1, n_samples)]."""
        return y[None, :].copy()
