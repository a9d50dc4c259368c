"""Prediction of sound while it is recorded: windows, or events as soon as they have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.clock import shown_time
from audioclf.audio.decode import Mono
from audioclf.audio.live import Incoming
from audioclf.audio.stream import resampled_blocks
from audioclf.base.errors import FeatureError, ResultError
from audioclf.base.files import unwritable
from audioclf.base.limits import limits_in_force
from audioclf.base.text import file_name
from audioclf.models.arrays import ArraySource
from audioclf.models.windows import Piece, pieces
from audioclf.predict.events import Event, EventTracker
from audioclf.predict.formats import Line
from audioclf.predict.inputs import Recording
from audioclf.predict.lines import event_line, lines_of, scores_for_events
from audioclf.predict.scoring import Outcome, outputs_of
from audioclf.predict.segments import SegmentRule
from audioclf.predict.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.models.model import Model

LONGEST_CLIP = 300.0
"""Seconds of an event that are kept as sound; of a longer one, its end."""
_PAUSE = 1.0
"""Seconds by which sound comes late before the clock is set anew."""
_BEHIND = 10.0
"""Seconds from arrival to use before a note says so."""
_NO_FILE = Recording("", ArraySource(b""))


@dataclass(frozen=True)
class Listening:
    """How arriving sound is predicted.

    The `settings` have a cutting. `keep_clips` is a folder for the sound of events. `note` takes
    sentences, `level` the level of each block in dB relative to full scale.
    """

    model: Model
    settings: Settings
    keep_clips: Path | None = None
    note: Callable[[str], None] = field(default=lambda sentence: None)
    level: Callable[[float], None] = field(default=lambda level: None)


def listen(incoming: Incoming, how: Listening) -> Iterator[Line]:
    """Yield a line for each window or event; its `time` is the clock time of its start.

    Times in s count from the first sample. DecodeError for samples that are no audio, FeatureError
    for a window that the featurizer refuses.
    """
    return _Session(incoming, how).lines()


class _Session:
    def __init__(self, incoming: Incoming, how: Listening) -> None:
        self.incoming, self.how, self.model = incoming, how, how.model
        self.sr = how.model.sr
        self.clock: list[tuple[float, float]] = []
        self.sound = _Sound(how.model.sr)

    def lines(self) -> Iterator[Line]:
        mono = resampled_blocks(self._mono(), self.incoming.sr, self.sr)
        blocks = self.sound.remembered(mono) if self.how.keep_clips else mono
        settings, model = self.how.settings, self.model
        rule = settings.events
        assert not isinstance(rule, SegmentRule)  # it needs the whole recording
        tracker = None if rule is None else EventTracker(rule, settings.thresholds)
        wanted = np.True_ if rule is None else rule.makes_events(model.classes)
        assert settings.cutting is not None
        for piece in pieces(blocks, settings.cutting):
            outcome = self._outcome(piece)
            if tracker is None:
                for line in lines_of(outcome, model, settings)[1]:
                    yield replace(line, path=self.incoming.name, time=self._time(line.start))
                continue
            start, end = outcome.times[0].tolist()
            for event in tracker.add(start, end, scores_for_events(outcome, wanted)[0]):
                yield self._event_line(event)
        for event in [] if tracker is None else tracker.finish():
            yield self._event_line(event)

    def _mono(self) -> Iterator[NDArray[np.float32]]:
        sr, channel = self.incoming.sr, self.model.manifest.audio.channel
        mono = Mono(self.incoming.name, channel, limits_in_force())
        if sr < self.sr:
            self.how.note(
                f"the model uses {self.sr} Hz and the sound has {sr}: nothing above {sr / 2:g} Hz "
                "is in it"
            )
        seconds, waiting, is_behind = 0.0, False, False
        for block in self.incoming.blocks:
            if block is None:
                if not waiting:
                    self.how.note(f"no sound from {self.incoming.name}; waiting for it")
                waiting = True
                continue
            waiting = False
            if block.lost:
                self.how.note(f"about {block.lost:.1f} s of sound were lost at {seconds:.1f} s")
            if not is_behind and (behind := time.time() - block.time) > _BEHIND:
                is_behind = True
                self.how.note(
                    f"predictions are {behind:.0f} s behind the sound; use a longer --hop"
                )
            y = mono.of(block.frames)
            began = block.time - len(y) / sr
            if not self.clock or began - self._clock_at(seconds) > _PAUSE:
                self.clock.append((seconds, began))
            power = float(np.mean(np.square(y, dtype=np.float64)))
            self.how.level(10 * np.log10(max(power, 1e-10)))
            seconds += len(y) / sr
            yield y

    def _clock_at(self, seconds: float) -> float:
        """Return the clock time of a sample in s since 1970."""
        at, began = next(each for each in reversed(self.clock) if each[0] <= seconds)
        return began + seconds - at

    def _outcome(self, piece: Piece) -> Outcome:
        """Return the outcome of one window."""
        (row,) = self.model.rows_of_pieces([piece], self.how.settings.cutting)
        if isinstance(row, FeatureError):
            where = f"{self.incoming.name}, from {piece.start / self.sr:g} s on"
            raise FeatureError(f"{where}: {row.message}", hint=row.hint) from row
        codes, scores = outputs_of(self.model, row[None])
        times = np.array([[piece.start / self.sr, piece.end / self.sr]])
        several = self.model.is_several
        return Outcome(_NO_FILE, times=times, codes=codes, scores=scores, is_several=several)

    def _event_line(self, event: Event) -> Line:
        line = event_line(self.incoming.name, self.model, self.how.settings, event)
        line = replace(line, time=self._time(event.start))
        if self.how.keep_clips is not None:
            _write_clip(
                self.how.keep_clips, line, self.sound.between(event.start, event.end), self.sr
            )
        return line

    def _time(self, seconds: float) -> str:
        began = datetime.fromtimestamp(self._clock_at(seconds) - seconds).astimezone()
        return shown_time(began, seconds)


class _Sound:
    """The last seconds of sound, from which clips of events are cut."""

    def __init__(self, sr: int) -> None:
        self.sr, self.end = sr, 0
        self.blocks: list[NDArray[np.float32]] = []

    def remembered(self, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Yield the blocks."""
        held = 0
        for block in blocks:
            self.blocks.append(block)
            self.end += len(block)
            held += len(block)
            while held - len(self.blocks[0]) > LONGEST_CLIP * self.sr:
                held -= len(self.blocks.pop(0))
            yield block

    def between(self, start: float, end: float) -> NDArray[np.float32]:
        """Return the samples between two times in s, as far as they are remembered."""
        y = np.concatenate(self.blocks)
        first = self.end - len(y)
        return y[max(0, round(start * self.sr) - first) : max(0, round(end * self.sr) - first)]


def _write_clip(folder: Path, line: Line, y: NDArray[np.float32], sr: int) -> None:
    """Write the sound of an event to a file that is named by its time, class and score."""
    import soundfile

    stamp = line.time[:23].replace(":", "").replace("-", "")
    path = folder / f"{stamp}_{file_name(line.label)}_{line.score:.2f}.wav"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, y.clip(-1, 1), sr)
    except OSError as exc:
        raise unwritable(path, exc) from exc
    except soundfile.LibsndfileError as exc:
        raise ResultError(f"{path}: cannot be written ({exc})") from exc
