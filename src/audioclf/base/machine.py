"""Facts about the machine: cores, memory, numeric threads, versions of libraries."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Environment variables that BLAS and OpenMP libraries read when they are loaded."""

_CGROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Return the bytes of memory that this process may still use, by the system and its cgroup."""
    free = [_free_memory()]
    for limit, used in _CGROUP_FILES:
        with suppress(OSError, ValueError):
            free.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
    return max(0, min(free))


def _free_memory() -> int:
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return pages * size // 2


@dataclass
class PeakMemory:
    """Result of `peak_memory_meter`.

    `grown`: greatest growth of the resident memory of the process since the start, in bytes; None
    before the end, and on systems other than Linux.
    """

    grown: int | None = None


@contextmanager
def peak_memory_meter() -> Iterator[PeakMemory]:
    """Measure by how much this process grows at most while the body runs; never raises itself.

    Memory of other threads counts too; memory that earlier work left free for reuse does not. The
    process's high-water mark (`VmHWM`, the `ru_maxrss` of `getrusage`) is reset here.
    """
    result = PeakMemory()
    _remember_peak()
    before = _resident_before_peak()
    yield result
    after = _status_bytes("VmHWM")
    if before is not None and after is not None:
        result.grown = max(0, after - before)


_highest = 0


def _remember_peak() -> None:
    global _highest
    _highest = max(_highest, _status_bytes("VmHWM") or 0)


def peak_memory() -> int:
    """Return the most bytes that this process held, and the largest worker process beside it."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    _remember_peak()
    own = _highest or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def _resident_before_peak() -> int | None:
    """Reset the high-water mark and return the resident memory in bytes."""
    try:
        # 5 resets the peak resident set size, see proc_pid_clear_refs(5).
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _status_bytes("VmRSS")


def _status_bytes(name: str) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024
    return None


def limit_threads_at_start() -> None:
    """Limit BLAS and OpenMP, before they are loaded, to one thread each.

    With more, matrix products differ in their last bits from machine to machine and between
    serial and parallel work. A variable that is set already is left alone.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Hold BLAS and OpenMP to one thread, also where they are loaded already.

    The limit is one for the whole process, so it is set around a run and never around a call.
    """
    # The limit reaches only libraries that are loaded.
    import sklearn.utils  # noqa: F401
    import threadpoolctl

    limit_threads_at_start()
    with threadpoolctl.threadpool_limits(1):
        yield


def versions_behind(distributions: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, of these distributions, and of their direct requirements."""
    names = set(distributions)
    for name in tuple(names):
        with suppress(metadata.PackageNotFoundError):
            names |= {_name(requirement) for requirement in metadata.requires(name) or ()}
    versions = {"python": platform.python_version()}
    for name in sorted(names):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def platform_name() -> str:
    """Return operating system, processor type and Python implementation."""
    return f"{platform.system()} {platform.machine()} {sys.implementation.name}"
