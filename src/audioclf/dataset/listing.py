"""What lies in a folder, in a zip archive, or below a URL: names and where their bytes are.

Symlinked files are read, symlinked folders are not entered: so nothing loops and no file counts
twice. Hidden and system files (`.DS_Store`, `._*`, `__MACOSX`, `Thumbs.db`, `desktop.ini`) are
passed over, as in a zip. Nothing is opened here but folders and archives, so a fifo cannot block.
What is named as audio and is no file, such as a link that leads nowhere, is listed all the same: it
is refused where it is read, and not lost without a word.
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

from audioclf.base.errors import DatasetError
from audioclf.dataset.archive import open_archive
from audioclf.dataset.path_labels import count, full_path, ignored_note, is_audio, shown
from audioclf.dataset.remote import display_name
from audioclf.dataset.sources import FileSource, RemoteSource, ZipSource

if TYPE_CHECKING:
    from audioclf.dataset.sources import AudioSource

_Kind = Literal["file", "folder", "hidden", "linked folder", "special"]

_SYSTEM_NAMES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


@dataclass(frozen=True)
class Listing:
    """All files of a dataset, audio or not.

    Parameters
    ----------
    name : str
        What messages call it: its path, or its URL without credentials.
    entries : tuple of (path, source)
        Paths are relative, POSIX, NFC.
    notes : tuple of str
        What was passed over.
    """

    name: str
    entries: tuple[tuple[str, AudioSource], ...]
    notes: tuple[str, ...] = ()


def list_files(path: Path | str) -> Listing:
    """Return the files in a folder or in a zip archive, whichever it is, or below a URL.

    Raises
    ------
    DatasetError
        If there is no such folder or archive, or it cannot be read.
    """
    if is_archive(path):
        return list_archive(path)
    if isinstance(path, Path) and not path.exists():
        raise DatasetError(f"no such folder or zip archive: {full_path(path)}")
    return list_folder(path)


def is_archive(path: Path | str) -> bool:
    """Tell whether a path is that of a file, or a URL ends in `.zip`."""
    if isinstance(path, str):
        return urlsplit(path).path.lower().endswith(".zip")
    try:
        return path.is_file()
    except (OSError, ValueError) as exc:
        raise _unreadable(path, exc) from exc


def list_archive(path: Path | str) -> Listing:
    """Return the files in a zip archive.

    Raises
    ------
    DatasetError
        If it is missing, damaged or not a zip.
    """
    archive = open_archive(path)
    entries = tuple((each.name, ZipSource(each)) for each in archive.members)
    return Listing(display_name(path), entries, tuple(ignored_note(archive.hidden)))


def list_folder(path: Path | str) -> Listing:
    """Return the files below a folder.

    Raises
    ------
    DatasetError
        If it is missing or cannot be read.
    """
    if isinstance(path, str):
        files = RemoteSource.below(path)
        kept = [entry for entry in files if not any(map(_is_hidden, entry[0].split("/")))]
        names = {name for name, _ in kept}
        hidden = [name for name, _ in files if name not in names]
        return Listing(display_name(path), tuple(kept), tuple(ignored_note(sorted(hidden))))
    _check_is_folder(path)
    found = _walk(path)
    entries = tuple((name, FileSource(each)) for name, each in found["file"])
    return Listing(str(path), entries, tuple(_notes(found)))


def _unreadable(path: Path, exc: OSError | ValueError) -> DatasetError:
    return DatasetError(f"{full_path(path)}: {getattr(exc, 'strerror', None) or exc}")


def _check_is_folder(path: Path) -> None:
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as exc:
        raise _unreadable(path, exc) from exc
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
            if kind == "special" and is_audio(name):
                kind = "file"
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
    hidden = [f"{name}/" if path.is_dir() else name for name, path in found["hidden"]]
    notes = ignored_note(sorted(hidden))
    if linked:
        folders = count(len(linked), "symlinked folder was", "symlinked folders were")
        notes.append(f"{folders} not entered: {shown(linked)}")
    if special:
        entries = count(len(special), "entry is", "entries are")
        notes.append(f"{entries} neither file nor folder, passed over: {shown(special)}")
    return notes
