"""File locks, for one writer at a time.

A lock of the operating system ends with its process, also when that is killed. The lock file itself
may remain and has no meaning.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from audioclf.base.system import lock_file

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}
_TRIES = 20


class FileLock:
    """A lock that this process holds until `release` or its end."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Release the lock and remove its file; a second call does nothing."""
        if self._descriptor is None:
            return
        # Removed while it is still locked: a waiting process then sees that the name is gone.
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def take_lock(path: Path) -> FileLock | None:
    """Lock a file, which is created if missing; return None if another process has locked it.

    A file system without locks (some network shares) grants every lock.
    """
    for _ in range(_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock_file(descriptor)
        except OSError as exc:
            if exc.errno in _TAKEN:
                os.close(descriptor)
                return None
        if _is_still_named(path, descriptor):
            with suppress(OSError):
                os.truncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
            return FileLock(path, descriptor)
        os.close(descriptor)
    return None


def lock_owner(path: Path) -> str:
    """Return a description of the process that holds a lock, for messages."""
    with suppress(OSError, ValueError):
        return f"process {int(path.read_text(encoding='ascii'))}"
    return "another process"


def _is_still_named(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
