"""Output formats of `predict`: CSV, JSON Lines, Audacity labels, Raven selection tables.

Version 1 of the columns. A later version may add columns behind these; it never renames one or
changes their order.

- predictions, of clips, windows and whole recordings: `path,start,end,label,score`, then
  `score_<class>` for each class in the order of the model;
- those of a model of several labels per clip: `path,start,end,labels`, joined by `;`, then
  `score_<class>`;
- those of a model of numbers: `path,start,end,number`;
- events and segments: `path,start,end,label,score,mean_score,n_windows`;
- behind predictions and events of a model that detects anomalies, `p_value`;
- behind both, `time` if the recordings of windows or events have clock times: when `start` was;
- last, `channel` if the model takes each channel of a file as a clip: its number, from 1.

Times are seconds from the start of the file, half-open, with 6 decimals, as are scores. The label
is empty where the model abstains, the score where there is none.
"""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar, Literal

from typing_extensions import override

from audioclf.base.errors import ConfigError
from audioclf.base.text import csv_cell, one_line

COLUMNS_VERSION = 1

PREDICTION_COLUMNS = ("path", "start", "end", "label", "score")
SEVERAL_COLUMNS = ("path", "start", "end", "labels")
NUMBER_COLUMNS = ("path", "start", "end", "number")
TIME, CHANNEL, P_VALUE = "time", "channel", "p_value"
EVENT_COLUMNS = (*PREDICTION_COLUMNS, "mean_score", "n_windows")
RAVEN_COLUMNS = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)"),
    *("High Freq (Hz)", "Begin Path", "File Offset (s)", "Label", "Score"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One prediction.

    Times are in s from the start of the file; the label is empty where the model abstains.
    """

    path: str
    start: float
    end: float
    label: str
    score: float | None
    more: tuple[float | int, ...] = ()
    time: str = ""
    channel: int = 1
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the lines of a recording begin in a table of several recordings.

    Before it there are `selections` lines, and files with a length of `seconds`.
    """

    selections: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class OutputFormat(ABC):
    """Base class of the formats: how lines become text."""

    columns: tuple[str, ...]
    sr: int

    name: ClassVar[str]
    """The value of `--format`."""
    suffixes: ClassVar[tuple[str, ...]]
    """Endings of file names that choose it, in lower case; "" is a folder."""
    content: ClassVar[str]
    """Description for the reference, in Markdown."""
    file_per_recording: ClassVar[bool] = False
    """Whether a file holds one recording only, so that several need a folder."""
    needs_windows: ClassVar[bool] = False
    """Whether it is refused without `--window`."""
    needs_scores: ClassVar[bool] = False
    """Whether it is refused for a classifier without scores."""

    one_label: ClassVar[bool] = False
    """Whether several labels of a clip are one line each."""

    def cells(self, line: Line) -> tuple[Any, ...]:
        """Return the values of a line in the order of the columns."""
        has = self.columns.__contains__
        return (
            *(line.path, line.start, line.end, line.label),
            *(line.score,) * has("score"),
            *line.more,
            *(line.p_value,) * has(P_VALUE),
            *(line.time,) * (TIME in self.columns[-2:]),
            *(line.channel,) * (self.columns[-1] == CHANNEL),
        )

    def header(self) -> str:
        """Return the text above the first line; empty by default."""
        return ""

    @abstractmethod
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        """Yield the text of each line of one recording."""


class CsvFormat(OutputFormat):
    """RFC 4180 with line feeds; text that a spreadsheet would execute is marked by `csv_cell`."""

    name = "csv"
    suffixes = (".csv",)
    content = "`path,start,end,label,score`, then `score_<class>` in the order of the model"

    @override
    def header(self) -> str:
        return csv_line(self.columns)

    @override
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        for line in lines:
            yield csv_line([_csv_text(value) for value in self.cells(line)])


class JsonLinesFormat(OutputFormat):
    """An object for each line, with the columns of the CSV as keys; paths are not changed."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    content = "an object per line with the same keys; an empty label is `null`"

    @override
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        is_number = self.columns[:4] == NUMBER_COLUMNS
        for line in lines:
            cells = map(_json_value, self.cells(line))
            row = dict(zip(self.columns, cells, strict=True))
            if is_number:
                row["number"] = float(line.label)
            yield json.dumps(row, ensure_ascii=False) + "\n"


class AudacityFormat(OutputFormat):
    """A label track of one recording; lines without a label are left out."""

    name = "audacity"
    one_label = True
    suffixes = (".txt", "")
    content = "`start<TAB>end<TAB>text` in s, no header; a folder has a file for each recording"
    file_per_recording = True

    @override
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        for line in lines:
            if line.label:
                yield f"{line.start:.6f}\t{line.end:.6f}\t{one_line(line.label)}\n"


class RavenFormat(OutputFormat):
    """A selection table of Raven over all files, one behind the other."""

    name = "raven"
    one_label = True
    suffixes = (".selections.txt", ".selections.tsv")
    content = (
        "a selection table; begin and end run over all files, one behind the other, "
        "`File Offset (s)` is within the file"
    )

    @override
    def header(self) -> str:
        return "\t".join(RAVEN_COLUMNS) + "\n"

    @override
    def text(self, lines: Iterator[Line], place: Place) -> Iterator[str]:
        for number, line in enumerate(lines, place.selections + 1):
            cells = (
                *(str(number), "Spectrogram 1", str(line.channel)),
                *(f"{place.seconds + time:.6f}" for time in (line.start, line.end)),
                *("0.0", f"{self.sr / 2:.1f}", one_line(line.path), f"{line.start:.6f}"),
                *(one_line(line.label), "" if line.score is None else f"{line.score:.6f}"),
            )
            yield "\t".join(cells) + "\n"


FORMATS: dict[str, type[OutputFormat]] = {
    output.name: output for output in (CsvFormat, JsonLinesFormat, AudacityFormat, RavenFormat)
}
"""The formats by name."""


def choose_format(name: str | None, out: PurePath | None) -> type[OutputFormat]:
    """Return the format with a name, else that of the ending of `out`, else CSV.

    >>> choose_format(None, PurePath("birds.selections.txt")).name
    'raven'
    """
    if name is None and out is None:
        return CsvFormat
    if name is not None:
        if name not in FORMATS:
            raise ConfigError(
                f"no output format is called {name!r}", hint=f"Use one of {', '.join(FORMATS)}."
            )
        return FORMATS[name]
    assert out is not None
    by_suffix = {suffix: output for output in FORMATS.values() for suffix in output.suffixes}
    ending = PurePath(out.name.lower()).suffix
    for suffix in sorted(by_suffix, key=len, reverse=True):
        if out.name.lower().endswith(suffix) if suffix else not ending:
            return by_suffix[suffix]
    raise ConfigError(
        f"{out}: the ending {ending!r} stands for no format",
        hint=f"Add --format, one of {', '.join(FORMATS)}.",
    )


def line_columns(
    classes: Sequence[str],
    *,
    events: bool,
    kind: Literal["class", "several", "number"] = "class",
    with_p_value: bool = False,
    with_time: bool = False,
    with_channel: bool = False,
) -> tuple[str, ...]:
    """Return the names of the columns of events, or of predictions with scores for `classes`."""
    scores = tuple(f"score_{name}" for name in classes)
    by_kind = {"class": PREDICTION_COLUMNS, "several": SEVERAL_COLUMNS, "number": NUMBER_COLUMNS}
    columns = EVENT_COLUMNS if events else by_kind[kind] + scores
    return columns + (P_VALUE,) * with_p_value + (TIME,) * with_time + (CHANNEL,) * with_channel


def csv_line(cells: Sequence[str]) -> str:
    """Return one record of a CSV file."""
    buffer = io.StringIO(newline="")
    # Before Python 3.13 a carriage return is quoted only if it is part of the terminator.
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def _csv_text(value: str | float | int | None) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    return csv_cell(value) if isinstance(value, str) else "" if value is None else str(value)


def _json_value(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else None if value == "" else value
