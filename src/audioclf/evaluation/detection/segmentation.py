"""Accuracy of labels over time, and precision, recall and F1 of the boundaries between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audioclf.base.errors import ConfigError
from audioclf.evaluation.detection.event_based import precision_recall_f1, with_total
from audioclf.evaluation.detection.events import Codes, Events, Floats, Survey
from audioclf.evaluation.detection.matching import Collars, match
from audioclf.evaluation.metrics.estimate import Estimate

_TOUCHING = 1e-3
"""Seconds between two rows that touch, as tools round times."""

Three = tuple[Estimate, Estimate, Estimate]


@dataclass(frozen=True, eq=False)
class SegmentationScores:
    """Metrics of labels that do not overlap, of the time that is annotated.

    `times` are precision, recall and F1 over time of each of the `classes`, then of all together,
    whose recall is the accuracy; `seconds` [shape=(n_classes + 1,)] the annotated time of each.
    `boundaries` are those of the instants at which the label changes, with a tolerance of
    `tolerance` s, of which `n_true` are annotated, `n_detected` detected and `n_found` matched.
    """

    classes: tuple[str, ...]
    times: tuple[Three, ...]
    seconds: Floats
    unannotated: float
    boundaries: Three
    tolerance: float
    n_true: int
    n_detected: int
    n_found: int

    @property
    def accuracy(self) -> Estimate:
        """Share of the annotated time with the right label."""
        return self.times[-1][1]


def segmentation_scores(
    survey: Survey, tolerance: float, *, background: str | None = None
) -> SegmentationScores:
    """Return the scores of a survey of which no two labels overlap.

    A boundary is where two segments of different labels touch. Boundaries are matched one to one,
    as many as possible. Time without a label has the label `background` on both sides; else time
    without an annotation, and detected boundaries in it, do not count.
    """
    classes = survey.classes
    if background is not None and background not in classes:
        classes = (*classes, background)
    n_recordings, n_classes = len(survey.recordings), len(classes)
    counts = np.zeros((3, n_recordings, n_classes + 1))
    true_rows, found_rows = [], []
    for place, name in enumerate(survey.recordings):
        true, found = (_one_recording(side, place) for side in (survey.truth, survey.detections))
        for side, kind in ((true, "annotated"), (found, "detected")):
            _check(side, f"{name}: two {kind} labels")
        if background is not None:
            gap = place, classes.index(background), float(survey.seconds[place])
            true, found = (_filled(side, *gap) for side in (true, found))
        counts[:, place] = with_total(_seconds_by_class(true, found, n_classes))
        true_rows += [(place, 0, at, at, np.nan) for at in _boundaries(true)]
        at_found = _boundaries(found)
        inside = _labels_at(true, at_found) >= 0
        found_rows += [(place, 0, at, at, np.nan) for at in at_found[inside]]
    times = precision_recall_f1(*counts)
    true_edges, found_edges = Events.of(true_rows), Events.of(found_rows)
    matching = match(true_edges, found_edges, Collars(tolerance, None))
    found_counts = found_edges.counts(n_recordings, 1)
    hits = found_edges.counts(n_recordings, 1, rows=matching.hits)
    true_counts = true_edges.counts(n_recordings, 1)
    (boundaries,) = precision_recall_f1(hits, found_counts, true_counts)
    seconds = counts[2].sum(axis=0)
    unannotated = max(0.0, float(survey.seconds.sum() - seconds[-1]))
    return SegmentationScores(
        classes,
        tuple(times),
        seconds,
        unannotated,
        boundaries,
        tolerance,
        len(true_edges),
        len(found_edges),
        int(hits.sum()),
    )


def _seconds_by_class(true: Events, found: Events, n_classes: int) -> Floats:
    """Return the time with the right label, detected and annotated [shape=(3, n_classes)], in s.

    The first two are of the annotated time.
    """
    edges = np.unique(np.concatenate([true.starts, true.ends, found.starts, found.ends]))
    lengths, middles = np.diff(edges), (edges[:-1] + edges[1:]) / 2
    real, guess = _labels_at(true, middles), _labels_at(found, middles)
    known = real >= 0
    sides = ((real, known & (real == guess)), (guess, known & (guess >= 0)), (real, known))
    return np.stack([np.bincount(c[at], lengths[at], minlength=n_classes) for c, at in sides])


def _one_recording(events: Events, place: int) -> Events:
    """Return the events of a recording by start, without those of no length."""
    rows = np.flatnonzero((events.recordings == place) & (events.ends > events.starts))
    return events.at(rows[np.argsort(events.starts[rows], kind="stable")])


def _check(events: Events, subject: str) -> None:
    overlap = np.flatnonzero(events.starts[1:] < events.ends[:-1] - _TOUCHING)
    if len(overlap):
        raise ConfigError(
            f"{subject} at {events.starts[1:][overlap[0]]:g} s, and segments have one at a time",
            hint="Leave --segments out to score events, or one of the classes with --skip.",
        )


def _filled(events: Events, place: int, code: int, seconds: float) -> Events:
    """Return the labels of a recording with one for the time before, between and after them."""
    starts, ends = np.append(0.0, events.ends), np.append(events.starts, seconds)
    columns = zip(events.classes, events.starts, events.ends, strict=True)
    rows = [(place, *row, np.nan) for row in columns]
    gaps = np.flatnonzero(ends - starts > _TOUCHING)
    rows += [(place, code, starts[gap], ends[gap], np.nan) for gap in gaps]
    return Events.of(sorted(rows, key=lambda row: row[2]))


def _labels_at(events: Events, times: Floats) -> Codes:
    """Return the class at each time, -1 for none."""
    at = np.searchsorted(events.starts, times, side="right") - 1
    if not len(events):
        return at
    return np.where((at >= 0) & (times < events.ends[at]), events.classes[at], -1)


def _boundaries(events: Events) -> Floats:
    touching = events.starts[1:] - events.ends[:-1] <= _TOUCHING
    changes: Floats = events.starts[1:][touching & (events.classes[1:] != events.classes[:-1])]
    return changes
