"""Files that are appended to, and the journal of an output: the result of each recording.

A row is written after the lines of its recording, and holds the length of the output behind them.
Resuming trusts the journal: whatever the output has behind that length is incomplete and cut off.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields, replace
from io import FileIO
from pathlib import Path
from typing import Any, Literal

from audioclf.base.errors import ResultError
from audioclf.base.text import csv_cell
from audioclf.predict.formats import csv_line
from audioclf.predict.inputs import Recording

FOLDER_JOURNAL = "predictions.ledger.csv"
_SUFFIX = ".ledger.csv"
_LINES_PER_WRITE = 256

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class JournalRow:
    """The result of one recording.

    `start` and `end` are the part of the file in s, empty if it is all of it; `seconds` is the
    length of the file. `rows` counts its lines in the output, whose length behind them is `bytes`.
    `job` is the digest of model and options, `file` the label file in an output folder, POSIX.
    `channel` is empty where the model's settings choose it.
    """

    path: str
    status: Literal["ok", "failed"]
    message: str
    start: str
    end: str
    seconds: float
    rows: int = 0
    bytes: int = 0
    job: str = ""
    file: str = ""
    channel: str = ""

    @property
    def key(self) -> Key:
        """Identifies the recording."""
        return self.path, self.start, self.end, self.channel


HEADER = tuple(field.name for field in fields(JournalRow))
_OLD_HEADERS = (HEADER[:-1], HEADER[:-2])


def journal_beside(out: Path) -> Path:
    """Return the path of the journal of an output file, one for each format.

    >>> journal_beside(Path("results/found.csv")).as_posix()
    'results/found.csv.ledger.csv'
    """
    return out.with_name(out.name + _SUFFIX)


def key_of(recording: Recording) -> Key:
    """Return the key of a recording in a journal."""
    name = recording.name.encode("utf-8", "backslashreplace").decode("utf-8")
    span = recording.span
    start, end = (span.start, span.end) if span else (None, None)
    times = ["" if time is None else repr(float(time)) for time in (start, end)]
    return csv_cell(name), times[0], times[1], str(recording.channel or "")


def row_text(row: JournalRow) -> str:
    """Return a row as it stands in the file."""
    safe = replace(row, message=csv_cell(row.message))
    return csv_line([str(value) for value in astuple(safe)])


def header_text() -> str:
    """Return the first line of the file."""
    return csv_line(HEADER)


def read_journal(path: Path) -> list[JournalRow]:
    """Return the complete rows of a journal; one that was cut off in the middle is left out."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as exc:
        raise ResultError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    complete = text[: text.rfind("\n") + 1]
    records = csv.reader(io.StringIO(complete, newline=""), strict=True)
    rows: list[JournalRow] = []
    try:
        header = tuple(next(records, ()))
        if complete and header not in (HEADER, *_OLD_HEADERS):
            raise ResultError(
                f"{path}: not a ledger of predictions",
                hint="Choose another --out, or start anew with --force.",
            )
        rows.extend(_row(dict(zip(header, record, strict=True))) for record in records)
    except (csv.Error, ValueError):
        return rows
    return rows


def _row(cells: dict[str, str]) -> JournalRow:
    if cells["status"] not in ("ok", "failed"):
        raise ValueError(cells["status"])
    kinds = {"seconds": float, "rows": int, "bytes": int}
    values: dict[str, Any] = {name: kinds.get(name, str)(cell) for name, cell in cells.items()}
    return JournalRow(**values)


def in_blocks(text: Iterable[str]) -> Iterator[str]:
    """Yield a few hundred lines at a time."""
    lines: list[str] = []
    for line in text:
        lines.append(line)
        if len(lines) == _LINES_PER_WRITE:
            yield "".join(lines)
            lines = []
    if lines:
        yield "".join(lines)


def write_aside(target: Path, parts: Iterable[str]) -> None:
    """Write a file beside its name, then rename it, so that it is complete or absent."""
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with aside.open("wb") as stream:
            for part in parts:
                stream.write(encoded(part))
        aside.replace(target)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


class CutBackFile:
    """A file that is appended to, and can be cut back to its last complete part."""

    def __init__(self, path: Path) -> None:
        # Unbuffered, so that nothing is written after a failure.
        self._file = FileIO(path, "a")
        self.size = self._file.seek(0, os.SEEK_END)

    def write(self, text: str) -> None:
        """Append text."""
        data = memoryview(encoded(text))
        while data:
            written = self._file.write(data)
            self.size += written
            data = data[written:]

    def cut_back(self, size: int) -> None:
        """Shorten the file to a number of bytes."""
        self._file.truncate(size)
        self.size = size

    def sync(self) -> None:
        """Write the file to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the file to the disk and close it."""
        try:
            self.sync()
        finally:
            self._file.close()


def encoded(text: str) -> bytes:
    """Return text as it stands in a file; half characters of file names are escaped."""
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def whole_or_nothing(*files: CutBackFile) -> Iterator[None]:
    """Cut the files back, if the system lets us, when writing within is not finished."""
    sizes = [file.size for file in files]
    try:
        yield
    except BaseException:
        for file, size in zip(files, sizes, strict=True):
            with suppress(OSError):
                file.cut_back(size)
        raise
