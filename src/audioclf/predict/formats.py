"""How predictions are written: CSV, JSON Lines, Audacity labels, Raven selection tables.

Version 1 of the columns. A later version may add columns behind these; it never renames one or
changes their order.

- predictions, of clips, windows and whole recordings: `path,start,end,label,score`, then
  `score_<class>` for each class in the order of the model;
- events: `path,start,end,label,score,mean_score,n_windows`.

Times are seconds from the start of the file, half-open, with 6 decimals, as are scores. The label
is empty where the model abstains, the score where there is none.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal, Protocol, get_args

from audioclf.base.errors import ConfigError
from audioclf.base.text import csv_cell, one_line

FormatName = Literal["csv", "jsonl", "audacity", "raven"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)

COLUMNS_VERSION = 1

PREDICTION_COLUMNS = ("path", "start", "end", "label", "score")
EVENT_COLUMNS = (*PREDICTION_COLUMNS, "mean_score", "n_windows")
RAVEN_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin Path",
    "File Offset (s)",
    "Label",
    "Score",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One prediction.

    Parameters
    ----------
    path : str
    start, end : float
        In s from the start of the file.
    label : str
        Empty where the model abstains.
    score : float, optional
    more : tuple of float or int
        What the further columns hold.
    """

    path: str
    start: float
    end: float
    label: str
    score: float | None
    more: tuple[float | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recording's lines begin in a table of several.

    Parameters
    ----------
    selections : int
        Number of lines before.
    seconds : float
        Length of all files before.
    """

    selections: int = 0
    seconds: float = 0.0


class Format(Protocol):
    """How lines become text."""

    def header(self) -> str:
        """Return what stands above the first line."""

    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        """Yield the text of each line of one recording."""


def format_of_name(path: PurePath) -> FormatName:
    """Return the format that the name of a file or folder stands for.

    Raises
    ------
    ConfigError
        If its ending says nothing.

    Examples
    --------
    >>> format_of_name(PurePath("birds.selections.txt")), format_of_name(PurePath("labels"))
    ('raven', 'audacity')
    """
    name = path.name.lower()
    if name.endswith((".selections.txt", ".selections.tsv")):
        return "raven"
    endings: dict[str, FormatName] = {
        ".csv": "csv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".txt": "audacity",
        "": "audacity",
    }
    suffix = PurePath(name).suffix
    if suffix not in endings:
        raise ConfigError(
            f"{path}: the ending {suffix!r} stands for no format",
            hint=f"Add --format, one of {', '.join(FORMATS)}.",
        )
    return endings[suffix]


def make_format(name: FormatName, classes: Sequence[str], *, events: bool, sr: int) -> Format:
    """Return a format.

    Parameters
    ----------
    name : str
    classes : sequence of str
        Classes that have a score of their own; empty if there are none.
    events : bool
        Whether the lines are events.
    sr : int
        Rate of the model in Hz; half of it is the upper edge of a Raven selection.
    """
    if name == "audacity":
        return AudacityFormat()
    if name == "raven":
        return RavenFormat(sr / 2)
    scores = tuple(f"score_{each}" for each in classes)
    columns = EVENT_COLUMNS if events else PREDICTION_COLUMNS + scores
    return CsvFormat(columns) if name == "csv" else JsonLinesFormat(columns)


@dataclass(frozen=True)
class CsvFormat:
    """RFC 4180 with line feeds; text that a spreadsheet would execute is marked by `csv_cell`."""

    columns: tuple[str, ...]

    def header(self) -> str:
        """Return the names of the columns."""
        return csv_line(self.columns)

    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        """Yield a row for each line."""
        for line in lines:
            score = "" if line.score is None else _number(line.score)
            times = _number(line.start), _number(line.end)
            yield csv_line(
                (csv_cell(line.path), *times, csv_cell(line.label), score, *map(_number, line.more))
            )


@dataclass(frozen=True)
class JsonLinesFormat:
    """An object for each line, with the columns of the CSV as keys; the path is as it is."""

    columns: tuple[str, ...]

    def header(self) -> str:
        """Return nothing: every line has its keys."""
        return ""

    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        """Yield an object for each line."""
        for line in lines:
            cells = (line.path, line.start, line.end, line.label or None, line.score, *line.more)
            found = dict(zip(self.columns, map(_rounded, cells), strict=True))
            yield json.dumps(found, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class AudacityFormat:
    """A label track of one recording: `start<TAB>end<TAB>text`, without a header."""

    def header(self) -> str:
        """Return nothing."""
        return ""

    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        """Yield a label for each line that has one."""
        for line in lines:
            if line.label:
                yield f"{line.start:.6f}\t{line.end:.6f}\t{one_line(line.label)}\n"


@dataclass(frozen=True)
class RavenFormat:
    """A selection table of Raven over all files, one behind the other."""

    high: float

    def header(self) -> str:
        """Return the names of the columns."""
        return "\t".join(RAVEN_COLUMNS) + "\n"

    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        """Yield a selection for each line."""
        for number, line in enumerate(lines, place.selections + 1):
            cells = (
                *(str(number), "Spectrogram 1", "1"),
                *(f"{place.seconds + time:.6f}" for time in (line.start, line.end)),
                *("0.0", f"{self.high:.1f}", one_line(line.path), f"{line.start:.6f}"),
                *(one_line(line.label), "" if line.score is None else f"{line.score:.6f}"),
            )
            yield "\t".join(cells) + "\n"


def csv_line(cells: Sequence[str]) -> str:
    """Return one record of a CSV file."""
    buffer = io.StringIO(newline="")
    # Before Python 3.13 a carriage return is quoted only if it is part of the terminator.
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _number(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6f}"


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
