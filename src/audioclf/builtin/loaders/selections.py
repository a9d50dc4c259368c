"""Annotations of recordings: Raven selection tables, Audacity label tracks, tables of BirdNET.

A Raven table is tab-separated with a header. Its times run over all files that were open together;
`Begin Path` (or `Begin File`) and `File Offset (s)` are the file of a selection and its start in
that file. A selection has a row for each view. An Audacity label track has lines of
`start<TAB>end<TAB>text`, optionally followed by a line of frequencies that starts with a backslash.
BirdNET-Analyzer writes Raven tables, label tracks with a confidence, and three kinds of CSV.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from audioclf.dataset.path_labels import shown
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
_SCORES = ("Score", "Confidence", "confidence", "CONFIDENCE")
_MAX_LABEL = 1000
_COLUMN_HINT = "Set `column: NAME` to the name of the column."

TABLE_NAME = re.compile(
    r"""(?:\.Table\.\d+)? (?P<raven>\.selections)? \.(?:txt|tsv) $
    | (?P<birdnet>
        \.BirdNET \.(?:selection\.table|results(?:\.r|\.kaleidoscope)?) \.(?:txt|csv) $
        | (?:^|(?<=/)) BirdNET_(?:SelectionTable|CombinedTable|Kaleidoscope|RTable) \.(?:txt|csv) $
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""End of the name of a table; what is before it is the name of the recording, if anything is."""


@dataclass(frozen=True)
class _CsvColumns:
    """Columns of a CSV of BirdNET; times count from the start of the file."""

    start: str
    end: str | None
    duration: str | None
    file: str


_BIRDNET = (
    _CsvColumns("Start (s)", "End (s)", None, "File"),
    _CsvColumns("start", "end", None, "filepath"),
    _CsvColumns("OFFSET", None, "DURATION", "IN FILE"),
)


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation: times in s from the start of the file, equal for a point, and an NFC label.

    `line` is that of the table, `path` the recording as the table names it, `file` its name without
    folders. With `may_be_session` the times may count from another file that was open before this
    one; `score` is that of a detector, if the table has a number for it.
    """

    line: int
    start: float
    end: float
    label: str
    file: str | None = None
    may_be_session: bool = False
    score: float | None = None
    path: str | None = None


@dataclass(frozen=True)
class Selections:
    """All annotations of one table; its problems are not checked yet."""

    annotations: tuple[Annotation, ...]
    problems: Problems


def read_selections(source: AudioSource, column: str) -> Selections:
    """Read a Raven table, an Audacity label track or a table of BirdNET with labels in `column`."""
    text = read_text(source)
    if _BEGIN in text.lstrip().partition("\n")[0]:
        return _raven(text, source.name, column)
    if source.name.lower().endswith(".csv"):
        return _birdnet(text, source.name, column)
    problems = Problems(source.name)
    confidence = ".birdnet." in source.name.lower()
    return Selections(tuple(_audacity(text, problems, confidence=confidence)), problems)


def _birdnet(text: str, name: str, column: str) -> Selections:
    header = read_csv(text, name, ()).columns
    layout = next((item for item in _BIRDNET if item.start in header), None)
    if layout is None:
        raise DatasetError(f"{name}: not a table of BirdNET: its columns are {shown(header, 12)}")
    label = next((name for name in header if _plain(name) == _plain(column)), column)
    columns = [layout.start, layout.end or layout.duration or "", layout.file]
    table = read_csv(text, name, {*columns, *_SCORES, label})
    for needed in (columns[1], label):
        if needed not in header:
            raise missing_column(table, needed, _COLUMN_HINT if needed == label else None)

    def read(line: int, cells: Cells) -> Annotation:
        start, end = (_time(cells.get(key) or "", key) for key in columns[:2])
        end = round(start + end, 9) if layout.end is None else end
        path = cells.get(layout.file) or ""
        made = _annotation(line, start, end, cells.get(label) or "", path)
        return replace(made, score=_score(cells))

    return Selections(tuple(table.each(read)), table.problems)


def _plain(column: str) -> str:
    """Return a name of a column so that those of BirdNET's formats are equal."""
    return column.replace("_", " ").lower()


def _raven(text: str, name: str, column: str) -> Selections:
    wanted = {_BEGIN, _END, _OFFSET, *_FILES, *_SCORES, column}
    table = read_csv(text, name, wanted, delimiter="\t", quoted=False)
    for needed, hint in ((_END, None), (column, _COLUMN_HINT)):
        if needed not in table.columns:
            raise missing_column(table, needed, hint)
    annotations = table.each(lambda line, cells: _raven_row(line, cells, column))
    files = {annotation.file for annotation in annotations}
    if len(files) > 1 and _OFFSET not in table.columns:
        raise DatasetError(
            f"{name}: has annotations of {len(files)} files, and no column {_OFFSET!r} for the "
            "times within each file",
            hint="Add that column to the table in Raven, and save it again.",
        )
    return Selections(tuple(annotations), table.problems)


def _raven_row(line: int, cells: Cells, column: str) -> Annotation:
    begin, end = (_time(cells.get(key) or "", key) for key in (_BEGIN, _END))
    offset = cells.get(_OFFSET) or ""
    start = _time(offset, _OFFSET) if offset else begin
    path = next(filter(None, (cells.get(key) for key in _FILES)), "")
    annotation = _annotation(
        line, start, round(start + end - begin, 9), cells.get(column) or "", path
    )
    return replace(annotation, may_be_session=not offset, score=_score(cells))


def _score(cells: Cells) -> float | None:
    """Return the score of a row; some annotators write words into such a column."""
    text = next(filter(None, (cells.get(key) for key in _SCORES)), "")
    return read_number(text)


def _audacity(text: str, problems: Problems, *, confidence: bool) -> Iterator[Annotation]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip() or content.startswith("\\"):
            continue
        if line > MAX_ROWS:
            raise DatasetError(f"{problems.name}: more than {MAX_ROWS:,} lines")
        cells = [cell.strip() for cell in content.split("\t")]
        while len(cells) > 3 and not cells[-1]:
            cells.pop()
        score = None
        if confidence and len(cells) == 4 and read_number(cells[3]) is not None:
            score = read_number(cells.pop())
        try:
            yield replace(_audacity_row(line, cells), score=score)
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


def _annotation(line: int, start: float, end: float, label: str, path: str = "") -> Annotation:
    if end < start:
        raise ValueError(f"the annotation ends at {end} s, before its start at {start} s")
    if len(label) > _MAX_LABEL or any(unicodedata.category(char) == "Cc" for char in label):
        raise ValueError(f"{quoted(label)} cannot be a label")
    path = unicodedata.normalize("NFC", path).replace("\\", "/")
    label, file = unicodedata.normalize("NFC", label), posixpath.basename(path)
    return Annotation(line, start, end, label, file or None, path=path or None)
