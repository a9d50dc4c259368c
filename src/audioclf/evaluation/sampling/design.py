"""Drawing of windows with known probabilities: bands of scores, sizes, and a limit per recording.

The windows are divided into strata by their score. The number of windows that each recording gives
to each stratum is a random whole number with a known mean, and the windows of one recording and
stratum are equally likely, so the probability of each window is known exactly.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_PER_BAND = 6
_MOST_BANDS = 10
_TINY = 1e-9


def score_bands(scores: Floats, n_drawn: int) -> tuple[Ints, Floats]:
    """Return the band of each window, 0 for the lowest scores, and the lowest score of each band.

    The sizes of bands grow geometrically from the highest scores on, so that they do not depend on
    the scale of the scores. Equal scores are in one band.
    """
    n_bands = int(np.clip(n_drawn // _PER_BAND, 1, _MOST_BANDS))
    ordered = np.sort(scores)[::-1]
    first = min(2 * math.ceil(n_drawn / n_bands), len(scores))
    ranks = np.geomspace(len(scores), first, n_bands).round().astype(int)
    lows = np.unique(ordered[ranks - 1])
    return np.searchsorted(lows, scores, side="right") - 1, lows


def sizes_of_draws(sizes: Ints, n: int, power: float) -> Floats:
    """Return how many windows to draw from each stratum, in proportion to its size to a power.

    1 gives all windows the same probability, 0 all strata the same number; between them lies the
    power allocation of Bankier (1988, *The American Statistician* 42, 174-177). No stratum gives
    more than it has. With a power below 1 the numbers are whole and at least 2, if `n` allows.
    """
    n = min(n, int(sizes.sum()))
    if power >= 1.0:
        return np.asarray(n * sizes / sizes.sum())
    n_used = max(int((sizes > 0).sum()), 1)
    least = np.minimum(min(2, n // n_used), sizes)
    draws = np.zeros(len(sizes))
    free = sizes > 0
    while free.any():  # strata that are used up, or get the least, leave the rest to others
        shares = np.where(free, sizes.astype(float) ** power, 0.0)
        draws = np.where(free, (n - draws[~free].sum()) * shares / shares.sum(), draws)
        outside = free & ((draws > sizes) | (draws < least))
        if not outside.any():
            break
        draws = np.where(outside, np.clip(draws, least, sizes), draws)
        free &= ~outside
    whole = np.floor(draws)
    most = np.argsort(-(draws - whole), kind="stable")
    whole[most[: max(0, round(n - whole.sum()))]] += 1
    return np.minimum(whole, sizes)


def expected_counts(counts: Ints, draws: Floats, limits: Ints | None = None) -> Floats:
    """Return how many windows each recording gives to each stratum on average.

    `counts` [shape=(n_recordings, n_strata)] are windows. Without `limits` of the recordings the
    mean is proportional to them. What a recording may not give is drawn from the others, as far as
    they have it.
    """
    most = np.full((len(counts), 1), math.inf) if limits is None else limits[:, None].astype(float)
    factors = np.ones((len(counts), 1))
    expected = np.zeros(counts.shape)
    for _ in range(50):
        weighted = counts * factors
        totals = weighted.sum(axis=0)
        expected = weighted * np.divide(draws, totals, out=np.zeros(len(draws)), where=totals > 0)
        expected = np.minimum(expected, counts)
        given = expected.sum(axis=1, keepdims=True)
        if (given <= most + _TINY).all():
            return np.asarray(expected)
        factors *= np.minimum(1.0, most / np.maximum(given, _TINY))
    given = expected.sum(axis=1, keepdims=True)
    return np.asarray(expected * np.minimum(1.0, most / np.maximum(given, _TINY)))


def dependent_rounding(expected: Floats, rng: np.random.Generator) -> Ints:
    """Return random whole numbers with these means; sums of rows and columns are rounded, too.

    Each sum is the next whole number below or above its mean, by the dependent rounding of Gandhi,
    Khuller, Parthasarathy and Srinivasan (2006, *Journal of the ACM* 53, 324-360).
    """
    values = np.where(np.abs(expected - expected.round()) < _TINY, expected.round(), expected)
    n_rows = len(values)
    neighbors: dict[int, set[int]] = {}
    for row, column in zip(*np.nonzero(values != np.floor(values)), strict=True):
        neighbors.setdefault(int(row), set()).add(n_rows + int(column))
        neighbors.setdefault(n_rows + int(column), set()).add(int(row))
    while neighbors:
        path = _path_in(neighbors)
        cells = [(min(pair), max(pair) - n_rows) for pair in pairwise(path)]
        here = np.array([values[cell] for cell in cells])
        up, down = np.ceil(here) - here, here - np.floor(here)
        signs = np.where(np.arange(len(cells)) % 2 == 0, 1.0, -1.0)
        more = float(np.where(signs > 0, up, down).min())
        less = float(np.where(signs > 0, down, up).min())
        step = more if rng.uniform() < less / (more + less) else -less
        for cell, sign in zip(cells, signs, strict=True):
            value = values[cell] + sign * step
            near = abs(value - round(value)) < _TINY
            values[cell] = round(value) if near else value
            if near:
                _cut(neighbors, cell[0], n_rows + cell[1])
    return np.asarray(values.round(), dtype=np.intp)


def _path_in(neighbors: dict[int, set[int]]) -> list[int]:
    """Return the vertices of a cycle, else of a path that cannot be made longer."""
    start = next((v for v in neighbors if len(neighbors[v]) == 1), next(iter(neighbors)))
    path, places = [start], {start: 0}
    while True:
        before = path[-2] if len(path) > 1 else None
        following = next((v for v in neighbors[path[-1]] if v != before), None)
        if following is None:
            return path
        if following in places:
            return [*path[places[following] :], following]
        places[following] = len(path)
        path.append(following)


def _cut(neighbors: dict[int, set[int]], one: int, other: int) -> None:
    for vertex, partner in ((one, other), (other, one)):
        neighbors[vertex].discard(partner)
        if not neighbors[vertex]:
            del neighbors[vertex]


def draw(
    strata: Ints,
    recordings: Ints,
    draws: Floats,
    rng: np.random.Generator,
    limits: Ints | None = None,
) -> tuple[Ints, Floats]:
    """Return the positions of drawn windows, sorted, and the probabilities of all windows.

    `strata` and `recordings` are codes of all windows from 0 on, `draws` the number of windows to
    draw from each stratum, `limits` that of each recording at most.
    """
    shape = (int(recordings.max()) + 1, len(draws))
    cells = recordings * shape[1] + strata
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    expected = expected_counts(counts, draws, limits)
    taken = dependent_rounding(expected, rng).reshape(-1)
    shuffled = rng.permutation(len(cells))
    grouped = shuffled[np.argsort(cells[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts.reshape(-1))[:-1]])
    places = np.arange(len(cells)) - starts[cells[grouped]]
    chosen = np.sort(grouped[places < taken[cells[grouped]]])
    share = np.divide(expected, counts, out=np.zeros(shape), where=counts > 0).reshape(-1)
    return chosen, share[cells]


def first_of_each(order: Ints, recordings: Ints, n: int, per_recording: int | None) -> Ints:
    """Return the first n positions of an order, with so many of one recording at most."""
    if per_recording is None:
        return order[:n]
    if n < 1 or per_recording < 1:
        return order[:0]
    found: list[int] = []
    used: dict[int, int] = {}
    for at in order.tolist():
        owner = int(recordings[at])
        if used.get(owner, 0) < per_recording:
            used[owner] = used.get(owner, 0) + 1
            found.append(at)
            if len(found) == n:
                break
    return np.array(found, dtype=np.intp)
