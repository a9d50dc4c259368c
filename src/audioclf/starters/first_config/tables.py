"""Datasets with labels in a table: published ones, AudioFolder, a manifest."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
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
from audioclf.starters.first_config.columns import Chosen, Columns
from audioclf.starters.first_config.results import Layout

TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_PUBLISHED = (("meta/esc50.csv", Esc50), ("metadata/UrbanSound8K.csv", UrbanSound8K))


def find_table(
    path: Path, listing: Listing, notes: list[str], chosen: Chosen, *, by_values: bool = False
) -> Layout | None:
    """Return the dataset that a table in a folder or an archive describes, or None.

    Reasons why a table was not used are added to `notes`. With `by_values`, the column of the class
    needs no usual name.
    """
    files = dict(listing.entries)
    if by_values or chosen.columns:
        return _manifest(path, files, notes, chosen, by_values=True)
    return (
        _published(path, files)
        or _audiofolder(path, files, notes, chosen)
        or _manifest(path, files, notes, chosen)
    )


def manifest_of(table: Path, chosen: Chosen) -> Layout:
    """Return the dataset that a table lists."""
    read = _whole(FileSource(table))
    columns = Columns(read, chosen, by_values=True)
    if not columns.are_clear:
        missing = "label" if "path" in columns.by_role else "path"
        role = {"label": "class", "path": "file"}[missing]
        raise DatasetError(
            f"{table}: which column holds the {role} is not clear from the names "
            f"{shown(read.columns, most=12)}",
            hint=f"Name it: --{missing} NAME. Paths of files end in .wav or the like.",
        )
    try:
        return _load_manifest(table, columns, chosen.root)
    except DatasetError as exc:
        if chosen.root is None:
            exc.hint = (
                f"{exc.hint or ''} Name the folder of the recordings: --root FOLDER.".lstrip()
            )
        raise


def _published(path: Path, files: Mapping[str, AudioSource]) -> Layout | None:
    for ending, cls in _PUBLISHED:
        if sum(f"/{file}".endswith(f"/{ending}") for file in files) != 1:
            continue
        return Layout.of(cls, path, {}, f"the table {ending} of the published dataset")
    return None


def _audiofolder(
    path: Path, files: Mapping[str, AudioSource], notes: list[str], chosen: Chosen
) -> Layout | None:
    tables = [file for file in files if PurePosixPath(file).name.lower() in _METADATA]
    if not tables:
        return None
    table = _read(files[min(tables)], notes)
    if table is None or "file_name" not in table.columns:
        return None
    columns = Columns(table, chosen)
    if "label" not in columns.by_role and not columns.several:
        notes.append(
            f"{min(tables)} has no column that is clearly the class (it has "
            f"{shown(table.columns, most=8)}), so it was not used. If one is, write `type: "
            "audiofolder` and `label: NAME`."
        )
        return None
    fields = {
        role: name
        for role, name in columns.by_role.items()
        if role in ("label", "group", "fold") and (role, name) != ("label", "label")
    }
    labels = f"the metadata in {min(tables)}"
    try:
        return Layout.of(AudioFolder, path, fields | columns.fields, labels, notes=columns.notes)
    except DatasetError as exc:
        notes.append(f"{labels} could not be used: {exc.message}")
        return None


def _manifest(
    path: Path,
    files: Mapping[str, AudioSource],
    notes: list[str],
    chosen: Chosen,
    *,
    by_values: bool = False,
) -> Layout | None:
    stems = {posixpath.splitext(posixpath.basename(file))[0] for file in files if is_audio(file)}
    for name in sorted(files, key=lambda file: (file.count("/"), file)):
        if PurePosixPath(name).suffix.lower() not in TABLES or is_output(name, files):
            continue
        table = _read(files[name], notes)
        if table is None:
            continue
        try:
            columns = Columns(table, chosen, files=stems, by_values=by_values)
        except DatasetError as exc:
            notes.append(exc.message)
            continue
        if not columns.are_clear:
            continue
        if is_archive(path):
            notes.append(
                f"{name} in the archive looks like a table of labels, which is not read from "
                "inside an archive. Put it beside the archive, and write `type: manifest`, `path: "
                f"{PurePosixPath(name).name}` and `root: {path.name}`."
            )
            continue
        problem = ""
        roots = _roots(name, files) if chosen.root is None else [str(chosen.root.absolute())]
        for root in roots:
            try:
                return _load_manifest(path / name, columns, None if root is None else path / root)
            except DatasetError as exc:
                notes_of_table = (note for note in columns.notes if "GUESS" not in note)
                reasons = (f"{exc.message}.", exc.hint or "", *notes_of_table)
                problem = problem or " ".join(filter(None, reasons))
        notes.append(f"{name} looks like a table of labels, and was not used: {problem}".rstrip())
    return None


def is_output(name: str, files: Mapping[str, AudioSource]) -> bool:
    """Return whether a file is of the folder of a run, or predictions or their ledger."""
    run = posixpath.join(posixpath.dirname(name), "record.json")
    return name.endswith(".ledger.csv") or f"{name}.ledger.csv" in files or run in files


def _roots(table: str, files: Mapping[str, AudioSource]) -> list[str | None]:
    """Return folders that the paths in a table may be relative to: its own, or one of the audio."""
    beside = str(PurePosixPath(table).parent)
    audio = [file for file in files if is_audio(file)]
    wrapping = common_folders(audio) if audio else []
    roots = ["/".join(wrapping[:n]) or "." for n in range(len(wrapping) + 1)]
    return [None, *(root for root in dict.fromkeys(roots) if root != beside)]


def _load_manifest(table: Path, columns: Columns, root: Path | None) -> Layout:
    fields: dict[str, Any] = {} if root is None else {"root": root}
    if renamed := columns.renamed():
        fields["columns"] = renamed
    labels = f"the table {table.name}"
    return Layout.of(Manifest, table, fields | columns.fields, labels, notes=columns.notes)


def _read(source: AudioSource, notes: list[str]) -> Table | None:
    """Return a table with all columns, or None; a missing package is worth a note."""
    try:
        return _whole(source)
    except EnvironmentMissingError as exc:
        notes.append(f"{exc.message}, so it was not read.")
    except DatasetError:
        return None
    return None


def _whole(source: AudioSource) -> Table:
    return read_table(source, read_table(source, ()).columns, lists=True)
