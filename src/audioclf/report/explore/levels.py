"""Lengths and levels of each class, and what the files are, as rows of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit.decoding import CLIPPED_SHARE, SILENT_DB
from audioclf.audit.shortcuts.facts import COLUMN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.report.explore.exploration import Exploration


@dataclass(frozen=True)
class Spread:
    """The middle of some values, and where nine of ten lie.

    Parameters
    ----------
    median, low, high : float
        `low` is the 5th percentile, `high` the 95th.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float32]) -> Spread:
        """Return the spread of at least one value."""
        median, low, high = np.percentile(values.astype(np.float64), (50, 5, 95))
        return cls(round(float(median), 4), round(float(low), 4), round(float(high), 4))


@dataclass(frozen=True)
class ClassLevels:
    """Lengths and levels of the clips of a class.

    Parameters
    ----------
    name : str
    clips : int
    groups : int
        Groups that its clips are of, declared ones; 0 where there are none.
    seconds, level_db, peak_db, noise_floor_db, bandwidth_hz : Spread
        Length in s; RMS, peak and 10th percentile of the level of frames in dB of full scale;
        highest frequency in Hz that carries energy.
    clipped, silent : int
        Clips of which a thousandth or more is at full scale, and that never exceed -70 dB.
    dc_offset : float
        The largest absolute mean of the samples of a clip, full scale is 1.
    """

    name: str
    clips: int
    groups: int
    seconds: Spread
    level_db: Spread
    peak_db: Spread
    noise_floor_db: Spread
    bandwidth_hz: Spread
    clipped: int
    silent: int
    dc_offset: float


def class_levels(found: Exploration) -> list[ClassLevels]:
    """Return a row for each class, in the order of the classes."""
    codes = found.dataset.targets.codes
    clips = found.dataset.clips
    rows = []
    for code, name in enumerate(found.dataset.classes):
        where = np.flatnonzero(codes == code)
        groups = {clips[at].group for at in where.tolist()} - {None}
        rows.append(_row(name, found.facts[where], len(groups)))
    return rows


def _row(name: str, facts: NDArray[np.float32], n_groups: int) -> ClassLevels:
    def column(fact: str) -> NDArray[np.float32]:
        return facts[:, COLUMN[fact]]

    return ClassLevels(
        name=name,
        clips=len(facts),
        groups=n_groups,
        seconds=Spread.of(column("duration_s")),
        level_db=Spread.of(column("level_db")),
        peak_db=Spread.of(column("peak_db")),
        noise_floor_db=Spread.of(column("noise_floor_db")),
        bandwidth_hz=Spread.of(column("bandwidth_hz")),
        clipped=int((column("clipped") >= CLIPPED_SHARE).sum()),
        silent=int((column("peak_db") < SILENT_DB).sum()),
        dc_offset=round(float(np.abs(column("dc_offset")).max()), 5),
    )


def overall(found: Exploration) -> dict[str, Any]:
    """Return what the files are: seconds in all, and clips by rate, channels and encoding."""
    formats = found.formats.values()
    encodings = Counter(f"{each.container} {each.subtype}" for each in formats)
    return {
        "seconds": round(float(found.facts[:, COLUMN["duration_s"]].sum(dtype=np.float64)), 3),
        "rates": dict(Counter(each.sr for each in formats).most_common()),
        "channels": dict(Counter(each.channels for each in formats).most_common()),
        "encodings": dict(encodings.most_common()),
    }
