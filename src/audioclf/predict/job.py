"""Many recordings from first to last: tasks for the threads, results in order, a row each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL, AudioclfError, ConfigError, ResultError
from audioclf.components.pooling import Flatten
from audioclf.engines import make_engine
from audioclf.engines.base import Engine, WorkerDiedError
from audioclf.models.windows import Cutting
from audioclf.predict.events import EventRule, Rollup, find_events, rolled_up
from audioclf.predict.formats import COLUMNS_VERSION, Format, FormatName, Line, Place, make_format
from audioclf.predict.inputs import Recording
from audioclf.predict.journal import LedgerRow, key_of
from audioclf.predict.remarks import Losses
from audioclf.predict.scoring import Outcome, Shared, score_recordings
from audioclf.predict.sinks import Sink

if TYPE_CHECKING:
    from audioclf.models.model import Model

_TASK_FILES = 32
_TASK_BYTES = 32 << 20
_TASKS_AT_A_TIME = 256
_SHOWN_FAILURES = 20

_WORSE = "scores may be worse than the model's evaluation says"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Settings:
    """What is asked of every recording.

    Parameters
    ----------
    cutting : Cutting, optional
        None where a recording is one clip.
    events : EventRule, optional
        Lines are events instead of windows.
    rollup : {"mean", "share"}, optional
        One line per recording instead of one per window.

    Raises
    ------
    ConfigError
        If there are no windows to make events of, or both are asked for.
    """

    cutting: Cutting | None = None
    events: EventRule | None = None
    rollup: Rollup | None = None

    def __post_init__(self) -> None:
        if self.events is not None and self.rollup is not None:
            raise ConfigError("events and a rollup cannot go into one output: choose one")
        if self.cutting is None and (self.events is not None or self.rollup is not None):
            what = "events are" if self.events is not None else "a rollup is"
            raise ConfigError(f"{what} made of windows", hint="Add --window, in s.")

    def job_of(self, model_digest: str, format_name: FormatName) -> str:
        """Return a short digest of all that an output depends on but the recordings."""
        text = repr((COLUMNS_VERSION, model_digest, self, format_name))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class JobResult:
    """What a job did.

    Parameters
    ----------
    done, failed, skipped : int
        Recordings that were predicted, that could not be, and that were done before.
    lines : int
        Lines that were written.
    labels : Counter of str
        How many lines each label has.
    failures : list of str
        The first few, in words.
    notes : list of str
        What the model did not decoder.
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


def check_settings(model: Model, settings: Settings) -> list[str]:
    """Return what is odd about windows for this model.

    Raises
    ------
    ConfigError
        If the model would not look at all of a window, or gives no scores where they are needed.
    """
    if model.score_kind == "none" and (settings.events or settings.rollup == "mean"):
        raise ConfigError(
            f"the classifier of {model.manifest.cell!r} gives no scores, and events and means "
            "are made of them",
            hint="Use --rollup share, or predictions of windows.",
        )
    if settings.cutting is None:
        return []
    cutting = settings.cutting
    odd = [*_too_long(model, cutting)] or [*_unlike(model, cutting)]
    return [*odd, *_nearby_hop(cutting, model)]


def _too_long(model: Model, cutting: Cutting) -> Iterator[str]:
    duration = model.manifest.audio.duration
    if duration is None or cutting.size <= round(duration * model.sr):
        return
    seconds = cutting.size / model.sr
    what = f"windows of {seconds:g} s are longer than the {duration:g} s clips of the training"
    if isinstance(model.featurizer.pooling, Flatten):
        raise ConfigError(
            f"{what}, and the features of this model end there",
            hint=f"Use --window {duration:g} or less.",
        )
    yield f"{what}: {_WORSE}"


def _unlike(model: Model, cutting: Cutting) -> Iterator[str]:
    said = "" if model.clips is None else model.clips.unlike(cutting.size / model.sr)
    if said:
        yield f"a window of {said}: {_WORSE}"


def _nearby_hop(cutting: Cutting, model: Model) -> Iterator[str]:
    """Name a hop close by with which overlapping windows would have frames in common."""
    step = model.shared_step
    if step is None:
        return
    hop = max(1, round(cutting.hop / step)) * step
    near = replace(cutting, hop=hop)
    if 2 * near.own_samples(step) > cutting.own_samples(step) or 4 * hop > 5 * cutting.hop:
        return
    yield (
        f"windows every {cutting.hop / model.sr:g} s have few frames in common, or none; with "
        f"--hop {_seconds_of(hop, model.sr)} they would share more and be predicted faster"
    )


def _seconds_of(n_samples: int, sr: int) -> str:
    """Return the shortest number that is so many samples when it is rounded."""
    texts = (f"{n_samples / sr:.{digits}f}" for digits in range(10))
    return next(text for text in texts if round(float(text) * sr) == n_samples)


def predict_all(
    model: Model,
    recordings: Sequence[Recording],
    sink: Sink,
    settings: Settings = Settings(),
    *,
    format_name: FormatName = "csv",
    job: str = "",
    jobs: int = 1,
    isolate: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> JobResult:
    """Predict recordings and write what is found, in their order.

    Parameters
    ----------
    model : Model
    recordings : sequence of Recording
    sink : Sink
        It says which recordings are done already.
    settings : Settings
    format_name : str
    job : str
        Digest that the ledger keeps; see `Settings.job_of`.
    jobs : int
        Threads or processes; the results do not depend on it.
    isolate : bool
        Work in processes, so that a file that crashes a codec costs one recording.
    progress : callable
        Called with "predict", the recordings done, and all of them.

    Raises
    ------
    ConfigError
        As `check_settings`.
    ClassifierError
        If the classifier fails.
    ResultError
        If the output cannot be written.
    """
    try:
        with make_engine("local", jobs=jobs, isolate=isolate) as engine:
            result = _predicted(
                model, recordings, sink, settings, format_name, job, engine, progress
            )
    except BaseException:
        with suppress(ResultError):  # the first reason is the one to tell
            sink.close()
        raise
    sink.close()
    return result


def _predicted(
    model: Model,
    recordings: Sequence[Recording],
    sink: Sink,
    settings: Settings,
    format_name: FormatName,
    job: str,
    engine: Engine,
    progress: Progress,
) -> JobResult:
    notes = check_settings(model, settings)
    writing = _Writing(model, sink, settings, make_writer(model, settings, format_name), job)
    writing.result.notes += notes
    done = {row.key for row in sink.done}
    waiting = [each for each in recordings if key_of(each) not in done]
    writing.result.skipped = len(recordings) - len(waiting)
    for outcome in _outcomes(engine, tasks_of(waiting), Shared(model, settings.cutting)):
        writing.put(outcome)
        progress("predict", writing.result.done + writing.result.failed, len(waiting))
    writing.result.notes += writing.losses.sentences()
    return writing.result


def make_writer(model: Model, settings: Settings, format_name: FormatName) -> Format:
    """Return the format of the lines of a job."""
    classes = () if model.score_kind == "none" and settings.rollup is None else model.classes
    events = settings.events is not None
    return make_format(format_name, classes, events=events, sr=model.sr)


def tasks_of(recordings: Sequence[Recording]) -> list[tuple[Recording, ...]]:
    """Divide recordings into what one thread takes up: a few dozen clips, or one long file."""
    tasks: list[list[Recording]] = []
    size = 0
    for recording in recordings:
        n_bytes = recording.n_bytes
        full = not tasks or len(tasks[-1]) == _TASK_FILES or size + n_bytes > _TASK_BYTES
        if full:
            tasks.append([])
            size = 0
        tasks[-1].append(recording)
        size += n_bytes
    return [tuple(task) for task in tasks]


def _outcomes(
    engine: Engine, tasks: Sequence[tuple[Recording, ...]], shared: Shared
) -> Iterator[Outcome]:
    """Yield the outcome of every recording, in order.

    An engine comes back to an item whose worker died when all others are done, so there is an end
    to what waits behind it: a part of the tasks at a time.
    """
    for start in range(0, len(tasks), _TASKS_AT_A_TIME):
        part = tasks[start : start + _TASKS_AT_A_TIME]
        found = engine.map(score_recordings, part, shared=shared)
        for task, outcomes in zip(part, _in_order(found), strict=True):
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


def _in_order(found: Iterator[tuple[int, Any]]) -> Iterator[list[Outcome] | WorkerDiedError]:
    """Yield results in the order of the tasks, and raise the error of one that failed."""
    waiting: dict[int, Any] = {}
    following = 0
    for index, outcome in found:
        waiting[index] = outcome
        while following in waiting:
            ready = waiting.pop(following)
            following += 1
            if isinstance(ready, AudioclfError) and not isinstance(ready, WorkerDiedError):
                raise ready
            yield ready


class _Writing:
    """Turns outcomes into lines and rows of the ledger, and counts."""

    def __init__(
        self, model: Model, sink: Sink, settings: Settings, writer: Format, job: str
    ) -> None:
        self.model, self.sink, self.settings = model, sink, settings
        self.writer, self.job = writer, job
        self.result = JobResult()
        self.losses = Losses(model.manifest.audio)
        self.selections = sum(row.rows for row in sink.done)
        self.begins: dict[str, float] = {}
        self.seconds = 0.0
        for row in sink.done:
            self._begin_of(row.path, row.seconds)

    def put(self, outcome: Outcome) -> None:
        path, start, end = key_of(outcome.recording)
        place = Place(self.selections, self.seconds)
        n_lines = 0
        lines: Iterable[Line] = ()
        if not outcome.error:
            place = replace(place, seconds=self._begin_of(path, outcome.file_seconds))
            n_lines, lines = lines_of(outcome, self.model, self.settings)
        status: Literal["ok", "failed"] = "failed" if outcome.error else "ok"
        message = outcome.error or outcome.warning
        seconds = outcome.file_seconds
        row = LedgerRow(path, status, message, start, end, seconds, n_lines, 0, self.job)
        text = self.writer.text(self._counted(lines), place)
        self.sink.put(outcome.recording, row, text)
        self.selections += n_lines
        self._count(outcome)

    def _begin_of(self, path: str, seconds: float) -> float:
        """Return where a file begins among all files, each of which counts once."""
        if path not in self.begins:
            self.begins[path] = self.seconds
            self.seconds += seconds
        return self.begins[path]

    def _counted(self, lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            self.result.lines += 1
            self.result.labels[line.label] += 1
            yield line

    def _count(self, outcome: Outcome) -> None:
        result = self.result
        self.losses.add(outcome)
        if outcome.error:
            result.failed += 1
            if len(result.failures) < _SHOWN_FAILURES:
                result.failures.append(outcome.error)
        else:
            result.done += 1


def lines_of(outcome: Outcome, model: Model, settings: Settings) -> tuple[int, Iterable[Line]]:
    """Return the lines of one recording and their number: windows, events, or one for all."""
    if settings.events is not None:
        events = _event_lines(outcome, model, settings.events)
        return len(events), events
    if settings.rollup is not None:
        return 1, [_rolled_up_line(outcome, model, settings.rollup)]
    n_windows = len(outcome.codes)
    return n_windows, (_window_line(outcome, model, index) for index in range(n_windows))


def _window_line(outcome: Outcome, model: Model, index: int) -> Line:
    code = int(outcome.codes[index])
    scores = () if outcome.scores is None else tuple(map(float, outcome.scores[index]))
    start, end = map(float, outcome.times[index])
    label = model.classes[code] if code >= 0 else ""
    score = (scores[code] if code >= 0 else max(scores)) if scores else None
    return Line(outcome.recording.name, start, end, label, score, scores)


def _event_lines(outcome: Outcome, model: Model, rule: EventRule) -> list[Line]:
    assert outcome.scores is not None
    scores = np.where(outcome.codes[:, None] < 0, np.nan, outcome.scores)
    return [
        Line(
            outcome.recording.name,
            event.start,
            event.end,
            model.classes[event.code],
            event.score,
            (event.mean_score, event.n_windows),
        )
        for event in find_events(outcome.times, scores, rule)
    ]


def _rolled_up_line(outcome: Outcome, model: Model, how: Rollup) -> Line:
    scores = outcome.scores
    if scores is None:
        scores = np.zeros((len(outcome.codes), len(model.classes)))
    found = rolled_up(scores, outcome.codes, how)
    start, end = float(outcome.times[0, 0]), float(outcome.times[:, 1].max())
    code = int(found.argmax())
    label = model.classes[code] if (outcome.codes >= 0).any() else ""
    return Line(
        outcome.recording.name, start, end, label, float(found[code]), tuple(map(float, found))
    )
