"""Loader of long recordings with annotations from Raven or Audacity, cut into clips."""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Gt, Le, MinLen
from pydantic import AfterValidator, model_validator
from typing_extensions import override

from audioclf.builtin.loaders.selections import TABLE_NAME, Annotation, Selections, read_selections
from audioclf.dataset.cutting import cut_several
from audioclf.dataset.label_cells import check_single, label_reader
from audioclf.dataset.label_sets import SEPARATOR, class_names
from audioclf.dataset.path_labels import count, ignored, shown
from audioclf.plugin import (
    AudioSource,
    Clip,
    ColumnName,
    Cut,
    Dataset,
    DatasetError,
    InputPath,
    Labels,
    Loader,
    Mark,
    PartSource,
    Span,
    WindowRule,
    clip_id,
    common_folders,
    cut_at_marks,
    cut_windows,
    inspect,
    is_audio,
    is_published_split,
    list_files,
)

Seconds = Annotated[float, Gt(0)]


def _check_group_pattern(pattern: str) -> str:
    """Return a pattern with a group named `group`, or raise a ValueError."""
    try:
        names = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{pattern!r} is not a regular expression: {exc}") from exc
    if set(names) != {"group"}:
        raise ValueError("it needs one named group, as in ^(?P<group>[^_]+)_")
    return pattern


class Annotations(Loader):
    """Recordings with Raven selection tables or Audacity label tracks beside them, cut into clips.

    The tables of `rec1.wav` are `rec1.txt`, `rec1.selections.txt`, `rec1.Table.1.selections.txt`,
    or those of BirdNET, such as `rec1.BirdNET.selection.table.txt` and `rec1.BirdNET.results.csv`;
    or a table names its recordings (`Begin Path`). A recording is a group: splits by group keep its
    clips together; `group` and `group_pattern` group recordings, as by site. Recordings without a
    table are ignored.
    """

    type: Literal["annotations"] = "annotations"

    path: InputPath
    """The folder or zip archive with recordings and tables, relative to the config file, or its
    URL."""

    column: ColumnName = "Annotation"
    """Column of the Raven tables and of CSV with the label, such as `Common Name` of BirdNET."""

    window: Seconds | None = None
    """Length of a clip in s; null makes each annotation one clip."""

    hop: Seconds | None = None
    """Distance between the starts of two windows in s; null is `window`. A last, shorter window is
    left out."""

    min_overlap: Annotated[float, Gt(0), Le(1)] = 0.5
    """Smallest share of a window that annotations of one label cover for the window to have that
    label. Windows with a smaller share are skipped."""

    background: Annotated[str, MinLen(1)] | None = None
    """Label of windows without an annotation; null skips them."""

    on_conflict: Literal["skip", "longest"] = "skip"
    """Rule for overlapping annotations of two labels and for windows with two labels: `skip` omits
    both; `longest` takes the longer annotation, or the label that covers more."""

    labels: Literal["single", "several"] | None = None
    """`several` keeps all windows, each with all its labels or none; a label that covers less than
    `min_overlap`, or is marked as `?wren`, is not labelled there. An annotation may hold several
    labels, as in `robin;wren`. Null is `single`, and refuses labels that look like several."""

    group: Literal["recording", "folder"] = "recording"
    """Group of clips: their recording, or the folder of the recording, such as a site."""

    group_pattern: Annotated[str, AfterValidator(_check_group_pattern)] | None = None
    """Regular expression that finds the group in the path of each recording, as in
    `^(?P<group>[^_]+)_`; null is `group`."""

    @model_validator(mode="after")
    def _check_window(self) -> Annotations:
        given = [name for name in ("hop", "background") if getattr(self, name) is not None]
        if self.window is None and given:
            raise ValueError(f"{given[0]} needs a window")
        if self.labels == "several":
            if self.window is None:
                raise ValueError("labels: several needs a window")
            if self.background is not None or self.on_conflict != "skip":
                name = "on_conflict" if self.background is None else "background"
                raise ValueError(
                    f"{name} is for single labels: with labels: several, all windows are kept"
                )
        return self

    @override
    def load(self) -> Dataset:
        listing = list_files(self.path)
        collection = _Collection.of(dict(listing.entries), listing.name)
        several = self.labels == "several"
        marked = collection.read(self.column, self.labels)
        used = [recording.id for recording in collection.recordings if recording.path in marked]
        groups = self._groups(listing.name, used)
        names = [note.label for notes in marked.values() for note in notes]
        if self.labels is None:
            check_single(listing.name, self.column, filter(None, names))
        classes = class_names(names) if several else None
        tally = _Tally()
        clips: list[Clip] = []
        for recording in collection.recordings:
            if recording.path in marked:
                cut = self._cut(recording.source, marked[recording.path], classes)
                tally.add(cut, marked[recording.path])
                group = groups[recording.id]
                clips += (recording.clip(mark, group) for mark in cut.clips)
        notes = [*listing.notes, *collection.notes(marked), *tally.notes(self.window is not None)]
        if not clips:
            raise DatasetError(f"{listing.name}: no clip is left: {'; '.join(notes) or 'no label'}")
        hard = tally.hard(self.window is not None)
        return Dataset(clips, name=listing.name, notes=notes, several=several, hard=hard)

    def _groups(self, name: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the group of each recording by its id."""
        groups = {path: path for path in ids}
        if self.group_pattern is not None:
            matches = {path: re.search(self.group_pattern, path) for path in ids}
            groups = {path: match["group"] or "" for path, match in matches.items() if match}
        elif self.group == "folder":
            groups = {path: posixpath.dirname(path) for path in ids}
        without = [path for path in ids if not groups.get(path)]
        if without:
            key = "group: folder" if self.group_pattern is None else "group_pattern"
            files = count(len(without), "recording", "recordings")
            raise DatasetError(f"{name}: {key} gives no group for {files}: {shown(without)}")
        return groups

    def _cut(
        self, source: AudioSource, marked: Sequence[Annotation], classes: Sequence[str] | None
    ) -> Cut:
        """Return the clips of a recording; `classes` of all recordings are for several labels."""
        marks = [Mark(note.start, note.end, note.label) for note in marked]
        longest = self.on_conflict == "longest"
        try:
            if self.window is None:
                return cut_at_marks(marks, longest=longest)
            seconds = inspect(source).seconds
            late = next((note for note in marked if note.start >= seconds), None)
            if late is not None:
                raise DatasetError(
                    f"the recording ends at {seconds:g} s, and line {late.line} of its table "
                    f"has an annotation at {late.start:g} s",
                    hint="Check whether the table belongs to another recording.",
                )
            rule = WindowRule(
                self.window, self.hop or self.window, self.min_overlap, self.background
            )
            if classes is not None:
                return cut_several(marks, seconds, rule, classes)
            return cut_windows(marks, seconds, rule, longest=longest)
        except DatasetError as exc:
            raise DatasetError(f"{source.name}: {exc.message}", hint=exc.hint) from exc


@dataclass(frozen=True)
class _Recording:
    """A recording, its path in the listing, and the id and fold of its clips."""

    path: str
    id: str
    source: AudioSource
    fold: str | None

    def clip(self, mark: Mark, group: str) -> Clip:
        span = Span(mark.start, mark.end)
        source = PartSource(self.source, span)
        return Clip(clip_id(self.id, span), mark.label, source, group=group, fold=self.fold)


@dataclass(frozen=True)
class _Collection:
    """Recordings, and text files that may be their tables."""

    name: str
    recordings: tuple[_Recording, ...]
    tables: Mapping[str, AudioSource]
    finder: _Finder

    @classmethod
    def of(cls, files: Mapping[str, AudioSource], name: str) -> _Collection:
        audio = sorted(path for path in files if is_audio(path))
        tables = {path: files[path] for path in sorted(files) if TABLE_NAME.search(path)}
        if not audio or not tables:
            what = "recordings" if tables else "selection tables or label tracks"
            raise DatasetError(
                f"{name}: no {what} found",
                hint="Put the table rec1.txt beside the recording rec1.wav.",
            )
        skip = len("".join(f"{folder}/" for folder in common_folders(audio)))
        folds = _folds([path[skip:] for path in audio])
        recordings = tuple(
            _Recording(path, path[skip:], files[path], fold)
            for path, fold in zip(audio, folds, strict=True)
        )
        return cls(name, recordings, tables, _Finder(name, audio))

    def read(self, column: str, labels: Labels | None) -> dict[str, list[Annotation]]:
        """Return the annotations of each recording with a table, which may be empty.

        An annotation of several labels becomes one for each of them.
        """
        read_label = label_reader(labels, column, ())
        marked: dict[str, list[Annotation]] = defaultdict(list)
        for path, source in self.tables.items():
            partner = self.finder.partner(path)
            if partner is None and not _is_selections(path):
                continue
            table = read_selections(source, column)
            if partner is not None:
                marked[partner].extend(())
            for annotation in table.annotations:
                recording = self.finder.recording(annotation, partner, table)
                if recording is None:
                    continue
                try:
                    label = read_label({column: annotation.label}) if annotation.label else ""
                except ValueError as exc:
                    table.problems.add(annotation.line, str(exc))
                    continue
                names = label.split(SEPARATOR) if labels == "several" else [label]
                marked[recording] += [replace(annotation, label=name) for name in names]
            table.problems.check()
        if not marked:
            raise self._no_pairs()
        return marked

    def _no_pairs(self) -> DatasetError:
        tables = count(len(self.tables), "text file", "text files")
        recordings = count(len(self.recordings), "recording", "recordings")
        return DatasetError(
            f"{self.name}: none of {tables} has the name of one of {recordings}: "
            f"{shown(list(self.tables))}",
            hint="Name the table of rec1.wav rec1.txt or rec1.Table.1.selections.txt.",
        )

    def notes(self, marked: Mapping[str, object]) -> list[str]:
        """Return notes on recordings without a table and tables without a recording."""
        alone = [recording.path for recording in self.recordings if recording.path not in marked]
        tables = [
            path
            for path in self.tables
            if not _is_selections(path) and self.finder.partner(path) is None
        ]
        return [
            *ignored(alone, "recording without a table", "recordings without a table"),
            *ignored(tables, "text file without a recording", "text files without a recording"),
        ]


def _is_selections(path: str) -> bool:
    match = TABLE_NAME.search(path)
    return match is not None and any(match.groups())


def _folds(ids: Sequence[str]) -> list[str | None]:
    """Return the first folder of each recording, if those are a published split."""
    folders = [clip.partition("/")[0] for clip in ids]
    if all("/" in clip for clip in ids) and is_published_split(folders):
        return [*folders]
    return [None] * len(ids)


class _Finder:
    """Index of recordings by path, by name, and by both without the extension."""

    def __init__(self, dataset: str, recordings: Sequence[str]) -> None:
        self._dataset = dataset
        self._known: dict[str, list[str]] = defaultdict(list)
        for path in recordings:
            for full in {path, posixpath.basename(path)}:
                for key in {full, posixpath.splitext(full)[0]}:
                    self._known[key].append(path)

    def partner(self, table: str) -> str | None:
        """Return the recording with the name of a table: in its folder, or anywhere."""
        stem = TABLE_NAME.sub("", table)
        paths = self._known.get(stem) or self._known.get(posixpath.basename(stem)) or []
        if len(paths) > 1:
            raise DatasetError(
                f"{self._dataset}: {table} matches {len(paths)} recordings: {shown(paths)}",
                hint="Put the table into the folder of its recording, or rename one of them.",
            )
        return paths[0] if paths else None

    def recording(
        self, annotation: Annotation, partner: str | None, table: Selections
    ) -> str | None:
        """Return the recording of an annotation: the one that it names, or the table's partner."""
        if annotation.file is None and partner is not None:
            return partner
        paths = self._known.get(annotation.file or "", [])
        if len(paths) == 1 and (paths[0] == partner or not annotation.may_be_session):
            return paths[0]
        if len(paths) == 1:
            table.problems.add(
                annotation.line,
                f"no 'File Offset (s)', and the table is not named like {annotation.file!r}: its "
                "times may count from another file that was open before; add that column in Raven",
            )
            return None
        if not paths and partner is not None and len({a.file for a in table.annotations}) == 1:
            return partner  # the recording was renamed together with its table
        what = f"{len(paths)} recordings are" if paths else "no recording is"
        named = f"named {annotation.file!r}" if annotation.file else "named like the table"
        table.problems.add(annotation.line, f"{what} {named}")
        return None


@dataclass
class _Tally:
    """Numbers of skipped annotations and windows of all recordings."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, cut: Cut, marked: Sequence[Annotation]) -> None:
        self.counts["conflicts"] += cut.conflicts
        self.counts["too little"] += cut.too_little
        named = [annotation for annotation in marked if annotation.label]
        self.counts["unnamed"] += len(marked) - len(named)
        self.counts["points"] += sum(note.end == note.start for note in named)

    def hard(self, windows: bool) -> dict[str, int]:
        """Return the numbers of clips that are left out as hard, by their kind in words."""
        if not windows:
            return {"annotations that overlap one of another label": self.counts["conflicts"]}
        return {
            "windows with two labels at once": self.counts["conflicts"],
            "windows that an annotation covers too little": self.counts["too little"],
        }

    def notes(self, windows: bool) -> list[str]:
        """Return a note for each reason that occurred."""
        what = ("window", "windows") if windows else ("annotation", "annotations")
        reasons = {
            "conflicts": (*what, "two labels at once"),
            "too little": ("window", "windows", "an annotation covers too little"),
            "unnamed": ("annotation", "annotations", "no label"),
            "points": ("annotation", "annotations", "no length"),
        }
        notes = []
        for key, (one, many, reason) in reasons.items():
            if self.counts[key]:
                are = count(self.counts[key], f"{one} is", f"{many} are")
                notes.append(f"{are} skipped: {reason}")
        return notes
