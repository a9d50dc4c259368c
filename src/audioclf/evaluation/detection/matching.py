"""Matching of detections with annotated events: maximum bipartite, at every threshold at once.

A detection and an event of its recording and class may be matched if their onsets differ by at most
the onset collar and their offsets by at most the offset collar. Detections are added from the
highest score to the lowest, each with an augmenting path if there is one. A matched detection stays
matched, so the detections above any threshold have a matching of maximum size among themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioclf.base.errors import ConfigError
from audioclf.evaluation.detection.events import Codes, Events

_SLACK = 1e-9
"""Tolerance in s for times that are equal except for rounding."""

_MAX_PAIRS = 50_000_000


@dataclass(frozen=True)
class Collars:
    """Largest differences in s of an event and its detection.

    The offsets may differ by `offset`, or by `offset_share` of the length of the annotated event if
    that is more. With `offset` None, only the onsets are compared.
    """

    onset: float = 0.2
    offset: float | None = 0.2
    offset_share: float = 0.5

    def __post_init__(self) -> None:
        values = {"onset": self.onset, "offset": self.offset or 0.0, "share": self.offset_share}
        for name, value in values.items():
            if not 0.0 <= value < np.inf:
                raise ConfigError(f"a collar ({name}) of {value:g}: 0 or more is expected")


@dataclass(frozen=True, eq=False)
class Matching:
    """Partners of detections and events.

    `event_of` [shape=(n_detections,)] is the position of the annotated event, -1 for a false alarm;
    `detection_of` [shape=(n_events,)] is -1 for a miss.
    """

    event_of: Codes
    detection_of: Codes

    @property
    def hits(self) -> NDArray[np.bool_]:
        """Whether each detection is of an annotated event."""
        return self.event_of >= 0


def match(truth: Events, detections: Events, collars: Collars | None = None) -> Matching:
    """Return a matching that is maximum for the detections above each threshold."""
    first, second = _pairs(truth, detections, collars or Collars())
    event_of = np.full(len(detections), -1, np.intp)
    detection_of = np.full(len(truth), -1, np.intp)
    single = np.bincount(first, minlength=len(truth))[first] == 1
    single &= np.bincount(second, minlength=len(detections))[second] == 1
    event_of[second[single]] = first[single]
    detection_of[first[single]] = second[single]
    _augment(first[~single], second[~single], detections.ranks, event_of, detection_of)
    return Matching(event_of, detection_of)


def _pairs(truth: Events, detections: Events, collars: Collars) -> tuple[Codes, Codes]:
    """Return the positions of events and detections that may be matched."""
    n_classes = int(max(truth.classes.max(initial=0), detections.classes.max(initial=0))) + 1
    latest = max(truth.ends.max(initial=0.0), detections.ends.max(initial=0.0))
    step = latest + 2 * collars.onset + 1.0  # keys of two groups never lie within a collar

    def key(events: Events) -> NDArray[np.float64]:
        keys = (events.recordings * n_classes + events.classes) * step + events.starts
        return np.asarray(keys)

    order = np.argsort(key(detections), kind="stable")
    sorted_keys, own = key(detections)[order], key(truth)
    margin = collars.onset + 1e-3  # keys are large, so their rounding is checked below
    low = np.searchsorted(sorted_keys, own - margin, side="left")
    number = np.searchsorted(sorted_keys, own + margin, side="right") - low
    if number.sum() > _MAX_PAIRS:
        raise ConfigError(
            f"{int(number.sum()):,} pairs of an event and a detection are within the onset collar",
            hint="Use a smaller collar, or fewer detections.",
        )
    first = np.repeat(np.arange(len(truth)), number)
    begins = np.repeat(low - (np.cumsum(number) - number), number)
    second = order[begins + np.arange(len(first))]
    close = truth.recordings[first] == detections.recordings[second]
    close &= truth.classes[first] == detections.classes[second]
    onset = np.abs(truth.starts[first] - detections.starts[second])
    close &= onset <= collars.onset + _SLACK
    if collars.offset is not None:
        length = truth.ends[first] - truth.starts[first]
        allowed = np.maximum(collars.offset, collars.offset_share * length)
        close &= np.abs(truth.ends[first] - detections.ends[second]) <= allowed + _SLACK
    return first[close], second[close]


def _augment(
    first: Codes, second: Codes, ranks: Codes, event_of: Codes, detection_of: Codes
) -> None:
    """Match the detections of pairs in the order of their ranks."""
    order = np.lexsort((first, second, ranks[second]))
    neighbours: dict[int, list[int]] = {}
    for event, detection in zip(first[order].tolist(), second[order].tolist(), strict=True):
        neighbours.setdefault(detection, []).append(event)
    detection_of_event: dict[int, int] = {}
    event_of_detection: dict[int, int] = {}
    for detection in neighbours:
        _match_one(detection, neighbours, detection_of_event, event_of_detection)
    for event, detection in detection_of_event.items():
        event_of[detection], detection_of[event] = event, detection


def _match_one(
    detection: int,
    neighbours: dict[int, list[int]],
    detection_of: dict[int, int],
    event_of: dict[int, int],
) -> None:
    """Match one more detection, if there is an augmenting path (breadth first)."""
    origin: dict[int, int] = {}
    waiting = [detection]
    for current in waiting:
        for event in neighbours[current]:
            if event in origin:
                continue
            origin[event] = current
            if event in detection_of:
                waiting.append(detection_of[event])
                continue
            free: int | None = event
            while free is not None:
                owner = origin[free]
                detection_of[free] = owner
                previous = event_of.get(owner)
                event_of[owner] = free
                free = previous
            return
