"""Counts of recordings whose sound is converted: resampled, mixed down, or cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig
from audioclf.dataset.path_labels import count


class Conversions:
    """Counts of what decoding leaves out of recordings, one sentence for each kind.

    Recordings are decoded with `audio`; `planned` sentences are about a run that has not begun.
    """

    def __init__(self, audio: AudioConfig, *, planned: bool = False) -> None:
        self.audio = audio
        self._one, self._many = ("is", "are") if planned else ("was", "were")
        self._rates: Counter[int] = Counter()
        self._channels: Counter[int] = Counter()
        self._cut = 0

    def add(self, info: AudioInfo) -> None:
        """Count a recording."""
        self._rates[info.sr] += 1
        self._channels[info.channels] += 1
        end = None if self.audio.duration is None else self.audio.offset + self.audio.duration
        self._cut += end is not None and info.frames > round(end * info.sr)

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each other sample rate, and for each number of channels above 1."""
        target = khz(self.audio.sr)
        for sr, number in sorted(self._rates.items()):
            files = f"{count(number, 'file', 'files')} at {khz(sr)} {self._verb(number)}"
            if sr < self.audio.sr:
                them = "it" if number == 1 else "them"
                yield f"{files} resampled to {target}: nothing above {khz(sr / 2)} is in {them}"
            elif sr > self.audio.sr:
                limit = khz(self.audio.sr / 2)
                yield f"{files} resampled to {target}: sound above {limit} {self._one} left out"
        for channels, number in sorted(self._channels.items()):
            if channels > 1:
                files = count(number, "file", "files")
                if self.audio.channel == "mix":
                    yield f"{files} with {channels} channels {self._verb(number)} averaged to one"
                elif self.audio.channel == "each":
                    clips = count(number, "clip is", "clips are")
                    yield f"{clips} one channel of a file with {channels} channels"
                else:
                    channel = self.audio.channel
                    one = f"channel {channel}" if isinstance(channel, int) else f"the {channel} one"
                    yield f"{files} with {channels} channels: only {one} {self._one} read"

    def cut(self) -> Iterator[str]:
        """Yield a sentence if recordings are longer than the settings allow."""
        if self._cut:
            files = count(self._cut, "clip is", "clips are")
            offset = f" behind audio.offset ({self.audio.offset:g} s)" if self.audio.offset else ""
            yield (
                f"{files} longer than audio.duration ({self.audio.duration:g} s){offset}: the rest "
                f"{self._one} left out"
            )

    def _verb(self, number: int) -> str:
        return self._one if number == 1 else self._many


def khz(hertz: float) -> str:
    """Return a frequency in kHz.

    >>> khz(22_050)
    '22.05 kHz'
    """
    return f"{hertz / 1000:g} kHz"
