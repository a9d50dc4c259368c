"""Annotations of recordings: Raven selection tables and Audacity label tracks.

A Raven table is tab-separated with a header. Its times run over all files that were open together;
`Begin Path` (or `Begin File`) and `File Offset (s)` are the file of a selection and its start in
that file. A selection has a row for each view. An Audacity label track has lines of
`start<TAB>end<TAB>text`, optionally followed by a line of frequencies that starts with a backslash.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from audioclf.dataset.table_rows import quoted
from audioclf.dataset.tables import MAX_ROWS, Cells, Problems
from audioclf.plugin import (
    AudioSource,
    DatasetError,
    missing_column,
    read_csv,
    read_number,
    read_text,
)

_BEGIN, _END, _OFFSET = "Begin Time (s)", "End Time (s)", "File Offset (s)"
_FILES = ("Begin Path", "Begin File")
_MAX_LABEL = 1000


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation of a recording.

    Parameters
    ----------
    line : int
        Line of the table.
    start, end : float
        In s from the start of the file; equal for a point in time.
    label : str
        NFC; may be empty.
    file : str, optional
        Name of the recording without folders, if the table has it.
    """

    line: int
    start: float
    end: float
    label: str
    file: str | None = None


@dataclass(frozen=True)
class Selections:
    """All annotations of one table; its problems are not checked yet."""

    name: str
    annotations: tuple[Annotation, ...]
    problems: Problems


def read_selections(source: AudioSource, column: str) -> Selections:
    """Read a Raven selection table or an Audacity label track.

    Parameters
    ----------
    source : AudioSource
    column : str
        Column of a Raven table that holds the labels.

    Raises
    ------
    DatasetError
        If the file is neither.
    """
    text = read_text(source)
    if _BEGIN in text.lstrip().partition("\n")[0]:
        return _raven(text, source.name, column)
    problems = Problems(source.name)
    return Selections(source.name, tuple(_audacity(text, problems)), problems)


def _raven(text: str, name: str, column: str) -> Selections:
    wanted = {_BEGIN, _END, _OFFSET, *_FILES, column}
    table = read_csv(text, name, wanted, delimiter="\t", quoted=False)
    for needed, hint in ((_END, None), (column, "Set `column: NAME` to the name of the column.")):
        if needed not in table.columns:
            raise missing_column(table, needed, hint)
    annotations = []
    for row in table.rows:
        try:
            annotations.append(_raven_row(row.line, row.cells, column))
        except ValueError as exc:
            table.problems.add(row.line, str(exc))
    files = {annotation.file for annotation in annotations}
    if len(files) > 1 and _OFFSET not in table.columns:
        raise DatasetError(
            f"{name}: has annotations of {len(files)} files, and no column {_OFFSET!r} for the "
            "times within each file",
            hint="Add that column to the table in Raven, and save it again.",
        )
    return Selections(name, tuple(annotations), table.problems)


def _raven_row(line: int, cells: Cells, column: str) -> Annotation:
    begin, end = (_time(cells.get(key) or "", key) for key in (_BEGIN, _END))
    offset = cells.get(_OFFSET) or ""
    start = _time(offset, _OFFSET) if offset else begin
    path = next(filter(None, (cells.get(key) for key in _FILES)), "")
    file = posixpath.basename(unicodedata.normalize("NFC", path).replace("\\", "/"))
    return _annotation(line, start, round(start + end - begin, 9), cells.get(column) or "", file)


def _audacity(text: str, problems: Problems) -> Iterator[Annotation]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip() or content.startswith("\\"):
            continue
        if line > MAX_ROWS:
            raise DatasetError(f"{problems.name}: more than {MAX_ROWS:,} lines")
        cells = [cell.strip() for cell in content.split("\t")]
        try:
            yield _audacity_row(line, cells)
        except ValueError as exc:
            problems.add(line, str(exc))


def _audacity_row(line: int, cells: list[str]) -> Annotation:
    if len(cells) not in {2, 3}:
        raise ValueError(
            f"expected start, end and text with tabs between, found {len(cells)} cells"
        )
    start, end = (_time(cell, key) for cell, key in zip(cells, ("start", "end"), strict=False))
    return _annotation(line, start, end, "".join(cells[2:]))


def _time(text: str, key: str) -> float:
    number = read_number(text)
    if number is None or number < 0:
        raise ValueError(f"{key} is {quoted(text)}, not a time in s")
    return number


def _annotation(line: int, start: float, end: float, label: str, file: str = "") -> Annotation:
    if end < start:
        raise ValueError(f"the annotation ends at {end} s, before its start at {start} s")
    if len(label) > _MAX_LABEL or any(unicodedata.category(char) == "Cc" for char in label):
        raise ValueError(f"{quoted(label)} cannot be a label")
    return Annotation(line, start, end, unicodedata.normalize("NFC", label), file or None)
