"""Choice of windows to review, with the probability of each choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from audioclf.dataset.review_list import RANDOM
from audioclf.evaluation.sampling.design import (
    Floats,
    Ints,
    draw,
    first_of_each,
    score_bands,
    sizes_of_draws,
)
from audioclf.evaluation.sampling.estimates import Stratum

Way = Literal["mixed", "uncertain", "scores", "random"]
WAYS: tuple[Way, ...] = get_args(Way)

_POWERS = {"random": 1.0, "scores": 0.0, "mixed": 0.5}
"""Size of the draws from each band of scores, as a power of the size of the band."""


@dataclass(frozen=True)
class Choice:
    """How many windows are chosen and how; with so many of one recording at most."""

    by: str
    n: int
    per_recording: int | None = None


@dataclass(frozen=True)
class Chosen:
    """Chosen windows: position, way and stratum of each, and its probability.

    `lows` are the lowest scores of the bands, `sizes` the windows in the collection by stratum,
    which is a way and a band.
    """

    positions: Ints
    ways: tuple[str, ...]
    bands: Ints
    probabilities: Floats
    lows: Floats
    sizes: dict[tuple[str, int], int]

    def stratum_of(self, at: int) -> tuple[str, int]:
        """Return the way and the band of a chosen window."""
        return self.ways[at], int(self.bands[at])

    def name_of(self, key: tuple[str, int]) -> str:
        """Return the name of a stratum, as in `scores 0.2 to 0.5`."""
        way, band = key
        end = f"to {self.lows[band + 1]:.4g}" if band + 1 < len(self.lows) else "up"
        return f"{way} {self.lows[band]:.4g} {end}"

    def strata(self) -> list[Stratum]:
        """Return the strata with all chosen windows as reviewed ones."""
        keys = [self.stratum_of(at) for at in range(len(self.positions))]
        found = []
        for key, size in self.sizes.items():
            rows = np.array([at for at, own in enumerate(keys) if own == key], dtype=np.intp)
            low = float(self.lows[key[1]])
            found.append(Stratum(self.name_of(key), low, size, rows, 1 / self.probabilities[rows]))
        return found


def choose(
    choice: Choice, scores: Floats, margins: Floats, recordings: Ints, rng: np.random.Generator
) -> Chosen:
    """Choose among windows with a score, a margin (small if uncertain) and a recording each.

    `uncertain` takes those with the smallest margins, so all others have the probability 0;
    `scores` draws as many from each band of scores, `random` gives all windows the same
    probability. `mixed` takes half by uncertainty, and draws the others from bands of scores.
    """
    n, most = min(choice.n, len(scores)), choice.per_recording
    n_fixed = {"uncertain": n, "mixed": n // 2}.get(choice.by, 0)
    order = np.lexsort((rng.permutation(len(scores)), margins))
    # Each recording keeps a place for windows that are drawn: else they could not be chosen.
    most_fixed = most if most is None or choice.by == "uncertain" else most // 2
    fixed = first_of_each(order, recordings, n_fixed, most_fixed)
    codes, lows = score_bands(scores, max(n - n_fixed, 1))
    parts = [("uncertain", fixed, np.ones(len(fixed)))]
    sizes = {("uncertain", int(b)): int((codes[fixed] == b).sum()) for b in np.unique(codes[fixed])}
    if choice.by != "uncertain":
        way = RANDOM if choice.by == "random" else "scores"
        rest = np.setdiff1d(np.arange(len(scores)), fixed)
        counts = np.bincount(codes[rest], minlength=len(lows))
        sizes |= {(way, band): int(size) for band, size in enumerate(counts) if size}
        wanted = sizes_of_draws(counts, n - len(fixed), _POWERS[choice.by])
        used = np.bincount(recordings[fixed], minlength=int(recordings.max()) + 1)
        limits = None if most is None else most - used
        drawn, shares = draw(codes[rest], recordings[rest], wanted, rng, limits)
        parts.append((way, rest[drawn], shares[drawn]))
    positions = np.concatenate([part for _, part, _ in parts])
    ways = tuple(way for way, part, _ in parts for _ in part)
    probabilities = np.concatenate([part for *_, part in parts])
    return Chosen(positions, ways, codes[positions], probabilities, lows, sizes)
