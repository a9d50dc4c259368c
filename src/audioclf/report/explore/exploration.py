"""The result of an exploration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audit.findings import Finding
from audioclf.audit.inputs import FileFormat
from audioclf.audit.leakage.guess_groups import Guess
from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.features.worker import LedgerRow
from audioclf.report.explore.projection import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Exploration:
    """What was found.

    Parameters
    ----------
    config : RunConfig
    dataset : Dataset
        The clips that could be read.
    ledger : tuple of LedgerRow
        A row for each clip, failed ones included.
    facts : np.ndarray [shape=(n_clips, n_facts)], float32
        Waveform facts, columns as in `audioclf.audit.shortcuts.facts.FACTS`.
    formats : mapping of str to FileFormat
        By id of the clip.
    findings : tuple of Finding
        What casts doubt on figures that have not even been made.
    guess : Guess, optional
        A group that the names may hold, where none is declared.
    featurizer : str
        Whose features the map is of.
    plane : Plane
        The map.
    notes : tuple of str
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


def format_words(found: FileFormat) -> str:
    """Return the format of a file in words.

    >>> format_words(FileFormat("WAV", "PCM_16", 48000, 1, ".wav"))
    'WAV PCM_16, 48000 Hz, mono'
    """
    channels = {1: "mono", 2: "stereo"}.get(found.channels, f"{found.channels} channels")
    return f"{found.container} {found.subtype}, {found.sr} Hz, {channels}"


def group_names(found: Exploration) -> tuple[str, tuple[str, ...]] | None:
    """Return what the groups of the clips are called and each clip's; None where there are none."""
    if found.guess is not None:
        values, codes = found.guess.values, found.guess.codes
        return "guessed group", tuple(values[code] for code in codes.tolist())
    if any(clip.group is not None for clip in found.dataset):
        return "group", tuple(clip.group or "none" for clip in found.dataset)
    return None
