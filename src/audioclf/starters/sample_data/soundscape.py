"""Long recordings with events at known times, annotated in Raven selection tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audioclf.starters.sample_data.builders import SampleFile, wav
from audioclf.starters.sample_data.sounds import NOISE, SR, chirp, tone

if TYPE_CHECKING:
    from numpy.random import Generator

N_RECORDINGS = 12
SECONDS = 8.0

_KINDS = {"chirp": chirp, "tone": tone}
_SLOT = 1.6
"""Seconds in which one event begins and ends, or two that overlap."""

_HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"


def soundscape(rng: Generator) -> list[SampleFile]:
    """Make recordings with chirps and tones in noise; in the last one there is neither.

    An event of the table reaches from the start to the end of its sound, with up to 0.08 s of
    silence on both sides. In each recording but the last, a chirp and a tone overlap.
    """
    files = []
    for number in range(N_RECORDINGS):
        name = f"recording_{number:02d}"
        y = NOISE * rng.standard_normal(round(SECONDS * SR))
        rows: list[tuple[float, float, str]] = []
        for begin, kinds in _slots(rng) if number < N_RECORDINGS - 1 else ():
            for kind in kinds:
                sound = _KINDS[kind](rng)
                start = round(begin + rng.uniform(0.05, 0.3), 3)
                first = round(start * SR)
                y[first : first + len(sound)] += sound
                rows.append((start, start + len(sound) / SR, kind))
        files.append(SampleFile(f"{name}.wav", wav(y.astype(np.float32))))
        lines = [
            f"{at}\tSpectrogram 1\t1\t{start:.6f}\t{end:.6f}\t{kind}\n"
            for at, (start, end, kind) in enumerate(sorted(rows), 1)
        ]
        table = _HEADER + "".join(lines)
        files.append(SampleFile(f"{name}.Table.1.selections.txt", table.encode()))
    return files


def _slots(rng: Generator) -> list[tuple[float, tuple[str, ...]]]:
    """Return the starts of the slots with the kinds of their events; one has both."""
    n = int(SECONDS / _SLOT)
    both = int(rng.integers(n))
    slots: list[tuple[float, tuple[str, ...]]] = []
    for place in range(n):
        kind = str(rng.choice(list(_KINDS)))
        if place == both:
            slots.append((place * _SLOT, tuple(_KINDS)))
        elif rng.uniform() < 0.7:
            slots.append((place * _SLOT, (kind,)))
    return slots
