"""Lists of windows to review, with how each was chosen, and the answers of reviewers.

A list (`suggested.csv`) has a row for each window. The answers (`reviewed.csv`) have the same
columns and a few more, and are only appended to: the last row of a window and a reviewer counts.
Paths are relative to the folder of the table.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audioclf.base.errors import DatasetError
from audioclf.base.text import csv_cell, csv_text
from audioclf.dataset.label_cells import parse_labels
from audioclf.dataset.label_sets import SEPARATOR, join_labels, split_labels
from audioclf.dataset.listing import list_archive
from audioclf.dataset.sources import AudioSource, FileSource, PartSource, Span
from audioclf.dataset.table_rows import read_number
from audioclf.dataset.tables import (
    Cells,
    Table,
    decoded,
    missing_column,
    read_bytes,
    read_csv,
    read_text,
)

SCORE = "score_"
"""Start of the names of the columns with the scores of the classes."""
RANDOM = "random"
"""How a window was chosen if all had the same probability, but for a limit per recording."""
UNCERTAIN, DIVERSE, SIMILAR = "uncertain", "diverse", "similar"
CERTAIN = (UNCERTAIN, DIVERSE, SIMILAR)
"""How windows were chosen of which each had the probability 1, and the others 0."""
LABELLED, UNSURE, SKIPPED, UNDONE = "labelled", "unsure", "skipped", "undone"

_WINDOW = ("path", "start", "end")
_DESIGN = ("chosen_by", "probability", "stratum", "stratum_low", "stratum_windows")
LIST_COLUMNS = (*_WINDOW, *_DESIGN, "collection_windows", "model", "target", "score")
ANSWER_COLUMNS = ("label", "state", "reviewer", "note", "time", "asked")
_ZIP = ".zip!"
_MOST_WINDOWS = 2**53


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a recording and how it was chosen.

    `probability` is that of its choice, None if it is not known. The stratum is the set of windows
    from which it was drawn: its name, its lowest score, and its number of windows.
    `collection_windows` are the windows of all recordings, `model` is the digest of the one that
    scored them, `score` that of `target`: names of classes joined by `;`, of which the highest
    score counts.
    """

    path: str
    start: float
    end: float
    chosen_by: str = ""
    probability: float | None = None
    stratum: str = ""
    stratum_low: float | None = None
    stratum_windows: int = 0
    collection_windows: int = 0
    model: str = ""
    target: str = ""
    score: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> tuple[str, float, float]:
        """Identifies the window in a list."""
        return self.path, self.start, self.end

    def cells(self, classes: Sequence[str]) -> list[str]:
        """Return the row of the window."""
        numbers = (self.probability, self.stratum_low, self.score)
        probability, low, score = ("" if n is None else f"{n:.9g}" for n in numbers)
        times = (f"{self.start:.6f}", f"{self.end:.6f}")
        design = (self.chosen_by, probability, self.stratum, low, str(self.stratum_windows))
        more = (str(self.collection_windows), self.model, csv_cell(self.target), score)
        scores = (f"{self.scores[name]:.6g}" if name in self.scores else "" for name in classes)
        return [csv_cell(self.path), *times, *design, *more, *scores]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer said of a window: `label` counts if the state is `labelled`.

    The label is a text of `label_sets`; "" is a window of none of the classes that were `asked`.
    """

    window: Window
    label: str
    state: str
    reviewer: str = ""
    note: str = ""
    time: str = ""
    asked: tuple[str, ...] = ()

    def cells(self, classes: Sequence[str]) -> list[str]:
        """Return the row of the answer."""
        texts = (self.label, self.state, self.reviewer, self.note, self.time)
        return [*self.window.cells(classes), *map(csv_cell, (*texts, SEPARATOR.join(self.asked)))]


@dataclass(frozen=True)
class ReviewList:
    """The windows of a list, and the classes whose scores it has."""

    path: Path
    windows: tuple[Window, ...]
    classes: tuple[str, ...]

    def source(self, window: Window) -> AudioSource:
        """Return the source of a window (DatasetError)."""
        file = source_named(self.path.parent, window.path)
        return PartSource(file, Span(window.start, window.end))


def source_named(folder: Path, name: str) -> AudioSource:
    """Return the file of a path in a table, or the member of `archive.zip!member`."""
    archive, is_zip, member = name.partition(_ZIP)
    if not is_zip:
        return FileSource(folder / name)
    path = folder / f"{archive}.zip"
    source = dict(list_archive(path).entries).get(member)
    if source is None:
        raise DatasetError(f"{path}: there is no {member!r} in it")
    return source


def path_in_table(name: str, table: Path) -> str:
    """Return the path of a recording as a table in another folder has it, POSIX."""
    try:
        return Path(os.path.relpath(name, table.absolute().parent)).as_posix()
    except ValueError:  # another drive
        return Path(name).absolute().as_posix()


def columns_of(classes: Sequence[str], *, answers: bool = False) -> list[str]:
    """Return the header of a list, or of answers."""
    names = [*LIST_COLUMNS, *(f"{SCORE}{name}" for name in classes)]
    return [*names, *ANSWER_COLUMNS] if answers else names


def csv_row(cells: Iterable[str]) -> str:
    """Return a line of the tables."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def read_list(path: Path) -> ReviewList:
    """Read the windows of a list; only path, start and end are required (DatasetError)."""
    table = _read(path, read_text(FileSource(path)))
    windows = [window for _, window in _windows(table)]
    table.problems.check()
    if not windows:
        raise DatasetError(f"{path}: no rows below the header")
    first = {window.key: window for window in reversed(windows)}
    unique = tuple(window for window in windows if first[window.key] is window)
    return ReviewList(path, unique, classes_in(table.columns))


def read_answers(path: Path) -> tuple[list[Answer], tuple[str, ...]]:
    """Return all rows of answers in their order, and the classes (DatasetError).

    A last line that was not written to its end is left out; see `unfinished`.
    """
    content = read_bytes(FileSource(path))
    table = _read(path, decoded(content[: finished_bytes(content)], str(path)))
    for column in ("label", "state"):
        if column not in table.columns:
            hint = "Give the table that `audioclf review` writes."
            raise missing_column(table, column, hint)
    answers = []
    for cells, window in _windows(table):
        texts = {name: csv_text(cells.get(name) or "") for name in ANSWER_COLUMNS}
        asked = texts.pop("asked")
        names = tuple(asked.split(SEPARATOR)) if asked else ()
        answers.append(Answer(window, asked=names, **texts))
    table.problems.check()
    return answers, classes_in(table.columns)


def finished_bytes(content: bytes) -> int:
    """Return the bytes of a table of answers without a last line that was not written to its end.

    A line that only lacks its line feed, as after some editors, is complete: it has all cells, and
    its last one, the classes that were asked for, is that of the line before or all classes.
    """
    size = content.rfind(b"\n") + 1
    lines = content[:size].splitlines()
    if not lines or size == len(content):
        return size
    try:
        texts = [line.decode("utf-8-sig") for line in (lines[0], lines[-1], content[size:])]
        header, before, last = csv.reader(texts, strict=True)
    except (ValueError, csv.Error):
        return size
    asked = (before[-1:], [csv_cell(SEPARATOR.join(classes_in(header)))])
    return len(content) if len(last) == len(header) and last[-1:] in asked else size


def unfinished(path: Path) -> Iterator[str]:
    """Yield a note if the last line of a table of answers was not written to its end."""
    content = read_bytes(FileSource(path))
    size = finished_bytes(content)
    line = content[size:]
    if size and line:
        place = " ".join(line.decode(errors="replace").split(",")[:3])
        yield f"{path}: its last line was not written to its end, and is no answer: {place}"


def latest(answers: Iterable[Answer]) -> dict[tuple[str, float, float], dict[str, Answer]]:
    """Return the last answer of each reviewer by window, without those that were undone."""
    found: dict[tuple[str, float, float], dict[str, Answer]] = {}
    for answer in answers:
        mine = found.setdefault(answer.window.key, {})
        mine.pop(answer.reviewer, None)
        if answer.state != UNDONE:
            mine[answer.reviewer] = answer
    return {key: mine for key, mine in found.items() if mine}


def agreed(answers: Iterable[Answer]) -> Answer | None:
    """Return one answer for those of several reviewers; None if nobody could say.

    It is unsure if a reviewer is. A class on which they differ becomes one that is not labelled,
    as in `?wren`.
    """
    said = [answer for answer in answers if answer.state in (LABELLED, UNSURE)]
    if not said:
        return None
    if any(answer.state == UNSURE for answer in said):
        return replace(said[0], state=UNSURE, label="")
    labels = [split_labels(answer.label) for answer in said]
    asked = set.intersection(*(set(answer.asked) for answer in said))
    named = {name for present, unsure in labels for name in (*present, *unsure)}
    sure = {name for name in named if all(name in present for present, _ in labels)}
    return replace(said[0], label=join_labels(sure, named - sure), asked=tuple(sorted(asked)))


def is_plain_list(path: Path) -> bool:
    """Return whether a file is a list without answers, or empty."""
    try:
        text = read_text(FileSource(path))
        columns = set(read_csv(text, str(path), ()).columns) if text else set(LIST_COLUMNS)
    except DatasetError:
        return False
    return columns >= set(LIST_COLUMNS) and not columns & set(ANSWER_COLUMNS)


def classes_in(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the classes whose scores a table has."""
    return tuple(name.removeprefix(SCORE) for name in columns if name.startswith(SCORE))


def _read(path: Path, text: str) -> Table:
    columns = read_csv(text, str(path), ()).columns
    table = read_csv(text, str(path), columns)
    for name in _WINDOW:
        if name not in columns:
            raise missing_column(table, name, "A list has the columns path, start and end.")
    return table


def _check_labels(text: str) -> None:
    """Raise a ValueError for labels that were edited by hand to something else."""
    try:
        parse_labels(text)
    except ValueError as exc:
        raise ValueError(f"label is {text!r}, which {exc}") from exc


def _windows(table: Table) -> list[tuple[Cells, Window]]:
    classes = classes_in(table.columns)

    def read(line: int, cells: Cells) -> tuple[Cells, Window]:
        _check_labels(csv_text(cells.get("label") or ""))
        return cells, _window(cells, classes)

    return table.each(read)


def _window(cells: Cells, classes: Sequence[str]) -> Window:
    path = csv_text(cells.get("path") or "")
    start, end = _number(cells, "start"), _number(cells, "end")
    if not path or "\0" in path:
        raise ValueError("no path")
    if start is None or end is None or not 0 <= start < end:
        raise ValueError("start and end are not the times of a window, in s")
    probability = _number(cells, "probability")
    if probability is not None and not 1 / _MOST_WINDOWS <= probability <= 1:
        raise ValueError(f"probability is {probability:g}, not above 0 and at most 1")
    scores = {name: _number(cells, f"{SCORE}{name}") for name in classes}
    counts = (_number(cells, name) for name in ("stratum_windows", "collection_windows"))
    in_stratum, in_collection = (round(number or 0) for number in counts)
    if not 0 <= in_stratum <= in_collection <= _MOST_WINDOWS:
        raise ValueError("stratum_windows and collection_windows are no numbers of windows")
    return Window(
        path,
        start,
        end,
        cells.get("chosen_by") or "",
        probability,
        cells.get("stratum") or "",
        _number(cells, "stratum_low"),
        in_stratum,
        in_collection,
        cells.get("model") or "",
        csv_text(cells.get("target") or ""),
        _number(cells, "score"),
        {name: score for name, score in scores.items() if score is not None},
    )


def _number(cells: Mapping[str, Any], name: str) -> float | None:
    text = cells.get(name) or ""
    number = read_number(text) if text else None
    if text and number is None:
        raise ValueError(f"{name} is {text!r}, not a number")
    return number
