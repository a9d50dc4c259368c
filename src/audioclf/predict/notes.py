"""Notes on recordings: resampled, mixed down, truncated, or used in training; one line per kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from audioclf.audio.settings import AudioConfig
from audioclf.dataset.path_labels import count
from audioclf.predict.scoring import Outcome


class NoteCounter:
    """Counts what is lost before the model, and which recordings were training clips."""

    def __init__(self, audio: AudioConfig) -> None:
        self.audio = audio
        self.rates: Counter[int] = Counter()
        self.channels: Counter[int] = Counter()
        self.truncated = self.trained_on = self.used = 0

    def add(self, outcome: Outcome) -> None:
        """Count a recording that was used."""
        if outcome.info is not None and not outcome.error:
            self.rates[outcome.info.sr] += 1
            self.channels[outcome.info.channels] += 1
            self.truncated += outcome.truncated
            self.trained_on += outcome.trained_on
            self.used += 1

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each kind."""
        model_rate = _khz(self.audio.sr)
        for sr, number in sorted(self.rates.items()):
            files = f"{count(number, 'file', 'files')} at {_khz(sr)} {_were(number)}"
            if sr < self.audio.sr:
                them = "it" if number == 1 else "them"
                nothing = f"nothing above {_khz(sr / 2)} is in {them}"
                yield f"{files} resampled to {model_rate}: {nothing}"
            elif sr > self.audio.sr:
                limit = _khz(self.audio.sr / 2)
                yield f"{files} resampled to {model_rate}: sound above {limit} was left out"
        for channels, number in sorted(self.channels.items()):
            if channels > 1:
                files = count(number, "file", "files")
                yield f"{files} with {channels} channels {_were(number)} averaged to one"
        if self.truncated:
            yield self._truncated()
        if self.trained_on:
            yield self._trained_on()

    def _truncated(self) -> str:
        files = count(self.truncated, "file is longer", "files are longer")
        offset = self.audio.offset
        behind = f" behind the first {offset:g} s" if offset else ""
        return (
            f"{files} than the {self.audio.duration:g} s that the model uses{behind}: the rest was "
            "ignored; add --window to predict all of it"
        )

    def _trained_on(self) -> str:
        subject = "the recording was"
        if self.used > 1:
            subject = f"{self.trained_on} of {self.used} recordings {_were(self.trained_on)}"
        return (
            f"{subject} in the training data of the model, as a whole or in part: predictions for "
            "training clips are too good; see `audioclf model show` for results on other clips"
        )


def _khz(hertz: float) -> str:
    return f"{hertz / 1000:g} kHz"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
