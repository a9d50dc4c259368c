"""Precision, recall and false alarms over all thresholds, and average precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audioclf.evaluation.detection.events import Codes, Floats, Survey, summed
from audioclf.evaluation.detection.matching import Matching
from audioclf.evaluation.detection.resampling import estimates, ratio
from audioclf.evaluation.metrics.estimate import Estimate

N_LEVELS = 100
"""Thresholds of a class at which resamples are evaluated."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Metrics of the detections with at least each threshold; thresholds fall."""

    thresholds: Floats
    precision: Floats
    recall: Floats
    false_per_hour: Floats


@dataclass(frozen=True, eq=False)
class Levels:
    """The detections of a class by level of their score; level 0 has the highest.

    `counts` [shape=(n_recordings, n_levels)] are those of some detections at each level.
    """

    thresholds: Floats
    of_detections: Codes

    @classmethod
    def of(cls, scores: Floats, most: int | None = None) -> Levels:
        """Return a level for each distinct score, or at most so many, with about equal numbers."""
        unique, codes = np.unique(-scores, return_inverse=True)
        codes = codes.reshape(-1)
        if most is not None and len(unique) > most:
            ends = np.quantile(codes, np.arange(1, most + 1) / most, method="inverted_cdf")
            ends = np.unique(ends)
            codes, unique = np.searchsorted(ends, codes), unique[ends]
        return cls(-unique, codes.astype(np.intp))

    def counts(self, recordings: Codes, n_recordings: int, rows: np.ndarray) -> Floats:
        """Return the number of detections in `rows` [shape=(n_recordings, n_levels)]."""
        shape = n_recordings, len(self.thresholds)
        return summed(recordings[rows], self.of_detections[rows], shape)


def curve(survey: Survey, matching: Matching, code: int | None = None) -> Curve:
    """Return the curve of a class, or of all classes together, over all scores."""
    chosen = np.full(len(survey.detections), True)
    n_truth = len(survey.truth)
    if code is not None:
        chosen = survey.detections.classes == code
        n_truth = int((survey.truth.classes == code).sum())
    levels = Levels.of(survey.detections.scores[chosen])
    hits, detected = _totals(levels, matching.hits[chosen])
    alarms = ratio(detected - hits, np.full(len(hits), survey.hours.sum()))
    recall = ratio(hits, np.full(len(hits), float(n_truth)))
    return Curve(levels.thresholds, ratio(hits, detected), recall, alarms)


def _totals(levels: Levels, hits: np.ndarray) -> tuple[Floats, Floats]:
    n = len(levels.thresholds)
    at_level = np.bincount(levels.of_detections[hits], minlength=n)
    return (
        np.cumsum(at_level).astype(np.float64),
        np.cumsum(np.bincount(levels.of_detections, minlength=n)).astype(np.float64),
    )


def average_precision(hits: Floats, detected: Floats, n_truth: Floats) -> Floats:
    """Return the average precision [shape=(n_rows,)] of counts at levels [(n_rows, n_levels)].

    It is the sum of the precisions at all levels, each times the recall that the level adds; NaN
    without an event.
    """
    tp, found = np.cumsum(hits, axis=1), np.cumsum(detected, axis=1)
    precision = np.divide(tp, found, out=np.zeros_like(tp), where=found > 0)
    return ratio((precision * hits).sum(axis=1), n_truth)


def average_precisions(survey: Survey, matching: Matching) -> list[Estimate]:
    """Return the average precision of each class, then their mean.

    The values use all scores; the intervals use at most `N_LEVELS` thresholds for a class.
    The mean is over the classes with an event.
    """
    n_recordings, n_classes = survey.shape
    truth = survey.truth.counts(n_recordings, n_classes)
    parts: list[Floats] = []
    widths: list[int] = []
    exact = np.full(n_classes, np.nan)
    for code in range(n_classes):
        rows = np.flatnonzero(survey.detections.classes == code)
        part, hits = survey.detections.at(rows), matching.hits[rows]
        whole = Levels.of(part.scores)
        both = [
            np.bincount(whole.of_detections[r], minlength=len(whole.thresholds))[None]
            for r in (hits, np.full(len(hits), True))
        ]
        exact[code] = average_precision(
            both[0].astype(float), both[1].astype(float), truth[:, code].sum(keepdims=True)
        )[0]
        few = Levels.of(part.scores, N_LEVELS)
        parts += [
            few.counts(part.recordings, n_recordings, hits),
            few.counts(part.recordings, n_recordings, np.full(len(rows), True)),
            truth[:, code : code + 1],
        ]
        widths.append(len(few.thresholds))

    def statistic(sums: Floats) -> Floats:
        values, at = np.full((len(sums), n_classes + 1), np.nan), 0
        for code, width in enumerate(widths):
            ends = at + width, at + 2 * width
            values[:, code] = average_precision(
                sums[:, at : ends[0]], sums[:, ends[0] : ends[1]], sums[:, ends[1]]
            )
            at = ends[1] + 1
        values[:, -1] = nan_mean(values[:, :-1])
        return values

    value = np.append(exact, nan_mean(exact[None]))
    seen = (truth > 0) | (survey.detections.counts(n_recordings, n_classes) > 0)
    n_units = np.append(seen.sum(axis=0), seen.any(axis=1).sum())
    return estimates(statistic, np.hstack(parts), n_units, value=value)


def nan_mean(values: Floats) -> Floats:
    """Return the mean of each row over its finite values, NaN if there is none."""
    defined = np.isfinite(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(float))
