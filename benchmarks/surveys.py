"""Coverage of the estimates of `audioclf estimate` over simulated surveys, beside naive figures.

    python benchmarks/surveys.py [N] [CHOICE]

Each survey draws a collection of 20 recordings, chooses windows as `suggest` does, and reviews them
without an error. A naive figure takes the chosen windows for a random sample: events in all are
their share times the number of windows, precision and recall are those of the chosen windows.

The second table has the lengths of intervals after as many more reviews as `estimate` names for
intervals half as long, as shares of the lengths before: medians over a tenth of the surveys.
"""

from __future__ import annotations

import sys

import numpy as np

from audioclf.evaluation.metrics.bootstrap import wilson_interval
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.evaluation.sampling.estimates import (
    Stratum,
    at_threshold,
    joined,
    more_for_half,
    total_of,
)
from audioclf.experiment.review.choosing import Choice, choose

N_RECORDINGS, PER_RECORDING, LIMIT = 20, 500, 12
SIZES = ((60, 0.1), (200, 0.02), (200, 0.1))
WAYS = {
    "random": [(*size, None) for size in SIZES],
    "scores": [(*size, None) for size in SIZES],
    "mixed": [(*size, None) for size in SIZES],
    "random, limit": [(200, 0.1, LIMIT), (200, 0.02, LIMIT)],
}
"""Windows reviewed, share of events and limit per recording of the surveys of each choice."""


def collection(
    rng: np.random.Generator, share: float, *, is_even: bool = True
) -> tuple[np.ndarray, ...]:
    """Return scores, events and recordings; recordings differ in how many events they have.

    All have 500 windows, or from 50 to 950 if they are not even.
    """
    sizes = np.linspace(50, 950, N_RECORDINGS).round().astype(int)
    recordings = np.repeat(np.arange(N_RECORDINGS), PER_RECORDING if is_even else sizes)
    rates = share * rng.gamma(1.0, 1.0, N_RECORDINGS)
    events = rng.uniform(size=len(recordings)) < np.minimum(rates, 0.5)[recordings]
    high, low = rng.beta(4, 2, len(events)), rng.beta(1, 8, len(events))
    return np.where(events, high, low), events, recordings


Collection = tuple[np.ndarray, ...]
Reviewed = tuple[list[Stratum], np.ndarray, np.ndarray]


def reviewed(rng: np.random.Generator, choice: Choice, collected: Collection) -> Reviewed:
    """Return the strata of a list, positions of its windows, and whether each has an event."""
    scores, events, recordings = collected
    chosen = choose(choice, scores, np.abs(scores - 0.5), recordings, rng)
    return joined(chosen.strata()), chosen.positions, events[chosen.positions]


def estimates(strata: list[Stratum], seen: np.ndarray) -> tuple[dict[str, Estimate], float | None]:
    """Return the estimates, and the threshold nearest to 0.5 if there is one."""
    found = {"events": total_of(strata, seen)}
    edges = sorted({stratum.low for stratum in strata})[1:]
    if not edges:
        return found, None
    edge = min(edges, key=lambda low: abs(low - 0.5))
    point = at_threshold(strata, seen, edge)
    return {**found, "precision": point.precision, "recall": point.recall}, edge


def survey(seed: int, by: str, n: int, share: float, limit: int | None) -> dict[str, list[bool]]:
    """Return whether each true number is in its interval, ours and the naive one."""
    rng = np.random.default_rng(seed)
    collected = collection(rng, share, is_even=limit is None)
    strata, positions, seen = reviewed(rng, Choice(by, n, limit), collected)
    found, edge = estimates(strata, seen)
    scores, events, _ = collected
    truth = {"events": float(events.sum())}
    if edge is not None:
        above = scores >= edge
        truth["precision"] = events[above].mean()
        truth["recall"] = events[above].sum() / max(events.sum(), 1)
    counts = {"events": (seen.mean(), len(seen), len(events))}
    if edge is not None:
        top = scores[positions] >= edge
        counts["precision"] = (seen[top].mean() if top.any() else 0.5, max(top.sum(), 1), 1)
        counts["recall"] = (top[seen].mean() if seen.any() else 0.5, max(seen.sum(), 1), 1)
    results: dict[str, list[bool]] = {}
    for name, estimate in found.items():
        naive = [end * counts[name][2] for end in wilson_interval(*counts[name][:2])]
        results[name] = [
            estimate.low - 1e-9 <= truth[name] <= estimate.high + 1e-9,
            naive[0] <= truth[name] <= naive[1],
        ]
    return results


def shortened(seed: int, by: str, n: int, share: float) -> list[float]:
    """Return the advised number of reviews, and the lengths with them by those without."""
    collected = collection(np.random.default_rng(seed), share)
    strata, _, seen = reviewed(np.random.default_rng(seed + 1000), Choice(by, n), collected)
    more = more_for_half(strata)
    again = reviewed(np.random.default_rng(seed + 2000), Choice(by, n + more), collected)
    before, after = estimates(strata, seen)[0], estimates(again[0], again[2])[0]
    lengths = ((after[name], before[name]) for name in before if name in after)
    return [float(more), *((a.high - a.low) / (b.high - b.low) for a, b in lengths)]


def main() -> None:
    """Print tables of coverages in percent and of shorter intervals."""
    n_surveys = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    ways = sys.argv[2:] or list(WAYS)
    print("| choice | windows reviewed | share of events | number | coverage, % | naive, % |")
    print("|---|---|---|---|---|---|")
    for by in ways:
        for n, share, limit in WAYS[by]:
            kept: dict[str, list[list[bool]]] = {}
            for seed in range(n_surveys):
                for name, both in survey(seed, by.split(",")[0], n, share, limit).items():
                    kept.setdefault(name, []).append(both)
            for name, rows in kept.items():
                ours, naive = 100 * np.mean(rows, axis=0)
                print(f"| {by} | {n} | {share:g} | {name} | {ours:.1f} | {naive:.1f} |", flush=True)
    print("\n| choice | windows reviewed | share of events | more | events | precision | recall |")
    print("|---|---|---|---|---|---|---|")
    for by in ways:
        for n, share, limit in WAYS[by]:
            if limit is None:
                found = [shortened(seed, by, n, share) for seed in range(n_surveys // 10)]
                more, *ratios = np.median([row for row in found if len(row) == 4], axis=0)
                cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
                print(f"| {by} | {n} | {share:g} | {more:.0f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
