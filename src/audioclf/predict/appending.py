"""Files that are appended to, and can be cut back to their last complete part."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

_LINES_PER_WRITE = 256


def in_blocks(text: Iterable[str]) -> Iterator[str]:
    """Yield a few hundred lines at a time."""
    lines: list[str] = []
    for line in text:
        lines.append(line)
        if len(lines) == _LINES_PER_WRITE:
            yield "".join(lines)
            lines = []
    if lines:
        yield "".join(lines)


def write_aside(target: Path, parts: Iterable[str]) -> None:
    """Write a file beside its name, then rename it, so that it is complete or absent."""
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with aside.open("wb") as stream:
            for part in parts:
                stream.write(encoded(part))
        aside.replace(target)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


class CutBackFile:
    """A file that is appended to, and can be cut back to the last commit."""

    def __init__(self, path: Path) -> None:
        # Unbuffered, so that nothing is written after a failure.
        self._file = FileIO(path, "a")
        self.size = self._committed = self._file.seek(0, os.SEEK_END)

    def write(self, text: str) -> None:
        """Append text."""
        data = memoryview(encoded(text))
        while data:
            written = self._file.write(data)
            self.size += written
            data = data[written:]

    def commit(self) -> None:
        """Keep what was written so far."""
        self._committed = self.size

    def roll_back(self) -> None:
        """Cut back to the last commit, if the system lets us."""
        with suppress(OSError):
            self.cut_back(self._committed)

    def cut_back(self, size: int) -> None:
        """Shorten the file to a number of bytes."""
        self._file.truncate(size)
        self.size = self._committed = size

    def close(self) -> None:
        """Write the file to the disk and close it."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def encoded(text: str) -> bytes:
    """Return text as it stands in a file; half characters of file names are escaped."""
    return text.encode("utf-8", "backslashreplace")
