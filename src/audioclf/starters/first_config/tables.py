"""Datasets with labels in a table: published ones, AudioFolder, a manifest.

Columns are recognized by name. A column `label` is the class; of other usual names one is used if
it is the only one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from audioclf.base.errors import DatasetError, EnvironmentMissingError
from audioclf.builtin.loaders.audiofolder import AudioFolder
from audioclf.builtin.loaders.manifest import Manifest
from audioclf.builtin.loaders.published import Esc50, UrbanSound8K
from audioclf.dataset.listing import is_archive
from audioclf.dataset.path_labels import common_folders, is_audio, shown
from audioclf.dataset.sources import AudioSource, FileSource, Listing
from audioclf.dataset.tables import Table, read_table
from audioclf.starters.first_config.results import Layout

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
_SINGLE = {"path": _PATH, "label": _LABEL, "fold": ("fold",), "split": ("split", "subset")}
"""Names of the columns that are used if they are the only one of their role."""
_ROLES = ("path", "label", "group", "fold", "split", "start", "end")
_TIMES = (("start", "end"), ("onset", "offset"), ("start_time", "end_time"))
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_PUBLISHED = (("meta/esc50.csv", Esc50), ("metadata/UrbanSound8K.csv", UrbanSound8K))


def find_table(path: Path, listing: Listing, notes: list[str]) -> Layout | None:
    """Return the dataset that a table in a folder or an archive describes, or None.

    Reasons why a table was not used are added to `notes`.
    """
    files = dict(listing.entries)
    return (
        _published(path, files) or _audiofolder(path, files, notes) or _manifest(path, files, notes)
    )


def manifest_of(table: Path) -> Layout:
    """Return the dataset that a table lists."""
    names = read_table(FileSource(table), ()).columns
    columns = _Columns(names)
    if not columns.are_clear:
        missing = "class" if "path" in columns.by_role else "file"
        raise DatasetError(
            f"{table}: which column holds the {missing} is not clear from the names "
            f"{shown(names, most=12)}",
            hint="Call the columns path and label, or name them with `columns` in a config: see "
            "docs/guides/loaders.md.",
        )
    return _load_manifest(table, columns, None)


def _published(path: Path, files: Mapping[str, AudioSource]) -> Layout | None:
    for ending, cls in _PUBLISHED:
        if sum(f"/{file}".endswith(f"/{ending}") for file in files) != 1:
            continue
        loader = cls(path=path)
        labels = f"the table {ending} of the published dataset"
        return Layout(loader.load(), {"type": loader.type_name(), "path": path}, labels)
    return None


class _Columns:
    """The columns of a table by role, such as `path` and `label`, and notes on the choice."""

    def __init__(self, columns: Sequence[str]) -> None:
        groups = _known(columns, _GROUP)
        roles = {role: _one(columns, names) for role, names in _SINGLE.items()}
        roles["group"] = groups[0] if groups else None
        for names in _TIMES:
            start, end = (_known(columns, (name,)) for name in names)
            if start and end:
                roles |= {"start": start[0], "end": end[0]}
                break
        self.by_role = {role: name for role in _ROLES if (name := roles.get(role))}
        self.notes = tuple(_column_notes(self.by_role.get("label"), groups))
        self.are_clear = {"path", "label"} <= set(self.by_role)

    def renamed(self) -> dict[str, str]:
        """Return the columns that are not named as their role."""
        return {role: name for role, name in self.by_role.items() if name != role}


def _known(columns: Iterable[str], usual: Sequence[str]) -> list[str]:
    """Return the columns with usual names, in the order of the names."""
    by_name = {column.lower(): column for column in columns}
    return [by_name[name] for name in usual if name in by_name]


def _one(columns: Iterable[str], usual: Sequence[str]) -> str | None:
    """Return the column of the first name, or the only one of the others."""
    known = _known(columns, usual)
    is_clear = len(known) == 1 or (known and known[0].lower() == usual[0])
    return known[0] if is_clear else None


def _column_notes(label: str | None, groups: Sequence[str]) -> Iterable[str]:
    if label is not None and label.lower() != "label":
        yield f"A GUESS by its name: the column {label!r} is the class."
    if groups and groups[0].lower() != "group":
        also = f" So may {shown(groups[1:])}." if groups[1:] else ""
        yield (
            f"A GUESS by its name: the column {groups[0]!r} is the group, which is kept on one "
            f"side of each split.{also}"
        )


def _audiofolder(path: Path, files: Mapping[str, AudioSource], notes: list[str]) -> Layout | None:
    tables = [file for file in files if PurePosixPath(file).name.lower() in _METADATA]
    if not tables:
        return None
    table = _read(files[min(tables)], notes)
    if table is None or "file_name" not in table.columns:
        return None
    columns = _Columns(table.columns)
    if "label" not in columns.by_role:
        notes.append(
            f"{min(tables)} has no column that is clearly the class (it has "
            f"{shown(table.columns, most=8)}), so it was not used. If one is, write `type: "
            "audiofolder` and `label: NAME`."
        )
        return None
    fields = {r: name for r, name in columns.by_role.items() if r in ("label", "group", "fold")}
    if fields["label"] == "label":
        del fields["label"]
    labels = f"the metadata in {min(tables)}"
    try:
        dataset = AudioFolder(path=path, **fields).load()
    except DatasetError as exc:
        notes.append(f"{labels} could not be used: {exc.message}")
        return None
    return Layout(dataset, {"type": "audiofolder", "path": path, **fields}, labels, columns.notes)


def _manifest(path: Path, files: Mapping[str, AudioSource], notes: list[str]) -> Layout | None:
    for name in sorted(files, key=lambda file: (file.count("/"), file)):
        if PurePosixPath(name).suffix.lower() not in TABLES:
            continue
        table = _read(files[name], notes)
        columns = _Columns(table.columns) if table else None
        if columns is None or not columns.are_clear:
            continue
        if is_archive(path):
            notes.append(
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
        notes.append(f"{name} looks like a table of labels, and was not used: {problem}")
    return None


def _roots(table: str, files: Mapping[str, AudioSource]) -> list[str | None]:
    """Return folders that the paths in a table may be relative to: its own, or one of the audio."""
    beside = str(PurePosixPath(table).parent)
    audio = [file for file in files if is_audio(file)]
    wrapping = common_folders(audio) if audio else []
    roots = ["/".join(wrapping[:n]) or "." for n in range(len(wrapping) + 1)]
    return [None, *(root for root in dict.fromkeys(roots) if root != beside)]


def _load_manifest(table: Path, columns: _Columns, root: Path | None) -> Layout:
    fields: dict[str, Any] = {} if root is None else {"root": root}
    if renamed := columns.renamed():
        fields["columns"] = renamed
    loader = Manifest(path=table, **fields)
    written = {"type": "manifest", "path": table, **fields}
    return Layout(loader.load(), written, f"the table {table.name}", columns.notes)


def _read(source: AudioSource, notes: list[str]) -> Table | None:
    """Return a table, or None; a missing package is worth a note."""
    try:
        return read_table(source, ())
    except EnvironmentMissingError as exc:
        notes.append(f"{exc.message}, so it was not read.")
    except DatasetError:
        return None
    return None
