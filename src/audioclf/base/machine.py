"""Facts about the machine: cores, memory, numeric threads, versions of libraries."""

from __future__ import annotations

import gc
import os
import platform
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

from audioclf.base.system import available_cores as available_cores
from audioclf.base.system import (
    free_memory,
    keep_freed_memory,
    peak_memory_used,
    process_memory,
    reset_peak_memory,
)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Environment variables that BLAS and OpenMP libraries read when they are loaded."""

_ADAPTED = ("cupy", "dask", "pandas", "pytest", "torch")
"""Libraries that scikit-learn has adapters or test tools for; each of these imports its library."""

_CGROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_memory() -> int:
    """Return the bytes of memory that this process may still use, by the system and its cgroup."""
    free = [free_memory()]
    for limit, used in _CGROUP_FILES:
        with suppress(OSError, ValueError):
            limited, taken = (Path(path).read_text(encoding="ascii") for path in (limit, used))
            free.append(int(limited) - int(taken))
    return max(0, min(free))


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
    before = process_memory("VmRSS") if reset_peak_memory() else None
    yield result
    after = process_memory("VmHWM")
    if before is not None and after is not None:
        result.grown = max(0, after - before)


_highest = 0


def _remember_peak() -> None:
    global _highest
    _highest = max(_highest, process_memory("VmHWM") or 0)


def peak_memory() -> int:
    """Return the most bytes that this process held, and the largest worker process beside it."""
    _remember_peak()
    own, child = peak_memory_used()
    return (_highest or own) + child


def limit_threads_at_start() -> None:
    """Limit BLAS and OpenMP, before they are loaded, to one thread each.

    With more, matrix products differ in their last bits from machine to machine and between
    serial and parallel work. A variable that is set already is left alone.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


@contextmanager
def single_threaded() -> Iterator[None]:
    """Hold BLAS and OpenMP to one thread, also where they are loaded already; keep freed memory.

    The limit is one for the whole process, so it is set around a run and never around a call.
    """
    import threadpoolctl

    keep_freed_memory()
    with lean_imports():  # the limit reaches only libraries that are loaded
        import sklearn.utils  # noqa: F401

    limit_threads_at_start()
    with threadpoolctl.threadpool_limits(1):
        yield


def collect_garbage_rarely() -> None:
    """Let the garbage collector look at the objects of many clips seldom.

    By its defaults it takes 1 s of a run of 10,000 clips, and a third of that with these.
    """
    gc.set_threshold(20_000, 10, 10)


@contextmanager
def rare_gc() -> Iterator[None]:
    """Collect garbage rarely while the body runs."""
    before = gc.get_threshold()
    collect_garbage_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def lean_imports() -> Iterator[None]:
    """Let libraries appear not to be installed that others import only for their adapters.

    Nothing here uses them: pandas takes 0.3 s, PyTorch longer than the rest of a prediction. One
    that is loaded already stays, and other threads import them as ever.
    """
    finder = _Absent()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Absent(MetaPathFinder):
    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if fullname in _ADAPTED and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(fullname, name=fullname)


def versions_behind(distributions: Iterable[str], more: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python, of these distributions and their direct requirements.

    `more`: distributions without their requirements.
    """
    places = import_path()
    names = {*distributions, *more}.union(*(_installed(n, places)[1] for n in distributions))
    versions = {"python": platform.python_version()}
    for name in sorted(names):
        if version := _installed(name, places)[0]:
            versions[name] = version
    return versions


def import_path() -> tuple[tuple[str, int], ...]:
    """Return the places of `sys.path` and when they changed, on which depends what is installed."""
    return tuple((place, _changed(place)) for place in sys.path)


def _changed(place: str) -> int:
    try:
        return Path(place or ".").stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _installed(name: str, _: tuple[tuple[str, int], ...]) -> tuple[str, frozenset[str]]:
    """Return the version of a distribution, empty if there is none, and what it requires."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return "", frozenset()
    return distribution.version, frozenset(map(_name, distribution.requires or ()))


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def platform_name() -> str:
    """Return operating system, processor type and Python implementation."""
    return f"{platform.system()} {platform.machine()} {sys.implementation.name}"
