"""Rows of events in the tables of any tool.

Raven, Audacity and BirdNET are read as the loader `annotations` reads them, a file `.json` is of
Label Studio; else a CSV, TSV, JSON Lines or Parquet table has columns for file, start, end and
label, by one of their usual names.
"""

from __future__ import annotations

import json
import math
import posixpath
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from audioclf.base.errors import DatasetError
from audioclf.base.text import one_line
from audioclf.builtin.loaders.selections import TABLE_NAME, read_selections
from audioclf.dataset.listing import list_files
from audioclf.dataset.path_labels import is_audio, shown
from audioclf.dataset.sources import AudioSource, FileSource
from audioclf.dataset.table_rows import quoted, read_number
from audioclf.dataset.tables import (
    MAX_ROWS,
    Problems,
    Row,
    Table,
    read_csv,
    read_table,
    read_text,
    suffix_of,
)

_ENDINGS = frozenset((".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet"))
_NAMES = {
    "file": ("path", "file", "filename", "recording"),
    "start": ("start", "onset"),
    "end": ("end", "offset"),
    "label": ("label", "event_label", "class"),
    "score": ("score", "confidence"),
}
_LABELS = ("Annotation", "Label", "Common Name", "Species Code", "Common name", "common_name")
"""Columns of Raven and BirdNET that are tried if none is named."""
_RAVEN_START = "Begin Time (s)"


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of a table: `end` is None if it is open, and the label is empty where it names none.

    `file` is the recording as the table names it, else None; with `may_be_session` the times may
    count from another file. `annotator` is known for Label Studio only, `path` has the folders of
    `file`, if that has none.
    """

    table: str
    line: int
    file: str | None
    start: float
    end: float | None
    label: str
    score: float | None
    may_be_session: bool = False
    annotator: str = ""
    path: str | None = None


@dataclass(frozen=True)
class EventTable:
    """A table and the name of the recording that it would belong to by its own name."""

    name: str
    stem: str
    rows: tuple[EventRow, ...]
    problems: Problems

    @property
    def is_other_text(self) -> bool:
        """Whether it is a text file that holds no row of a label track."""
        return self.name.lower().endswith(".txt") and not self.rows and self.problems.exist


def event_tables(path: Path, column: str | None = None) -> tuple[list[EventTable], list[str]]:
    """Read a table, or all tables in a folder or a zip archive, and return notes on what is not.

    `column` is the one with the label in tables of Raven and BirdNET.
    """
    if path.is_file() and path.suffix.lower() != ".zip":
        return [_read(path.name, FileSource(path), column)], []
    listing = list_files(path)
    entries = [
        (name, source)
        for name, source in sorted(listing.entries)
        if posixpath.splitext(name)[1].lower() in _ENDINGS and not is_audio(name)
    ]
    if not entries:
        raise DatasetError(
            f"{listing.name}: no tables of events found",
            hint="Tables of Raven, Audacity, BirdNET, CSV, TSV, JSON Lines or Parquet are read.",
        )
    tables, ignored = [], []
    for name, source in entries:
        try:
            tables.append(_read(name, source, column))
        except _NoEventsError:
            ignored.append(name)
    notes = [f"ignored tables without events: {shown(ignored)}"] if ignored else []
    return tables, [*listing.notes, *notes]


class _NoEventsError(DatasetError):
    """A table that lacks the columns of events."""


def _read(name: str, source: AudioSource, column: str | None) -> EventTable:
    stem = TABLE_NAME.sub("", name)
    if stem == name:
        stem = posixpath.splitext(name)[0]
    suffix = suffix_of(source)
    if suffix == ".json":
        problems = Problems(source.name, "task")
        return EventTable(name, stem, tuple(_label_studio_rows(source, problems)), problems)
    if suffix in {".jsonl", ".ndjson", ".parquet"}:
        return _plain(name, stem, read_table(source, _wanted()))
    text = read_text(source)
    header = text.lstrip().partition("\n")[0]
    is_raven = _RAVEN_START in header
    columns: tuple[str, ...] = ()
    if suffix in {".csv", ".tsv"} or is_raven:
        columns = read_csv(text, source.name, (), delimiter="\t" if is_raven else "").columns
    if columns and not is_raven and not {"Start (s)", "OFFSET", "filepath"} & {*columns}:
        return _plain(name, stem, read_csv(text, source.name, _wanted()))
    label = column or next((each for each in _LABELS if each in columns), _LABELS[0])
    table = read_selections(source, label)
    rows = [
        EventRow(
            source.name,
            item.line,
            item.file,
            item.start,
            item.end,
            item.label,
            item.score,
            item.may_be_session,
            path=item.path,
        )
        for item in table.annotations
    ]
    return EventTable(name, stem, tuple(rows), table.problems)


def _label_studio_rows(source: AudioSource, problems: Problems) -> Iterator[EventRow]:
    """Yield a row for each label of each region; the line is the number of the task."""
    try:
        tasks = json.loads(read_text(source))
    except (ValueError, RecursionError) as exc:
        raise DatasetError(f"{source.name}: no valid JSON: {exc}") from exc
    if not isinstance(tasks, list) or not all(_is_task(task) for task in tasks):
        hint = "Export the project from Label Studio as JSON, not JSON-MIN."
        raise DatasetError(f"{source.name}: not a list of tasks with annotations", hint=hint)
    n_rows = 0
    for number, task in enumerate(tasks, 1):
        try:
            for row in _rows_of_task(source.name, number, task):
                n_rows += 1
                if n_rows > MAX_ROWS:
                    raise DatasetError(f"{source.name}: more than {MAX_ROWS:,} labels")
                yield row
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as exc:
            problems.add(number, f"not a task with regions of a recording: {exc}")


def _is_task(task: Any) -> bool:
    return isinstance(task, dict) and isinstance(task.get("data"), dict)


def _rows_of_task(table: str, number: int, task: dict[str, Any]) -> Iterator[EventRow]:
    data = task["data"]
    file = data.get("path") or _file_of(str(data["audio"]))
    if not isinstance(file, str):
        raise TypeError(f"the path is {str(file)[:40]!r}, not a text")
    for annotation in task.get("annotations") or ():
        if annotation.get("was_cancelled"):
            continue
        annotator = _annotator(annotation.get("completed_by"))
        for region in annotation["result"]:
            value = region.get("value", {})
            if not {"start", "end"} <= value.keys():
                continue
            start, end = float(value["start"]), float(value["end"])
            if not (math.isfinite(end) and 0 <= start <= end):
                raise ValueError(f"a region from {start:g} to {end:g} s")
            labels = value.get("labels") or [""]
            if not isinstance(labels, list):
                raise TypeError("the labels of a region are no list")
            for label in labels:
                name = unicodedata.normalize("NFC", str(label))
                yield EventRow(table, number, file, start, end, name, None, annotator=annotator)


def _annotator(value: Any) -> str:
    """Return the name of an annotator: an address, or the number of the user."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("id")
    return "" if value is None else one_line(str(value))


def _file_of(address: str) -> str:
    """Return the path of a recording in its address, also that of a local or an uploaded file."""
    parts = urlsplit(address)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    folder, _, name = path.replace("\\", "/").rpartition("/")
    mark, dash, rest = name.partition("-")
    is_upload = "upload/" in f"{folder}/" and dash and len(mark) == 8
    return rest if is_upload else f"{folder}/{name}".removeprefix("/")


def _wanted() -> set[str]:
    return {form for names in _NAMES.values() for name in names for form in _forms(name)}


def _forms(name: str) -> tuple[str, ...]:
    return name, name.capitalize(), name.upper()


def _plain(name: str, stem: str, table: Table) -> EventTable:
    """Return the rows of a table with columns of the usual names."""
    found = {
        role: next((form for n in names for form in _forms(n) if form in table.columns), "")
        for role, names in _NAMES.items()
    }
    for role in ("start", "label"):
        if not found[role]:
            raise _NoEventsError(
                f"{table.name}: no column for the {role} of events; there are "
                f"{', '.join(map(repr, table.columns[:12]))}",
                hint=f"Name it {' or '.join(_NAMES[role])}.",
            )
    return EventTable(name, stem, tuple(_plain_rows(table, found)), table.problems)


def _plain_rows(table: Table, found: dict[str, str]) -> Iterator[EventRow]:
    for row in table.rows:
        file, label = (
            unicodedata.normalize("NFC", row.cells.get(found[role]) or "")
            for role in ("file", "label")
        )
        try:
            start, end, score = (
                _number(row, found[role], role) for role in ("start", "end", "score")
            )
            if start is None and label:
                raise ValueError("no start")
            if start is not None and end is not None and end < start:
                raise ValueError(f"the event ends at {end:g} s, before its start at {start:g} s")
        except ValueError as exc:
            table.problems.add(row.line, str(exc))
            continue
        path = file.replace("\\", "/") or None
        yield EventRow(table.name, row.line, path, start or 0.0, end, label, score)


def _number(row: Row, column: str, role: str) -> float | None:
    text = (row.cells.get(column) or "") if column else ""
    if not text:
        return None
    number = read_number(text)
    if number is None or (number < 0 and role != "score"):
        raise ValueError(
            f"{column} is {quoted(text)}, not a {'score' if role == 'score' else 'time in s'}"
        )
    return number


def read_names(path: Path) -> dict[str, str]:
    """Return the other name of each label, from a table with columns `from` and `to`."""
    table = read_table(FileSource(path), {"from", "to"})
    for column in ("from", "to"):
        if column not in table.columns:
            raise DatasetError(
                f"{path}: no column {column!r}; there are {', '.join(map(repr, table.columns))}",
                hint="Such a table has the columns from and to; an empty to leaves a label out.",
            )
    names: dict[str, str] = {}
    for row in table.rows:
        old, new = (
            unicodedata.normalize("NFC", row.cells.get(key) or "") for key in ("from", "to")
        )
        if not old:
            table.problems.add(row.line, "no name in the column from")
        elif names.setdefault(old, new) != new:
            table.problems.add(row.line, f"{quoted(old)} has two other names")
    table.problems.check()
    return names


def labels_of(rows: Iterable[EventRow]) -> list[str]:
    """Return the labels of rows, sorted."""
    return sorted({row.label for row in rows if row.label})
