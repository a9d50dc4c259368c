"""Whole text files of moderate size from untrusted sources.

Text is UTF-8, with or without a byte order mark; other content is an error that names its kind.
Sizes are checked before reading, and only regular files are opened.
"""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

from audioclf.base.errors import DatasetError, DecodeError
from audioclf.dataset.path_labels import full_path
from audioclf.dataset.sources import AudioSource, FileSource, RemoteSource, ZipSource

MAX_BYTES = 64 << 20
"""Largest size of a table in bytes."""


def suffix_of(source: AudioSource) -> str:
    """Return the extension of a file in lower case, of a URL without its query."""
    name = source.name
    if isinstance(source, RemoteSource):
        name = name.partition("?")[0]
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


def read_bytes(source: AudioSource) -> bytes:
    """Return a whole file of moderate size.

    Raises
    ------
    DatasetError
        If it is missing, not a regular file, unreadable, or larger than `MAX_BYTES`.
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
    status = source.path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise DatasetError(f"{full_path(source.path)} is {kind}; expected a table")
    return status.st_size


def check_size(name: str, size: int) -> None:
    """Check that a table has at most `MAX_BYTES`.

    Raises
    ------
    DatasetError
        If it has more.
    """
    if size > MAX_BYTES:
        raise DatasetError(
            f"{name}: a table of more than {MAX_BYTES >> 20} MiB",
            hint="Remove the columns that are not needed, or divide it.",
        )


def read_text(source: AudioSource) -> str:
    """Return the text of a UTF-8 file, without its byte order mark.

    Raises
    ------
    DatasetError
        As `read_bytes`, and if it is not UTF-8 text.
    """
    return _text(read_bytes(source), source.name)


def _text(content: bytes, name: str) -> str:
    if content.startswith(b"version https://git-lfs"):
        raise DatasetError(
            f"{name}: a Git LFS pointer, not the table itself", hint="Run `git lfs pull`."
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or _every_second_is_zero(content):
        raise DatasetError(f"{name}: UTF-16 text; expected UTF-8", hint=_SAVE_AS)
    if b"\0" in content:
        kind = "a zip archive or a spreadsheet" if content[:2] == b"PK" else "binary data"
        raise DatasetError(f"{name}: {kind}, not a text table")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise DatasetError(f"{name}, line {line}: not valid UTF-8", hint=_SAVE_AS) from exc


_SAVE_AS = "Save it again as UTF-8; spreadsheets call that CSV UTF-8."


def _every_second_is_zero(content: bytes) -> bool:
    head = content[:64]
    return len(head) > 3 and (not any(head[1::2]) or not any(head[::2]))
