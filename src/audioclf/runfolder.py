"""The folder that a run leaves: written aside and renamed, `record.json` last.

A folder without `record.json` is a run that did not finish. Text is UTF-8, decimals have a point,
tables are CSV with a header even when they are empty.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioclf.errors import ResultError
from audioclf.safetext import csv_cell

AUDIT = "audit.json"
COMPARISON = "comparison.json"
CONFIG = "config.yaml"
FOLDS = "folds.csv"
IMPORTANCES = "importances.json"
LEDGER = "ledger.csv"
METRICS = "metrics.json"
MODEL = "model.audioclf"
PLOTS = "plots"
PREDICTIONS = "predictions.csv"
RECORD = "record.json"
REPORT = "report.html"

RESULTS = frozenset(
    (
        AUDIT,
        COMPARISON,
        CONFIG,
        FOLDS,
        IMPORTANCES,
        LEDGER,
        METRICS,
        MODEL,
        PREDICTIONS,
        RECORD,
        REPORT,
    )
)
"""Files of a run."""

LOCK = ".running"
"""File that the run which works in a folder holds locked."""

ASIDE = re.compile(r"\..+\.[0-9]+\.tmp")
"""Names of files that are not whole yet."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class RunFolder:
    """A folder of results."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make the folder, or take an empty or unfinished one.

        Raises
        ------
        ResultError
            If it cannot be written, or holds a finished run or files that are not a run's.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            present = {entry.name for entry in path.iterdir() if not ASIDE.fullmatch(entry.name)}
        except OSError as exc:
            raise unwritable(path, exc) from exc
        if RECORD in present:
            raise ResultError(
                f"{path}: holds a finished run, which is not overwritten",
                hint="Choose another folder with --out, or delete this one.",
            )
        if present - {LOCK} and CONFIG not in present:
            raise ResultError(
                f"{path}: holds files that are not a run's",
                hint="Choose an empty or a new folder with --out.",
            )
        return cls(path)

    @classmethod
    def create_named(cls, parent: Path, name: str) -> RunFolder:
        """Make a new folder `parent/name-YYYYmmdd-HHMMSS`, with a number behind it if need be."""
        stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        for number in range(1, 1000):
            path = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as exc:
                raise unwritable(path, exc) from exc
            return cls(path)
        raise ResultError(f"{parent / stem}: 999 runs have this name already")

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file whole or not at all."""
        target = self.path / name
        aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(target)
        except OSError as exc:
            with suppress(OSError):  # on a read-only disk this fails even where there is no file
                aside.unlink()
            raise unwritable(target, exc) from exc
        return target

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file in UTF-8."""
        return self.write_bytes(name, text.encode("utf-8"))

    def write_json(self, name: str, data: Any) -> Path:
        """Write plain data as JSON; NaN becomes null."""
        return self.write_text(name, json.dumps(_finite(data), indent=2, ensure_ascii=False) + "\n")

    def write_csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        """Write a table; text that a spreadsheet would execute is marked, see `csv_cell`."""
        return self.write_text(name, "".join(map(_csv_line, (header, *rows))))


def _csv_line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO(newline="")
    # With this end of line the writer quotes a lone carriage return, which would split a row.
    safe = [csv_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    csv.writer(buffer, lineterminator="\r\n").writerow(safe)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and data != data:
        return None
    return data


def unwritable(path: Path, exc: OSError) -> ResultError:
    """Return the error for what the system says of a file or folder."""
    hint = "Choose another folder with --out."
    if exc.errno in _FULL:
        hint = "Make room and run the same command: it goes on where it stopped."
    return ResultError(f"{path}: cannot be written: {exc.strerror or exc}", hint=hint)
