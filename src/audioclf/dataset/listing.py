"""Lists of the files in a folder, in a zip archive, or below a URL.

Symlinked files are read and symlinked folders are not entered, so there are no loops and no file
counts twice. Hidden and system files (`.DS_Store`, `._*`, `__MACOSX`, `Thumbs.db`, `desktop.ini`)
are ignored, as in a zip. Only folders and archives are opened, so a fifo cannot block. A broken
link or a special file with the name of an audio file is listed, so that reading it is an error.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from audioclf.base.errors import DatasetError
from audioclf.dataset.archive import open_archive
from audioclf.dataset.path_labels import count, full_path, ignored, ignored_note, is_audio, shown
from audioclf.dataset.remote import display_name
from audioclf.dataset.sources import FileSource, Listing, RemoteSource, ZipSource
from audioclf.dataset.zip_encoding import is_utf8

_Kind = Literal["file", "folder", "hidden", "linked folder", "special"]

_SYSTEM_NAMES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))

_HERE = os.path.join(os.curdir, "")  # noqa: PTH118
"""Begin of paths below the working folder, which `Path` leaves out."""


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


def list_folder(path: Path | str, *, any_names: bool = False) -> Listing:
    """Return the files below a folder.

    Parameters
    ----------
    path : Path or str
        A folder; a string is a URL.
    any_names : bool
        Whether names of audio files on disk may be other bytes than UTF-8.

    Raises
    ------
    DatasetError
        If it is missing or cannot be read, or an audio file has a name that is refused.
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
    if not any_names:
        _check_utf8(file for name, file in by_kind["file"] if is_audio(name))
    entries = tuple((name, FileSource(file)) for name, file in by_kind["file"])
    links = _links(sorted(name for name, _ in by_kind["linked folder"]))
    return Listing(str(path), entries, tuple(_notes(by_kind, links)), links)


def _links(linked: Sequence[str]) -> str:
    if not linked:
        return ""
    folders = count(len(linked), "symlinked folder", "symlinked folders")
    return (
        f"ignored {folders}: {shown(linked)}; links to folders are not followed: move or copy the "
        "folders there, or list their files in a table (`type: manifest`)"
    )


def find_file(folder: Path, path: str) -> Path | None:
    """Return the file with this path below a folder, or None.

    Names are equal if they are equal in NFC, as in the listing of a folder or an archive.
    """
    file = folder / path
    if not path.isascii() and not _is_file(file):
        file = folder
        for part in Path(path).parts:
            file = _same_name(file, part) or file / part
    return file if _is_file(file) else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or no permission
        return False


def _same_name(folder: Path, name: str) -> Path | None:
    wanted = unicodedata.normalize("NFC", name)
    try:
        exact = folder / name
        if name.isascii() or exact.exists():
            return exact
        stamp = folder.stat().st_mtime_ns
    except (OSError, ValueError):
        return None
    return _names(folder, stamp).get(wanted)


@lru_cache(maxsize=256)
def _names(folder: Path, stamp: int) -> dict[str, Path]:
    """Return the entries of a folder by name in NFC; they hold for its time of change."""
    try:
        return {unicodedata.normalize("NFC", file.name): file for file in folder.iterdir()}
    except OSError:
        return {}


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


def _walk(root: Path) -> dict[_Kind, list[tuple[str, str]]]:
    """Return the entries below a folder by kind; names are relative, POSIX, NFC."""
    by_kind: dict[_Kind, list[tuple[str, str]]] = {kind: [] for kind in get_args(_Kind)}
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        for entry in _entries(folder):
            name = prefix + unicodedata.normalize("NFC", entry.name)
            kind = _kind(entry)
            if kind == "special" and is_audio(name):
                kind = "file"
            by_kind[kind].append((name, entry.path.removeprefix(_HERE)))
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


def _check_utf8(files: Iterable[str]) -> None:
    bad = sorted(file for file in files if not is_utf8(os.fsencode(file)))
    if bad:
        names = count(len(bad), "file name is", "file names are")
        raise DatasetError(
            f"{names} not valid UTF-8: {shown([str(os.fsencode(file)) for file in bad])}",
            hint="Rename the files or their folders: the id of a clip is its name.",
        )


def _notes(by_kind: dict[_Kind, list[tuple[str, str]]], links: str) -> list[str]:
    special = sorted(name for name, _ in by_kind["special"])
    hidden = [f"{name}/" if Path(path).is_dir() else name for name, path in by_kind["hidden"]]
    kinds = ("entry that is neither file nor folder", "entries that are neither file nor folder")
    return [*ignored_note(sorted(hidden)), *filter(None, [links]), *ignored(special, *kinds)]
