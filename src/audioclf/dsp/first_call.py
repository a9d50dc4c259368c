"""Calls of code that is compiled when it is first used, in one process at a time."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audioclf.base.locks import FileLock, take_lock

MAX_WAIT = 300.0
"""Longest time in s that a process waits for another one, which may hang."""

_ready: set[str] = set()
_held = threading.local()


@contextmanager
def compiled_by_one(package: str, part: str) -> Iterator[None]:
    """Let one process of this user at a time enter, until a call of the part has ended in it.

    Numba stores the compiled code of a package for all processes. Processes that compile it at the
    same time can crash; the ones that wait load it instead. Without a folder for the lock file no
    process waits.
    """
    if part in _ready or getattr(_held, "held", False):
        yield
        return
    lock = _wait_for(package)
    _held.held = True
    try:
        yield
        _ready.add(part)
    finally:
        _held.held = False
        if lock is not None:
            lock.release()


def lock_path(package: str) -> Path:
    """Return the lock file of a package, one for each environment."""
    from platformdirs import user_cache_path

    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]
    return user_cache_path("audioclf", appauthor=False) / f"compiling-{package}-{environment}.lock"


def _wait_for(package: str) -> FileLock | None:
    path = lock_path(package)
    end = time.monotonic() + MAX_WAIT
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while (lock := take_lock(path)) is None and time.monotonic() < end:
            time.sleep(0.05)
    except OSError:
        return None
    return lock
