"""What the engines are given to do in the tests; workers import it from here."""

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audioclf.base.errors import FeatureError

KILLERS = (7, 23)
THROWER = 30


def square(x: int) -> int:
    return x * x


def scaled(x: int, shared: dict[str, Any]) -> float:
    return float(x * shared["factor"] + shared["offsets"][x % len(shared["offsets"])])


def slow_square(x: int) -> int:
    time.sleep(0.02)
    return x * x


def raising(kind: str) -> str:
    if kind == "ours":
        raise FeatureError("the clip is too short", hint="Leave it out.")
    if kind == "foreign":
        raise ValueError("no\nluck")
    if kind == "exit":
        sys.exit("done here")
    return kind


def first_waits(index: int, folder: Path) -> int:
    """Return at once, but item 0 only when the caller has made a file, or after half a minute."""
    mark = folder / "go on"
    deadline = time.monotonic() + 30
    while index == 0 and not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return index


def pid_of_worker(index: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def deadly(index: int) -> int:
    """Kill the worker for two items, raise for a third."""
    if index in KILLERS:
        os.kill(os.getpid(), signal.SIGKILL)
    if index == THROWER:
        raise ValueError("not this one")
    time.sleep(0.01)
    return index


def deadly_with(index: int, shared: Any) -> int:
    return deadly(int(shared[index]))


def leave(code: int | None) -> None:
    if code is not None:
        os._exit(code)


def noisy(index: int) -> str:
    print("this would break the answers")  # noqa: T201
    os.system("echo this too")
    return sys.stdin.read()


def threads_in_use(index: int) -> set[int]:
    import sklearn.utils  # noqa: F401
    import threadpoolctl

    assert np.ones((2, 2)).dot(np.ones(2)).sum() == 4
    return {library["num_threads"] for library in threadpoolctl.threadpool_info()}


def about(name: str, arrays: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a worker sees of a shared array."""
    array = arrays[name]
    base = array.base
    file = getattr(base, "filename", None) if isinstance(base, np.memmap) else None
    layout = (array.flags.c_contiguous, array.flags.f_contiguous)
    mapped = isinstance(base, np.memmap)
    return type(array), mapped, array.flags.writeable, layout, float(array.sum()), file


def surroundings(module: str) -> tuple[Any, ...]:
    """Return the folder, variables, and whether a module can be imported."""
    variables = (os.environ.get(name) for name in ("WHEN", "HOME", "OPENBLAS_NUM_THREADS"))
    return str(Path.cwd()), *variables, importlib.import_module(module) is not None


def random_number(index: int) -> float:
    return float(np.random.random())  # noqa: NPY002 - the one that plugins may use


def start_sleeper(index: int) -> int:
    return subprocess.Popen(["sleep", "600"]).pid


def unpicklable(index: int) -> Any:
    return (i for i in range(index))


def busy_for_ever(index: int, folder: str) -> None:
    """Leave the number of the process in the folder, and never return."""
    Path(folder, str(os.getpid())).touch()
    while True:
        sum(range(10_000))


def busy_or_square(x: int, folder: str) -> int:
    if x < 0:
        busy_for_ever(x, folder)
    return x * x


def deaf_for_ever(index: int, folder: str) -> None:
    """As `busy_for_ever`, and no other thread of the process gets a turn."""
    Path(folder, str(os.getpid())).touch()
    sum(range(10**13))


class Counting(Sequence[int]):
    """The numbers below n, counting how many were looked up."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.looked_up = 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: Any) -> Any:
        self.looked_up += 1
        return range(self.n)[index]

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("an engine must look up one item at a time")


def is_imported(name: str) -> bool:
    return name in sys.modules
