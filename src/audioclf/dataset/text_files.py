"""Whole files of moderate size, above all text, that strangers wrote.

Text is UTF-8, with or without a byte order mark; anything else is refused in words that say what it
is. Sizes are compared before anything is read, and nothing but a regular file is opened.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

from audioclf.base.errors import DatasetError, DecodeError
from audioclf.dataset.path_labels import full_path
from audioclf.dataset.sources import AudioSource, FileSource, RemoteSource, ZipSource

MAX_BYTES = 64 << 20
"""Size of a table in bytes."""


def suffix_of(source: AudioSource) -> str:
    """Return the ending of a file's name in lower case, of a URL without its query."""
    name = source.name
    if isinstance(source, RemoteSource):
        name = name.partition("?")[0]
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


def read_bytes(source: AudioSource) -> bytes:
    """Return a whole file of moderate size.

    Raises
    ------
    DatasetError
        If it is missing, no regular file, unreadable, or larger than `MAX_BYTES`.
    """
    try:
        check_size(source.name, _known_size(source))
        with source.open() as stream:
            content = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise DatasetError(f"no such file: {full_path(Path(source.name))}") from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise DatasetError(f"{source.name}: {reason}") from exc
    except DecodeError as exc:
        raise DatasetError(exc.message, hint=exc.hint) from exc
    check_size(source.name, len(content))
    return content


def _known_size(source: AudioSource) -> int:
    if isinstance(source, ZipSource):
        return source.member.size
    if not isinstance(source, FileSource):
        return 0
    found = source.path.stat()
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise DatasetError(f"{full_path(source.path)} is {what}, and a table is expected")
    return found.st_size


def check_size(name: str, size: int) -> None:
    """Refuse a table of more than `MAX_BYTES`.

    Raises
    ------
    DatasetError
        It names the table.
    """
    if size > MAX_BYTES:
        raise DatasetError(
            f"{name}: a table of more than {MAX_BYTES >> 20} MiB",
            hint="Leave out the columns that are not needed, or divide it.",
        )


def read_text(source: AudioSource) -> str:
    """Return the text of a UTF-8 file, without its byte order mark.

    Raises
    ------
    DatasetError
        As `read_bytes`, and if it is no UTF-8 text.
    """
    return _text(read_bytes(source), source.name)


def _text(content: bytes, name: str) -> str:
    if content.startswith(b"version https://git-lfs"):
        raise DatasetError(
            f"{name}: a Git LFS pointer, not the table itself", hint="Run `git lfs pull` for it."
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or _every_second_is_zero(content):
        raise DatasetError(f"{name}: UTF-16 text, and UTF-8 is expected", hint=_SAVE_AS)
    if b"\0" in content:
        what = "a zip archive or a spreadsheet" if content[:2] == b"PK" else "binary data"
        raise DatasetError(f"{name}: holds NUL bytes: it is {what}, not a text table")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise DatasetError(f"{name}, line {line}: not valid UTF-8", hint=_SAVE_AS) from exc


_SAVE_AS = "Save it once more as UTF-8; spreadsheets call that CSV UTF-8."


def _every_second_is_zero(content: bytes) -> bool:
    head = content[:64]
    return len(head) > 3 and (not any(head[1::2]) or not any(head[::2]))
