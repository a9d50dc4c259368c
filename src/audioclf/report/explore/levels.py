"""Length and level by class, and the formats of the files."""

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
    """Median of some values, and the range of nine in ten."""

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

    RMS, peak and noise floor (10th percentile of the level of frames) are in dB of full scale;
    `bandwidth_hz` is the highest frequency that carries energy. Clips are `clipped` with at least
    0.1 % of samples at full scale, `silent` with a peak below -70 dB. `dc_offset` is the largest
    absolute mean of the samples of a clip; full scale is 1.
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


def class_levels(exploration: Exploration) -> list[ClassLevels]:
    """Return a row for each class, in the order of the classes."""
    codes = exploration.dataset.targets.codes
    clips = exploration.dataset.clips
    rows = []
    for code, name in enumerate(exploration.dataset.classes):
        where = np.flatnonzero(codes == code)
        groups = {clips[at].group for at in where.tolist()} - {None}
        rows.append(_row(name, exploration.facts[where], len(groups)))
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


def overall(exploration: Exploration) -> dict[str, Any]:
    """Return the total seconds, and the number of clips by rate, channels and encoding."""
    formats = exploration.formats.values()
    encodings = Counter(f"{each.container} {each.subtype}" for each in formats)
    return {
        "seconds": round(
            float(exploration.facts[:, COLUMN["duration_s"]].sum(dtype=np.float64)), 3
        ),
        "rates": dict(Counter(each.sr for each in formats).most_common()),
        "channels": dict(Counter(each.channels for each in formats).most_common()),
        "encodings": dict(encodings.most_common()),
    }
