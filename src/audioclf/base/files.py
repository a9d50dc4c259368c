"""Files that are written whole or not at all, and never over an existing one unasked.

Text is UTF-8, decimals have a point, tables are CSV with a header even when they are empty.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import ConfigError, ResultError
from audioclf.base.text import csv_cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASIDE = re.compile(r"\..+\.[0-9]+\.tmp")
"""Names of files that are not whole yet."""

_CONFIG_SUFFIXES = (".yaml", ".yml")

_QUOTED = frozenset(',"\r\n')
"""Characters of a cell that is written in quotes."""

_NUMBERS = frozenset({float, int})

_ROWS = 256
"""Rows of numbers that are written at a time."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class OutputFolder:
    """A folder into which files are written."""

    path: Path

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
        """Write plain data as JSON, lists of numbers in one line; NaN becomes null."""
        return self.write_text(name, f"{_json_text(_finite(data))}\n")

    def write_csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        """Write a table; text that a spreadsheet would execute is marked, see `csv_cell`."""
        cells = CsvCells()
        return self.write_lines(name, map(cells.line, (header, *rows)))

    def write_lines(self, name: str, lines: Iterable[str]) -> Path:
        """Write a table from its lines, as `CsvCells` makes them."""
        return self.write_text(name, "".join(f"{line}\n" for line in lines))


class CsvCells(dict[Any, str]):
    """The text of each cell as `csv.writer` has it, with the texts that occurred already."""

    def line(self, cells: Iterable[Any]) -> str:
        """Return a line, or the cells at its begin."""
        texts = [repr(cell) if cell.__class__ in _NUMBERS else self[cell] for cell in cells]
        return ",".join(texts) if texts != [""] else '""'

    def __missing__(self, cell: Any) -> str:
        text = csv_cell(cell) if isinstance(cell, str) else "" if cell is None else str(cell)
        if not _QUOTED.isdisjoint(text):
            text = '"' + text.replace('"', '""') + '"'
        if cell.__class__ is str:
            self[cell] = text
        return text


def csv_rows(numbers: NDArray[Any]) -> Iterator[str]:
    """Yield the cells of each row of a matrix [shape=(n_rows, n_columns)] of at least one column.

    >>> import numpy as np
    >>> [*csv_rows(np.array([[0.1, 1e-30], [np.nan, 2.0]]))]
    ['0.1,1e-30', 'nan,2.0']
    """
    for start in range(0, len(numbers), _ROWS):
        # A list is written as its numbers are by themselves, without a Python step for each.
        text = repr(numbers[start : start + _ROWS].tolist())
        yield from text[2:-2].replace(", ", ",").split("],[")


def check_new_config(path: Path, *, force: bool = False) -> None:
    """Refuse a path that exists."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, not a file", hint="Choose a file with --out.")
    if not force and (path.exists() or path.is_symlink()):
        raise ConfigError(
            f"{path} already exists, and nothing was written",
            hint="Choose another file with --out, or replace it with --force.",
        )
    if path.exists() and path.suffix.lower() not in _CONFIG_SUFFIXES:
        raise ConfigError(
            f"{path} exists and is no YAML file, and is not replaced",
            hint="Choose a file with --out whose name ends in .yaml.",
        )


def write_new_config(path: Path, text: str, *, force: bool = False) -> Path:
    """Write a text file in UTF-8, whole or not at all."""
    check_new_config(path, force=force)
    return OutputFolder(path.parent).write_text(path.name, text)


def _json_text(data: Any, margin: str = "\n") -> str:
    """Return plain data as JSON, indented by 2."""
    inner = f"{margin}  "
    if isinstance(data, dict) and data:
        rows = [
            f"{json.dumps(str(k), ensure_ascii=False)}: {_json_text(v, inner)}"
            for k, v in data.items()
        ]
        return f"{{{inner}{f',{inner}'.join(rows)}{margin}}}"
    if isinstance(data, list) and any(isinstance(item, str | list | dict) for item in data):
        return f"[{inner}{f',{inner}'.join(_json_text(item, inner) for item in data)}{margin}]"
    return json.dumps(data, ensure_ascii=False)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and data != data:
        return None
    return data


def unwritable(path: Path, exc: OSError) -> ResultError:
    """Return the error for an OSError while a file or folder is written."""
    hint = "Choose another folder with --out."
    if exc.errno in _FULL:
        hint = "Free some space and run the same command again: it continues where it stopped."
    return ResultError(f"{path}: cannot be written: {exc.strerror or exc}", hint=hint)
