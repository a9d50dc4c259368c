"""Tables that strangers wrote: CSV, JSON Lines, Parquet, with the line of each row.

Every cell becomes text, without the white space around it; an empty one and a JSON `null` are the
empty text. All that is wrong with the rows of a table is reported together.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from audioclf.base.errors import DatasetError, EnvironmentMissingError
from audioclf.dataset.path_labels import shown
from audioclf.dataset.sources import AudioSource
from audioclf.dataset.text_files import check_size, read_bytes, read_text, suffix_of

MAX_ROWS = 1_000_000

_MAX_SHOWN = 5
_DELIMITERS = ",;\t"
_BATCH_ROWS = 1024

Cells = Mapping[str, str | None]
"""By the name of the column; None for what is neither text nor a number."""


class Problems:
    """What is wrong with the rows of one table, raised together.

    Parameters
    ----------
    name : str
        What messages call the table.
    unit : str
        What its rows are counted in: "line", or "row" where there are no lines.
    """

    def __init__(self, name: str, unit: str = "line") -> None:
        self.name = name
        self.unit = unit
        self._found: list[str] = []
        self._count = 0

    def add(self, line: int, what: str) -> None:
        """Remember what is wrong with a row."""
        self._count += 1
        if self._count <= _MAX_SHOWN:
            self._found.append(f"{self.unit} {line}: {what}")

    def check(self, hint: str | None = None) -> None:
        """Raise what was found, if anything.

        Raises
        ------
        DatasetError
            It names the table, the first five lines, and how many more there are.
        """
        if self._count == 1:
            raise DatasetError(f"{self.name}, {self._found[0]}", hint=hint)
        if self._count:
            more = self._count - len(self._found)
            lines = [*self._found, *([f"and {more:,} more"] if more else [])]
            listed = "".join(f"\n  {line}" for line in lines)
            raise DatasetError(f"{self.name}: {self._count:,} rows are wrong:{listed}", hint=hint)


@dataclass(frozen=True, slots=True)
class Row:
    """One row with the line that it begins in, from 1."""

    line: int
    cells: Cells


@dataclass(frozen=True)
class Table:
    """The rows of a table, of which only wanted columns were kept.

    Parameters
    ----------
    name : str
        What messages call it.
    columns : tuple of str
        All columns, wanted or not.
    rows : tuple of Row
    problems : Problems
        What is wrong so far; whoever reads the rows adds to it, and checks.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: Problems


def read_table(source: AudioSource, wanted: Collection[str]) -> Table:
    """Read a table whose name ends in .csv, .tsv, .jsonl, .ndjson or .parquet.

    The delimiter of a CSV file is a comma, a semicolon or a tab, whichever its first line has most.

    Parameters
    ----------
    source : AudioSource
        Where the bytes of the table are.
    wanted : collection of str
        Names of the columns to keep.

    Raises
    ------
    DatasetError
        If the file is missing, too large, or not such a table.
    EnvironmentMissingError
        If it is Parquet and pyarrow is not installed.
    """
    suffix = suffix_of(source)
    if suffix in {".csv", ".tsv"}:
        return read_csv(read_text(source), source.name, wanted)
    if suffix in {".jsonl", ".ndjson"}:
        return _read_json_lines(read_text(source), source.name, wanted)
    if suffix == ".parquet":
        return _read_parquet(read_bytes(source), source.name, wanted)
    raise DatasetError(
        f"{source.name}: not a table by its name",
        hint="A name that ends in .csv, .tsv, .jsonl or .parquet is expected.",
    )


def read_csv(
    text: str, name: str, wanted: Collection[str], *, delimiter: str = "", quoted: bool = True
) -> Table:
    """Read delimited text with a header.

    Parameters
    ----------
    text, name : str
    wanted : collection of str
    delimiter : str
        Found in the first line if not given.
    quoted : bool
        Whether double quotes are quotes, rather than characters.

    Raises
    ------
    DatasetError
        If there is no header, or a wanted column stands in it twice.
    """
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter or _delimiter(text),
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    records = _records(lines, name)
    header = next((cells for _, cells in records), [])
    if not any(header):
        raise DatasetError(f"{name}: empty, and a first line with the columns is expected")
    _check_header(header, wanted, name)
    problems = Problems(name)
    rows = []
    for line, cells in records:
        if len(cells) > len(header) and any(cells[len(header) :]):
            problems.add(line, f"{len(cells)} cells, and the first line has {len(header)}")
        named = zip(header, cells, strict=False)
        rows.append(Row(line, {column: cell for column, cell in named if column in wanted}))
    return Table(name, tuple(filter(None, header)), tuple(rows), problems)


def _delimiter(text: str) -> str:
    first = text.lstrip("\r\n").partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _records(lines: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank, stripped, each with the line that it begins in."""
    count = 0
    while True:
        line = lines.line_num + 1
        try:
            cells = [cell.strip() for cell in next(lines)]
        except StopIteration:
            return
        except csv.Error as exc:
            raise DatasetError(f"{name}, line {line}: not CSV: {exc}") from exc
        if any(cells):
            count += 1
            _check_count(name, count - 1)
            yield line, cells


def _check_count(name: str, count: int) -> None:
    if count > MAX_ROWS:
        raise DatasetError(f"{name}: more than {MAX_ROWS:,} rows")


def _check_header(header: Sequence[str], wanted: Iterable[str], name: str) -> None:
    for column in wanted:
        if header.count(column) > 1:
            raise DatasetError(f"{name}: two columns are named {column!r}")


def _read_json_lines(text: str, name: str, wanted: Collection[str]) -> Table:
    columns: dict[str, None] = {}
    problems = Problems(name)
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        _check_count(name, len(rows) + 1)
        found = _json_object(line)
        if isinstance(found, str):
            problems.add(number, found)
            continue
        columns.update(dict.fromkeys(found))
        cells = {column: _cell(found[column]) for column in wanted if column in found}
        rows.append(Row(number, cells))
    if not rows:
        problems.check()
        raise DatasetError(f"{name}: empty, and a JSON object on each line is expected")
    return Table(name, tuple(columns), tuple(rows), problems)


def _json_object(line: str) -> dict[str, Any] | str:
    """Return what a line holds, or what is wrong with it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as exc:
        return f"not JSON: {exc}"
    return found if isinstance(found, dict) else "not a JSON object, as in {...}"


def _cell(value: object) -> str | None:
    if value is None or value != value:  # NaN: what pandas writes for a missing value
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else None


def _read_parquet(content: bytes, name: str, wanted: Collection[str]) -> Table:
    pyarrow, parquet = _pyarrow(name)
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        columns = tuple(file.schema_arrow.names)
        _check_count(name, file.metadata.num_rows)
        _check_header(columns, wanted, name)
        rows = tuple(_parquet_rows(file, [each for each in columns if each in wanted], name))
    except (pyarrow.ArrowException, OSError, ValueError) as exc:
        _refuse_parquet(name, exc)
    return Table(name, columns, rows, Problems(name, "row"))


def _pyarrow(name: str) -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise EnvironmentMissingError(
            f"{name}: pyarrow is needed to read Parquet", hint="Run: pip install pyarrow"
        ) from exc


def _parquet_rows(file: Any, columns: list[str], name: str) -> Iterator[Row]:
    line, size = 0, 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
        size += batch.nbytes
        check_size(name, size)  # a few bytes can stand for many
        for found in batch.to_pylist():
            line += 1
            yield Row(line, {column: _cell(found[column]) for column in columns})


def _refuse_parquet(name: str, exc: Exception) -> NoReturn:
    reason = " ".join(str(exc).split())[:200]
    raise DatasetError(f"{name}: not a readable Parquet file: {reason}") from exc


def missing_column(table: Table, column: str, hint: str | None = None) -> DatasetError:
    """Return the error for a required column that a table lacks."""
    columns = shown(table.columns, most=12)
    return DatasetError(f"{table.name}: no column {column!r}; there are {columns}", hint=hint)
