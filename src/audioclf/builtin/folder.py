"""A dataset in a folder, on disk or behind a URL.

Symlinked files are read, symlinked folders are not entered: so nothing loops and no clip counts
twice. Hidden and system files (`.DS_Store`, `._*`, `__MACOSX`, `Thumbs.db`, `desktop.ini`) are
passed over, as in a zip. Nothing is opened here but folders, so a fifo cannot block.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from audioclf.builtin.labels import LabelPattern, count, full_path, label_clips, shown
from audioclf.plugin import (
    DatasetError,
    FileSource,
    InputPath,
    Loader,
    RemoteSource,
    display_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audioclf.plugin import AudioSource, Dataset

    _Found = tuple[Sequence[tuple[str, AudioSource]], list[str]]
    """Names below the folder with their sources, and what is to be noted."""

_Kind = Literal["file", "folder", "hidden", "linked folder", "special"]

_SYSTEM_NAMES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


class FolderDataset(Loader):
    """A folder with one folder per class.

    The audio files lie in `<class>/`, or in `train/<class>/` and `test/<class>/`, below any
    number of wrapping folders.
    """

    type: Literal["folder"] = "folder"

    path: InputPath
    """The folder, relative to the config file, or its URL."""

    label_pattern: LabelPattern | None = None
    """Regular expression that is searched for in each clip's id, its path below the folders that
    wrap all audio files. The named group `label` is the class; `group` and `fold` are optional.
    Null takes the class from the folder. Example: `^(?P<label>\\d)_(?P<group>[a-z]+)_`."""

    def load(self) -> Dataset:
        """Return the audio files below the folder as clips, without opening them.

        Raises
        ------
        DatasetError
            If the folder is missing or cannot be read, holds no audio, or if a file in it has no
            label.
        """
        entries, notes = _local(self.path) if isinstance(self.path, Path) else _remote(self.path)
        return label_clips(
            entries,
            name=display_name(self.path),
            label_pattern=self.label_pattern,
            notes=notes,
        )


def _remote(url: str) -> _Found:
    found = RemoteSource.below(url)
    return [entry for entry in found if not any(map(_is_hidden, entry[0].split("/")))], []


def _local(path: Path) -> _Found:
    _check_is_folder(path)
    found = _walk(path)
    return [(name, FileSource(path)) for name, path in found["file"]], _notes(found)


def _check_is_folder(path: Path) -> None:
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as exc:
        raise DatasetError(f"{full_path(path)}: {exc.strerror or exc}") from exc
    if is_folder:
        return
    if not exists:
        raise DatasetError(f"no such folder: {full_path(path)}")
    hint = "Use `type: zip` for it." if path.suffix.lower() == ".zip" else None
    raise DatasetError(f"{full_path(path)} is a file, not a folder", hint=hint)


def _walk(root: Path) -> dict[_Kind, list[tuple[str, Path]]]:
    """Return what lies below a folder by kind; names are relative to it, POSIX, NFC."""
    found: dict[_Kind, list[tuple[str, Path]]] = {kind: [] for kind in get_args(_Kind)}
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        for entry in _entries(folder):
            name = prefix + unicodedata.normalize("NFC", entry.name)
            kind = _kind(entry)
            found[kind].append((name, Path(entry.path)))
            if kind == "folder":
                waiting.append((f"{name}/", Path(entry.path)))
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as exc:
        reason = exc.strerror or exc
        raise DatasetError(f"{full_path(folder)}: the folder cannot be read: {reason}") from exc


def _kind(entry: os.DirEntry[str]) -> _Kind:
    if _is_hidden(entry.name):
        return "hidden"
    _check_utf8(entry)
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_dir():
            return "linked folder"
        return "file" if entry.is_file() else "special"
    except OSError:  # a symlink that leads to itself, or out of sight
        return "special"


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _check_utf8(entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise DatasetError(
            f"{full_path(Path(entry.path).parent)}: the file name {os.fsencode(entry.name)!r} "
            "is not valid UTF-8",
            hint="Rename the file; clips are known by their names.",
        ) from exc


def _notes(found: dict[_Kind, list[tuple[str, Path]]]) -> list[str]:
    linked = sorted(name for name, _ in found["linked folder"])
    special = sorted(name for name, _ in found["special"])
    notes = []
    if linked:
        folders = count(len(linked), "symlinked folder was", "symlinked folders were")
        notes.append(f"{folders} not entered: {shown(linked)}")
    if special:
        entries = count(len(special), "entry is", "entries are")
        notes.append(f"{entries} neither file nor folder, passed over: {shown(special)}")
    return notes
