"""Layout of a dataset on disk, and the loader that reads it.

Every candidate is tried with the loader itself, so a run loads the same. The most certain comes
first: published layouts, metadata and manifests that name their columns, annotations beside
recordings, folders, and last the names of files.
"""

from __future__ import annotations

import posixpath
import shlex
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.dataset.listing import is_archive, list_files
from audioclf.dataset.path_labels import UNREADABLE_SUFFIXES, common_folders, is_audio, shown
from audioclf.dataset.signatures import INSTALL_AV
from audioclf.dataset.sources import Listing
from audioclf.starters.first_config.annotations import find_annotations
from audioclf.starters.first_config.columns import Chosen
from audioclf.starters.first_config.names import are_folds, are_groups, find_convention, read_names
from audioclf.starters.first_config.results import LabelPattern, Layout
from audioclf.starters.first_config.tables import TABLES, find_table, is_output, manifest_of
from audioclf.starters.first_config.yaml_text import scalar

_MAX_SHOWN = 6
_MAX_TABLES = 8
_NOTHING = Chosen()
_PACKED = frozenset((".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"))
_SHEETS = frozenset((".xlsx", ".xls", ".ods", ".numbers"))


def find_layout(path: Path, chosen: Chosen = _NOTHING) -> Layout:
    """Return the layout of a folder, a zip archive or a table."""
    if path.suffix.lower() in TABLES and path.is_file():
        return manifest_of(path, chosen)
    _check_source(path)
    listing = list_files(path)
    notes: list[str] = []
    layout = find_table(path, listing, notes, chosen)
    layout = layout or find_annotations(path, listing, notes, chosen)
    if layout is None and not _tells_classes(listing):
        layout = find_table(path, listing, notes, chosen, by_values=True)
    if layout is None and chosen.columns:
        listed = ", ".join(f"--{role} {name}" for role, name in chosen.columns.items())
        problem = "\n  ".join((f"{path}: no table was found for {listed}", *dict.fromkeys(notes)))
        raise DatasetError(
            problem,
            hint="Without a table, the config names groups and classes by "
            "`label_pattern`: see `audioclf docs first_config`.",
        )
    if layout is None:
        try:
            layout = _by_folders_or_names(path, listing)
        except DatasetError as exc:
            more = [*dict.fromkeys(notes), *_other_files(path, listing, notes)]
            raise DatasetError("\n  ".join((exc.message, *more)), hint=exc.hint) from exc
    if chosen.root is not None and layout.fields["type"] != "manifest":
        notes.append("--root was not used: it is the folder of the files that a table lists.")
    if chosen.window is not None and layout.fields["type"] != "annotations":
        notes.append(
            "--window was not used: only recordings with annotations beside them are cut into "
            "windows here. `audio.duration` is the length that is read of each clip."
        )
    more = _other_files(path, listing, [layout.labels, *notes])
    return replace(layout, notes=(*dict.fromkeys(notes), *layout.notes, *more))


def _check_source(path: Path) -> None:
    """Refuse a single file that is no archive, with the next step."""
    name = shlex.quote(str(path))
    if not path.is_file() or path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return
    if is_audio(path.name) or _suffix(path.name) in UNREADABLE_SUFFIXES:
        raise DatasetError(
            f"{path} is one recording; classes are learned from several of each",
            hint=f"Name the folder of recordings (audioclf init {shlex.quote(str(path.parent))}), "
            f"or classify this one with a model (audioclf predict MODEL {name}).",
        )
    if _suffix(path.name) in _PACKED:
        raise DatasetError(
            f"{path} is an archive that is not read; folders and .zip files are",
            hint=f"Unpack it: mkdir sounds && tar -xf {name} -C sounds && audioclf init sounds",
        )
    if _suffix(path.name) in _SHEETS:
        raise DatasetError(
            f"{path} is a table that is not read; .csv and .tsv files are",
            hint="Save it as CSV, and name that file.",
        )
    raise DatasetError(
        f"{path} is neither a folder of recordings nor a zip archive, nor a table",
        hint="Name a folder, a .zip file, or a table that ends in .csv, .tsv or .jsonl.",
    )


def _suffix(file: str) -> str:
    return posixpath.splitext(file)[1].lower()


def _other_files(path: Path, listing: Listing, said: Sequence[str]) -> list[str]:
    """Return notes on sound that is not read, and on tables that no text in `said` names."""
    files = dict(listing.entries)
    suffixes = [_suffix(file) for file in files if not is_audio(file)]
    unread = Counter(suffix for suffix in suffixes if suffix in UNREADABLE_SUFFIXES)
    notes = []
    if unread:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in unread.most_common())
        notes.append(
            f"NOT READ, because audioclf alone does not read their formats: {kinds}. Convert them, "
            f"as in `ffmpeg -i x{next(iter(unread))} x.wav`, or {INSTALL_AV}. Then call init again."
        )
    names = {
        posixpath.basename(file)
        for file in files
        if _suffix(file) in {*TABLES, *_SHEETS} and not is_output(file, files)
    }
    tables = sorted(name for name in names if not any(name in text for text in said))
    if 0 < len(tables) <= _MAX_TABLES:
        sheets = any(_suffix(name) in _SHEETS for name in tables)
        save = " Save a spreadsheet as CSV first." if sheets else ""
        notes.append(
            f"Tables that were not used: {shown(tables, most=4)}. To take the classes from one: "
            f"audioclf init {shlex.quote(str(path))} --label COLUMN.{save}"
        )
    return notes


def _tells_classes(listing: Listing) -> bool:
    """Return whether folders or names of files tell the classes, so that no table is searched."""
    ids = _ids(listing)
    folders = sorted({file.partition("/")[0] for file in ids})
    if ids and all("/" in file for file in ids) and not are_folds(folders):
        return not are_groups(folders)
    return bool(ids) and (find_convention(ids) or read_names(ids).choice) is not None


def _ids(listing: Listing) -> list[str]:
    """Return the paths of audio files below the folders that wrap all of them."""
    audio = [file for file, _ in listing.entries if is_audio(file)]
    wrapping = len(common_folders(audio)) if audio else 0
    return ["/".join(file.split("/")[wrapping:]) for file in audio]


def _by_folders_or_names(path: Path, listing: Listing) -> Layout:
    audio = [file for file, _ in listing.entries if is_audio(file)]
    wrapping = common_folders(audio) if audio else []
    ids = ["/".join(file.split("/")[len(wrapping) :]) for file in audio]
    convention = find_convention(ids) if ids else None
    if convention is not None:
        labels = f"the file names, which are those of {convention.name}"
        return _load(path, labels, convention.pattern)
    folders = {file.partition("/")[0] for file in ids} if all("/" in file for file in ids) else None
    if not folders:
        if any("/" in file for file in ids):
            return _by_folders(path)  # the loader reports the files beside class folders
        folder = wrapping[-1] if wrapping else ""
        return _by_names(path, ids, "", folder=folder) if ids else _by_folders(path)
    if are_folds(sorted(folders)):
        return _below(path, ids, "fold", "numbered folds")
    if are_groups(sorted(folders)):
        return _below(path, ids, "group", "named as speakers, sites, machines or days")
    return _by_folders(path)


def _load(path: Path, labels: str, pattern: str | None = None, **more: Any) -> Layout:
    fields = {} if pattern is None else {"label_pattern": pattern}
    kind = ZipDataset if is_archive(path) else FolderDataset
    return Layout.of(kind, path, fields, labels, **more)


def _by_folders(path: Path) -> Layout:
    layout = _load(path, "the folders: one for each class")
    if any(clip.fold is not None for clip in layout.dataset):
        return replace(layout, labels="the folders below the published split: one for each class")
    return layout


def _below(path: Path, ids: Sequence[str], role: str, kind: str) -> Layout:
    """Read labels below folders that are no classes: from the next folders, or from the names."""
    note = (
        f"The outermost folders are {kind}, so they are used as the {role} and not as the class. "
        "If they are the classes, leave out label_pattern."
    )
    start = f"^(?P<{role}>[^/]+)/"
    if all(file.count("/") >= 2 for file in ids):
        return _load(path, "the second folders", f"{start}(?P<label>[^/]+)/", notes=(note,))
    reading = read_names(ids)
    if role == "group" and reading.choice is None and not reading.others:
        note = (
            f"The folders are {kind}, and nothing else names a class, so they are used as the "
            "classes, as in speaker or site recognition."
        )
        return replace(_by_folders(path), notes=(note,))
    return _by_names(path, ids, start, notes=(note,))


def _by_names(
    path: Path, ids: Sequence[str], start: str, notes: tuple[str, ...] = (), folder: str = ""
) -> Layout:
    reading = read_names(ids)
    if reading.choice is None:
        raise _unclear(path, ids, [_joined(start, other) for other in reading.others], folder)
    choice = _joined(start, reading.choice)
    others = tuple(_joined(start, other) for other in reading.others)
    guess = (
        "A GUESS: there are no class folders and no table, so the classes are read from the names "
        "of the files: the first word that repeats."
    )
    labels = "the file names, a guess"
    return _load(path, labels, choice.pattern, notes=(guess, *notes), others=others)


def _joined(start: str, choice: LabelPattern) -> LabelPattern:
    if not start:
        return choice
    rest = choice.pattern.removeprefix("(?:^|/)")
    return replace(choice, pattern=f"{start}(?:.*/)?{rest}")


def _unclear(
    path: Path, ids: Sequence[str], choices: Sequence[LabelPattern], folder: str
) -> DatasetError:
    one = f" (all lie in one, {folder!r})" if folder else ""
    problem = f"{path}: no classes found: no folder for each class{one}, no table"
    names = shown(sorted(ids), most=3)
    if not choices:
        return DatasetError(
            f"{problem}, and no word that repeats in the names of {len(ids):,} audio files, such "
            f"as {names}",
            hint="Put the recordings of each class into a folder of its own, at least two clips "
            "each, or list them in a table with the columns path and label.",
        )
    listed = "".join(
        f"\n  label_pattern: {scalar(choice.pattern)}  # {shown(choice.values, most=_MAX_SHOWN)}"
        for choice in choices
    )
    return DatasetError(
        f"{problem}, and the names of {len(ids):,} audio files, such as {names}, can be read in "
        f"more than one way:{listed}",
        hint="Copy a config (audioclf configs show spoken_digits --out my.yaml), and put one of "
        "these below `dataset`.",
    )
