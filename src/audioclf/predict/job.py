"""Prediction of many recordings: tasks for the threads, results in order, a journal row each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from audioclf.audio.clock import clock_time, shown_time
from audioclf.audio.conversions import Conversions
from audioclf.audio.decode import CANCELLED
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL, AudioclfError, ResultError
from audioclf.base.progress import Progress, no_progress
from audioclf.dataset.label_sets import SEPARATOR
from audioclf.dataset.path_labels import count
from audioclf.engines import make_engine
from audioclf.engines.base import Engine, WorkerDiedError
from audioclf.models.bundle.sound_range import SoundRange
from audioclf.predict.events import EventRule, no_events_note
from audioclf.predict.formats import Line, Place
from audioclf.predict.inputs import Recording
from audioclf.predict.journal import JournalRow, key_of
from audioclf.predict.lines import lines_of, scores_for_events
from audioclf.predict.scoring import Outcome, Shared, SoundCounter, score_recordings
from audioclf.predict.settings import Job, check_settings
from audioclf.predict.sinks import Sink

_MODULES = ("sklearn.pipeline", "audioclf.predict.scoring")
_TASK_FILES = 32
_TASK_BYTES = 32 << 20
_TASKS_AT_A_TIME = 256
_SHOWN_FAILURES = 20


@dataclass
class JobResult:
    """Counts and messages of a finished job.

    `skipped` recordings were done before. `failures` are the first few messages; `notes` have one
    sentence per kind.
    """

    done: int = 0
    failed: int = 0
    skipped: int = 0
    lines: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """4 if a recording failed, else 0."""
        return EXIT_PARTIAL if self.failed else EXIT_OK


def predict_all(
    job: Job,
    recordings: Sequence[Recording],
    sink: Sink,
    *,
    jobs: int = 1,
    isolate: bool = False,
    progress: Progress = no_progress,
) -> JobResult:
    """Predict recordings and write their lines, in the order of the recordings.

    The results do not depend on `jobs`. With `isolate` the work is done in processes, so that a
    file that crashes a codec costs one recording.
    """
    try:
        with make_engine("local", jobs=jobs, isolate=isolate, modules=_MODULES) as engine:
            result = _predict(job, recordings, sink, engine, progress)
    except BaseException:
        with suppress(ResultError):  # the first error is the one to report
            sink.close()
        raise
    sink.close()
    return result


def _predict(
    job: Job, recordings: Sequence[Recording], sink: Sink, engine: Engine, progress: Progress
) -> JobResult:
    notes = check_settings(job.model, job.settings)
    done = {row.key for row in sink.done}
    waiting = [recording for recording in recordings if key_of(recording) not in done]
    writing = _Writing(job, sink)
    result = writing.result
    result.skipped = len(recordings) - len(waiting)
    sound = SoundCounter(waiting, progress)
    shared = Shared(job.model, job.settings.cutting, sound)
    outcomes = _outcomes(engine, tasks_of(waiting), shared)
    try:
        for recording, outcome in zip(waiting, outcomes, strict=True):
            writing.put(outcome)
            seconds = outcome.info.seconds if outcome.info else 0.0
            sound.at(recording, seconds, seconds, ended=True)
    except BaseException:
        shared.stop.set()  # else the engine would wait for the end of long recordings
        raise
    result.notes = [*notes, *writing.notes.sentences(), *writing.event_notes()]
    return result


def tasks_of(recordings: Sequence[Recording]) -> list[tuple[Recording, ...]]:
    """Divide recordings into the work of one thread: a few dozen clips, or one long file."""
    tasks: list[list[Recording]] = []
    size = 0
    for recording in recordings:
        n_bytes = recording.n_bytes
        if not tasks or len(tasks[-1]) == _TASK_FILES or size + n_bytes > _TASK_BYTES:
            tasks.append([])
            size = 0
        tasks[-1].append(recording)
        size += n_bytes
    return [tuple(task) for task in tasks]


def _outcomes(
    engine: Engine, tasks: Sequence[tuple[Recording, ...]], shared: Shared
) -> Iterator[Outcome]:
    """Yield the outcome of every recording, in order.

    An engine repeats an item whose worker died after all others, and the results behind it wait so
    long. So that few do, it is given a part of the tasks at a time.
    """
    for start in range(0, len(tasks), _TASKS_AT_A_TIME):
        part = tasks[start : start + _TASKS_AT_A_TIME]
        results = engine.map(score_recordings, part, shared=shared)
        for task, outcomes in zip(part, _in_order(results), strict=True):
            if isinstance(outcomes, WorkerDiedError):
                yield from _one_by_one(engine, task, shared)
            else:
                yield from outcomes


def _one_by_one(engine: Engine, task: tuple[Recording, ...], shared: Shared) -> Iterator[Outcome]:
    """Yield the outcomes of a task that ended its worker, and name the recording that did."""
    if len(task) > 1:
        yield from _outcomes(engine, [(recording,) for recording in task], shared)
        return
    outcome = Outcome(task[0])
    outcome.fail(f"{task[0].source.name}: decoding or predicting it ended the worker process")
    yield outcome


def _in_order(results: Iterator[tuple[int, Any]]) -> Iterator[list[Outcome] | WorkerDiedError]:
    """Yield results in the order of the tasks, and raise the error of one that failed."""
    waiting: dict[int, Any] = {}
    following = 0
    for index, result in results:
        waiting[index] = result
        while following in waiting:
            ready = waiting.pop(following)
            following += 1
            if isinstance(ready, AudioclfError) and not isinstance(ready, WorkerDiedError):
                raise ready
            yield ready


class _Writing:
    """Turns outcomes into lines and rows of the journal, and counts."""

    def __init__(self, job: Job, sink: Sink) -> None:
        self.job, self.sink = job, sink
        self.digest, self.writer = job.digest, job.writer()
        self.result = JobResult()
        self.notes = _NoteCounter(
            job.model.manifest.audio, job.model.clips.sound if job.model.clips else None
        )
        self.selections = sum(row.rows for row in sink.done)
        self.begins: dict[str, float] = {}
        self.seconds = 0.0
        self.highest = -math.inf
        for row in sink.done:
            self._begin_of(row.path, row.seconds)

    def put(self, outcome: Outcome) -> None:
        path, start, end, channel = key_of(outcome.recording)
        seconds = outcome.file_seconds
        begin = self._begin_of(path, seconds) if seconds else self.seconds
        n_lines, lines = (
            (0, ()) if outcome.error else lines_of(outcome, self.job.model, self.job.settings)
        )
        row = JournalRow(
            path=path,
            status="failed" if outcome.error else "ok",
            message=outcome.error or "; ".join(filter(None, (outcome.warning, _outside(outcome)))),
            start=start,
            end=end,
            seconds=seconds,
            rows=n_lines,
            job=self.digest,
            channel=channel,
        )
        timed = self.job.with_time and not outcome.error
        began = clock_time(outcome.recording.source) if timed else None
        lines = self._counted(lines, began, outcome.recording.channel or 1)
        text = self.writer.text(lines, Place(self.selections, begin))
        self.sink.put(row, text)
        self.selections += n_lines
        self._count(outcome)

    def _begin_of(self, path: str, seconds: float) -> float:
        """Return where a file begins among all files, each of which counts once."""
        if path not in self.begins:
            self.begins[path] = self.seconds
            self.seconds += seconds
        return self.begins[path]

    def _counted(
        self, lines: Iterable[Line], began: datetime | None, channel: int
    ) -> Iterator[Line]:
        for line in lines:
            self.result.lines += 1
            several = self.job.model.is_several
            for label in line.label.split(SEPARATOR) if several else (line.label,):
                self.result.labels[label] += 1
            time = "" if began is None else shown_time(began, line.start)
            yield replace(line, time=time, channel=channel)

    def event_notes(self) -> Iterator[str]:
        """Yield a note if there are windows and no event."""
        rule, result = self.job.settings.events, self.result
        if isinstance(rule, EventRule) and result.done and not (result.lines or result.skipped):
            if self.job.settings.thresholds is not None:
                yield "no events: no window reaches the threshold of a class; lower --threshold"
                return
            yield no_events_note(self.highest, len(self.job.model.classes), rule)

    def _count(self, outcome: Outcome) -> None:
        result = self.result
        self.notes.add(outcome)
        if outcome.error:
            result.failed += 1
            if len(result.failures) < _SHOWN_FAILURES:
                result.failures.append(outcome.error)
        else:
            rule = self.job.settings.events
            if isinstance(rule, EventRule):
                scores = scores_for_events(outcome, rule.makes_events(self.job.model.classes))
                self.highest = float(np.fmax.reduce(scores, axis=None, initial=self.highest))
            result.done += 1


class _NoteCounter:
    """Counts what is lost before the model, and which recordings were training clips."""

    def __init__(self, audio: AudioConfig, sound: SoundRange | None) -> None:
        self.audio = audio
        self.conversions = Conversions(audio)
        self.truncated = self.trained_on = self.used = self.cancelled = 0
        self.sound, self.outside = sound, Counter[str]()

    def add(self, outcome: Outcome) -> None:
        """Count a recording that was used."""
        if outcome.info is not None and not outcome.error:
            self.conversions.add(outcome.info)
            self.cancelled += CANCELLED in outcome.warning
            self.truncated += outcome.truncated
            self.trained_on += outcome.trained_on
            self.outside.update(outcome.outside)
            self.used += 1

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each kind."""
        yield from self.conversions.sentences()
        if self.cancelled:
            files = count(self.cancelled, "file", "files")
            yield f"in {files} {CANCELLED}: use one channel of them"
        if self.truncated:
            files = count(self.truncated, "file is longer", "files are longer")
            offset = self.audio.offset
            behind = f" behind the first {offset:g} s" if offset else ""
            yield (
                f"{files} than the {self.audio.duration:g} s that the model uses{behind}: the rest "
                "was ignored; add --window to predict all of it"
            )
        if self.sound and (sentence := self.sound.sentence(self.outside, self.used)):
            yield sentence
        if self.trained_on:
            were = "was" if self.trained_on == 1 else "were"
            several = f"{self.trained_on} of {self.used} recordings {were}"
            yield (
                f"{'the recording was' if self.used == 1 else several} in the training data of the "
                "model, as a whole or in part: predictions for training clips are too good; see "
                "`audioclf model show` for results on other clips"
            )


def _outside(outcome: Outcome) -> str:
    differs = " and ".join(outcome.outside)
    return f"{differs} than the training clips" if differs else ""
