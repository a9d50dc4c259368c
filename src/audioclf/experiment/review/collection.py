"""The windows of all recordings with their scores by a model."""

from __future__ import annotations

import json
from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from typing_extensions import override

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.base.machine import available_cores
from audioclf.base.progress import Progress, no_progress
from audioclf.components.registry import suggest
from audioclf.dataset.path_labels import shown
from audioclf.dataset.review_list import Window, read_list, source_named
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.sampling.design import Floats, Ints
from audioclf.models.model import Model
from audioclf.models.windows import Cutting
from audioclf.predict.formats import JsonLinesFormat
from audioclf.predict.inputs import Collected
from audioclf.predict.job import JobResult, predict_all
from audioclf.predict.journal import JournalRow
from audioclf.predict.settings import Job, Settings, is_background
from audioclf.predict.sinks import Sink


@dataclass(frozen=True, eq=False)
class Scored:
    """Windows with scores: name of the recording, times in s [shape=(n, 2)], scores [(n, k)].

    `recordings` [shape=(n,)] are codes in the order of `names`.
    """

    names: tuple[str, ...]
    recordings: Ints
    times: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.times)

    def where(self, wanted: np.ndarray) -> Scored:
        """Return some of the windows."""
        parts = (self.recordings[wanted], self.times[wanted], self.scores[wanted])
        return Scored(self.names, *parts)


@dataclass
class _Scores(Sink):
    """Collects the scores of each recording."""

    classes: Sequence[str]
    done: list[JournalRow] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    blocks: list[Floats] = field(default_factory=list)

    @override
    def put(self, row: JournalRow, text: Iterator[str]) -> None:
        columns = ("start", "end", *(f"score_{name}" for name in self.classes))
        rows = [[line[name] for name in columns] for line in map(json.loads, text)]
        if rows:
            self.names.append(row.path)
            self.blocks.append(np.array(rows, dtype=np.float64))

    @override
    def close(self) -> None:
        """Do nothing."""

    def scored(self) -> Scored:
        sizes = [len(block) for block in self.blocks]
        rows = np.concatenate(self.blocks)
        codes = np.repeat(np.arange(len(sizes), dtype=np.intp), sizes)
        return Scored(tuple(self.names), codes, rows[:, :2], rows[:, 2:])


def score_windows(
    model: Model,
    collected: Collected,
    lengths: tuple[float, float | None],
    *,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> tuple[Scored, JobResult]:
    """Return the windows of all recordings with their scores, and the result of the job.

    `lengths` are window and hop in s.
    """
    if model.manifest.audio.channel == "each":
        raise ConfigError("the model predicts each channel by itself, and windows are of all")
    if model.score_kind == "none":
        raise ConfigError(f"the classifier of {model.manifest.cell!r} gives no scores")
    settings = Settings(Cutting.of(*lengths, model.sr), output=JsonLinesFormat)
    sink = _Scores(model.classes)
    job, recordings = Job(model, settings), collected.recordings
    result = predict_all(job, recordings, sink, jobs=jobs or available_cores(), progress=progress)
    if not sink.blocks:
        raise DatasetError(f"no recording could be scored: {'; '.join(result.failures[:1])}")
    return sink.scored(), result


def model_digest(model: Model) -> str:
    """Return a short digest of a model."""
    return sha256(model.manifest.model_dump_json().encode()).hexdigest()[:16]


def targets_of(model: Model, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that are looked for: by default all that are not background."""
    for name in wanted:
        if name not in model.classes:
            hint = suggest(name, model.classes) or f"There are {shown(model.classes, most=12)}."
            raise ConfigError(f"--class: the model has no class {name!r}", hint=hint)
    if wanted:
        return tuple(dict.fromkeys(wanted))
    events = tuple(name for name in model.classes if not is_background(name))
    return events or model.classes


def target_scores(model: Model, scores: Floats, targets: Names[str]) -> tuple[Floats, Floats]:
    """Return the highest score of the classes that are looked for, and how certain the model is.

    The margin is the distance to the highest other score, or to the threshold of the class.
    """
    mine = np.array([name in targets for name in model.classes])
    best = scores[:, mine].max(axis=1)
    if model.manifest.several is not None:
        distances = np.abs(scores - np.asarray(model.manifest.several.thresholds))
        return best, distances[:, mine].min(axis=1)
    if mine.all():
        two = np.sort(scores, axis=1)[:, -2:]
        return best, two[:, 1] - two[:, 0]
    return best, np.abs(best - scores[:, ~mine].max(axis=1))


def without_reviewed(scored: Scored, tables: Iterable[Path]) -> Scored:
    """Leave out the windows that overlap windows of earlier lists."""
    known: dict[str, list[Window]] = {}
    for table in tables:
        for window in read_list(table).windows:
            known.setdefault(_real(table.parent, window.path), []).append(window)
    free = np.ones(len(scored), dtype=bool)
    for code, name in enumerate(scored.names):
        for window in known.get(_real(Path(), name), ()):
            starts, ends = scored.times.T
            overlaps = (starts < window.end - 1e-6) & (ends > window.start + 1e-6)
            free &= ~((scored.recordings == code) & overlaps)
    return scored.where(free)


def _real(folder: Path, name: str) -> str:
    if ".zip!" in name:
        archive, mark, member = name.partition(".zip!")
        return f"{(folder / archive).resolve()}{mark}{member}"
    source = source_named(folder, name)
    return str(source.path.resolve()) if isinstance(source, FileSource) else source.name
