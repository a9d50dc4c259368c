"""Result of an exploration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audit.findings import Finding
from audioclf.audit.inputs import FileFormat
from audioclf.audit.leakage.groups import Guess
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
