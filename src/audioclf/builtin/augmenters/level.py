"""Changes of the level of clips: gain, and clipping as of an overloaded microphone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.builtin.augmenters.ranges import Range, drawn
from audioclf.plugin import Augmenter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]


class Gain(Augmenter):
    """Louder and quieter copies.

    Values beyond full scale are not clipped; see `clipping`.
    """

    type: Literal["gain"] = "gain"

    db: Range = (-12.0, 6.0)
    """Range of the gain in dB."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        import numpy as np

        return y * np.float32(10 ** (drawn(rng, self.db) / 20))


class Clipping(Augmenter):
    """Copies whose loudest samples are cut off, as by an overloaded microphone.

    The level at which they are cut follows the peak of the clip, so quiet clips are clipped too.
    """

    type: Literal["clipping"] = "clipping"

    db: Range = (0.0, 12.0)
    """Range of the distance from the peak of the clip down to the limit, in dB."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        import numpy as np

        limit = np.float32(np.abs(y).max(initial=0.0) * 10 ** (-drawn(rng, self.db) / 20))
        return np.clip(y, -limit, limit)
