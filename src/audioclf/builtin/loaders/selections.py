"""Annotations of recordings: Raven selection tables and Audacity label tracks.

A Raven table is tab-separated with a header. Its times run over all files that were open
together; `Begin Path` (or `Begin File`) and `File Offset (s)` say where in which file a selection
begins. A selection stands there once for each view. An Audacity label track has lines of
`start<TAB>end<TAB>text`, perhaps each with a second line of frequencies, which starts with a
backslash.
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
    """What somebody marked in a recording.

    Parameters
    ----------
    line : int
        Where in the table it stands.
    start, end : float
        In s from the start of the file; equal for a point in time.
    label : str
        NFC; empty where nobody wrote one.
    file : str, optional
        Name of the recording without folders, where the table says it.
    """

    line: int
    start: float
    end: float
    label: str
    file: str | None = None


@dataclass(frozen=True)
class Selections:
    """All annotations of one table; its problems are still to be checked."""

    name: str
    annotations: tuple[Annotation, ...]
    problems: Problems


def read_selections(source: AudioSource, column: str) -> Selections:
    """Read a Raven selection table or an Audacity label track, whichever it is.

    Parameters
    ----------
    source : AudioSource
    column : str
        Column of a Raven table with the label.

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
    found = []
    for row in table.rows:
        try:
            found.append(_raven_row(row.line, row.cells, column))
        except ValueError as exc:
            table.problems.add(row.line, str(exc))
    files = {each.file for each in found}
    if len(files) > 1 and _OFFSET not in table.columns:
        raise DatasetError(
            f"{name}: annotates {len(files)} files, and times within each are not known without "
            f"a column {_OFFSET!r}",
            hint="Add that column to the table in Raven, and save it again.",
        )
    return Selections(name, tuple(found), table.problems)


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
        raise ValueError(f"{len(cells)} cells, and start, end and text with tabs are expected")
    start, end = (_time(cell, key) for cell, key in zip(cells, ("start", "end"), strict=False))
    return _annotation(line, start, end, "".join(cells[2:]))


def _time(text: str, key: str) -> float:
    number = read_number(text)
    if number is None or number < 0:
        raise ValueError(f"{key} is {quoted(text)}, not a time in s")
    return number


def _annotation(line: int, start: float, end: float, label: str, file: str = "") -> Annotation:
    if end < start:
        raise ValueError(f"it ends at {end} s, before its start at {start} s")
    if len(label) > _MAX_LABEL or any(unicodedata.category(each) == "Cc" for each in label):
        raise ValueError(f"{quoted(label)} cannot be a label")
    return Annotation(line, start, end, unicodedata.normalize("NFC", label), file or None)
