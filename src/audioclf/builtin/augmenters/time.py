"""Changes in time and frequency: shift, speed, pitch, masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, FiniteFloat
from typing_extensions import override

from audioclf.builtin.augmenters.ranges import drawn, drawn_by_ratio, in_order
from audioclf.plugin import Augmenter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

_Share = Annotated[FiniteFloat, Ge(-1), Le(1)]
_Rate = Annotated[FiniteFloat, Ge(0.25), Le(4)]
_Semitones = Annotated[FiniteFloat, Ge(-24), Le(24)]


class Shift(Augmenter):
    """The clip earlier or later, with silence in the gap."""

    type: Literal["shift"] = "shift"

    share: Annotated[tuple[_Share, _Share], AfterValidator(in_order)] = (-0.25, 0.25)
    """Range of the delay as a share of the length of the clip, in [-1, 1]."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import shifted

        return shifted(y, round(drawn(rng, self.share) * len(y)))


class Stretch(Augmenter):
    """The clip faster or slower at the same pitch, by a phase vocoder.

    A faster clip ends with silence, a slower one is cut at the length of the clip.
    """

    type: Literal["stretch"] = "stretch"

    rate: Annotated[tuple[_Rate, _Rate], AfterValidator(in_order)] = (0.9, 1.1)
    """Range of the speed, in [0.25, 4]: 2 for twice as fast."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import fitted, stretched

        return fitted(stretched(y, sr, drawn_by_ratio(rng, self.rate)), len(y))


class Pitch(Augmenter):
    """The clip at another pitch and the same speed, by a phase vocoder."""

    type: Literal["pitch"] = "pitch"

    semitones: Annotated[tuple[_Semitones, _Semitones], AfterValidator(in_order)] = (-2.0, 2.0)
    """Range of the change in semitones, in [-24, 24]: 12 for twice the frequency. At 8 kHz and
    above, up to 2 semitones are exact to 0.1, and 24 to 0.3; in clips below 64 ms 2 to 0.6."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import transposed

        return transposed(y, sr, drawn(rng, self.semitones))


_Masked = Annotated[FiniteFloat, Ge(0), Le(1)]
_MaskedRange = Annotated[tuple[_Masked, _Masked], AfterValidator(in_order)]


class Mask(Augmenter):
    """A hidden part of the time and a hidden band of frequencies (SpecAugment), both silent.

    They are cut out of the sound, so that any featurizer sees them.

    D. S. Park et al., "SpecAugment: a simple data augmentation method for automatic speech
    recognition", Interspeech 2019.
    """

    type: Literal["mask"] = "mask"

    time: _MaskedRange = (0.0, 0.2)
    """Range of the length of the silent part, as a share of the clip, in [0, 1]; `[0, 0]` for
    none."""

    frequency: _MaskedRange = (0.0, 0.2)
    """Range of the width of the silent band, as a share of the mel scale up to half the sample
    rate, in [0, 1]; `[0, 0]` for none."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import masked

        parts = []
        for limits in (self.time, self.frequency):
            width = drawn(rng, limits)
            start = drawn(rng, (0.0, 1.0 - width))
            parts.append((start, start + width))
        return masked(y, sr, *parts)
