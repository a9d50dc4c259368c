"""How a dataset lies on disk: which loader reads it, and what that cannot know.

Every candidate is tried with the loader itself, so that what is found is what a run will load. What
is sure comes first: published layouts, metadata and manifests that name their columns, annotations
beside recordings, folders, and last the names of files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.folder import FolderDataset
from audioclf.builtin.loaders.zip import ZipDataset
from audioclf.dataset.listing import is_archive, list_files
from audioclf.dataset.path_labels import common_folders, is_audio, shown
from audioclf.dataset.sources import Listing
from audioclf.starters.first_config.annotations import find_annotations
from audioclf.starters.first_config.file_names import (
    Choice,
    are_folds,
    are_groups,
    known_names,
    read_names,
)
from audioclf.starters.first_config.found import Found
from audioclf.starters.first_config.tables import TABLES, find_table, manifest_of

if TYPE_CHECKING:
    from audioclf.plugin import Loader

_MAX_SHOWN = 6


def find_layout(path: Path) -> Found:
    """Return how a folder, a zip archive or a table is read.

    Raises
    ------
    DatasetError
        If there is no audio, or nothing says what the classes are.
    """
    if path.suffix.lower() in TABLES and path.is_file():
        return manifest_of(path)
    listing = list_files(path)
    doubts: list[str] = []
    found = find_table(path, listing, doubts) or find_annotations(path, listing, doubts)
    if found is None:
        found = _by_folders_or_names(path, listing)
    return replace(found, doubts=(*doubts, *found.doubts))


def _by_folders_or_names(path: Path, listing: Listing) -> Found:
    audio = [each for each, _ in listing.entries if is_audio(each)]
    wrapping = common_folders(audio) if audio else []
    ids = ["/".join(each.split("/")[len(wrapping) :]) for each in audio]
    known = known_names(ids) if ids else None
    if known is not None:
        labels = f"the file names, which are those of {known.name}"
        return _with_pattern(path, known.pattern, labels)
    folders = {each.partition("/")[0] for each in ids} if all("/" in each for each in ids) else None
    if not folders:
        if any("/" in each for each in ids):
            return _by_folders(path)  # files beside class folders: the loader says so
        folder = wrapping[-1] if wrapping else ""
        return _by_names(path, ids, "", folder=folder) if ids else _by_folders(path)
    if are_folds(sorted(folders)):
        return _below(path, ids, "fold", "numbered folds")
    if are_groups(sorted(folders)):
        return _below(path, ids, "group", "named as speakers, sites or days")
    return _by_folders(path)


def _loader(path: Path, **fields: Any) -> Loader:
    cls = ZipDataset if is_archive(path) else FolderDataset
    return cls(path=path, **fields)


def _found(path: Path, labels: str, fields: Mapping[str, Any], **more: Any) -> Found:
    loader = _loader(path, **fields)
    written = {"type": loader.type_name(), "path": path, **fields}
    return Found(loader.load(), written, labels, **more)


def _by_folders(path: Path) -> Found:
    found = _found(path, "the folders: one for each class", {})
    if any(clip.fold is not None for clip in found.dataset):
        return replace(found, labels="the folders below the published split: one for each class")
    return found


def _with_pattern(path: Path, pattern: str, labels: str, **more: Any) -> Found:
    return _found(path, labels, {"label_pattern": pattern}, **more)


def _below(path: Path, ids: Sequence[str], role: str, what: str) -> Found:
    """Read labels below folders that are no classes: from the next folders, or from the names."""
    doubt = (
        f"The outermost folders are {what}, so they are taken as the {role} and not as the class. "
        "If they are the classes, leave out label_pattern."
    )
    start = f"^(?P<{role}>[^/]+)/"
    if all(each.count("/") >= 2 for each in ids):
        return _with_pattern(
            path, f"{start}(?P<label>[^/]+)/", "the second folders", doubts=(doubt,)
        )
    reading = read_names(ids)
    if role == "group" and reading.choice is None and not reading.others:
        told = (
            f"The folders are {what}, and nothing else names a class, so they are taken as the "
            "classes, as for telling speakers or sites apart."
        )
        return replace(_by_folders(path), doubts=(told,))
    return _by_names(path, ids, start, doubts=(doubt,))


def _by_names(
    path: Path,
    ids: Sequence[str],
    start: str,
    doubts: tuple[str, ...] = (),
    folder: str = "",
) -> Found:
    reading = read_names(ids)
    if reading.choice is None:
        raise _unclear(path, ids, [_joined(start, each) for each in reading.others], folder)
    choice = _joined(start, reading.choice)
    others = tuple(_joined(start, each) for each in reading.others)
    guess = (
        "A GUESS: no folder and no table says what the classes are, so they are taken from the "
        "names of the files: the first word that repeats."
    )
    return _with_pattern(
        path, choice.pattern, "the file names, a guess", doubts=(guess, *doubts), others=others
    )


def _joined(start: str, choice: Choice) -> Choice:
    if not start:
        return choice
    rest = choice.pattern.removeprefix("(?:^|/)")
    return replace(choice, pattern=f"{start}(?:.*/)?{rest}")


def _unclear(
    path: Path, ids: Sequence[str], choices: Sequence[Choice], folder: str
) -> DatasetError:
    one = f" (all lie in one, {folder!r})" if folder else ""
    looked = f"{path}: nothing says what the classes are: no folder for each class{one}, no table"
    names = shown(sorted(ids), most=3)
    if not choices:
        return DatasetError(
            f"{looked}, and no word that repeats in the names of {len(ids):,} audio files, such "
            f"as {names}",
            hint="Put the recordings of each class into a folder of its own, at least two clips "
            "each, or list them in a table with the columns path and label.",
        )
    listed = "".join(
        f"\n  label_pattern: {_quoted(each.pattern)}  # {shown(each.values, most=_MAX_SHOWN)}"
        for each in choices
    )
    return DatasetError(
        f"{looked}, and the names of {len(ids):,} audio files, such as {names}, can be read in "
        f"more than one way:{listed}",
        hint="Copy a config (audioclf configs show spoken_digits --out my.yaml), and put one of "
        "these below `dataset`.",
    )


def _quoted(pattern: str) -> str:
    return "'" + re.sub("'", "''", pattern) + "'"
