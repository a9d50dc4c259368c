"""Changes between a sound and its file: band limits, sample rates, codecs, rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.augmenters.noise import Recordings, whole
from audioclf.builtin.augmenters.ranges import PositiveRange, Range, drawn, drawn_by_ratio
from audioclf.plugin import Augmenter, InputPath, resample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Waveform = NDArray[np.float32]

_Rate = Annotated[int, Ge(1_000), Le(768_000)]


class Filter(Augmenter):
    """Random band limits, as of other microphones and telephones; Butterworth, 24 dB per octave."""

    type: Literal["filter"] = "filter"

    low: PositiveRange | None = (20.0, 400.0)
    """Range of the lower band limit in Hz; null for none."""

    high: PositiveRange | None = (2_500.0, 12_000.0)
    """Range of the upper band limit in Hz; null for none. A limit above half the sample rate
    changes nothing."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import band_limited

        limits = [None if r is None else drawn_by_ratio(rng, r) for r in (self.low, self.high)]
        return band_limited(y, sr, *limits)


class Resample(Augmenter):
    """The clip at a lower sample rate, and back, which removes its high frequencies."""

    type: Literal["resample"] = "resample"

    rates: tuple[_Rate, ...] = Field(default=(8_000, 11_025, 16_000), min_length=1)
    """Sample rates in Hz; one of them is drawn. One that is not below that of the clip changes
    nothing."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.dsp.changes import fitted

        rate = self.rates[int(rng.integers(len(self.rates)))]
        return y if rate >= sr else fitted(resample(resample(y, sr, rate), rate, sr), len(y))


class Codec(Augmenter):
    """The clip encoded and decoded again by MP3, Opus or Vorbis, in memory."""

    type: Literal["codec"] = "codec"

    formats: tuple[Literal["mp3", "opus", "vorbis"], ...] = Field(
        default=("mp3", "opus"), min_length=1
    )
    """Formats; one of them is drawn."""

    kbps: PositiveRange = (16.0, 64.0)
    """Range of the bit rate in kbit/s; the nearest rate that a format has is used."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        from audioclf.builtin.augmenters.encoding import encoded

        kind = self.formats[int(rng.integers(len(self.formats)))]
        return encoded(y, sr, kind, drawn_by_ratio(rng, self.kbps))


class Reverb(Recordings):
    """A room around the clip: a synthetic impulse response, or one of some files.

    The synthetic one is the direct sound followed by noise that decays exponentially. The level of
    the clip stays the same.
    """

    type: Literal["reverb"] = "reverb"

    path: InputPath | None = None
    """A folder or zip archive of impulse responses, or one file; null for synthetic ones."""

    rt60: PositiveRange = (0.2, 0.8)
    """Range of the time in which a synthetic reverberation decays by 60 dB, in s."""

    direct: Range = (0.0, 12.0)
    """Range of the ratio of the direct sound to a synthetic reverberation, in dB."""

    seconds: FiniteFloat = Field(default=2.0, gt=0, le=10)
    """Most seconds of an impulse response."""

    @override
    def augment(self, y: Waveform, sr: int, rng: np.random.Generator) -> Waveform:
        import numpy as np

        from audioclf.dsp.changes import decaying_noise, reverberated

        n_samples = min(len(y), max(1, round(self.seconds * sr)))
        if responses := self._recordings:
            source = responses[int(rng.integers(len(responses)))]
            response = whole(source, sr, source.stamp())
            response = response[int(np.abs(response).argmax()) :]
        else:
            rt60, direct = drawn_by_ratio(rng, self.rt60), drawn(rng, self.direct)
            response = decaying_noise(sr, rt60, direct, rng, n_samples=n_samples)
        return reverberated(y, response[:n_samples])
