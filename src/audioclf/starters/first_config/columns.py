"""Columns of a table by their role, from their names and their values.

A name in one of several languages decides first. Then values do: paths end like audio files, times
are two numbers of which the second is larger, and classes are texts that repeat.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from audioclf.base.errors import DatasetError
from audioclf.dataset.label_cells import can_be_class, number_text, read_number, several_separator
from audioclf.dataset.path_labels import is_audio, shown
from audioclf.dataset.table_rows import read_seconds
from audioclf.dataset.tables import Table

MIN_GROUPS = 3
"""Fewest values that are used as speakers or sites."""

_ROLES = ("path", "label", "group", "fold", "split", "start", "end")
_PATH = (
    *("path", "file", "filename", "file_name", "filepath", "file_path", "fname", "audio"),
    *("audio_path", "audio_file", "audio_filename", "relative_path", "wav", "wav_file"),
)
_LABEL = (
    *("label", "class", "category", "species", "genre", "emotion", "word", "class_name"),
    *("classname", "label_name", "primary_label", "target_name"),
)
_GROUP = (
    *("group", "speaker", "speaker_id", "subject", "subject_id", "patient", "patient_id"),
    *("individual", "artist", "recording", "recording_id", "src_file", "site", "site_id"),
    *("location", "station", "recorder", "device", "device_id", "session", "client_id"),
    *("machine", "machine_id", "animal", "animal_id", "individual_id", "person", "day", "date"),
)
_SINGLE = {"fold": ("fold",), "split": ("split", "subset")}
_START = (
    *("start", "begin", "onset", "from", "tmin", "beginn", "anfang", "von", "début", "debut"),
    *("inicio", "início", "inizio", "desde", "begintijd", "начало", "开始", "開始"),
)
_END = (
    *("end", "stop", "offset", "to", "tmax", "ende", "bis", "fin", "final", "fim", "fine"),
    *("hasta", "eindtijd", "конец", "结束", "終了"),
)
_NO_TIMES = re.compile(r"freq|hz|lat|lon|temp|ms\b|_ms|id\b", re.IGNORECASE)
_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]")
_SLASH = re.compile(r"[\\/]")
_YES_NO = ({"0", "1"}, {"0.0", "1.0"}, {"true", "false"})
_MOST_ROWS = 2000
_MOST_REPEATED = 0.5
_AMOUNTS = ("arousal", "valence", "dominance", "rating", "score", "mos", "temperature", "count")
"""Usual names of columns with numbers to be predicted."""

_MOST_CODES = 20
"""Most different whole numbers that may be the codes of classes."""

_SCALES = (
    ("none", "slight", "mild", "moderate", "severe", "extreme"),
    ("very low", "low", "medium", "moderate", "high", "very high"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("bad", "poor", "fair", "good", "very good", "excellent"),
    ("very small", "small", "medium", "large", "very large"),
    ("quiet", "normal", "loud", "very loud"),
)


@dataclass(frozen=True)
class Chosen:
    """Choices of the user: columns by role, the base of paths, the length of windows in s."""

    columns: dict[str, str] = field(default_factory=dict)
    root: Path | None = None
    window: float | None = None


class Columns:
    """The columns of a table by role, such as `path` and `label`, and notes on the choice.

    `several` is the field `labels` of a loader, "" for single labels, `target` that for numbers or
    ordered classes, None for names of classes. `files` are the stems of the
    recordings that the table may name. Without `by_values`, only a usual name makes a column the
    class.
    """

    def __init__(
        self, table: Table, chosen: Chosen, *, files: Collection[str] = (), by_values: bool = False
    ) -> None:
        if any(map(is_audio, table.columns)):
            raise DatasetError(
                f"{table.name}: the first line is data, not names of columns; add a line above it, "
                f"such as {','.join(('path', 'label', *table.columns)[: len(table.columns)])}"
            )
        self._values = {name: _values(table, name) for name in table.columns}
        self._notes: list[str] = []
        known = {role: name for role, name in chosen.columns.items() if name in table.columns}
        if missing := [name for name in chosen.columns.values() if name not in table.columns]:
            raise DatasetError(
                f"{table.name} has no column {missing[0]!r}; it has {shown(table.columns, most=12)}"
            )
        for role, names in _SINGLE.items():
            known.setdefault(role, next(iter(_named(table.columns, names)), ""))
        self._add(known, "path", _named(table.columns, _PATH), self._paths(files))
        paths = self._values.get(known.get("path", ""), [])
        if paths and all(map(_ABSOLUTE.match, paths)):
            self._notes.append(
                "Its paths are those of the computer where it was made: shorten them to the part "
                f"below the folder of the recordings, such as {re.split(_SLASH, paths[0])[-1]}."
            )
        self._add_times(known)
        groups = [name for name in _named(table.columns, _GROUP) if name not in known.values()]
        labels = _named(table.columns, _LABEL)
        yes_no = self._yes_no({*known.values(), *groups})
        labels = labels or (self._amounts(known) if len(yes_no) < 2 else [])
        by_name = bool(labels) or "label" in known
        if by_name or len(yes_no) < 2:
            self._add(known, "label", labels, self._texts({*known.values(), *groups}, by_values))
        self.several = self._several(known.get("label"), () if by_name else yes_no)
        self.target = None if self.several else self._target(known.get("label", ""))
        groups = [name for name in groups if name not in known.values()]
        if "group" not in known and groups:
            self._guess(known, "group", groups, "name", ", which is kept on one side of each split")
        if "group" not in known and "label" in known:
            if "start" in known and len(set(paths)) > 1:
                known["group"] = known["path"]
                self._notes.append("Clips of one recording are kept on one side of each split.")
            self._note_groups(self._texts(set(known.values()), by_values=True))
        self.by_role = {role: name for role in _ROLES if (name := known.get(role))}
        self.notes = tuple(self._notes)
        has_label = "label" in self.by_role or isinstance(self.several, dict)
        self.are_clear = "path" in self.by_role and has_label

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of a loader for several labels, numbers or ordered classes."""
        fields = {"labels": self.several, "target": self.target}
        return {name: value for name, value in fields.items() if value}

    def renamed(self) -> dict[str, str]:
        """Return the columns that are not named as their role."""
        return {role: name for role, name in self.by_role.items() if name != role}

    def _add(
        self, known: dict[str, str], role: str, named: Sequence[str], valued: Sequence[str]
    ) -> None:
        """Add the column of a role, the named before those that have such values."""
        fitting = [*named, *(name for name in valued if name not in named)]
        # The file may also be the group: clips of one recording.
        taken = {name for other, name in known.items() if (role, other) != ("path", "group")}
        fitting = [name for name in fitting if name not in taken]
        if role in known or not fitting:
            return
        if fitting[0].lower() == role:
            known[role] = fitting[0]
        elif role == "path":
            usable = [name for name in fitting if name in valued] or fitting
            known[role] = usable[0]
        else:
            self._guess(known, role, fitting, "name" if named else "values")

    def _yes_no(self, taken: Collection[str]) -> list[str]:
        """Return the columns of 1 and 0 that may be one class each."""
        return [
            name
            for name, values in self._values.items()
            if name not in taken
            and can_be_class(name)
            and {value.lower() for value in values} in _YES_NO
        ]

    def _several(self, label: str | None, yes_no: Sequence[str]) -> str | dict[str, list[str]]:
        """Return the field `labels` of a loader for several labels per clip; "" for single ones."""
        if label is None and len(yes_no) > 1:
            self._notes.append(
                f"A GUESS by their values: {shown(yes_no, most=8)} hold 1 and 0, so each is a "
                "class, and a clip has any number of them. If they are not, call init again with "
                "--label NAME."
            )
            return {"columns": list(yes_no)}
        values = self._values.get(label or "", [])
        sign = several_separator(values)
        if sign is None:
            return ""
        example = next(value for value in values if sign in value)
        self._notes.append(
            f"A GUESS by its values: {label!r} holds several labels per clip, such as {example!r}. "
            "If each text is one class, write `labels: single`."
        )
        return "several"

    def _amounts(self, known: dict[str, str]) -> list[str]:
        """Return the columns with usual names of numbers that hold such."""
        names = [name for name in _named(self._values, _AMOUNTS) if name not in known.values()]
        return [name for name in names if _target_of(name, self._values[name])[0]]

    def _target(self, label: str) -> str | dict[str, list[str]] | None:
        target, note = _target_of(label, self._values.get(label, []))
        self._notes += [note] if note else []
        return target

    def _guess(
        self, known: dict[str, str], role: str, names: Sequence[str], by: str, more: str = ""
    ) -> None:
        known[role] = names[0]
        if names[0].lower() == role:
            return
        words = {"label": "number" if names[0].lower() in _AMOUNTS else "class"}.get(role, role)
        also = f" Or is it {shown(names[1:], most=4)}? Then use --{role} NAME." if names[1:] else ""
        text = f"the column {names[0]!r} is the {words}{more}.{also}"
        self._notes.append(f"A GUESS by its {by}: {text}")

    def _note_groups(self, names: Sequence[str]) -> None:
        counts = {name: len(set(self._values[name])) for name in names}
        several = {name: n for name, n in counts.items() if n >= MIN_GROUPS}
        if several:
            listed = ", ".join(f"{name!r} ({n} values)" for name, n in several.items())
            self._notes.append(
                f"No column was chosen for groups. These may hold them: {listed}. If all clips of "
                "a speaker, a site or a device have one value, call init again with --group "
                f"{min(several, key=lambda name: several[name])}."
            )

    def _paths(self, files: Collection[str]) -> list[str]:
        """Return the columns whose values are names of audio files, with or without the ending."""
        return [
            name
            for name, values in self._values.items()
            if values
            and all(is_audio(v) or (files and posixpath.basename(v) in files) for v in values)
        ]

    def _texts(self, taken: Collection[str], by_values: bool) -> list[str]:
        """Return the columns of texts that repeat."""
        return [
            name
            for name, values in self._values.items()
            if by_values
            and name not in taken
            and 1 < len(set(values)) <= _MOST_REPEATED * len(values)
            and all(read_seconds(value) is None for value in values)
        ]

    def _add_times(self, known: dict[str, str]) -> None:
        if {"start", "end"} & set(known):
            return
        numbers = {
            name: seconds
            for name, values in self._values.items()
            if name not in known.values() and (seconds := _all_seconds(values))
        }
        pairs = [
            (a, b)
            for a in numbers
            for b in numbers
            if _has_word(a, _START) and _has_word(b, _END) and not _NO_TIMES.search(f"{a} {b}")
        ]
        paths = self._values.get(known.get("path", ""), [])
        if not pairs and len(set(paths)) < len(paths):
            names = [name for name in numbers if not _NO_TIMES.search(name)]
            pairs = list(pairwise(names))
        if not pairs and len(set(paths)) < len(paths):
            listed = shown(list(self._values), most=12)
            self._notes.append(
                "Several rows name the same file, but no two columns hold the start and the end of "
                f"each clip in s, such as 1.5 or 0:01.5; the columns are {listed}."
            )
        for start, end in pairs:
            rows = zip(numbers[start], numbers[end], strict=False)
            if len(numbers[start]) == len(numbers[end]) and all(0 <= a < b for a, b in rows):
                known |= {"start": start, "end": end}
                if (start.lower(), end.lower()) != ("start", "end"):
                    self._notes.append(
                        f"A GUESS by their values: {start!r} and {end!r} are the start and the end "
                        "of each clip, in s."
                    )
                return


def _target_of(column: str, values: Sequence[str]) -> tuple[str | dict[str, list[str]] | None, str]:
    """Return the field `target` of a loader, None for names of classes, and a note."""
    numbers = [read_number(value) for value in values]
    if numbers and None not in numbers:
        distinct = sorted({number for number in numbers if number is not None})
        if any(number % 1 for number in distinct) or len(distinct) > _MOST_CODES:
            return "number", (
                f"A GUESS by its values: {column!r} holds numbers to be predicted, by regression. "
                "If each is the name of a class, remove `target`, and choose classifiers."
            )
        if len(distinct) < 3:
            return None, ""
        names = ", ".join(map(number_text, distinct))
        return None, (
            f"{column!r} holds the whole numbers {names}, which are read as names of classes. If "
            "they are amounts, write `target: number` and regressors such as `ridge`; if they are "
            f"degrees, `target: {{ordered: [{names}]}}`."
        )
    present = {value.casefold(): value for value in values}
    for scale in _SCALES:
        if len(present) > 2 and present.keys() <= set(scale):
            ordered = [present[name] for name in scale if name in present]
            return {"ordered": ordered}, (
                f"A GUESS by its values: the classes of {column!r} have the order "
                f"{shown(ordered, most=9)}. If they have none, remove `target`."
            )
    return None, ""


def _values(table: Table, column: str) -> list[str]:
    return [value for row in table.rows[:_MOST_ROWS] if (value := row.cells.get(column))]


def _named(columns: Iterable[str], usual: Sequence[str]) -> list[str]:
    """Return the columns with usual names, in the order of the names."""
    by_name = {re.sub(r"[\s-]+", "_", column.lower()): column for column in columns}
    return [by_name[name] for name in usual if name in by_name]


def _has_word(name: str, words: Collection[str]) -> bool:
    return any(word in words for word in _words(name))


def _words(name: str) -> Iterator[str]:
    yield from re.findall(r"[^\W\d_]+", re.sub(r"\(.*?\)|\[.*?\]", "", name.lower()))


def _all_seconds(values: Sequence[str]) -> list[float]:
    """Return the values as times in s; nothing if one of them is none."""
    seconds = [number for value in values if (number := read_seconds(value)) is not None]
    return seconds if len(seconds) == len(values) else []
