"""JSON files and tables of a run folder; whatever is damaged is a `ResultError` with the path."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audioclf.base.errors import ResultError
from audioclf.base.text import csv_text

HINT = "A file of the run was changed or cut off. Run its config again."


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file of a run."""
    try:
        data = json.loads(read_text(path))
    except ValueError as exc:
        raise damaged(path, f"it is not complete JSON ({exc})") from exc
    if not isinstance(data, dict):
        raise damaged(path, "it is not a mapping")
    return data


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table by the name of the column, without the marks of formulas."""
    text = read_text(path)
    header, rows = _rows(path, text)
    if "'" in text:
        rows = (list(map(csv_text, row)) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


def read_rows(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Return the names of the columns, and one row after the other as it is written."""
    return _rows(path, read_text(path))


def _rows(path: Path, text: str) -> tuple[list[str], Iterator[list[str]]]:
    # A stream of bytes, since one of text would take four bytes for each.
    stream = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")
    lines = filter(None, csv.reader(stream))

    def rows() -> Iterator[list[str]]:
        try:
            for row in lines:
                if len(row) != len(header):
                    raise damaged(path, "a row is longer or shorter than the header")
                yield row
        except csv.Error as exc:
            raise damaged(path, str(exc)) from exc

    try:
        header = next(lines, [])
    except csv.Error as exc:
        raise damaged(path, str(exc)) from exc
    return header, rows()


def read_text(path: Path) -> str:
    """Return the text of a file, which ends with a line break unless it was cut off."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as exc:
        raise ResultError(f"{path}: is missing", hint=HINT) from exc
    except OSError as exc:
        raise damaged(path, exc.strerror or str(exc)) from exc
    except UnicodeDecodeError as exc:
        raise damaged(path, f"byte {exc.start} is not UTF-8") from exc
    if not text.endswith("\n"):
        raise damaged(path, "it is cut off in the middle of a line")
    return text


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn errors in the content of a file into one that names the file."""
    try:
        yield
    except KeyError as exc:
        raise damaged(path, f"it has no {exc.args[0]!r}") from exc
    except (ValueError, IndexError, TypeError, AttributeError) as exc:
        raise damaged(path, str(exc)) from exc


def damaged(path: Path, why: str) -> ResultError:
    """Return the error for a file that cannot be read."""
    return ResultError(f"{path}: cannot be read: {why}", hint=HINT)
