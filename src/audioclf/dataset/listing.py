"""Lists of the files in a folder, in a zip archive, or below a URL.

Symlinked files are read and symlinked folders are not entered, so there are no loops and no file
counts twice. Hidden and system files (`.DS_Store`, `._*`, `__MACOSX`, `Thumbs.db`, `desktop.ini`)
are ignored, as in a zip. Only folders and archives are opened, so a fifo cannot block. A broken
link or a special file with the name of an audio file is listed, so that reading it is an error.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from audioclf.base.errors import DatasetError
from audioclf.dataset.archive import open_archive
from audioclf.dataset.path_labels import count, full_path, ignored_note, is_audio, shown
from audioclf.dataset.remote import display_name
from audioclf.dataset.sources import FileSource, Listing, RemoteSource, ZipSource

_Kind = Literal["file", "folder", "hidden", "linked folder", "special"]

_SYSTEM_NAMES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


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
    """Return whether a path is that of a file, or a URL ends in `.zip`."""
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
    if isinstance(path, Path) and _is_folder(path, "zip archive"):
        hint = "Use `type: folder` for it."
        raise DatasetError(f"{full_path(path)} is a folder, not a zip archive", hint=hint)
    archive = open_archive(path)
    entries = tuple((member.name, ZipSource(member)) for member in archive.members)
    notes = (*filter(None, [archive.encoding_note]), *ignored_note(archive.hidden))
    return Listing(display_name(path), entries, notes)


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
    if not _is_folder(path, "folder"):
        hint = "Use `type: zip` for it." if path.suffix.lower() == ".zip" else None
        raise DatasetError(f"{full_path(path)} is a file, not a folder", hint=hint)
    by_kind = _walk(path)
    entries = tuple((name, FileSource(file)) for name, file in by_kind["file"])
    return Listing(str(path), entries, tuple(_notes(by_kind)))


def _unreadable(path: Path, exc: OSError | ValueError) -> DatasetError:
    return DatasetError(f"{full_path(path)}: {getattr(exc, 'strerror', None) or exc}")


def _is_folder(path: Path, expected: str) -> bool:
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    if not exists:
        raise DatasetError(f"no such {expected}: {full_path(path)}")
    return is_folder


def _walk(root: Path) -> dict[_Kind, list[tuple[str, Path]]]:
    """Return the entries below a folder by kind; names are relative, POSIX, NFC."""
    by_kind: dict[_Kind, list[tuple[str, Path]]] = {kind: [] for kind in get_args(_Kind)}
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        for entry in _entries(folder):
            name = prefix + unicodedata.normalize("NFC", entry.name)
            kind = _kind(entry)
            if kind == "special" and is_audio(name):
                kind = "file"
            by_kind[kind].append((name, Path(entry.path)))
            if kind == "folder":
                waiting.append((f"{name}/", Path(entry.path)))
    return by_kind


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
    except OSError:  # a symlink to itself, or no permission
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
            hint="Rename the file: the id of a clip is its name.",
        ) from exc


def _notes(by_kind: dict[_Kind, list[tuple[str, Path]]]) -> list[str]:
    linked = sorted(name for name, _ in by_kind["linked folder"])
    special = sorted(name for name, _ in by_kind["special"])
    hidden = [f"{name}/" if path.is_dir() else name for name, path in by_kind["hidden"]]
    notes = ignored_note(sorted(hidden))
    if linked:
        folders = count(len(linked), "symlinked folder", "symlinked folders")
        notes.append(f"ignored {folders}: {shown(linked)}")
    if special:
        entries = count(len(special), "entry that is", "entries that are")
        notes.append(f"ignored {entries} neither file nor folder: {shown(special)}")
    return notes
