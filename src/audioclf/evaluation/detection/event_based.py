"""Event-based precision, recall and F1, and false alarms per hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audioclf.evaluation.detection.events import Codes, Floats, Survey
from audioclf.evaluation.detection.matching import Matching
from audioclf.evaluation.detection.resampling import estimates, rates, ratio
from audioclf.evaluation.metrics.estimate import Estimate


@dataclass(frozen=True)
class EventScores:
    """Numbers of events and detections, and the metrics of their matching.

    A metric is NaN where it divides by nothing: precision without a detection, recall without an
    event, F1 without either.
    """

    n_truth: int
    n_found: int
    n_false: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    false_per_hour: Estimate

    @property
    def n_missed(self) -> int:
        """Number of events without a detection."""
        return self.n_truth - self.n_found


def event_scores(survey: Survey, matching: Matching) -> list[EventScores]:
    """Return the scores of each class, then those of all classes together."""
    hits, detected, truth = event_counts(survey, matching)
    metrics = precision_recall_f1(hits, detected, truth)
    alarms = rates(detected - hits, survey.hours)
    sums = np.stack([truth, hits, detected - hits]).sum(axis=1).astype(int)
    found: list[EventScores] = []
    for (n_truth, n_found, n_false), three, rate in zip(sums.T, metrics, alarms, strict=True):
        found.append(EventScores(int(n_truth), int(n_found), int(n_false), *three, rate))
    return found


def event_counts(survey: Survey, matching: Matching) -> tuple[Floats, Floats, Floats]:
    """Return hits, detections and events [shape=(n_recordings, n_classes + 1)]; all is last."""
    detected = survey.detections.counts(*survey.shape)
    hits = survey.detections.counts(*survey.shape, rows=matching.hits)
    return with_total(hits), with_total(detected), with_total(survey.truth.counts(*survey.shape))


def with_total(counts: Floats) -> Floats:
    """Return counts with their sum over the classes as the last column."""
    return np.column_stack([counts, counts.sum(axis=1)])


def units_of(detected: Floats, truth: Floats) -> Codes:
    """Return the number of recordings that inform each column of counts."""
    return np.asarray(((truth > 0) | (detected > 0)).sum(axis=0))


def precision_recall_f1(
    hits: Floats, detected: Floats, truth: Floats
) -> list[tuple[Estimate, Estimate, Estimate]]:
    """Return precision, recall and F1 of each column of counts by recording."""
    n = hits.shape[1]

    def statistic(sums: Floats) -> Floats:
        tp, found, real = sums[:, :n], sums[:, n : 2 * n], sums[:, 2 * n :]
        return np.hstack([ratio(tp, found), ratio(tp, real), ratio(2 * tp, found + real)])

    n_units = np.tile(units_of(detected, truth), 3)
    values = estimates(statistic, np.hstack([hits, detected, truth]), n_units)
    return list(zip(values[:n], values[n : 2 * n], values[2 * n :], strict=True))
