"""Coverage of the estimates of `audioclf estimate` over simulated surveys, beside naive figures.

    python benchmarks/surveys.py [N]

Each survey draws a collection of 20 recordings, chooses windows as `suggest` does, and reviews them
without an error. A naive figure takes the chosen windows for a random sample: events in all are
their share times the number of windows, precision and recall are those of the chosen windows.
"""

from __future__ import annotations

import sys

import numpy as np

from audioclf.evaluation.metrics.bootstrap import wilson_interval
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.evaluation.sampling.estimates import at_threshold, joined, total_of
from audioclf.experiment.review.choosing import Choice, choose

N_RECORDINGS, PER_RECORDING = 20, 500
WAYS = ("random", "scores", "mixed")


def collection(rng: np.random.Generator, share: float) -> tuple[np.ndarray, ...]:
    """Return scores, events and recordings; recordings differ in how many events they have."""
    recordings = np.repeat(np.arange(N_RECORDINGS), PER_RECORDING)
    rates = share * rng.gamma(1.0, 1.0, N_RECORDINGS)
    events = rng.uniform(size=len(recordings)) < np.minimum(rates, 0.5)[recordings]
    high, low = rng.beta(4, 2, len(events)), rng.beta(1, 8, len(events))
    return np.where(events, high, low), events, recordings


def survey(rng: np.random.Generator, by: str, n: int, share: float) -> dict[str, list[bool]]:
    """Return whether each true number is in its interval, ours and the naive one."""
    scores, events, recordings = collection(rng, share)
    chosen = choose(Choice(by, n), scores, np.abs(scores - 0.5), recordings, rng)
    strata = joined(chosen.strata())
    seen = events[chosen.positions]
    truth = events.sum()
    ours: dict[str, tuple[Estimate, float]] = {"events": (total_of(strata, seen), truth)}
    edges = sorted({stratum.low for stratum in strata})
    if len(edges) > 1:
        edge = min(edges[1:], key=lambda low: abs(low - 0.5))
        above = scores >= edge
        point = at_threshold(strata, seen, edge)
        ours["precision"] = point.precision, events[above].mean()
        ours["recall"] = point.recall, events[above].sum() / max(truth, 1)
    counts = {"events": (seen.mean(), len(seen), len(events))}
    if len(edges) > 1:
        top = scores[chosen.positions] >= edge
        counts["precision"] = (seen[top].mean() if top.any() else 0.5, max(top.sum(), 1), 1)
        counts["recall"] = (top[seen].mean() if seen.any() else 0.5, max(seen.sum(), 1), 1)
    results: dict[str, list[bool]] = {}
    for name, (estimate, true) in ours.items():
        naive = [end * counts[name][2] for end in wilson_interval(*counts[name][:2])]
        results[name] = [
            estimate.low - 1e-9 <= true <= estimate.high + 1e-9,
            naive[0] <= true <= naive[1],
        ]
    return results


def main() -> None:
    """Print a table of coverages in percent."""
    n_surveys = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print("| choice | windows reviewed | share of events | number | coverage, % | naive, % |")
    print("|---|---|---|---|---|---|")
    for by in WAYS:
        for n, share in ((60, 0.1), (200, 0.02), (200, 0.1)):
            kept: dict[str, list[list[bool]]] = {}
            for seed in range(n_surveys):
                for name, both in survey(np.random.default_rng(seed), by, n, share).items():
                    kept.setdefault(name, []).append(both)
            for name, rows in kept.items():
                ours, naive = 100 * np.mean(rows, axis=0)
                print(f"| {by} | {n} | {share:g} | {name} | {ours:.1f} | {naive:.1f} |")


if __name__ == "__main__":
    main()
