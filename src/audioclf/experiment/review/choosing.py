"""Choice of windows to review, with the probability of each choice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audioclf.dataset.review_list import DIVERSE, RANDOM, UNCERTAIN
from audioclf.evaluation.sampling.design import (
    Floats,
    Ints,
    dependent_rounding,
    draw,
    first_of_each,
    score_bands,
    sizes_of_draws,
)

Way = Literal["mixed", "uncertain", "scores", "random", "diverse"]

_POWERS = {"random": 1.0, "scores": 0.0, "mixed": 0.5}
"""Size of the draws from each band of scores, as a power of the size of the band."""


@dataclass(frozen=True)
class Choice:
    """How many windows are chosen and how; with so many of one recording at most."""

    by: str
    n: int
    per_recording: int | None = None


Key = tuple[str, int]
"""A stratum: how windows were chosen, and their band of scores."""


@dataclass(frozen=True)
class Chosen:
    """Chosen windows: position, stratum and probability of each.

    `sizes` are the windows of the collection by stratum, `lows` the lowest scores of them.
    """

    positions: Ints
    keys: tuple[Key, ...]
    probabilities: Floats
    sizes: dict[Key, int]
    lows: dict[Key, float]

    def name_of(self, key: Key) -> str:
        """Return the name of a stratum, as in `scores 3: 0.2 to 0.5`."""
        return f"{key[0]} {key[1] + 1}: {self.band_of(key, 'up')}"

    def band_of(self, key: Key, without_end: str) -> str:
        """Return the scores of a stratum, as in `0.2 to 0.5`; the highest is `without_end`."""
        above = min((low for low in self.lows.values() if low > self.lows[key]), default=None)
        end = without_end if above is None else f"to {above:.4g}"
        return f"{self.lows[key]:.4g} {end}"


def choose(
    choice: Choice,
    scores: Floats,
    margins: Floats,
    recordings: Ints,
    rng: np.random.Generator,
    diverse: Ints | None = None,
) -> Chosen:
    """Choose among windows with a score, a margin (small if uncertain) and a recording each.

    `uncertain` takes those with the smallest margins, `diverse` the positions that are given, so
    all others have the probability 0; `scores` draws as many from each band of scores, `random`
    gives all windows the same probability. `mixed` takes half by uncertainty, and draws the others
    from bands of scores.
    """
    n, most = min(choice.n, len(scores)), choice.per_recording
    draws = choice.by in _POWERS
    n_fixed = {"uncertain": n, "mixed": n // 2}.get(choice.by, 0)
    order = np.lexsort((rng.permutation(len(scores)), margins))
    # Each recording keeps a place for windows that are drawn: else they could not be chosen.
    most_fixed = most // 2 if most is not None and draws else most
    fixed = diverse
    if fixed is None:
        fixed = first_of_each(order, recordings, n_fixed, most_fixed)
    bands, lows = score_bands(scores, max(n - n_fixed, 1))
    way_of_fixed = UNCERTAIN if diverse is None else DIVERSE
    keys: list[Key] = [(way_of_fixed, int(band)) for band in bands[fixed]]
    sizes = dict(Counter(keys))
    positions, probabilities = fixed, np.ones(len(fixed))
    if draws:
        way = RANDOM if choice.by == "random" else "scores"
        rest = np.setdiff1d(np.arange(len(scores)), fixed)
        counts = np.bincount(bands[rest], minlength=len(lows))
        wanted = sizes_of_draws(counts, n - len(fixed), _POWERS[choice.by])
        used = np.bincount(recordings[fixed], minlength=int(recordings.max()) + 1)
        limits = None if most is None else most - used
        equal = choice.by == "random" and limits is None
        if equal:  # so that the number of windows is kept, too
            wanted = dependent_rounding(wanted[None], rng)[0].astype(np.float64)
        drawn, shares = draw(bands[rest], recordings[rest], wanted, rng, limits)
        shares = np.full(len(rest), n / len(rest)) if equal else shares
        owners = _owners(np.bincount(bands[rest[drawn]], minlength=len(lows)))
        keys += [(way, owners[band]) for band in bands[rest[drawn]].tolist()]
        for band, size in enumerate(counts.tolist()):
            owner = (way, owners[band])
            sizes[owner] = sizes.get(owner, 0) + size
        lows[owners[0]] = lows[0]
        positions = np.concatenate([fixed, rest[drawn]])
        probabilities = np.concatenate([probabilities, shares[drawn]])
    of_strata = {key: float(lows[key[1]]) for key in sizes}
    return Chosen(positions, tuple(keys), probabilities, sizes, of_strata)


def _owners(n_drawn: Ints) -> list[int]:
    """Return for each band the band that stands for it: itself, or the next below with a window.

    Those below the lowest band with a window belong to that.
    """
    used = np.flatnonzero(n_drawn)
    places = np.searchsorted(used, np.arange(len(n_drawn)), side="right") - 1
    return [int(band) for band in used[np.maximum(places, 0)]]
