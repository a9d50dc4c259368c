"""Headers of the files: rates, lengths, channels, formats, and unreadable files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from audioclf.audio.headers import inspect_all
from audioclf.base.errors import DatasetError, DecodeError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.starters.first_config.results import Headers

MAX_READ = 4000
"""Most clips whose header is read; of more, an even sample."""


def read_headers(dataset: Dataset, *, isolate: bool = False) -> Headers:
    """Read the headers of the clips."""
    clips = _sample(dataset.clips)
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
        len(dataset), len(clips), rates, channels, formats, tuple(sorted(seconds)), refused
    )


def _sample(clips: Sequence[Clip]) -> Sequence[Clip]:
    if len(clips) <= MAX_READ:
        return clips
    indices = np.linspace(0, len(clips) - 1, MAX_READ).round().astype(int)
    return [clips[index] for index in dict.fromkeys(indices.tolist())]
