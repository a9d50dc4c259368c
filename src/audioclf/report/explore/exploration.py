"""Result of an exploration: levels by class, formats of the files, and a map of the clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit.decoding import CLIPPED_SHARE, SILENT_DB
from audioclf.audit.findings import Finding
from audioclf.audit.inputs import FileFormat
from audioclf.audit.leakage.groups import Guess
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.features.worker import LedgerRow
from audioclf.report.explore.projection import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Exploration:
    """Result of an exploration.

    The `dataset` are the clips that could be read, the `ledger` has a row for each file. `facts`
    [shape=(n_clips, n_facts)] have columns as in `audioclf.audit.shortcuts.facts.FACTS`, `formats`
    are by id of the clip. `guess` are groups that the file names suggest, where none are declared;
    `featurizer` and `plane` are those of the map.
    """

    config: RunConfig
    dataset: Dataset
    ledger: tuple[LedgerRow, ...]
    facts: NDArray[np.float32]
    formats: Mapping[str, FileFormat]
    findings: tuple[Finding, ...]
    guess: Guess | None
    featurizer: str
    plane: Plane
    notes: tuple[str, ...]

    @property
    def failed(self) -> tuple[LedgerRow, ...]:
        """The clips that could not be read."""
        return tuple(row for row in self.ledger if row.status == "failed")

    @property
    def exit_code(self) -> int:
        """0, or 4 when some clips could not be read."""
        return EXIT_PARTIAL if self.failed else EXIT_OK


def format_words(file: FileFormat) -> str:
    """Return the format of a file in words.

    >>> format_words(FileFormat("WAV", "PCM_16", 48000, 1, ".wav"))
    'WAV PCM_16, 48000 Hz, mono'
    """
    channels = {1: "mono", 2: "stereo"}.get(file.channels, f"{file.channels} channels")
    return f"{file.container} {file.subtype}, {file.sr} Hz, {channels}"


def group_names(exploration: Exploration) -> tuple[str, tuple[str, ...]] | None:
    """Return the kind of the groups and the group of each clip; None where there are none."""
    if exploration.guess is not None:
        values, codes = exploration.guess.values, exploration.guess.codes
        return "guessed group", tuple(values[code] for code in codes.tolist())
    if any(clip.group is not None for clip in exploration.dataset):
        return "group", tuple(clip.group or "none" for clip in exploration.dataset)
    return None


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

    @classmethod
    def of(cls, name: str, facts: NDArray[np.float32], groups: int) -> ClassLevels:
        """Return the levels of a class from the facts of its clips."""

        def column(fact: str) -> NDArray[np.float32]:
            return facts[:, COLUMN[fact]]

        return cls(
            name=name,
            clips=len(facts),
            groups=groups,
            seconds=Spread.of(column("duration_s")),
            level_db=Spread.of(column("level_db")),
            peak_db=Spread.of(column("peak_db")),
            noise_floor_db=Spread.of(column("noise_floor_db")),
            bandwidth_hz=Spread.of(column("bandwidth_hz")),
            clipped=int((column("clipped") >= CLIPPED_SHARE).sum()),
            silent=int((column("peak_db") < SILENT_DB).sum()),
            dc_offset=round(float(np.abs(column("dc_offset")).max()), 5),
        )


def class_levels(exploration: Exploration) -> list[ClassLevels]:
    """Return a row for each class with clips, in the order of the classes."""
    targets, clips = exploration.dataset.targets, exploration.dataset.clips
    rows = []
    for code, name in enumerate(targets.classes):
        where = targets.clips_of(code)
        if not len(where):  # several labels, and no clip has this one for sure
            continue
        groups = {clips[at].group for at in where.tolist()} - {None}
        rows.append(ClassLevels.of(name, exploration.facts[where], len(groups)))
    return rows


def overall(exploration: Exploration) -> dict[str, Any]:
    """Return the total seconds, and the number of clips by rate, channels and encoding."""
    formats = exploration.formats.values()
    encodings = Counter(f"{each.container} {each.subtype}" for each in formats)
    seconds = float(exploration.facts[:, COLUMN["duration_s"]].sum(dtype=np.float64))
    return {
        "seconds": round(seconds, 3),
        "rates": dict(Counter(each.sr for each in formats).most_common()),
        "channels": dict(Counter(each.channels for each in formats).most_common()),
        "encodings": dict(encodings.most_common()),
    }
