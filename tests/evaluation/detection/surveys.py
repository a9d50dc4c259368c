"""Random surveys, and small ones by hand."""

from collections.abc import Sequence

import numpy as np

from audioclf.evaluation.detection.events import Events, Survey

Row = tuple[int, int, float, float]


def survey_of(
    truth: Sequence[Row],
    detections: Sequence[Row | tuple[int, int, float, float, float]],
    *,
    n_recordings: int = 0,
    seconds: float = 60.0,
) -> Survey:
    """Return a survey of rows of recording, class, start, end and score."""
    n = n_recordings or 1 + max((row[0] for row in (*truth, *detections)), default=0)
    n_classes = 1 + max((row[1] for row in (*truth, *detections)), default=0)
    tables = [
        Events.of([(*row[:4], row[4] if len(row) > 4 else float("nan")) for row in rows])
        for rows in (truth, detections)
    ]
    names = tuple(f"r{code}.wav" for code in range(n))
    return Survey(names, np.full(n, seconds), tuple("abcdef"[:n_classes]), *tables)


def random_survey(
    seed: int, *, n_recordings: int = 4, n_classes: int = 3, overlapping: bool = True
) -> Survey:
    """Return events, and detections that are near them, elsewhere, or of another class."""
    rng = np.random.default_rng(seed)
    truth: list[Row] = []
    found: list[tuple[int, int, float, float, float]] = []
    for recording in range(n_recordings):
        for code in range(n_classes):
            at = 0.0
            for _ in range(int(rng.integers(0, 6))):
                start = rng.uniform(0, 50) if overlapping else at + rng.uniform(0.1, 5)
                end = start + rng.uniform(0.1, 4)
                at = end
                truth.append((recording, code, start, end))
    for recording, code, start, end in truth:
        for _ in range(int(rng.integers(0, 3))):
            other = code if rng.uniform() < 0.8 else int(rng.integers(n_classes))
            begin = max(0.0, start + rng.normal(0, 0.15))
            stop = max(begin + 0.05, end + rng.normal(0, 0.5))
            found.append((recording, other, begin, stop, round(rng.uniform(), 1)))
    for _ in range(int(rng.integers(0, 8))):
        start = rng.uniform(0, 55)
        where = int(rng.integers(n_recordings)), int(rng.integers(n_classes))
        found.append((*where, start, start + rng.uniform(0.1, 4), round(rng.uniform(), 1)))
    if not overlapping:
        found = _apart(found)
    full = survey_of(truth, found, n_recordings=n_recordings)
    return Survey(
        full.recordings, full.seconds, tuple("abcdef"[:n_classes]), full.truth, full.detections
    )


def _apart(
    rows: list[tuple[int, int, float, float, float]],
) -> list[tuple[int, int, float, float, float]]:
    """Return rows without those that overlap an earlier one of the same recording and class."""
    kept: list[tuple[int, int, float, float, float]] = []
    for row in sorted(rows):
        if kept and kept[-1][:2] == row[:2] and row[2] < kept[-1][3]:
            continue
        kept.append(row)
    return kept
