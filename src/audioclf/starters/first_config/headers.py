"""What the headers of the files say: rates, lengths, channels, formats, and which are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioclf.audio.headers import inspect_all
from audioclf.base.errors import DatasetError, DecodeError
from audioclf.dataset.dataset import Clip, Dataset

MAX_LOOKED = 4000
"""Clips whose header is read, evenly drawn from the list where there are more."""


@dataclass(frozen=True)
class Headers:
    """The headers of a dataset, or of a part of it.

    Parameters
    ----------
    n_clips, n_looked : int
        Clips in all, and those whose header was read.
    rates, channels, formats : Counter
        Number of clips by Hz, by channels, and by container and encoding in words.
    seconds : tuple of float
        Lengths, ascending.
    unreadable : tuple of str
        One message for each clip that is refused.
    bad_ids : frozenset of str
        Their ids.
    """

    n_clips: int
    n_looked: int
    rates: Counter[int]
    channels: Counter[int]
    formats: Counter[str]
    seconds: tuple[float, ...]
    unreadable: tuple[str, ...]
    bad_ids: frozenset[str]

    @property
    def n_readable(self) -> int:
        """How many of those that were looked at can be read."""
        return len(self.seconds)

    def percentile(self, share: float) -> float:
        """Return a percentile of the lengths in s; `share` is in [0, 100]."""
        return float(np.percentile(self.seconds, share))

    @property
    def total_seconds(self) -> float:
        """Length of all clips in s, carried from those that were looked at to the others."""
        return sum(self.seconds) * self.n_clips / self.n_looked


def read_headers(dataset: Dataset, *, isolate: bool = False) -> Headers:
    """Read the headers of the clips.

    Parameters
    ----------
    dataset : Dataset
    isolate : bool
        Read them in worker processes.

    Raises
    ------
    DatasetError
        If none of them can be read.
    """
    clips = _drawn(dataset.clips)
    rates: Counter[int] = Counter()
    channels: Counter[int] = Counter()
    formats: Counter[str] = Counter()
    seconds: list[float] = []
    refused: dict[str, str] = {}
    outcomes = inspect_all([clip.source for clip in clips], isolate=isolate)
    for clip, info in zip(clips, outcomes, strict=True):
        if isinstance(info, DecodeError):
            refused[clip.id] = info.message
            continue
        rates[info.sr] += 1
        channels[info.channels] += 1
        formats[f"{info.container} {info.subtype}"] += 1
        seconds.append(info.seconds)
    if not seconds:
        first = next(iter(refused.values()))
        raise DatasetError(
            f"{dataset.name}: none of {len(clips)} clips can be read; the first: {first}"
        )
    return Headers(
        len(dataset),
        len(clips),
        rates,
        channels,
        formats,
        tuple(sorted(seconds)),
        tuple(refused.values()),
        frozenset(refused),
    )


def _drawn(clips: Sequence[Clip]) -> Sequence[Clip]:
    if len(clips) <= MAX_LOOKED:
        return clips
    places = np.linspace(0, len(clips) - 1, MAX_LOOKED).round().astype(int)
    return [clips[place] for place in dict.fromkeys(places.tolist())]
