"""What of the recordings the model does not hear or knows already, said once per kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from audioclf.audio.decode import AudioConfig
from audioclf.dataset.path_labels import count
from audioclf.predict.scoring import Outcome


class Losses:
    """Counts what is lost on the way to the model.

    Parameters
    ----------
    audio : AudioConfig
        What the model was trained on.
    """

    def __init__(self, audio: AudioConfig) -> None:
        self.audio = audio
        self.rates: Counter[int] = Counter()
        self.channels: Counter[int] = Counter()
        self.unheard = self.familiar = self.used = 0

    def add(self, outcome: Outcome) -> None:
        """Count a recording that was used."""
        if outcome.info is not None and not outcome.error:
            self.rates[outcome.info.sr] += 1
            self.channels[outcome.info.channels] += 1
            self.unheard += outcome.unheard
            self.familiar += outcome.familiar
            self.used += 1

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each kind."""
        here = _khz(self.audio.sr)
        for sr, number in sorted(self.rates.items()):
            files = f"{count(number, 'file', 'files')} at {_khz(sr)} {_were(number)}"
            if sr < self.audio.sr:
                yield f"{files} resampled to {here}: {_nothing(sr, number)}"
            elif sr > self.audio.sr:
                limit = _khz(self.audio.sr / 2)
                yield f"{files} resampled to {here}: what is above {limit} was left out"
        for channels, number in sorted(self.channels.items()):
            if channels > 1:
                files = count(number, "file", "files")
                yield f"{files} with {channels} channels {_were(number)} averaged to one"
        if self.unheard:
            yield self._unheard()
        if self.familiar:
            yield self._familiar()

    def _unheard(self) -> str:
        files = count(self.unheard, "file is longer", "files are longer")
        offset = self.audio.offset
        behind = f" behind the first {offset:g} s" if offset else ""
        whose = "its" if self.unheard == 1 else "their"
        return (
            f"{files} than the {self.audio.duration:g} s that the model looks at{behind}: the rest "
            f"of {whose} sound was not used; give --window to go through all of it"
        )

    def _familiar(self) -> str:
        which = "the recording is"
        if self.used > 1:
            which = f"{self.familiar} of {self.used} recordings {_are(self.familiar)}"
        return (
            f"{which} known to the model from its training, whole or in part: how well it does "
            "there says nothing about new sounds; `audioclf model show` has what was measured on "
            "clips that it did not know"
        )


def _khz(hertz: float) -> str:
    return f"{hertz / 1000:g} kHz"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _nothing(sr: int, number: int) -> str:
    return f"nothing above {_khz(sr / 2)} is in {'it' if number == 1 else 'them'}"
