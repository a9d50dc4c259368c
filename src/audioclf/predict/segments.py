"""Segments from scored windows: one label at each instant of a recording.

A window stands for the part of the recording that is nearer to its centre than to that of another
window, as in events; the first and the last one reach to the ends of the recording. Of all
sequences of labels whose segments last at least `min_duration`, the one with the highest mean score
over time is chosen, which for calibrated scores has the highest expected accuracy over time. It is
found by dynamic programming, as in the Viterbi algorithm. With a `min_duration` of 0, each part has
the label with the highest score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from audioclf.base.errors import ConfigError
from audioclf.predict.events import SLACK, Event

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SegmentRule:
    """The rule by which windows form segments: each lasts at least `min_duration` s.

    A recording that is shorter is one segment.
    """

    rows: ClassVar[str] = "segments"

    min_duration: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_duration < np.inf:
            raise ConfigError(f"a min duration of {self.min_duration:g} s: 0 or more is expected")


def find_segments(
    times: NDArray[np.float64],
    scores: NDArray[np.float64],
    rule: SegmentRule,
    *,
    end: float,
    abstain_below: float | None = None,
) -> list[Event]:
    """Return the segments of one recording, in order; each begins where the last one ends.

    `times` [shape=(n_windows, 2)] are starts and ends in s, in order, `scores` have
    [shape=(n_windows, n_classes)], and `end` is that of the recording in s. With `abstain_below`,
    no label counts as one more class with this score, whose code is the number of classes.

    >>> times = np.array([[0, 2], [1, 3], [2, 4], [3, 5]], dtype=float)
    >>> scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9]])
    >>> for segment in find_segments(times, scores, SegmentRule(1.5), end=5.2):
    ...     print(segment.start, segment.end, segment.code, segment.n_windows)
    0.0 3.5 0 3
    3.5 5.2 1 1
    """
    centres = times.mean(axis=1)
    halfway = (centres[:-1] + centres[1:]) / 2
    edges = np.concatenate([times[:1, 0], halfway, [max(end, float(times[-1, 1]))]])
    n_classes = scores.shape[1]
    rivals = scores
    if abstain_below is not None:
        rivals = np.column_stack([scores, np.full(len(scores), abstain_below)])
    segments = []
    for first, stop, code in _best_labels(edges, rivals, rule.min_duration):
        own = scores[first:stop]
        own = own[:, code] if code < n_classes else own.max(axis=1)
        start, until = float(edges[first]), float(edges[stop])
        best, mean = float(own.max()), float(own.mean())
        segments.append(Event(start, until, code, best, mean, stop - first))
    return segments


def _best_labels(
    edges: NDArray[np.float64], scores: NDArray[np.float64], shortest: float
) -> Iterator[tuple[int, int, int]]:
    """Yield first window, stop and label of each segment of the best sequence."""
    n = len(scores)
    gains = np.vstack([np.zeros(scores.shape[1]), scores * np.diff(edges)[:, None]]).cumsum(axis=0)
    begins = np.searchsorted(edges, edges - shortest + SLACK, side="right") - 1
    begins = np.minimum(begins, np.arange(n + 1) - 1)
    begins[n] = max(begins[n], 0)
    value = np.full(n + 1, -np.inf)
    value[0] = 0.0
    origin, label = np.zeros(n + 1, np.intp), np.zeros(n + 1, np.intp)
    opened = np.full(scores.shape[1], -np.inf)
    opened_at = np.zeros(scores.shape[1], np.intp)
    following = 0
    for stop in range(1, n + 1):
        while following <= begins[stop]:
            candidate = value[following] - gains[following]
            better = candidate > opened
            opened[better], opened_at[better] = candidate[better], following
            following += 1
        totals = opened + gains[stop]
        label[stop] = best = int(totals.argmax())
        value[stop], origin[stop] = totals[best], opened_at[best]
    yield from _joined(origin, label)


def _joined(origin: NDArray[np.intp], label: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    """Return the segments that end with the last window, neighbours of one label as one."""
    segments: list[tuple[int, int, int]] = []
    stop = len(origin) - 1
    while stop > 0:
        first, code = int(origin[stop]), int(label[stop])
        if segments and segments[-1][2] == code:
            segments[-1] = (first, segments[-1][1], code)
        else:
            segments.append((first, stop, code))
        stop = first
    return segments[::-1]
