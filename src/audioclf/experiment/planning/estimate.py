"""A plan as data, and the small laws by which a little is carried over to much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage of a run would take.

    Parameters
    ----------
    name : str
        "load", "features", "evaluate" or "report", as in the record of a run.
    seconds : float
        Wall-clock time.
    memory : int
        Bytes of all processes together at the stage's peak.
    disk : int
        Bytes that the stage writes, temporary files included.
    """

    name: str
    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class RunPlan:
    """What a run would take, and the facts behind it.

    Parameters
    ----------
    stages : tuple of Stage
        In the order of the run.
    n_clips, n_pipelines, n_fits : int
    rows_per_fit : int
        Clips on the largest training side.
    columns : dict of str to int
        Width of the design matrix of each featurizer.
    mapped : tuple of str
        Featurizers whose design matrix would stand in a temporary file instead of in memory.
    jobs : int
    n_probed, n_unreadable : int
        Clips that were decoded for the plan, and those of them that cannot be used.
    cached : float
        Share of the probed clips whose features are all in the cache, in [0, 1].
    warnings : tuple of str
        What would go wrong, each with what to do about it.
    """

    stages: tuple[Stage, ...]
    n_clips: int
    n_pipelines: int
    n_fits: int
    rows_per_fit: int
    columns: dict[str, int]
    mapped: tuple[str, ...]
    jobs: int
    n_probed: int
    n_unreadable: int
    cached: float
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Time of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def memory(self) -> int:
        """Memory of the stage that needs most."""
        return max(stage.memory for stage in self.stages)

    @property
    def disk(self) -> int:
        """Disk of all stages."""
        return sum(stage.disk for stage in self.stages)


def outcome(plan: RunPlan, seconds: Mapping[str, float], peak_memory: int) -> dict[str, Any]:
    """Put what was predicted beside what happened, for the record of a run.

    Parameters
    ----------
    plan : RunPlan
    seconds : mapping of str to float
        What each stage took, by its name; stages that are not there are left out.
    peak_memory : int
        Bytes of all processes together.

    Examples
    --------
    >>> foretold = RunPlan((Stage("load", 2.0, 512, 0),), 1, 1, 1, 1, {}, (), 1, 1, 0, 0.0)
    >>> found = outcome(foretold, {"load": 1.5}, 400)
    >>> found["seconds"]
    {'load': {'predicted': 2.0, 'actual': 1.5}}
    >>> found["memory"]
    {'predicted': 512, 'actual': 400}
    """
    pairs = {
        stage.name: {"predicted": round(stage.seconds, 3), "actual": seconds[stage.name]}
        for stage in plan.stages
        if stage.name in seconds
    }
    return {"seconds": pairs, "memory": {"predicted": plan.memory, "actual": peak_memory}}


def parallel_seconds(seconds_each: float, count: float, jobs: int) -> float:
    """Return how long equal pieces of work take together, such as chunks or fits.

    The jobs are taken to divide the work evenly, but no piece itself.

    >>> parallel_seconds(2.0, 10, 4), parallel_seconds(2.0, 1, 4), parallel_seconds(2.0, 0, 4)
    (5.0, 2.0, 0.0)
    """
    return seconds_each * max(count / jobs, min(count, 1.0))


def power_law(points: Sequence[tuple[int, float]], target: int) -> float:
    """Carry times at small sizes over to another by seconds = a * size**b.

    Parameters
    ----------
    points : sequence of (int, float)
        Sizes in ascending order, with their seconds. The last three give b, held in [0, 3]; the
        last one gives a. One point alone has b = 1.
    target : int
        The size that is asked for.

    Examples
    --------
    >>> power_law([(10, 1.0), (20, 4.0)], 40), power_law([(10, 1.0)], 40)
    (16.0, 4.0)
    """
    size, seconds = points[-1]
    exponent = 1.0
    if len(points) > 1:
        sizes, times = np.log(np.maximum(points[-3:], 1e-9)).T
        exponent = round(float(np.polyfit(sizes, times, 1)[0]), 6)
    return float(seconds * (target / size) ** min(3.0, max(0.0, exponent)))


def straight_line(points: Sequence[tuple[int, float]], target: int) -> float:
    """Carry two values over to another size by a line that does not fall.

    >>> straight_line([(10, 1.0), (20, 3.0)], 40), straight_line([(10, 1.0), (20, 0.5)], 40)
    (7.0, 0.5)
    """
    (small, low), (large, high) = points
    slope = max(0.0, (high - low) / (large - small)) if large > small else 0.0
    return high + slope * (target - large)


def human_bytes(size: float) -> str:
    """Return a size in binary units.

    >>> human_bytes(900), human_bytes(5 << 20), human_bytes(3 << 29)
    ('900 B', '5.0 MiB', '1.5 GiB')
    """
    for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.{1 if size < 100 * factor else 0}f} {unit}"
    return f"{round(size)} B"


def human_seconds(seconds: float) -> str:
    """Return a time in the unit that people use.

    >>> human_seconds(0.25), human_seconds(75), human_seconds(9000), human_seconds(300_000)
    ('0.2 s', '75 s', '2.5 h', '3.5 days')
    """
    if seconds < 120:
        return f"{seconds:.{1 if seconds < 10 else 0}f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
