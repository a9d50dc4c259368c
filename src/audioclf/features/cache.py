"""Feature cache on disk: entries found by the clip's bytes, the configuration and the code.

An entry is one file, `v2/<2 digits>/<key>.npy`, which `numpy.load` reads; `cache_entry` describes
its bytes. It is written to a temporary file and renamed, and its checksum is compared whenever it
is read. So there is no lock and no index: any number of processes may share a folder, and after a
kill or on a full disk an entry is either whole or missing.

The checksum detects damage, not forgery: the folder belongs to the user. Nothing in an entry is
executed or unpickled.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple
from uuid import uuid4

from audioclf.base.errors import ResultError
from audioclf.base.limits import GIB
from audioclf.features.cache_entry import Entry, pack, unpack
from audioclf.features.cache_key import FORMAT

FOLDER_VARIABLE = "AUDIOCLF_CACHE_DIR"
"""Environment variable: the folder of the cache."""

DEFAULT_MAX_BYTES = 10 * GIB
"""Size above which a run that has added to the cache prunes it."""

_HOUR = 3600.0
_DAY = 24 * _HOUR


def default_folder() -> Path:
    """Return the folder of `AUDIOCLF_CACHE_DIR`, or the one where this system keeps caches."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("audioclf", appauthor=False)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Contents of a cache, with the first and last time when an entry was used, in s since 1970.

    `outdated` entries are of another format, which this version does not read.
    """

    entries: int
    bytes: int
    oldest: float | None
    newest: float | None
    outdated: int


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Number of entries that were read, and keys of those that were damaged and are now gone."""

    checked: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Number of the entries that were removed, and their size in bytes."""

    entries: int
    bytes: int


class FeatureCache:
    """A folder of entries, shared by any number of threads and processes.

    Disk errors make neither `get` nor `put` fail: an unreadable entry is computed again, and if
    nothing can be written, `warning` gives the reason and the run goes on.

    The folder is made by the first `put`; files in it that are no entries are never touched.
    `close` holds it to `max_bytes`, if they are given.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.hits = self.misses = self.damaged = self.written = 0
        self.warning: str | None = None
        self._root = folder / f"v{FORMAT}"
        self._lock = threading.Lock()

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None if there is none; a damaged one is removed."""
        path = self._path(key)
        try:
            content, last_use = _read(path)
        except OSError:
            self._count("misses")
            return None
        entry = unpack(key, content)
        with suppress(OSError):
            if entry is None:
                path.unlink()
            elif time.time() - last_use > _HOUR:  # the time of the last use is noted once an hour
                os.utime(path)
        self._count(*(("misses", "damaged") if entry is None else ("hits",)))
        return entry

    def has(self, key: str) -> bool:
        """Return whether there is such an entry; this does not count as a use."""
        return self._path(key).is_file()

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry, whole or not at all."""
        if self.warning is not None:
            return
        content = pack(key, entry)
        try:
            self._store(key, content)
        except OSError as exc:
            reason = f"features are not cached: {exc.strerror or exc}"
            self._warn(f"{self.folder}: {reason}; choose another folder with --cache-dir")
        else:
            self._count("written")

    def close(self) -> None:
        """Prune to 90 % of the limit if this object has stored entries and it is exceeded.

        Files that a killed process left half-written more than a day ago go as well.
        """
        if not self.written:
            return
        try:
            full = self.max_bytes is not None and self.stats().bytes > self.max_bytes
            self.prune(max_bytes=(self.max_bytes or 0) * 9 // 10 if full else None)
        except ResultError as exc:
            self._warn(exc.message)

    def stats(self) -> CacheStats:
        """Count the entries, those of other formats included."""
        files = self._files(_ENTRY)
        uses = [file.last_use for file in files]
        return CacheStats(
            entries=len(files),
            bytes=sum(file.bytes for file in files),
            oldest=min(uses, default=None),
            newest=max(uses, default=None),
            outdated=sum(file.format != FORMAT for file in files),
        )

    def verify(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> VerifyResult:
        """Read every entry of this format, and remove the damaged ones."""
        files = [file for file in self._files(_ENTRY) if file.format == FORMAT]
        damaged = []
        for done, file in enumerate(files, start=1):
            with self._readable_errors():
                sound = _is_sound(file)
            if not sound:
                self._remove([file])
                damaged.append(file.path.stem)
            progress(done, len(files))
        return VerifyResult(len(files), tuple(damaged))

    def prune(
        self, max_bytes: int | None = None, older_than_days: float | None = None
    ) -> PruneResult:
        """Remove the entries used longest ago, and files half-written more than a day ago.

        All entries together may have `max_bytes`; those not used for `older_than_days` go anyway.
        """
        now = time.time()
        self._remove([file for file in self._files(_TEMPORARY) if file.last_use < now - _DAY])
        files = sorted(self._files(_ENTRY))
        since = -math.inf if older_than_days is None else now - older_than_days * _DAY
        excess = 0 if max_bytes is None else sum(file.bytes for file in files) - max_bytes
        removed = list(_first(files, since, excess))
        self._remove(removed)
        return PruneResult(len(removed), sum(file.bytes for file in removed))

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.npy"

    def _count(self, *counters: str) -> None:
        with self._lock:
            for counter in counters:
                setattr(self, counter, getattr(self, counter) + 1)

    def _warn(self, text: str) -> None:
        with self._lock:
            self.warning = self.warning or text

    def _store(self, key: str, content: bytes) -> None:
        target = self._path(key)
        temporary = target.with_name(f".{key}.{os.getpid()}.{uuid4().hex}.tmp")
        try:
            with self._create(temporary) as stream:
                stream.write(content)
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def _create(self, path: Path) -> BinaryIO:
        try:
            return path.open("xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError), (self._root / "CACHEDIR.TAG").open("xb") as tag:
                tag.write(_TAG)
            return path.open("xb")

    def _files(self, name: re.Pattern[str]) -> list[_File]:
        with self._readable_errors():
            return list(_walk(self.folder, name))

    def _remove(self, files: Iterable[_File]) -> None:
        with self._readable_errors():
            for file in files:
                file.path.unlink(missing_ok=True)

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            where, reason = exc.filename or self.folder, exc.strerror or exc
            raise ResultError(
                f"{where}: the cache cannot be read or changed: {reason}",
                hint="Correct its permissions, or choose another folder with --cache-dir.",
            ) from exc


_ENTRY = re.compile(r"[0-9a-f]{64}\.npy")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.[0-9]+\.[0-9a-f]{32}\.tmp")
_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# Features that audioclf has computed. They can be deleted at any time, and need no backup.
"""


class _File(NamedTuple):
    """A file of the cache; when sorted, the one used longest ago comes first."""

    last_use: float
    path: Path
    bytes: int
    format: int


def _walk(folder: Path, name: re.Pattern[str]) -> Iterator[_File]:
    """Yield the files with such a name in a folder of two digits of a format; follow no link."""
    for version in _folders(folder, re.compile(r"v[0-9]{1,9}")):
        for shard in _folders(version, re.compile(r"[0-9a-f]{2}")):
            for entry in _matching(shard, name):
                is_ours = entry.name.lstrip(".").startswith(shard.name)
                if is_ours and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        number = int(version.name[1:])
                        yield _File(status.st_mtime, Path(entry.path), status.st_size, number)


def _folders(folder: Path, name: re.Pattern[str]) -> list[Path]:
    entries = _matching(folder, name)
    return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _matching(folder: Path, name: re.Pattern[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if name.fullmatch(entry.name)]
    except FileNotFoundError:
        return []


def _first(files: Iterable[_File], since: float, excess: int) -> Iterator[_File]:
    """Yield files up to the first that is in use and no longer needed to make up the excess."""
    for file in files:
        if excess <= 0 and file.last_use >= since:
            return
        yield file
        excess -= file.bytes


def _is_sound(file: _File) -> bool:
    try:
        content, _ = _read(file.path)
    except FileNotFoundError:
        return True  # another process has just removed it
    return unpack(file.path.stem, content) is not None


def _read(path: Path) -> tuple[bytes, float]:
    """Return the content and the time of the last use."""
    with path.open("rb") as stream:
        return stream.read(), os.fstat(stream.fileno()).st_mtime
