"""The ledger beside an output: what became of each recording, and how far the output is whole.

A row is written after the rows of its recording are, and says how long the output is then. So the
ledger decides what is done: whatever the output has behind that length was cut off in the middle.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from audioclf.base.errors import ResultError
from audioclf.base.text import csv_cell
from audioclf.predict.formats import csv_line
from audioclf.predict.inputs import Recording

LEDGER = "predictions.ledger.csv"
_SUFFIX = ".ledger.csv"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What became of one recording.

    Parameters
    ----------
    path : str
    status : {"ok", "failed"}
    message : str
        Why it failed, or what is odd about it.
    start, end : str
        The part of the file in s; empty if it is all of it.
    seconds : float
        Length of the file.
    rows : int
        Lines that it has in the output.
    bytes : int
        Length of the output behind them.
    job : str
        Digest of the model and the options.
    """

    path: str
    status: Literal["ok", "failed"]
    message: str
    start: str
    end: str
    seconds: float
    rows: int
    bytes: int
    job: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names the recording."""
        return self.path, self.start, self.end


HEADER = tuple(field.name for field in fields(LedgerRow))


def ledger_beside(out: Path) -> Path:
    """Return where the ledger of an output file is, one for each format.

    Examples
    --------
    >>> ledger_beside(Path("results/found.csv")).as_posix()
    'results/found.csv.ledger.csv'
    """
    return out.with_name(out.name + _SUFFIX)


def key_of(recording: Recording) -> tuple[str, str, str]:
    """Return what names a recording in a ledger."""
    span = recording.span
    if span is None:
        return csv_cell(_text(recording.name)), "", ""
    end = "" if span.end is None else repr(float(span.end))
    return csv_cell(_text(recording.name)), repr(float(span.start)), end


def _text(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def row_text(row: LedgerRow) -> str:
    """Return a row as it stands in the file."""
    safe = replace(row, message=csv_cell(row.message))
    return csv_line([str(value) for value in astuple(safe)])


def header_text() -> str:
    """Return the first line of the file."""
    return csv_line(HEADER)


def read_ledger(path: Path) -> list[LedgerRow]:
    """Return the whole rows of a ledger; one that was cut off in the middle is left out.

    Raises
    ------
    ResultError
        If it cannot be read, or is not a ledger.
    """
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as exc:
        raise ResultError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    whole = text[: text.rfind("\n") + 1]
    records = csv.reader(io.StringIO(whole, newline=""), strict=True)
    rows: list[LedgerRow] = []
    try:
        header = next(records, [])
        if whole and tuple(header) != HEADER:
            raise ResultError(
                f"{path}: not a ledger of predictions",
                hint="Choose another --out, or start anew with --force.",
            )
        rows.extend(_row(record) for record in records)
    except (csv.Error, ValueError):
        return rows
    return rows


def _row(record: Sequence[str]) -> LedgerRow:
    path, status, message, start, end, seconds, rows, size, job = record
    if status not in ("ok", "failed"):
        raise ValueError(status)
    kept: Literal["ok", "failed"] = "ok" if status == "ok" else "failed"
    numbers = float(seconds), int(rows), int(size)
    return LedgerRow(path, kept, message, start, end, *numbers, job)
