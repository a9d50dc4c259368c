"""Ranges of level, noise floor, bandwidth and reverberation of the training clips of a model.

A model fails on recordings that differ from all that it was trained on, above all in bandwidth. The
limits are the 5th and the 95th percentile of the training clips with a margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.models.arrays import checked_array, to_npy
from audioclf.models.refusal import refusing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SOUND = "training/sound.npy"
FACTS = ("level_db", "noise_floor_db", "bandwidth_hz", "decay_s")
"""Names of the facts of a clip, as the audits call them, in the order of the rows.

Bundles written before the last was measured have only the others.
"""

_PERCENTILES = (5, 50, 95)
_QUIETEST = -90.0
"""Level in dB of full scale below which noise floors are taken as equal."""
_EXPECTED = 0.05
"""Share of recordings up to which some differ from 90 % of the training clips by chance."""
_MARGIN_DB = 12.0
_MARGIN_RATIO = 1.25
_WORDS = {
    "level_db": ("quieter", "louder", "dBFS"),
    "noise_floor_db": ("with less background noise", "with more background noise", "dBFS"),
    "bandwidth_hz": ("with less bandwidth", "with more bandwidth", "Hz"),
    "decay_s": ("with less reverberation", "with more reverberation", "s"),
}
_RATIOS = ("bandwidth_hz", "decay_s")


@dataclass(frozen=True, eq=False)
class SoundRange:
    """Percentiles (5, 50, 95) of each fact [shape=(n_facts, 3)], float64.

    Those of `decay_s` are 0 if it was measured in less than half of the clips.
    """

    percentiles: Floats

    @classmethod
    def of(cls, facts: NDArray[np.float32]) -> SoundRange:
        """Return the range of clips from their facts [shape=(n_clips, n_facts)]."""
        rows = []
        for name, column in zip(FACTS, _clamped(facts).T, strict=False):
            values = _measured(name, column)
            enough = 2 * len(values) >= len(column)
            rows.append(np.percentile(values, _PERCENTILES) if enough else np.zeros(3))
        return cls(np.array(rows))

    def to_files(self) -> dict[str, bytes]:
        """Return it as a member of a bundle."""
        return {SOUND: to_npy(self.percentiles)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> SoundRange | None:
        """Read it from a bundle; None if the bundle has none.

        `RefusedError` if the array has another type or shape, or is not in order.
        """
        if SOUND not in files:
            return None
        with refusing("manifest", "its record of the training clips cannot be read"):
            percentiles = checked_array(files[SOUND], np.float64, (None, len(_PERCENTILES)))
            if not len(FACTS) - 1 <= len(percentiles) <= len(FACTS):
                raise ValueError(f"{SOUND} holds {len(percentiles)} rows")
            if not np.isfinite(percentiles).all() or (np.diff(percentiles, axis=1) < 0).any():
                raise ValueError(f"{SOUND} holds no percentiles")
        return cls(percentiles)

    def outside(self, facts: Floats) -> Iterator[str]:
        """Yield how a recording with these facts [shape=(n_facts,)] differs from the training."""
        clamped = _clamped(facts[None, :])[0]
        for name, value, (low, _, high) in zip(FACTS, clamped, self.percentiles, strict=False):
            if name == "decay_s" and (value == 0 or high == 0):
                continue
            if name in _RATIOS:
                ends = (low / _MARGIN_RATIO, high * _MARGIN_RATIO)
            else:
                ends = (low - _MARGIN_DB, high + _MARGIN_DB)
            less, more, _ = _WORDS[name]
            if value < ends[0]:
                yield less
            elif value > ends[1]:
                yield more

    def sentence(self, counts: Mapping[str, int], n_used: int) -> str:
        """Return a sentence on recordings, from counts of the results of `outside`, or ""."""
        parts = [
            f"{n} of {n_used} {words} (training: {self._trained(words)})"
            for words, n in sorted(counts.items(), key=lambda item: -item[1])
            if n > _EXPECTED * n_used
        ]
        if not parts:
            return ""
        return (
            f"recordings differ from the training clips: {'; '.join(parts)}; results of the "
            "training do not hold for them, see `audioclf docs robustness`"
        )

    def _trained(self, words: str) -> str:
        names = {word: name for name, (*both, _) in _WORDS.items() for word in both}
        row = self.percentiles[FACTS.index(names[words])]
        unit = _WORDS[names[words]][2]
        digits = 2 if unit == "s" else 0
        return f"{row[0]:.{digits}f} to {row[2]:.{digits}f} {unit}"


def typical(windows: Sequence[Floats]) -> Floats:
    """Return the median of each fact over the windows of a recording that have it."""
    columns = zip(FACTS, np.array(windows).T, strict=True)
    measured = [_measured(name, column) for name, column in columns]
    return np.array([np.median(values) if len(values) else 0.0 for values in measured])


def _measured(name: str, column: Floats) -> Floats:
    return column[column != 0] if name == "decay_s" else column


def _clamped(facts: NDArray[np.floating]) -> Floats:
    clamped = facts.astype(np.float64)
    clamped[:, 1] = np.maximum(clamped[:, 1], _QUIETEST)
    return clamped
