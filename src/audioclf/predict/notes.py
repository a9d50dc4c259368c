"""Notes on recordings: resampled, mixed down, truncated, or used in training; one line per kind."""

from __future__ import annotations

from collections.abc import Iterator

from audioclf.audio.conversions import Conversions
from audioclf.audio.decode import CANCELLED
from audioclf.audio.settings import AudioConfig
from audioclf.dataset.path_labels import count
from audioclf.predict.scoring import Outcome


class NoteCounter:
    """Counts what is lost before the model, and which recordings were training clips."""

    def __init__(self, audio: AudioConfig) -> None:
        self.audio = audio
        self.conversions = Conversions(audio)
        self.truncated = self.trained_on = self.used = self.cancelled = 0

    def add(self, outcome: Outcome) -> None:
        """Count a recording that was used."""
        if outcome.info is not None and not outcome.error:
            self.conversions.add(outcome.info)
            self.cancelled += CANCELLED in outcome.warning
            self.truncated += outcome.truncated
            self.trained_on += outcome.trained_on
            self.used += 1

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each kind."""
        yield from self.conversions.sentences()
        if self.cancelled:
            files = count(self.cancelled, "file", "files")
            yield f"in {files} {CANCELLED}: use one channel of them"
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


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
