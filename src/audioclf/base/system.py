"""Calls that differ between Linux, macOS and Windows; no other module makes them."""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn, cast

LINUX = sys.platform == "linux"
WINDOWS = os.name == "nt"

_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _KEPT_ARRAY_BYTES = 32 << 20, 8 << 20
_BUFFERED = frozenset({io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom})
_UNWRITTEN = 120
"""Exit code of Python itself where output cannot be written at its end."""
_ASSUMED_MEMORY = 2 << 30
"""Free bytes where the system does not tell."""


def lock_file(descriptor: int) -> None:
    """Lock an open file without waiting; OSError if another process has locked it."""
    if WINDOWS:
        msvcrt = import_module("msvcrt")
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl = import_module("fcntl")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def own_process_group() -> dict[str, Any]:
    """Return options of Popen for a process that Ctrl-C in the terminal does not reach."""
    if WINDOWS:
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"process_group": 0}


def kill_group(pid: int) -> None:
    """Kill a process with `own_process_group` and, except on Windows, those that it started."""
    if WINDOWS:
        os.kill(pid, signal.SIGTERM)  # which cannot be handled there
    else:
        os.killpg(pid, signal.SIGKILL)


def end_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends.

    On other systems the end of the pipe does it, unless a library holds the interpreter's lock.
    """
    if LINUX:
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)


def end_process(code: int) -> NoReturn:
    """End this process, with what was registered for its end, but without waiting for threads.

    Python would take all modules and objects apart first, 0.3-0.5 s after a large run. Files that
    a plugin has left open are written here as there.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - `os._exit` does not
    for file in (item for item in gc.get_objects() if type(item) in _BUFFERED):
        with suppress(Exception):  # closed, read only, or a full disk
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe may never be read
                file.flush()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = code or _UNWRITTEN
    os._exit(code)


def count_threads() -> int:
    """Return the number of threads of this process, also those of libraries; Linux only."""
    return len([*Path("/proc/self/task").iterdir()])


def path_of_open_file(file: IO[bytes]) -> str | None:
    """Return a path by which other processes open the same file, without a name; None if none."""
    return f"/proc/{os.getpid()}/fd/{file.fileno()}" if LINUX else None


def file_in_memory() -> BinaryIO | None:
    """Return a file without a name that is in memory alone; None if the system has none."""
    if not LINUX:
        return None
    try:
        return os.fdopen(os.memfd_create("audioclf"), "w+b")
    except (AttributeError, OSError):  # a Python for an old C library has no such function
        return None


@contextmanager
def file_to_share() -> Iterator[tuple[str, BinaryIO]]:
    """Make a file that other processes can map; yield its path and the file.

    On Linux, a file in memory without a name: unlike /dev/shm it has no limit but memory itself,
    and nothing is left of it when this process is killed.
    """
    in_memory = file_in_memory()
    if in_memory is not None:
        with in_memory:
            yield str(path_of_open_file(in_memory)), in_memory
        return
    # Windows opens a temporary file a second time only if it is not removed when it is closed.
    with tempfile.NamedTemporaryFile(prefix="audioclf-", delete=False) as named:
        try:
            yield named.name, cast("BinaryIO", named)
        finally:
            named.close()
            with suppress(OSError):
                Path(named.name).unlink()


def open_without_waiting(path: str, flags: int) -> int:
    """Open a file for `open(opener=...)`; a fifo would wait for a writer without this flag."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def keep_freed_memory() -> None:
    """Let the C library keep the memory of arrays that are freed for those that follow.

    It would return them to the system after each clip; to get their pages again takes a tenth of
    the time of features. Nothing happens with another library than that of GNU.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if LINUX else None
    if set_option is not None:
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        set_option(_M_MMAP_THRESHOLD, _KEPT_ARRAY_BYTES)


def reserve(file: IO[bytes], n_bytes: int) -> None:
    """Take room on the disk for a file; OSError if there is not enough."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, n_bytes)
    else:
        file.truncate(n_bytes)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory() -> int:
    """Return the bytes of memory that are free, without those that a cgroup takes away."""
    with suppress(OSError, ValueError, IndexError):
        return _kilobytes("/proc/meminfo", "MemAvailable")
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    status = _MemoryStatus(ctypes.sizeof(_MemoryStatus))
    windll = getattr(ctypes, "windll", None)
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return _ASSUMED_MEMORY
    return int(status.available)


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        ("total", ctypes.c_ulonglong),
        ("available", ctypes.c_ulonglong),
        ("rest", ctypes.c_ulonglong * 5),
    )


def process_memory(name: str) -> int | None:
    """Return a line of Linux's /proc/self/status in bytes, such as VmRSS; None elsewhere."""
    with suppress(OSError, ValueError, IndexError):
        return _kilobytes("/proc/self/status", name)
    return None


def reset_peak_memory() -> bool:
    """Let VmHWM begin again with the resident memory; return whether the system can."""
    try:
        # 5 resets the peak resident set size, see proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_memory_used() -> tuple[int, int]:
    """Return the peak memory of this process and of its largest child, in bytes; 0 if unknown."""
    try:
        resource: Any = import_module("resource")
    except ImportError:
        return 0, 0
    unit = 1 if sys.platform == "darwin" else 1024
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(who).ru_maxrss * unit for who in whose)
    return own, child


def _kilobytes(path: str, name: str) -> int:
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
