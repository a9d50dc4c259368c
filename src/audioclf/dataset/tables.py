"""Tables in CSV, JSON Lines or Parquet, with the line of each row.

Every cell becomes text without white space around it; an empty cell and a JSON `null` become the
empty text. Invalid rows of a table are reported together. Text is UTF-8, with or without a byte
order mark; sizes are checked before reading, and only regular files are opened.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from audioclf.base.errors import DatasetError, DecodeError, EnvironmentMissingError
from audioclf.dataset.label_sets import SEPARATOR
from audioclf.dataset.path_labels import full_path, shown
from audioclf.dataset.sources import AudioSource, FileSource, RemoteSource, ZipSource

T = TypeVar("T")

MAX_ROWS = 1_000_000
MAX_BYTES = 64 << 20
"""Largest size of a table in bytes."""

_MAX_SHOWN = 5
_DELIMITERS = ",;\t"
_BATCH_ROWS = 1024

Cells = Mapping[str, str | None]
"""Cells by column; None for a cell that is neither text nor a number."""


class Problems:
    """Problems in the rows of one table, raised together.

    Formats without lines have "row" as `unit`.
    """

    def __init__(self, name: str, unit: str = "line") -> None:
        self.name = name
        self.unit = unit
        self._found: list[str] = []
        self._count = 0

    def add(self, line: int, what: str) -> None:
        """Add a problem of a row."""
        self._count += 1
        if self._count <= _MAX_SHOWN:
            self._found.append(f"{self.unit} {line}: {what}")

    @property
    def exist(self) -> bool:
        """Whether there is a problem."""
        return self._count > 0

    def check(self, hint: str | None = None) -> None:
        """Raise a DatasetError with the first problems and the number of others, if any."""
        if self._count == 1:
            raise DatasetError(f"{self.name}, {self._found[0]}", hint=hint)
        if self._count:
            more = self._count - len(self._found)
            lines = [*self._found, *([f"and {more:,} more"] if more else [])]
            listed = "".join(f"\n  {line}" for line in lines)
            raise DatasetError(f"{self.name}: {self._count:,} invalid rows:{listed}", hint=hint)


@dataclass(frozen=True, slots=True)
class Row:
    """One row and its first line, counted from 1."""

    line: int
    cells: Cells


@dataclass(frozen=True)
class Table:
    """The rows of a table, with the wanted columns only.

    Parameters
    ----------
    name : str
        Name in messages.
    columns : tuple of str
        All columns, wanted or not.
    rows : tuple of Row
    problems : Problems
        Problems so far; readers of the rows add to them, and check them.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: Problems

    def each(self, read: Callable[[int, Cells], T]) -> list[T]:
        """Return what `read` makes of the line and cells of each row; a ValueError is a problem."""
        made = []
        for row in self.rows:
            try:
                made.append(read(row.line, row.cells))
            except ValueError as exc:
                self.problems.add(row.line, str(exc))
        return made


def read_table(source: AudioSource, wanted: Collection[str], *, lists: bool = False) -> Table:
    """Read a table whose name ends in .csv, .tsv, .jsonl, .ndjson or .parquet.

    The delimiter of a CSV file is the most frequent of comma, semicolon and tab in its first line.

    Parameters
    ----------
    source : AudioSource
        The table.
    wanted : collection of str
        Names of the columns to keep.
    lists : bool
        Whether a cell may be a list of texts, which is then joined by `;`.

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
        return _read_json_lines(read_text(source), source.name, wanted, lists)
    if suffix == ".parquet":
        return _read_parquet(read_bytes(source), source.name, wanted, lists)
    raise DatasetError(
        f"{source.name}: unsupported table format",
        hint="Use a file that ends in .csv, .tsv, .jsonl or .parquet.",
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
        By default the most frequent one in the first line.
    quoted : bool
        Whether double quotes enclose cells; otherwise they are characters.

    Raises
    ------
    DatasetError
        If there is no header, or it has a wanted column twice.
    """
    first = text.lstrip("\r\n").partition("\n")[0]
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter or max(_DELIMITERS, key=first.count),
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    records = _records(lines, name)
    header = next((cells for _, cells in records), [])
    if not any(header):
        raise DatasetError(f"{name}: empty; the first line must name the columns")
    _check_header(header, wanted, name)
    problems = Problems(name)
    rows = []
    for line, cells in records:
        if len(cells) > len(header) and any(cells[len(header) :]):
            problems.add(line, f"{len(cells)} cells, more than the {len(header)} columns")
        named = zip(header, cells, strict=False)
        rows.append(Row(line, {column: cell for column, cell in named if column in wanted}))
    return Table(name, tuple(filter(None, header)), tuple(rows), problems)


def _records(lines: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank, stripped, with their first lines."""
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


def _read_json_lines(text: str, name: str, wanted: Collection[str], lists: bool) -> Table:
    columns: dict[str, None] = {}
    problems = Problems(name)
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        _check_count(name, len(rows) + 1)
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as exc:
            problems.add(number, f"not JSON: {exc}")
            continue
        if not isinstance(data, dict):
            problems.add(number, "not a JSON object, as in {...}")
            continue
        columns.update(dict.fromkeys(data))
        cells = {column: _cell(data[column], lists) for column in wanted if column in data}
        rows.append(Row(number, cells))
    if not rows:
        problems.check()
        raise DatasetError(f"{name}: empty; each line must be a JSON object")
    return Table(name, tuple(columns), tuple(rows), problems)


def _cell(value: object, lists: bool = False) -> str | None:
    if lists and isinstance(value, list):
        names = [_cell(item) for item in value]
        if any(name is None or SEPARATOR in name for name in names):
            return None
        return SEPARATOR.join(filter(None, names))
    if value is None or value != value:  # NaN: a missing value of pandas
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else None


def _read_parquet(content: bytes, name: str, wanted: Collection[str], lists: bool) -> Table:
    pyarrow, parquet = import_pyarrow(name)
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        columns = tuple(file.schema_arrow.names)
        _check_count(name, file.metadata.num_rows)
        _check_header(columns, wanted, name)
        rows = tuple(
            _parquet_rows(file, [column for column in columns if column in wanted], name, lists)
        )
    except (pyarrow.ArrowException, OSError, ValueError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise DatasetError(f"{name}: not a readable Parquet file: {reason}") from exc
    return Table(name, columns, rows, Problems(name, "row"))


def import_pyarrow(name: str) -> tuple[Any, Any]:
    """Return pyarrow and pyarrow.parquet; `name` is the file that needs them."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise EnvironmentMissingError(
            f"{name}: pyarrow is needed for Parquet", hint="Run: pip install pyarrow"
        ) from exc


def _parquet_rows(file: Any, columns: list[str], name: str, lists: bool) -> Iterator[Row]:
    line, size = 0, 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
        size += batch.nbytes
        check_size(name, size)  # a small file can unpack to many bytes
        for record in batch.to_pylist():
            line += 1
            yield Row(line, {column: _cell(record[column], lists) for column in columns})


def missing_column(table: Table, column: str, hint: str | None = None) -> DatasetError:
    """Return the error for a required column that a table lacks."""
    columns = shown(table.columns, most=12)
    return DatasetError(f"{table.name}: no column {column!r}; there are {columns}", hint=hint)


def suffix_of(source: AudioSource) -> str:
    """Return the extension of a file in lower case, of a URL without its query."""
    name = source.name
    if isinstance(source, RemoteSource):
        name = name.partition("?")[0]
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


def read_bytes(source: AudioSource) -> bytes:
    """Return a whole file of moderate size.

    A DatasetError if it is missing, not a regular file, unreadable, or larger than `MAX_BYTES`.
    """
    try:
        check_size(source.name, _known_size(source))
        with source.open() as stream:
            content = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise DatasetError(f"no such file: {full_path(Path(source.name))}") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise DatasetError(f"{source.name}: {reason}") from exc
    except DecodeError as exc:
        raise DatasetError(exc.message, hint=exc.hint) from exc
    check_size(source.name, len(content))
    return content


def _known_size(source: AudioSource) -> int:
    if isinstance(source, ZipSource):
        return source.member.size
    if not isinstance(source, FileSource):
        return 0
    status = source.path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise DatasetError(f"{full_path(source.path)} is {kind}; expected a table")
    return status.st_size


def check_size(name: str, size: int) -> None:
    """Check that a table has at most `MAX_BYTES` (DatasetError)."""
    if size > MAX_BYTES:
        raise DatasetError(
            f"{name}: a table of more than {MAX_BYTES >> 20} MiB",
            hint="Remove the columns that are not needed, or divide it.",
        )


def read_text(source: AudioSource) -> str:
    """Return the text of a UTF-8 file, without its byte order mark.

    Raises
    ------
    DatasetError
        As `read_bytes`, and if it is not UTF-8 text.
    """
    return decoded(read_bytes(source), source.name)


def decoded(content: bytes, name: str) -> str:
    """Return the text of the bytes of a UTF-8 file, as `read_text` does."""
    if content.startswith(b"version https://git-lfs"):
        raise DatasetError(
            f"{name}: a Git LFS pointer, not the table itself", hint="Run `git lfs pull`."
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or _every_second_is_zero(content):
        raise DatasetError(f"{name}: UTF-16 text; expected UTF-8", hint=_SAVE_AS)
    if b"\0" in content:
        kind = "a zip archive or a spreadsheet" if content[:2] == b"PK" else "binary data"
        raise DatasetError(f"{name}: {kind}, not a text table")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise DatasetError(f"{name}, line {line}: not valid UTF-8", hint=_SAVE_AS) from exc


_SAVE_AS = "Save it again as UTF-8; spreadsheets call that CSV UTF-8."


def _every_second_is_zero(content: bytes) -> bool:
    head = content[:64]
    return len(head) > 3 and (not any(head[1::2]) or not any(head[::2]))
