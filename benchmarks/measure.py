"""How the benchmarks measure: both sides of a row in turn, and the ratio pair by pair.

A machine whose speed drifts slows both sides of a pair, so only ratios mean anything. Seconds are
user + system CPU seconds of everything that a side starts, unless a row says "wall".
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Cost:
    """What one side took: seconds, and peak memory in MiB where it was a process.

    `cpu` has the CPU seconds where `seconds` are those of the clock.
    """

    seconds: float
    memory: float = 0.0
    cpu: float = 0.0


Side = Callable[[], Cost]


def cpu(call: Callable[[], Any]) -> Cost:
    start = time.process_time()
    call()
    return Cost(time.process_time() - start)


def wall(call: Callable[[], Any]) -> Cost:
    start = time.perf_counter()
    call()
    return Cost(time.perf_counter() - start)


def process(*command: str | Path, **variables: str) -> Cost:
    """Run a command to its end and return what the system counted for it.

    A shell stands between, because a child's peak of memory begins at that of its parent.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as scratch:
        counted = Path(scratch) / "counted"
        done = subprocess.run(
            [sys.executable, "-S", "-c", _COUNT, str(counted), *words],
            env={**os.environ, **ONE_THREAD, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        seconds, memory = map(float, counted.read_text().split())
    return Cost(seconds, memory)


_COUNT = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    file.write(f"{used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}")
sys.exit(done.returncode)
"""


def script(text: str, *arguments: str | Path, **variables: str) -> Cost:
    return process(sys.executable, "-W", "ignore", "-c", text, *arguments, **variables)


@dataclass(frozen=True)
class Row:
    """A line of the table.

    `clips` and `seconds` of sound are what one call works on; `goal` is the ratio to reach, and
    `memory_goal` the greatest share of the other's peak memory. A row of no rounds is one pair.
    """

    name: str
    ours: Side
    other: Side
    against: str
    goal: float | None = None
    memory_goal: float | None = None
    clips: int = 0
    seconds: float = 0.0
    rounds: float = 1.0
    note: Callable[[], str] = field(default=lambda: "")


HEADER = ("job", "ours", "against", "ratio [10 %, 90 %]", "goal", "clips/s", "x real time", "note")


def measured(row: Row, rounds: int) -> tuple[str, ...]:
    """Interleave both sides and return the cells of the line."""
    if row.rounds:
        row.ours(), row.other()
    n = max(2, round(rounds * row.rounds)) if row.rounds else 1
    pairs = [(row.ours(), row.other()) for _ in range(n)]
    mine, theirs = (statistics.median(c.seconds for c in side) for side in zip(*pairs, strict=True))
    ratios = sorted(b.seconds / a.seconds for a, b in pairs)
    ratio = statistics.median(ratios)
    spread = f"{ratio:.1f} [{ratios[n // 10]:.1f}, {ratios[-1 - n // 10]:.1f}]"
    memory, kept = _memory(row, pairs)
    reached = row.goal is None or ratio >= row.goal
    goal = "" if row.goal is None else f"{row.goal:g} {'yes' if reached and kept else 'NO'}"
    rate = f"{row.clips / mine:,.0f}" if row.clips else ""
    speed = f"{row.seconds / mine:,.0f}" if row.seconds else ""
    note = "; ".join(part for part in (memory, row.note()) if part)
    against = f"{row.against}: {human(theirs)}"
    return (row.name, human(mine), against, spread, goal, rate, speed, note)


def _memory(row: Row, pairs: Sequence[tuple[Cost, Cost]]) -> tuple[str, bool]:
    if not pairs[0][0].memory:
        return "", True
    share = statistics.median(a.memory / b.memory for a, b in pairs)
    most = statistics.median(a.memory for a, _ in pairs)
    kept = row.memory_goal is None or share <= row.memory_goal
    goal = "" if row.memory_goal is None else f" (goal {row.memory_goal:.2g})"
    return f"{most:.0f} MiB, {share:.2f} of the other{goal}", kept


def human(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.2g} us"


def print_row(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def unpacked(archive: Path, target: Path) -> Path:
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(target)
    return target
