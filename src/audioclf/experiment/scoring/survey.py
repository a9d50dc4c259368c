"""A survey from recordings, tables of annotations and rows of detections."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from audioclf.audio.decode import inspect
from audioclf.base.errors import ConfigError, DatasetError
from audioclf.components.registry import suggest
from audioclf.dataset.listing import list_files
from audioclf.dataset.path_labels import count, is_audio, shown
from audioclf.dataset.sources import AudioSource
from audioclf.evaluation.detection.events import Events, Survey
from audioclf.experiment.scoring.rows import EventRow, EventTable, labels_of
from audioclf.predict.inputs import collect

_LATE = 0.5
"""Seconds by which an event may begin behind the end of its recording, as tools round."""


@dataclass(frozen=True)
class Labels:
    """Other names of labels, and which classes are scored; no `only` means all."""

    names: Mapping[str, str] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()

    def of(self, rows: Iterable[EventRow]) -> list[EventRow]:
        """Return the rows with their names in the survey, empty for a class that is not scored."""
        return [self._renamed(row) for row in rows]

    def _renamed(self, row: EventRow) -> EventRow:
        label = self.names.get(row.label, row.label)
        if label in self.skip or (self.only and label not in self.only):
            label = ""
        if label == row.label:
            return row
        cells = {name: getattr(row, name) for name in EventRow.__slots__}
        return EventRow(**cells | {"label": label})


@dataclass(frozen=True, eq=False)
class Scored:
    """A survey with the rows of its events and notes on what was left out.

    `truth` and `found` are the rows of the events of the survey; `unlabeled` are recordings
    without annotations, `sources` the recordings as far as they are here.
    """

    survey: Survey
    truth: tuple[EventRow, ...]
    found: tuple[EventRow, ...]
    sources: Mapping[str, AudioSource]
    unlabeled: tuple[str, ...]
    notes: tuple[str, ...]


def recordings_of(
    arguments: Sequence[str], annotations: Path, *, needed: bool
) -> dict[str, AudioSource]:
    """Return the recordings that are named, else those beside the annotations, by their places."""
    if arguments:
        sources: dict[str, AudioSource] = {}
        for recording in collect(arguments).recordings:
            name = recording.place if recording.place not in sources else recording.name
            sources[name] = recording.source
        return sources
    if needed:
        raise ConfigError(
            "a model is scored on recordings", hint="Name them, or their folder, behind the model."
        )
    if not annotations.exists():
        raise DatasetError(f"no such file or folder: {annotations}")
    if annotations.is_file() and annotations.suffix.lower() != ".zip":
        return {}
    return {
        name: source for name, source in sorted(list_files(annotations).entries) if is_audio(name)
    }


class Recordings:
    """Recordings by path, by name, and by both without the extension."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._known: dict[str, list[str]] = defaultdict(list)
        for path in self.names:
            for full in {path, posixpath.basename(path)}:
                for key in {full, posixpath.splitext(full)[0]}:
                    self._known[key].append(path)

    def find(self, name: str) -> str | None:
        """Return the recording of a name with or without folders; None if there are several."""
        parts = name.rpartition(".zip!")[2].split("/")
        for at in range(len(parts)):
            tail = "/".join(parts[at:])
            paths = self._known.get(tail) or self._known.get(posixpath.splitext(tail)[0], [])
            if len(paths) == 1:
                return paths[0]
            if paths:
                raise DatasetError(
                    f"{name!r} is the name of {len(paths)} recordings: {shown(paths)}",
                    hint="Name the recordings with their folders in the table.",
                )
        return None


def assigned(
    tables: Sequence[EventTable], recordings: Recordings
) -> tuple[dict[str, list[tuple[int, EventRow]]], list[str]]:
    """Return the rows of each recording with the numbers of their tables, and names without one.

    A recording with a table of its own and no rows has an empty list: nothing was found there.
    """
    rows: dict[str, list[tuple[int, EventRow]]] = {}
    missing: dict[str, None] = {}
    for number, table in enumerate(tables):
        partner = recordings.find(table.stem)
        if partner is None and table.is_other_text:
            missing[table.name] = None
            continue
        table.problems.check()
        if partner is not None and all(row.file is None for row in table.rows):
            rows.setdefault(partner, [])
        for row in table.rows:
            recording = partner if row.file is None else recordings.find(row.path or row.file)
            if recording is None and row.file and partner and _is_alone(table):
                recording = partner  # the recording was renamed together with its table
            if recording is None:
                missing[row.file or table.name] = None
            elif row.may_be_session and row.file and recording != partner and not _is_alone(table):
                table.problems.add(
                    row.line,
                    f"no 'File Offset (s)', and the table is not named like {row.file!r}: its "
                    "times may count from another file that was open before; add it in Raven",
                )
            else:
                rows.setdefault(recording, []).append((number, row))
        if not table.rows and partner is None:
            missing[table.name] = None
        table.problems.check()
    return rows, list(missing)


def _is_alone(table: EventTable) -> bool:
    return len({row.file for row in table.rows}) == 1


def survey_of(
    sources: Mapping[str, AudioSource],
    truth: Sequence[EventTable],
    found: Sequence[EventTable],
    labels: Labels,
    *,
    seconds: float | None = None,
) -> Scored:
    """Return the survey of the recordings with annotations.

    Without `sources`, the recordings are those that the annotations name, each of `seconds`.
    """
    names = tuple(sources) or _named(truth)
    recordings = Recordings(names)
    annotated, missing = assigned(truth, recordings)
    detected, elsewhere = assigned(found, recordings)
    kept = tuple(name for name in names if name in annotated)
    if not kept:
        raise DatasetError(
            f"none of {count(len(names), 'recording', 'recordings')} has annotations: "
            f"{shown(names)}",
            hint="Name the table of rec1.wav rec1.txt, or name the recording in its rows.",
        )
    lengths = np.array([_length(sources.get(name), name, seconds) for name in kept])
    notes = [*_missing_notes(missing, elsewhere, names, bool(sources))]
    joined, n_joined = _joined({name: annotated[name] for name in kept})
    if n_joined:
        events = count(n_joined, "event", "events")
        notes.append(f"{events} annotated in several tables, counted once")
    unlabeled = tuple(name for name in names if name not in annotated)
    if unlabeled:
        files = count(len(unlabeled), "recording", "recordings")
        notes.append(
            f"left out {files} without annotations: {shown(unlabeled)}; mark a recording "
            "without events by an empty table, or by a row with its name and no label"
        )
    true_rows = {name: labels.of(joined[name]) for name in kept}
    found_rows = {name: labels.of([row for _, row in detected.get(name, ())]) for name in kept}
    all_true, all_found = (
        [row for rows in each.values() for row in rows] for each in (true_rows, found_rows)
    )
    classes = tuple(dict.fromkeys([*labels_of(all_true), *labels_of(all_found)]))
    if not classes:
        raise DatasetError("there is neither an annotated event nor a detection to score")
    notes += _label_notes(labels_of(all_true), labels_of(all_found), labels)
    truth_events, truth_kept = _events(kept, true_rows, classes, lengths)
    found_events, found_kept = _events(kept, found_rows, classes, lengths)
    survey = Survey(kept, lengths, classes, truth_events, found_events)
    points = int((truth_events.ends == truth_events.starts).sum())
    if points:
        notes.append(f"{count(points, 'annotated event has', 'annotated events have')} no length")
    return Scored(survey, truth_kept, found_kept, sources, unlabeled, tuple(notes))


def _named(tables: Sequence[EventTable]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for table in tables:
        if table.is_other_text:
            continue
        files = [row.file for row in table.rows if row.file]
        names.update(dict.fromkeys(files or [table.stem]))
    return tuple(names)


def _length(source: AudioSource | None, name: str, seconds: float | None) -> float:
    if source is not None:
        return float(inspect(source).seconds)
    if seconds is None:
        raise DatasetError(
            f"the length of {name} is unknown, and false alarms are counted per hour",
            hint="Name the recordings behind the detections, or give their length with --seconds.",
        )
    return seconds


def _missing_notes(
    missing: Sequence[str], elsewhere: Sequence[str], names: Sequence[str], have_files: bool
) -> Iterable[str]:
    if missing:
        yield f"ignored annotations without a recording: {shown(missing)}"
    if elsewhere:
        what = "a recording" if have_files else "annotations"
        yield f"ignored detections in files without {what}: {shown(elsewhere)}"


def _joined(
    annotated: Mapping[str, Sequence[tuple[int, EventRow]]],
) -> tuple[dict[str, list[EventRow]], int]:
    """Return the rows of each recording, one for the same event in tables of two annotators.

    It is the same event if the label is equal and the overlap is at least half of both together.
    """
    joined: dict[str, list[EventRow]] = {}
    n_joined = 0
    for name, rows in annotated.items():
        kept: list[tuple[int, EventRow]] = []
        for number, row in sorted(rows, key=lambda item: (item[0], item[1].start)):
            if len({table for table, _ in rows}) > 1 and any(
                other != number and _same(row, earlier) for other, earlier in kept
            ):
                n_joined += 1
            else:
                kept.append((number, row))
        joined[name] = [row for _, row in kept]
    return joined, n_joined


def _same(first: EventRow, second: EventRow) -> bool:
    if first.label != second.label or first.end is None or second.end is None:
        return False
    shared = min(first.end, second.end) - max(first.start, second.start)
    both = max(first.end, second.end) - min(first.start, second.start)
    return both > 0 and shared >= 0.5 * both


def _label_notes(true: Sequence[str], found: Sequence[str], labels: Labels) -> Iterable[str]:
    alone = [name for name in found if name not in true]
    if alone:
        near = [f"{name} ({suggest(name, true)})" for name in alone if suggest(name, true)]
        guess = f"; {'; '.join(near[:5])}" if near else ""
        yield (
            f"detected classes that are not annotated, so all false alarms: {shown(alone)}{guess}; "
            "rename them with --map, or leave them out with --skip"
        )
    unused = [name for name in labels.names if labels.names[name] not in {*true, *found, ""}]
    if unused:
        yield f"names of --map that lead to no label: {shown(unused)}"


def _events(
    recordings: Sequence[str],
    rows: Mapping[str, Sequence[EventRow]],
    classes: Sequence[str],
    lengths: np.ndarray,
) -> tuple[Events, tuple[EventRow, ...]]:
    code_of = {name: code for code, name in enumerate(classes)}
    columns, kept = [], []
    for place, name in enumerate(recordings):
        seconds = float(lengths[place])
        for row in rows[name]:
            if not row.label:
                continue
            if row.start > seconds + _LATE:
                raise DatasetError(
                    f"{row.table}, line {row.line}: the event begins at {row.start:g} s, and "
                    f"{name} ends at {seconds:g} s",
                    hint="Check whether the table belongs to another recording.",
                )
            start = min(row.start, seconds)
            end = max(start, seconds if row.end is None else min(row.end, seconds))
            score = float("nan") if row.score is None else row.score
            columns.append((place, code_of[row.label], start, end, score))
            kept.append(row)
    return Events.of(columns), tuple(kept)
