"""Layout of a dataset on disk, and the loader that reads it.

Every candidate is tried with the loader itself, so a run loads the same. The most certain comes
first: published layouts, metadata and manifests that name their columns, annotations beside
recordings, folders, and last the names of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.dataset.listing import is_archive, list_files
from audioclf.dataset.path_labels import common_folders, is_audio, shown
from audioclf.dataset.sources import Listing
from audioclf.starters.first_config.annotations import find_annotations
from audioclf.starters.first_config.names import are_folds, are_groups, find_convention, read_names
from audioclf.starters.first_config.results import LabelPattern, Layout
from audioclf.starters.first_config.tables import TABLES, find_table, manifest_of
from audioclf.starters.first_config.yaml_text import scalar

_MAX_SHOWN = 6


def find_layout(path: Path) -> Layout:
    """Return the layout of a folder, a zip archive or a table."""
    if path.suffix.lower() in TABLES and path.is_file():
        return manifest_of(path)
    listing = list_files(path)
    notes: list[str] = []
    layout = find_table(path, listing, notes) or find_annotations(path, listing, notes)
    if layout is None:
        try:
            layout = _by_folders_or_names(path, listing)
        except DatasetError as exc:
            raise DatasetError("\n  ".join((exc.message, *notes)), hint=exc.hint) from exc
    return replace(layout, notes=(*notes, *layout.notes))


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
        return _below(path, ids, "group", "named as speakers, sites or days")
    return _by_folders(path)


def _load(path: Path, labels: str, pattern: str | None = None, **more: Any) -> Layout:
    fields = {} if pattern is None else {"label_pattern": pattern}
    loader = (ZipDataset if is_archive(path) else FolderDataset)(path=path, **fields)
    written = {"type": loader.type_name(), "path": path, **fields}
    return Layout(loader.load(), written, labels, **more)


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
