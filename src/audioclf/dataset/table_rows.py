"""Labeled clips from the rows of a table.

A row names a file and a label. It may name a part of the file (`start`, `end` in s), a group and a
fold; a `split` such as `train` is the fold of a row without a fold. Labels, groups and folds are
text, even if they look like numbers.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from audioclf.base.errors import DatasetError
from audioclf.base.settings import Settings
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.label_cells import ColumnName as ColumnName
from audioclf.dataset.label_cells import (
    Labels,
    Target,
    check_single,
    label_columns,
    label_reader,
    target_of,
)
from audioclf.dataset.label_cells import read_number as read_number
from audioclf.dataset.path_labels import AUDIO_SUFFIXES, count, is_audio, shown
from audioclf.dataset.sources import AudioSource, PartSource, Span
from audioclf.dataset.tables import Cells, Problems, Table, missing_column

_DECIMAL_COMMA = re.compile(r"[^,]*\d,(?!\d{3}$)\d+")
_LEADS_OUT = re.compile(r"/|\.\.(?:/|$)|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]+://")
_MAX_PATH = 4096
_MAX_TEXT = 1000
_MAX_MISSING = 5
_MAX_WEIGHT = 1e9


class Columns(Settings):
    """Names of the columns of a table, by role; null leaves a column unread."""

    path: ColumnName = "path"
    """The audio file."""

    label: ColumnName = "label"
    """The class."""

    start: ColumnName | None = "start"
    """Start of the clip within the file, in s."""

    end: ColumnName | None = "end"
    """End of the clip within the file, in s."""

    group: ColumnName | None = "group"
    """Group of the clip, which a split must not separate: speaker, recording, site."""

    fold: ColumnName | None = "fold"
    """The published fold."""

    split: ColumnName | None = "split"
    """The published split; it is the fold of a row without a fold."""

    weight: ColumnName | None = "weight"
    """How much the clip counts in fits and metrics, 0 or more."""

    subgroups: tuple[ColumnName, ...] = ()
    """Columns by which results are listed, such as `[machine, domain]`."""

    def roles(self) -> dict[str, str]:
        """Return the names of the columns to read, by role."""
        roles = {role: name for role, name in self if isinstance(name, str)}
        return {**roles, **{f"subgroups.{name}": name for name in self.subgroups}}

    def names(self, labels: Labels | None = None) -> tuple[str, ...]:
        """Return the names of the columns to read, for the given form of the labels."""
        others = [name for role, name in self.roles().items() if role != "label"]
        return tuple(dict.fromkeys([*others, *label_columns(labels, self.label)]))


@dataclass(frozen=True, slots=True)
class LabeledRow:
    """A row of a table that labels a clip; its path is normalized, POSIX, NFC."""

    line: int
    path: str
    label: str
    span: Span | None = None
    group: str | None = None
    fold: str | None = None
    weight: float = 1.0
    subgroups: tuple[tuple[str, str], ...] = ()


def read_rows(
    table: Table,
    columns: Columns,
    *,
    may_lead_out: bool = False,
    needed: Iterable[str] = (),
    hints: Mapping[str, str] = MappingProxyType({}),
    labels: Labels | None = "single",
    target: Target | None = None,
) -> list[LabeledRow]:
    """Return the labels, groups and folds in the rows of a table.

    Parameters
    ----------
    table : Table
    columns : Columns
    may_lead_out : bool
        Whether paths may be absolute, URLs, or lead out of their folder by `..`.
    needed : iterable of str
        Roles whose column is required, besides path, label and those with a column name that is
        not the default.
    hints : mapping of str to str
        Hint for a missing column, by role; and "outside", for a path that leads out.
    labels : {"single", "several"} or SeveralLabels, optional
        Number of labels per clip, and their place. None is one per clip, and refuses labels that
        look like several.
    target : {"class", "number"} or OrderedClasses, optional
        Meaning of a single label; by default the name of a class.

    Raises
    ------
    DatasetError
        If a column is missing, there are no rows, or rows are invalid; all invalid rows are
        reported together.
    """
    named = label_columns(labels, columns.label)
    _check_columns(table, columns, named, {"path", "label", *needed}, hints)
    reader = _RowReader(table, columns, labels, may_lead_out, target)
    rows = table.each(reader.read)
    table.problems.check(hints.get("outside") if reader.leads_out else None)
    if not rows:
        raise DatasetError(f"{table.name}: no rows below the header")
    if any(row.weight for row in rows):
        return rows
    first = f"from line {rows[0].line} on"
    raise DatasetError(
        f"{table.name}: {columns.weight} is 0 in all rows, {first}, so no clip counts"
    )


def unused_columns(table: Table, columns: Columns, labels: Labels | None = None) -> list[str]:
    """Return a note on the columns that are not read, if there are any."""
    used = columns.names(labels)
    unused = [name for name in table.columns if name not in used]
    return [f"columns that are not used: {shown(unused, most=12)}"] if unused else []


def weight_note(rows: Sequence[LabeledRow], columns: Columns) -> list[str]:
    """Return a note on the column that weights the clips, if they do not all count the same."""
    weights = [row.weight for row in rows]
    if set(weights) == {1.0}:
        return []
    note = (
        f"clips are weighted by the column {columns.weight!r}, from {min(weights):g} to "
        f"{max(weights):g}; with `columns: {{weight: null}}` all count the same"
    )
    return [note]


def make_dataset(
    table: str,
    rows: Sequence[LabeledRow],
    find: Callable[[str], AudioSource | None],
    *,
    name: str,
    where: str = "",
    notes: Sequence[str] = (),
    several: bool = False,
    target: Target | None = None,
) -> Dataset:
    """Return the clips of the rows of a table.

    Parameters
    ----------
    table : str
        Name of the table in messages.
    rows : sequence of LabeledRow
        At least one.
    find : callable
        Returns the source of a path, or None if there is no such file.
    name, notes, several, target
        As of `Dataset`, the target as of `read_rows`.
    where : str
        Place of the files in messages, by default `name`.

    Raises
    ------
    DatasetError
        If files are missing, or two rows name one clip.
    """
    _check_unique(table, rows)
    files = {path: find(path) for path in dict.fromkeys(row.path for row in rows)}
    missing = [path for path, source in files.items() if source is None]
    if missing:
        hint = _other_suffix(missing, find)
        raise _missing(table, missing, len(files), where or name, hint)
    clips = [_clip(row, source) for row in rows if (source := files[row.path]) is not None]
    return Dataset(clips, name=name, notes=notes, several=several, target=target_of(target))


def clip_id(path: str, span: Span | None) -> str:
    """Return the id of a clip.

    >>> clip_id("dog/a.wav", None), clip_id("dog/a.wav", Span(1.5, 3.0))
    ('dog/a.wav', 'dog/a.wav@1.5-3.0')
    """
    return path if span is None else f"{path}@{span}"


def read_seconds(text: str) -> float | None:
    """Return the time in s that a cell holds, as a number, `m:ss` or `h:mm:ss`; None otherwise.

    A comma is a decimal comma unless three digits follow, which may be thousands.

    >>> read_seconds("90.5"), read_seconds("1:30,5"), read_seconds("1:00:02"), read_seconds("1,500")
    (90.5, 90.5, 3602.0, None)
    """
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    *minutes, seconds = text.split(":")
    number = read_number(seconds)
    if not minutes or number is None:
        return number
    parts = [part for part in minutes if part.isdecimal() and part.isascii()]
    if len(parts) != len(minutes) or len(parts) > 2 or not 0 <= number < 60:
        return None
    return sum(60.0**power * int(part) for power, part in enumerate(reversed(parts), 1)) + number


def quoted(text: str) -> str:
    """Return text from a table for a message: shortened, in quotes."""
    return repr(text if len(text) <= 100 else f"{text[:80]}...")


def _check_columns(
    table: Table,
    columns: Columns,
    labels: Sequence[str],
    needed: set[str],
    hints: Mapping[str, str],
) -> None:
    defaults = Columns()  # compared by value: the config of a run folder sets every column
    for role, name in columns.roles().items():
        required = role in needed or name != getattr(defaults, role, None)
        for column in labels if role == "label" else (name,):
            if required and column not in table.columns:
                raise missing_column(table, column, hints.get(role))


class _RowReader:
    """Reader of rows; a ValueError is a problem of a row."""

    def __init__(
        self,
        table: Table,
        columns: Columns,
        labels: Labels | None,
        may_lead_out: bool,
        target: Target | None,
    ) -> None:
        self.columns = columns
        self.labels = label_columns(labels, columns.label)
        cells = list(filter(None, (row.cells.get(columns.label) for row in table.rows)))
        if labels is None and target is None:
            check_single(table.name, columns.label, cells)
        try:
            self.read_label = label_reader(labels, columns.label, cells, target)
        except DatasetError as exc:
            raise DatasetError(f"{table.name}: {exc.message}", hint=exc.hint) from exc
        self.has_weights = columns.weight in table.columns
        self.may_lead_out = may_lead_out
        self.leads_out = False

    def read(self, line: int, cells: Cells) -> LabeledRow:
        return LabeledRow(
            line=line,
            path=self._path(cells),
            label=self.read_label({name: self._cell(cells, name) for name in self.labels}),
            span=_span(self._number(cells, "start"), self._number(cells, "end")),
            group=self._text(cells, "group") or None,
            fold=self._text(cells, "fold") or self._text(cells, "split") or None,
            weight=self._weight(cells),
            subgroups=tuple((name, self._cell(cells, name)) for name in self.columns.subgroups),
        )

    def _path(self, cells: Cells) -> str:
        path = self._text(cells, "path", _MAX_PATH)
        if not path:
            raise ValueError(f"no {self.columns.path}")
        tidy = path if "://" in path else posixpath.normpath(path.replace("\\", "/"))
        if not self.may_lead_out and _LEADS_OUT.match(tidy):
            self.leads_out = True
            raise ValueError(f"{quoted(path)} leads out of the folder of the audio files")
        return tidy

    def _text(self, cells: Cells, role: str, most: int = _MAX_TEXT) -> str:
        return self._cell(cells, getattr(self.columns, role), most)

    def _cell(self, cells: Cells, column: str, most: int = _MAX_TEXT) -> str:
        text = cells.get(column, "")
        if text == "":
            return ""
        if text is None:
            several = "; a list of labels needs `labels: several`" * (column in self.labels)
            raise ValueError(f"{column} is neither text nor a number{several}")
        if len(text) > most:
            raise ValueError(f"{column} has {len(text):,} characters (limit {most:,})")
        if not text.isprintable() and any(unicodedata.category(char) == "Cc" for char in text):
            raise ValueError(f"{column} holds a control character: {quoted(text)}")
        return unicodedata.normalize("NFC", text)

    def _weight(self, cells: Cells) -> float:
        column = self.columns.weight
        if not self.has_weights or column is None:
            return 1.0
        text = self._cell(cells, column)
        number = read_number(text)
        if number is None or not 0.0 <= number <= _MAX_WEIGHT:
            given = quoted(text) if text else "blank"
            raise ValueError(f"{column} is {given}, not a number from 0 to {_MAX_WEIGHT:g}")
        return number

    def _number(self, cells: Cells, role: str) -> float | None:
        text = self._text(cells, role)
        if not text:
            return None
        number = read_seconds(text)
        if number is None:
            raise ValueError(f"{getattr(self.columns, role)} is {quoted(text)}, not a time in s")
        if number < 0:
            raise ValueError(f"{getattr(self.columns, role)} is {text}, less than 0")
        return number


def _span(start: float | None, end: float | None) -> Span | None:
    if start is None and end is None:
        return None
    start = start or 0.0
    if end is not None and end <= start:
        raise ValueError(f"the clip ends at {end} s, not after its start at {start} s")
    return Span(start, end)


def _check_unique(table: str, rows: Sequence[LabeledRow]) -> None:
    problems = Problems(table)
    first: dict[str, int] = {}
    for row in rows:
        name = clip_id(row.path, row.span)
        if name in first:
            problems.add(row.line, f"{quoted(name)} is a duplicate of line {first[name]}")
        first.setdefault(name, row.line)
    problems.check("Keep one row with one label for each clip.")


def _missing(
    table: str, missing: Sequence[str], total: int, where: str, hint: str | None
) -> DatasetError:
    files = count(len(missing), "file is", "files are")
    if hint is None and len(missing) == total:
        hint = "No file was found: check the folder that the paths are relative to."
    listed = shown(missing, most=_MAX_MISSING)
    return DatasetError(
        f"{table}: {files} missing, of {total:,}, looked for in {where}: {listed}", hint=hint
    )


def _other_suffix(missing: Sequence[str], find: Callable[[str], AudioSource | None]) -> str | None:
    """Return a hint if missing files exist with a suffix, or with another one."""
    for path in missing[:_MAX_MISSING]:
        stem = posixpath.splitext(path)[0]
        for start in dict.fromkeys((path, stem)):
            for end in (*sorted(AUDIO_SUFFIXES), *sorted(map(str.upper, AUDIO_SUFFIXES))):
                other = start + end
                if other != path and not is_audio(start) and find(other) is not None:
                    change = "Correct the suffixes of" if is_audio(path) else "Add the suffix to"
                    return f"{quoted(path)} exists as {quoted(other)}. {change} the paths."
    return None


def _clip(row: LabeledRow, source: AudioSource) -> Clip:
    where = source if row.span is None else PartSource(source, row.span)
    facts = (row.group, row.fold, row.weight)
    return Clip(clip_id(row.path, row.span), row.label, where, *facts, subgroups=row.subgroups)
