"""Events that a model finds in recordings, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.base.machine import available_cores
from audioclf.base.progress import Progress, no_progress
from audioclf.components.registry import Registry
from audioclf.dataset.sources import AudioSource
from audioclf.dataset.tables import Problems
from audioclf.experiment.scoring.rows import EventRow, EventTable
from audioclf.models.bundle.reading import open_model
from audioclf.models.windows import Cutting
from audioclf.predict.events import EventRule
from audioclf.predict.formats import JsonLinesFormat
from audioclf.predict.inputs import Recording
from audioclf.predict.job import predict_all
from audioclf.predict.journal import JournalRow
from audioclf.predict.segments import SegmentRule
from audioclf.predict.settings import Job, Settings, check_classes, class_thresholds
from audioclf.predict.sinks import Sink


class _Rows(Sink):
    """Collects the lines of each recording."""

    def __init__(self, names: Iterator[str]) -> None:
        self.done = []
        self.tables: list[EventTable] = []
        self._names = names

    @override
    def put(self, row: JournalRow, text: Iterator[str]) -> None:
        import json

        name = next(self._names)
        if row.status == "failed":
            raise DatasetError(f"a recording cannot be scored: {row.message}")
        lines = [json.loads(line) for line in text]
        rows = [
            EventRow(name, n, None, each["start"], each["end"], each["label"] or "", each["score"])
            for n, each in enumerate(lines, 1)
        ]
        self.tables.append(EventTable(name, name, tuple(rows), Problems(name)))

    @override
    def close(self) -> None:
        """Do nothing."""


def detect(
    bundle: Path,
    registry: Registry,
    sources: Mapping[str, AudioSource],
    *,
    window: float,
    hop: float | None,
    threshold: float | None = None,
    min_duration: float | None = None,
    segments: bool = False,
    weights: Sequence[Path] = (),
    expect_sha256: str | None = None,
    isolate: bool = False,
    untrusted: bool = False,
    jobs: int | None = None,
    progress: Progress = no_progress,
) -> tuple[list[EventTable], list[str]]:
    """Return the events or segments in each recording as a table, and notes.

    The default threshold is 0.5, or for a model of several labels its own of each class. With
    `untrusted`, the model is tried in a worker process first.
    """
    of_file: Any = {"expect_sha256": expect_sha256, "weights": weights, "untrusted": untrusted}
    model, by_graph = open_model(bundle, registry, **of_file)
    if model.manifest.audio.channel == "each":
        raise ConfigError(
            "the model predicts each channel by itself, and annotations are of whole recordings",
            hint="Score the events that `audioclf predict` writes.",
        )
    check_classes(model, "score")
    thresholds = class_thresholds(model, threshold, {})
    highest = 0.5 if threshold is None else threshold
    rule: EventRule | SegmentRule = SegmentRule(min_duration or 0.0)
    if not segments:
        highest = highest if thresholds is None else max(thresholds)
        rule = EventRule(highest, min_duration=min_duration or 0.0)
    cutting = Cutting.of(window, hop, model.sr, "keep")
    job = Job(model, Settings(cutting, rule, None, JsonLinesFormat, thresholds))
    sink = _Rows(iter(sources))
    recordings = [Recording(name, source) for name, source in sources.items()]
    isolate, jobs = isolate or untrusted, jobs or available_cores()
    result = predict_all(job, recordings, sink, jobs=jobs, isolate=isolate, progress=progress)
    return sink.tables, [*by_graph, *result.notes]
