"""Annotated and detected events of several recordings, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


def summed(
    rows: Codes, columns: Codes, shape: tuple[int, int], weights: Floats | None = None
) -> Floats:
    """Return a table of this shape with the number of places in each cell, or their weights."""
    sums = np.bincount(rows * shape[1] + columns, weights, minlength=shape[0] * shape[1])
    return sums.reshape(shape).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Events:
    """Columns with one row per event; all have shape=(n_events,).

    `recordings` and `classes` are positions, `starts` and `ends` are in s from the start of the
    recording, and `scores` are NaN where there are none.
    """

    recordings: Codes
    classes: Codes
    starts: Floats
    ends: Floats
    scores: Floats

    @classmethod
    def of(cls, rows: list[tuple[int, int, float, float, float]]) -> Events:
        """Return events from rows of recording, class, start, end, score."""
        columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        codes = columns[:2].astype(np.intp)
        return cls(codes[0], codes[1], columns[2], columns[3], columns[4])

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Events:
        """Return some of the events."""
        return Events(
            self.recordings[rows],
            self.classes[rows],
            self.starts[rows],
            self.ends[rows],
            self.scores[rows],
        )

    @property
    def ranks(self) -> Codes:
        """Rank of each score among the distinct ones, 0 for the highest; NaN is the lowest."""
        scores = np.where(np.isnan(self.scores), -np.inf, self.scores)
        codes = np.unique(-scores, return_inverse=True)[1]
        return codes.reshape(-1).astype(np.intp)

    def counts(
        self, n_recordings: int, n_classes: int, rows: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Return the number of events, or of some, [shape=(n_recordings, n_classes)]."""
        part = slice(None) if rows is None else rows
        return summed(self.recordings[part], self.classes[part], (n_recordings, n_classes))


@dataclass(frozen=True, eq=False)
class Survey:
    """Recordings in which all events were annotated, and the events that a detector found in them.

    `seconds` [shape=(n_recordings,)] are the lengths of the recordings.
    """

    recordings: tuple[str, ...]
    seconds: Floats
    classes: tuple[str, ...]
    truth: Events
    detections: Events

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of recordings and classes."""
        return len(self.recordings), len(self.classes)

    @property
    def has_scores(self) -> bool:
        """Whether every detection has a score."""
        return bool(len(self.detections)) and not np.isnan(self.detections.scores).any()

    @property
    def hours(self) -> Floats:
        """Length of each recording in h."""
        return self.seconds / 3600.0

    def of_recordings(self, chosen: NDArray[np.bool_]) -> Survey:
        """Return the survey of some recordings."""
        code = np.cumsum(chosen) - 1
        parts = []
        for events in (self.truth, self.detections):
            part = events.at(chosen[events.recordings])
            parts.append(
                Events(code[part.recordings], part.classes, part.starts, part.ends, part.scores)
            )
        names = tuple(np.array(self.recordings, dtype=object)[chosen])
        return Survey(names, self.seconds[chosen], self.classes, *parts)
