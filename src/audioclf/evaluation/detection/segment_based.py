"""Segment-based precision, recall, F1 and error rate (Mesaros et al. 2016)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioclf.base.errors import ConfigError
from audioclf.evaluation.detection.event_based import precision_recall_f1, units_of, with_total
from audioclf.evaluation.detection.events import Events, Floats, Survey
from audioclf.evaluation.detection.resampling import estimates, ratio
from audioclf.evaluation.metrics.estimate import Estimate

_SLACK = 1e-9
_MAX_CELLS = 50_000_000

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class SegmentScores:
    """Metrics of segments in which a class is annotated or detected.

    A metric is NaN where it divides by nothing. The error rate has no upper end.
    """

    precision: Estimate
    recall: Estimate
    f1: Estimate
    error_rate: Estimate


def segment_scores(survey: Survey, length: float = 1.0) -> list[SegmentScores]:
    """Return the scores of each class, then those of all classes together.

    `length` is that of a segment in s. A class is active in each segment that one of its events
    touches. The errors of one class are insertions and deletions; in all classes together,
    a deletion and an insertion in the same segment are one substitution.
    """
    if not 0.0 < length < np.inf:
        raise ConfigError(f"segments of {length:g} s: a length above 0 is expected")
    n_recordings, n_classes = survey.shape
    n_segments = _n_segments(survey, length)
    truth = _active(survey.truth, n_classes, n_segments, length)
    detected = _active(survey.detections, n_classes, n_segments, length)
    hits = np.intersect1d(truth, detected, assume_unique=True)
    common, found, real = (
        with_total(_by_recording(cells, n_recordings, n_classes, n_segments))
        for cells in (hits, detected, truth)
    )
    errors = found + real - 2 * common
    errors[:, -1] = _errors(hits, detected, truth, n_recordings, n_classes, n_segments)
    n = n_classes + 1
    rates = estimates(
        lambda sums: ratio(sums[:, :n], sums[:, n:]),
        np.hstack([errors, real]),
        units_of(found, real),
        high=math.inf,
    )
    metrics = precision_recall_f1(common, found, real)
    return [SegmentScores(*three, rate) for three, rate in zip(metrics, rates, strict=True)]


def _n_segments(survey: Survey, length: float) -> int:
    ends = [survey.truth.ends, survey.detections.ends, survey.seconds]
    return math.ceil(max(float(times.max(initial=0.0)) for times in ends) / length) + 1


def _active(events: Events, n_classes: int, n_segments: int, length: float) -> Cells:
    """Return the sorted cells (recording, class, segment) with an event."""
    first = np.floor(events.starts / length + _SLACK).astype(np.int64)
    stop = np.ceil(events.ends / length - _SLACK).astype(np.int64)
    number = np.maximum(stop - first, 0)
    if number.sum() > _MAX_CELLS:
        raise ConfigError(
            f"{int(number.sum()):,} segments of {length:g} s have an event",
            hint="Use longer segments.",
        )
    group = (events.recordings * n_classes + events.classes).astype(np.int64)
    begins = np.repeat(group * n_segments + first - (np.cumsum(number) - number), number)
    return np.unique(begins + np.arange(int(number.sum())))


def _by_recording(cells: Cells, n_recordings: int, n_classes: int, n_segments: int) -> Floats:
    counts = np.bincount(cells // n_segments, minlength=n_recordings * n_classes)
    return counts.reshape(n_recordings, n_classes).astype(np.float64)


def _errors(
    hits: Cells, detected: Cells, truth: Cells, n_recordings: int, n_classes: int, n_segments: int
) -> Floats:
    """Return substitutions, deletions and insertions of all classes, by recording."""
    segments = [
        cells // (n_segments * n_classes) * n_segments + cells % n_segments
        for cells in (hits, detected, truth)
    ]
    used = np.unique(np.concatenate(segments))
    n_hits, n_detected, n_truth = (
        np.bincount(np.searchsorted(used, cells), minlength=len(used)) for cells in segments
    )
    errors = np.maximum(n_detected, n_truth) - n_hits
    sums = np.bincount(used // n_segments, weights=errors, minlength=n_recordings)
    return np.asarray(sums, dtype=np.float64)
