"""Detections matched with annotated events, beside an assignment for each recording and class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from measure import Row, cpu
from scipy.optimize import linear_sum_assignment

from audioclf.evaluation.detection.events import Events
from audioclf.evaluation.detection.matching import match

N_RECORDINGS, N_CLASSES, N_EVENTS, N_DETECTIONS = 1_000, 50, 20_000, 200_000
COLLAR = 0.2


def rows() -> Iterator[Row]:
    truth, found = survey()
    same = int(match(truth, found).hits.sum()) == assigned(truth, found)
    yield Row(
        "200,000 detections matched with 20,000 events",
        lambda: cpu(lambda: match(truth, found)),
        lambda: cpu(lambda: assigned(truth, found)),
        "scipy: linear_sum_assignment",
        note=lambda: f"{'the same' if same else 'ANOTHER'} number of hits",
    )


def survey() -> tuple[Events, Events]:
    """Return events of 1,000 recordings of 10 min in 50 classes, and detections of half of them."""
    rng = np.random.default_rng(0)

    def drawn(n: int) -> Events:
        starts = rng.uniform(0, 590, n)
        places = rng.integers(N_RECORDINGS, size=n), rng.integers(N_CLASSES, size=n)
        return Events(*places, starts, starts + rng.uniform(0.5, 2, n), rng.uniform(size=n))

    truth, false = drawn(N_EVENTS), drawn(N_DETECTIONS - N_EVENTS // 2)
    hits = truth.at(rng.permutation(N_EVENTS)[: N_EVENTS // 2])
    columns = [
        np.concatenate([getattr(part, name) for part in (hits, false)])
        for name in ("recordings", "classes", "starts", "ends", "scores")
    ]
    columns[2][: len(hits)] += rng.normal(0, 0.1, len(hits))
    return truth, Events(*columns)


def assigned(truth: Events, found: Events) -> int:
    """Return the number of hits: for each recording and class, the largest assignment."""
    by_group: dict[tuple[int, int], list[list[int]]] = {}
    for side, events in enumerate((truth, found)):
        groups = zip(events.recordings.tolist(), events.classes.tolist(), strict=True)
        for at, group in enumerate(groups):
            by_group.setdefault(group, [[], []])[side].append(at)
    hits = 0
    for first, second in by_group.values():
        if not first or not second:
            continue
        onset = np.abs(truth.starts[first][:, None] - found.starts[second])
        offset = np.abs(truth.ends[first][:, None] - found.ends[second])
        length = (truth.ends[first] - truth.starts[first])[:, None]
        may = (onset <= COLLAR) & (offset <= np.maximum(COLLAR, 0.5 * length))
        chosen = linear_sum_assignment(may, maximize=True)
        hits += int(may[chosen].sum())
    return hits
