"""Files of the cache that hold many entries each; they are written once and never changed.

A pack holds entries one after the other, a table of their keys and positions, and a footer with the
number of rows and a checksum of the table. Its name begins with the time when it was made: of two
entries with one key, that of the later pack counts.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Table = NDArray[np.void]

PACK = re.compile(r"[0-9a-f]{16}-[0-9a-f]{32}\.pack")
TEMPORARY = re.compile(r"\.[0-9a-f]{16}-[0-9a-f]{32}\.pack\.[0-9]+\.tmp")
_ROW = np.dtype([("key", "<u8"), ("start", "<u8"), ("stop", "<u8")])
_MAGIC = b"audioclf"
_FOOTER_BYTES = 8 + 32 + len(_MAGIC)
_ROW_BITS = 32

_MANY = 256
"""Packs above which a folder is listed at most a twentieth of the time, unless one was missing."""


@dataclass(frozen=True, order=True)
class CacheFile:
    """A file of the cache; the one used longest ago, in s since 1970, sorts first."""

    last_use: float
    path: Path
    bytes: int

    def count(self) -> int:
        """Return the number of entries, 0 for a damaged pack; other files are one entry."""
        if PACK.fullmatch(self.path.name) is None:
            return 1
        with suppress(FileNotFoundError):
            table = read_table(self.path)
            return 0 if table is None else len(table)
        return 0


class Place(NamedTuple):
    """Where an entry is: bytes `start` to `stop` of a pack."""

    pack: str
    start: int
    stop: int


def short_key(key: str) -> int:
    """Return the first 8 bytes of a key, by which tables are searched; entries hold all of it."""
    return int(key[:16], 16)


def write_pack(
    folder: Path, keys: Sequence[int], contents: Sequence[bytes], made: int | None = None
) -> Path:
    """Write entries into a new pack, whole or not at all; `made` in ns since 1970, default now."""
    table = np.zeros(len(keys), dtype=_ROW)
    table["key"] = keys
    table["stop"] = np.cumsum([len(content) for content in contents])
    table["start"][1:] = table["stop"][:-1]
    rows = table.tobytes()
    footer = len(keys).to_bytes(8, "little") + hashlib.sha256(rows).digest() + _MAGIC
    target = folder / f"{made or time.time_ns():016x}-{uuid4().hex}.pack"
    temporary = folder / f".{target.name}.{os.getpid()}.tmp"
    try:
        with temporary.open("xb") as stream:
            stream.writelines((*contents, rows, footer))
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return target


def read_table(path: Path) -> Table | None:
    """Return the keys and positions of a pack, or None if they are damaged."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - _FOOTER_BYTES))
        footer = stream.read()
        n_bytes = int.from_bytes(footer[:8], "little") * _ROW.itemsize
        begin = size - _FOOTER_BYTES - n_bytes
        if not footer.endswith(_MAGIC) or begin < 0:
            return None
        stream.seek(begin)
        rows = stream.read(n_bytes)
    return np.frombuffer(rows, _ROW) if hashlib.sha256(rows).digest() == footer[8:40] else None


def read_entries(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the short key and the bytes of each entry; nothing if the table is damaged."""
    table = read_table(path)
    if table is None:
        return
    with path.open("rb") as stream:
        for key, start, stop in table.tolist():
            stream.seek(start)
            yield key, stream.read(stop - start)


def replace_packs(folder: Path, packs: Sequence[CacheFile], entries: dict[int, bytes]) -> None:
    """Write entries of some packs into one that counts as their latest, and remove the packs."""
    if entries:
        made = max(int(pack.path.name[:16], 16) for pack in packs)
        new = write_pack(folder, list(entries), list(entries.values()), made)
        last_use = max(pack.last_use for pack in packs)
        os.utime(new, (last_use, last_use))
    for pack in packs:
        pack.path.unlink(missing_ok=True)


def files_in(folder: Path, name: re.Pattern[str]) -> Iterator[CacheFile]:
    """Yield the files with such names, none where there is no folder; links are not followed."""
    for entry in _entries(folder, name):
        if entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                yield CacheFile(status.st_mtime, Path(entry.path), status.st_size)


def grouped(files: Iterable[CacheFile], most_bytes: int) -> Iterator[list[CacheFile]]:
    """Yield files in groups of at most so many bytes, in their order."""
    group: list[CacheFile] = []
    for file in files:
        if group and sum(item.bytes for item in group) + file.bytes > most_bytes:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _names_in(folder: Path) -> set[str]:
    """Return the names of the packs, without a look at each."""
    entries = _entries(folder, PACK)
    return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}


def folders_in(folder: Path, name: re.Pattern[str]) -> Iterator[Path]:
    """Yield the folders with such names; links are not followed."""
    for entry in _entries(folder, name):
        if entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)


def _entries(folder: Path, name: re.Pattern[str]) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if name.fullmatch(entry.name))


class PackIndex:
    """Where the entries of a folder are. The table of each pack is read once.

    Other processes add and remove packs: `find` knows the folder as `refresh` saw it last.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._seen: int | None = None
        self._next_look = 0.0
        self._tables: list[tuple[str, Table]] = []
        self._rows: dict[int, int] = {}

    def find(self, keys: Iterable[str]) -> dict[str, Place]:
        """Return the places of those entries that were there at the last look."""
        with self._lock:
            numbers = {key: self._rows.get(short_key(key)) for key in keys}
            return {key: self._place(n) for key, n in numbers.items() if n is not None}

    def forget(self, key: str) -> None:
        """Do not find an entry until a later pack holds it."""
        with self._lock:
            self._rows.pop(short_key(key), None)

    def add(self, pack: Path) -> None:
        """Know a pack that has just been written, without a look at the folder."""
        with self._lock:
            self._add(pack.name, self._read(pack.name))

    def refresh(self, *, changed: bool = False) -> list[Path]:
        """Look at the folder if it has changed since the last look; return damaged packs."""
        with self._lock:
            try:
                now = self.folder.stat().st_mtime_ns
            except OSError:
                now = None
            if now == self._seen and not changed:
                return []
            begun = monotonic()
            if not changed and len(self._tables) > _MANY and begun <= self._next_look:
                return []
            self._seen = now
            names = _names_in(self.folder)
            known: dict[str, Table | None] = {**dict(self._tables)}
            new = {name: self._read(name) for name in names - known.keys()}
            if known.keys() - names:
                self._tables, self._rows = [], {}
                new |= {name: known[name] for name in names & known.keys()}
            for name in sorted(new):
                self._add(name, new[name])
            self._next_look = begun + 20 * (monotonic() - begun)
            return [self.folder / name for name, table in new.items() if table is None]

    def _place(self, number: int) -> Place:
        name, table = self._tables[number >> _ROW_BITS]
        _, start, stop = table.item(number & (2**_ROW_BITS - 1))
        return Place(name, start, stop)

    def _read(self, name: str) -> Table | None:
        with suppress(FileNotFoundError):
            return read_table(self.folder / name)
        return np.empty(0, _ROW)  # another process has just removed it

    def _add(self, name: str, table: Table | None) -> None:
        if table is not None:
            first = len(self._tables) << _ROW_BITS
            self._tables.append((name, table))
            numbers = range(first, first + len(table))
            self._rows.update(zip(table["key"].tolist(), numbers, strict=True))
