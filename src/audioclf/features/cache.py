"""Cache on disk of features, results of audits and finished fits, found by their content.

`v3/` holds packs of entries (`cache_pack`, `cache_entry`). A pack is written to a temporary file,
renamed, and never changed, and the checksum of an entry is compared whenever it is read. So there
is no lock: any number of processes may share a folder, and after a kill or on a full disk an entry
is either whole or missing.

The checksum detects damage, not forgery: the folder belongs to the user. Nothing in an entry is
executed or unpickled.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from io import FileIO
from pathlib import Path
from typing import TypeVar

from audioclf.base.errors import ResultError
from audioclf.base.limits import GIB, MIB
from audioclf.base.locks import take_lock
from audioclf.features.cache_entry import Entry, is_whole, pack, unpack
from audioclf.features.cache_key import FORMAT
from audioclf.features.cache_pack import (
    PACK,
    TEMPORARY,
    CacheFile,
    PackIndex,
    Place,
    files_in,
    folders_in,
    grouped,
    read_entries,
    replace_packs,
    short_key,
    write_pack,
)

FOLDER_VARIABLE = "AUDIOCLF_CACHE_DIR"
"""Environment variable: the folder of the cache."""

DEFAULT_MAX_BYTES = 10 * GIB
"""Size above which a run that has added to the cache prunes it."""

_PENDING_BYTES = 8 * MIB
_PENDING_SECONDS = 1.0
_SMALL_BYTES = 8 * MIB
_MERGED_BYTES = 64 * MIB
_MOST_SMALL = 64
_MOST_OPEN = 32

_T = TypeVar("_T")

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
    """Contents of a cache, with the first and last time when it was used, in s since 1970.

    `outdated` entries are of an earlier format, which this version does not read.
    """

    entries: int
    bytes: int
    oldest: float | None
    newest: float | None
    outdated: int


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Number of entries that were read, and what was damaged and is now gone.

    `damaged`: the first 16 digits of the key of an entry; the name of a pack without a table.
    """

    checked: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Number of the entries that were removed, and their size in bytes."""

    entries: int
    bytes: int


class FeatureCache:
    """A folder of entries, shared by any number of threads and processes.

    `put` collects entries, of at most 8 MiB or one second, and `flush` writes them into a pack.
    Disk errors make no call fail: an unreadable entry is computed again, and if nothing can be
    written, `warning` gives the reason and the run goes on.

    Packs that were read remain open until `flush`. The folder is made by the first `flush`; files
    in it that are not of a cache are never touched. `close` holds it to `max_bytes`, if they are
    given.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = DEFAULT_MAX_BYTES) -> None:
        self._open: dict[str, FileIO] = {}
        self.folder = folder
        self.max_bytes = max_bytes
        self.hits = self.misses = self.damaged = self.written = 0
        self.failure: str | None = None
        self.warning: str | None = None
        self._root = folder / f"v{FORMAT}"
        self._index = _index_of(self._root)
        self._pending: dict[str, bytes] = {}
        self._pending_bytes, self._since = 0, 0.0
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[object, ...]:
        self.flush()
        return partial(FeatureCache, max_bytes=self.max_bytes), (self.folder,)

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None if there is none or it is damaged."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Return by key those entries that exist and are not damaged."""
        return self.read(keys, unpack)

    def read(self, keys: Sequence[str], unpack: Callable[[str, bytes], _T | None]) -> dict[str, _T]:
        """Return by key what `unpack` makes of the bytes of entries, None of damaged ones."""
        entries: dict[str, _T] = {}
        with self._lock:
            contents = {key: self._pending[key] for key in keys if key in self._pending}
            contents |= self._read([key for key in keys if key not in contents])
            for key, content in contents.items():
                entry = unpack(key, content)
                if entry is None:
                    self._index.forget(key)
                    self.damaged += 1
                else:
                    entries[key] = entry
            self.hits += len(entries)
            self.misses += len(keys) - len(entries)
        return entries

    def has(self, key: str) -> bool:
        """Return whether there is such an entry; this does not count as a use."""
        return bool(self._places([key]))

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry by the next `flush`, whole or not at all."""
        if self.failure is None:
            self.write(key, pack(key, entry))

    def write(self, key: str, content: bytes) -> None:
        """Store the bytes of an entry, of which the last 32 are the SHA-256 of all before."""
        if self.failure is not None:
            return
        now = time.monotonic()
        with self._lock:
            if not self._pending:
                self._pending_bytes, self._since = 0, now
            self._pending[key] = content
            self._pending_bytes += len(content)
            is_full = self._pending_bytes >= _PENDING_BYTES
            if is_full or now - self._since > _PENDING_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Write the collected entries into a pack, and close the packs that were read."""
        with self._lock:
            self._close_packs()
            entries, self._pending = self._pending, {}
            if not entries or self.failure is not None:
                return
            try:
                self._create_root()
                keys = [short_key(key) for key in entries]
                path = write_pack(self._root, keys, [*entries.values()])
            except OSError as exc:
                self.failure = str(exc.strerror or exc)
                reason = f"features are not cached: {self.failure}"
                self.warning = f"{self.folder}: {reason}; choose another folder with --cache-dir"
            else:
                self.written += len(entries)
                with suppress(OSError):
                    self._index.add(path)

    def can_write(self) -> bool:
        """Return whether packs may be written into the folder, which is made for it."""
        with suppress(OSError):
            self._create_root()
            return os.access(self._root, os.W_OK)
        return False

    def close(self) -> None:
        """Flush; if entries were stored, merge small packs, and prune to 90 % of the limit.

        Files that a killed process left half-written more than a day ago go as well.
        """
        self.flush()
        if not self.written:
            return
        try:
            self._merge()
            full = self.max_bytes is not None and self.stats().bytes > self.max_bytes
            self.prune(max_bytes=(self.max_bytes or 0) * 9 // 10 if full else None)
        except ResultError as exc:
            self.warning = self.warning or exc.message

    def stats(self) -> CacheStats:
        """Count the entries, those of earlier formats included."""
        with self._readable_errors():
            outdated = list(_outdated(self.folder))
            files = [*files_in(self._root, PACK), *outdated]
            return CacheStats(
                entries=sum(file.count() for file in files),
                bytes=sum(file.bytes for file in files),
                oldest=min((file.last_use for file in files), default=None),
                newest=max((file.last_use for file in files), default=None),
                outdated=len(outdated),
            )

    def verify(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> VerifyResult:
        """Read every entry of this format, and remove the damaged ones."""
        checked, damaged = 0, list[str]()
        with self._readable_errors():
            packs = sorted(files_in(self._root, PACK))
            for done, file in enumerate(packs, start=1):
                contents = list(read_entries(file.path))
                good = {key: content for key, content in contents if is_whole(content)}
                bad = [f"{key:016x}" for key, _ in contents if key not in good]
                bad = bad if contents else [file.path.name]
                if bad:
                    replace_packs(self._root, [file], good)
                checked += len(good) + len(bad)
                damaged += bad
                progress(done, len(packs))
        self._refresh(changed=True)
        return VerifyResult(checked, tuple(damaged))

    def prune(
        self, max_bytes: int | None = None, older_than_days: float | None = None
    ) -> PruneResult:
        """Remove the files used longest ago, and those half-written more than a day ago.

        All files together may have `max_bytes`; those not used for `older_than_days` go anyway.
        """
        now = time.time()
        since = -math.inf if older_than_days is None else now - older_than_days * _DAY
        with self._readable_errors():
            for file in files_in(self._root, TEMPORARY):
                if file.last_use < now - _DAY:
                    file.path.unlink(missing_ok=True)
            files = sorted([*files_in(self._root, PACK), *_outdated(self.folder)])
            excess = 0 if max_bytes is None else sum(file.bytes for file in files) - max_bytes
            removed = list(_first(files, since, excess))
            n_entries = sum(file.count() for file in removed)
            for file in removed:
                file.path.unlink(missing_ok=True)
        self._refresh(changed=True)
        return PruneResult(n_entries, sum(file.bytes for file in removed))

    def _read(self, keys: Sequence[str], *, again: bool = True) -> dict[str, bytes]:
        """Return the bytes of entries."""
        contents: dict[str, bytes] = {}
        places = self._places(keys)
        for key, (name, start, stop) in places.items():
            with suppress(OSError):
                stream = self._open.get(name) or self._opened(name)
                stream.seek(start)
                contents[key] = stream.read(stop - start)
        missing = [key for key in places if key not in contents]
        if missing and again:  # another process has merged or pruned their pack
            self._refresh(changed=True)
            contents |= self._read(missing, again=False)
        return contents

    def _opened(self, name: str) -> FileIO:
        if len(self._open) >= _MOST_OPEN:
            self._close_packs()
        stream = self._open[name] = FileIO(f"{self._root}{os.sep}{name}")
        if time.time() - os.fstat(stream.fileno()).st_mtime > _HOUR:
            with suppress(OSError):
                os.utime(self._root / name)  # the last use is noted once an hour
        return stream

    def __del__(self) -> None:
        self._close_packs()

    def _close_packs(self) -> None:
        for stream in self._open.values():
            stream.close()
        self._open.clear()

    def _places(self, keys: Sequence[str]) -> dict[str, Place]:
        places = self._index.find(keys)
        if len(places) == len(keys):
            return places
        self._refresh()
        return self._index.find(keys)

    def _refresh(self, *, changed: bool = False) -> None:
        with suppress(OSError):
            for path in self._index.refresh(changed=changed):
                self.damaged += 1
                path.unlink(missing_ok=True)

    def _merge(self) -> None:
        """Put many small packs into few, unless another process does so."""
        with self._readable_errors():
            small = [file for file in files_in(self._root, PACK) if file.bytes < _SMALL_BYTES]
            lock = take_lock(self._root / ".lock") if len(small) > _MOST_SMALL else None
            if lock is None:
                return
            try:
                groups = grouped(sorted(small), _MERGED_BYTES)
                for group in (files for files in groups if len(files) > 1):
                    by_time = sorted(group, key=lambda file: file.path.name)
                    entries = {k: v for file in by_time for k, v in read_entries(file.path)}
                    replace_packs(self._root, group, entries)
            finally:
                lock.release()

    def _create_root(self) -> None:
        if not self._root.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
        tag = self._root / "CACHEDIR.TAG"
        if not tag.exists():
            with suppress(FileExistsError), tag.open("xb") as stream:
                stream.write(_TAG)

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


@contextmanager
def opened_cache(folder: Path | None) -> Iterator[FeatureCache | None]:
    """Open a cache, which is flushed at the end; None without a folder."""
    cache = None if folder is None else FeatureCache(folder)
    try:
        yield cache
    finally:
        if cache is not None:
            cache.flush()


@lru_cache(maxsize=8)
def _index_of(root: Path) -> PackIndex:
    return PackIndex(root)


_OLD_ENTRY = re.compile(r"[0-9a-f]{64}\.npy")
_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# Results that audioclf has computed. They can be deleted at any time, and need no backup.
"""


def _outdated(folder: Path) -> Iterator[CacheFile]:
    """Yield the entries of earlier formats, one file each in a folder of its first two digits."""
    for version in folders_in(folder, re.compile("v[12]")):
        for shard in folders_in(version, re.compile("[0-9a-f]{2}")):
            for file in files_in(shard, _OLD_ENTRY):
                if file.path.name.startswith(shard.name):
                    yield file


def _first(files: Iterable[CacheFile], since: float, excess: int) -> Iterator[CacheFile]:
    """Yield files up to the first that is in use and no longer needed to make up the excess."""
    for file in files:
        if excess <= 0 and file.last_use >= since:
            return
        yield file
        excess -= file.bytes
