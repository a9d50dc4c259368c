"""Datasets whose labels stand in a table: published ones, AudioFolder, a manifest.

A column is known by its name. `label` is the class wherever it is there; of other names that are
usual one is taken if it is the only one. What a table holds beyond that is said, not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from audioclf.base.errors import DatasetError, EnvironmentMissingError
from audioclf.builtin.loaders.audiofolder import AudioFolder
from audioclf.builtin.loaders.esc50 import Esc50
from audioclf.builtin.loaders.manifest import Manifest
from audioclf.builtin.loaders.urbansound8k import UrbanSound8K
from audioclf.dataset.listing import is_archive
from audioclf.dataset.path_labels import common_folders, is_audio, shown
from audioclf.dataset.sources import AudioSource, FileSource, Listing
from audioclf.dataset.tables import Table, read_table
from audioclf.starters.first_config.found import Found

TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})

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
    *("location", "station", "recorder", "device", "session", "client_id"),
)
_FOLD = ("fold",)
_SPLIT = ("split", "subset")
_TIMES = (("start", "end"), ("onset", "offset"), ("start_time", "end_time"))
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_PUBLISHED = (("meta/esc50.csv", Esc50), ("metadata/UrbanSound8K.csv", UrbanSound8K))


def find_table(path: Path, listing: Listing, doubts: list[str]) -> Found | None:
    """Return the dataset that a table in a folder or an archive describes, if one does.

    Why a table that looks like one was not used is added to `doubts`.
    """
    files = dict(listing.entries)
    return (
        _published(path, files)
        or _audiofolder(path, files, doubts)
        or _manifest(path, files, doubts)
    )


def manifest_of(table: Path) -> Found:
    """Return the dataset that a table lists whose path the user gave.

    Raises
    ------
    DatasetError
        If its columns do not say what is the file and what the class, or it cannot be loaded.
    """
    read = read_table(FileSource(table), ())
    columns = _Columns.of(read.columns)
    if columns.path is None or columns.label is None:
        raise DatasetError(
            f"{table}: which column holds the {'class' if columns.path else 'file'} cannot be "
            f"told from the names {shown(read.columns, most=12)}",
            hint="Call the columns path and label, or say which they are with `columns` in a "
            "config: see docs/guides/loaders.md.",
        )
    return _load_manifest(table, columns, None)


def _published(path: Path, files: Mapping[str, AudioSource]) -> Found | None:
    for ending, cls in _PUBLISHED:
        if sum(f"/{each}".endswith(f"/{ending}") for each in files) != 1:
            continue
        loader = cls(path=path)
        labels = f"the table {ending} of the published dataset"
        return Found(loader.load(), {"type": loader.type_name(), "path": path}, labels)
    return None


@dataclass(frozen=True)
class _Columns:
    """The columns of a table by what they say, and what was chosen among several."""

    path: str | None
    label: str | None
    group: str | None
    fold: str | None
    split: str | None
    start: str | None
    end: str | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, columns: Sequence[str]) -> _Columns:
        path, label = _one(columns, _PATH), _one(columns, _LABEL)
        groups = _known(columns, _GROUP)
        start, end = next(
            (
                (a[0], b[0])
                for names in _TIMES
                if (a := _known(columns, names[:1])) and (b := _known(columns, names[1:]))
            ),
            (None, None),
        )
        return cls(
            path=path,
            label=label,
            group=groups[0] if groups else None,
            fold=_one(columns, _FOLD),
            split=_one(columns, _SPLIT),
            start=start,
            end=end,
            notes=tuple(_column_notes(label, groups)),
        )

    def written(self) -> dict[str, str]:
        """Return those that have another name than a manifest expects."""
        found = {role: getattr(self, role) for role in ("path", "label", "group", "fold", "split")}
        found |= {"start": self.start, "end": self.end}
        return {role: name for role, name in found.items() if name is not None and name != role}


def _known(columns: Iterable[str], usual: Sequence[str]) -> list[str]:
    """Return the columns of usual names, in the order of those."""
    by_name = {column.lower(): column for column in columns}
    return [by_name[name] for name in usual if name in by_name]


def _one(columns: Iterable[str], usual: Sequence[str]) -> str | None:
    """Return the column of the first name, or the only one of the others."""
    found = _known(columns, usual)
    first = next((each for each in found if each.lower() == usual[0]), None)
    return first or (found[0] if len(found) == 1 else None)


def _column_notes(label: str | None, groups: Sequence[str]) -> Iterable[str]:
    if label is not None and label.lower() != "label":
        yield f"A GUESS by its name: the column {label!r} is the class."
    if groups and groups[0].lower() != "group":
        also = f" So could {shown(groups[1:])}." if groups[1:] else ""
        yield (
            f"A GUESS by its name: the column {groups[0]!r} says what must not be separated.{also}"
        )


def _audiofolder(path: Path, files: Mapping[str, AudioSource], doubts: list[str]) -> Found | None:
    tables = [each for each in files if PurePosixPath(each).name.lower() in _METADATA]
    if not tables:
        return None
    table = _read(files[min(tables)], doubts)
    if table is None or "file_name" not in table.columns:
        return None
    columns = _Columns.of(table.columns)
    if columns.label is None:
        doubts.append(
            f"{min(tables)} has no column that can only be the class (it has "
            f"{shown(table.columns, most=8)}), so it was not used. If one is, write `type: "
            "audiofolder` and `label: NAME`."
        )
        return None
    roles = {"label": columns.label, "group": columns.group, "fold": columns.fold}
    fields = {role: name for role, name in roles.items() if name and (role, name) != ("label",) * 2}
    return _loaded(AudioFolder, path, fields, f"the metadata in {min(tables)}", columns, doubts)


def _manifest(path: Path, files: Mapping[str, AudioSource], doubts: list[str]) -> Found | None:
    for name in sorted(files, key=lambda each: (each.count("/"), each)):
        if PurePosixPath(name).suffix.lower() not in TABLES:
            continue
        table = _read(files[name], doubts)
        columns = _Columns.of(table.columns) if table else None
        if columns is None or columns.path is None or columns.label is None:
            continue
        if is_archive(path):
            doubts.append(
                f"{name} in the archive looks like a table of labels, which is not read from "
                "inside an archive. Put it beside the archive, and write `type: manifest`, `path: "
                f"{PurePosixPath(name).name}` and `root: {path.name}`."
            )
            continue
        problem = ""
        for root in _roots(name, files):
            try:
                return _load_manifest(path / name, columns, None if root is None else path / root)
            except DatasetError as exc:
                problem = exc.message
        doubts.append(f"{name} looks like a table of labels, and was not used: {problem}")
    return None


def _roots(table: str, files: Mapping[str, AudioSource]) -> list[str | None]:
    """Return where the paths in a table may start: beside it, or where the audio files are."""
    beside = str(PurePosixPath(table).parent)
    audio = [each for each in files if is_audio(each)]
    wrapping = common_folders(audio) if audio else []
    roots = ["/".join(wrapping[:n]) or "." for n in range(len(wrapping) + 1)]
    return [None, *(root for root in dict.fromkeys(roots) if root != beside)]


def _load_manifest(table: Path, columns: _Columns, root: Path | None) -> Found:
    fields: dict[str, Any] = {} if root is None else {"root": root}
    if columns.written():
        fields["columns"] = columns.written()
    loader = Manifest(path=table, **fields)
    written = {"type": "manifest", "path": table, **fields}
    return Found(loader.load(), written, f"the table {table.name}", columns.notes)


def _loaded(
    cls: type[AudioFolder],
    path: Path,
    fields: Mapping[str, str],
    labels: str,
    columns: _Columns,
    doubts: list[str],
) -> Found | None:
    loader = cls(path=path, **fields)
    try:
        dataset = loader.load()
    except DatasetError as exc:
        doubts.append(f"{labels} could not be used: {exc.message}")
        return None
    written = {"type": loader.type_name(), "path": path, **fields}
    return Found(dataset, written, labels, columns.notes)


def _read(source: AudioSource, doubts: list[str]) -> Table | None:
    """Return the columns of a table; why it has none is a doubt only if it says so itself."""
    try:
        return read_table(source, ())
    except EnvironmentMissingError as exc:
        doubts.append(f"{exc.message}, so it was not looked at.")
    except DatasetError:
        return None
    return None
