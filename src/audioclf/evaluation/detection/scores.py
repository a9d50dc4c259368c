"""All metrics of a survey."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from audioclf.base.errors import ConfigError
from audioclf.dataset.path_labels import shown
from audioclf.evaluation.detection.average_precision import average_precisions
from audioclf.evaluation.detection.event_based import EventScores, event_scores
from audioclf.evaluation.detection.events import Survey
from audioclf.evaluation.detection.matching import Collars, Matching, match
from audioclf.evaluation.detection.psds import DCASE_1, DCASE_2, psds
from audioclf.evaluation.detection.resampling import FEW_RECORDINGS
from audioclf.evaluation.detection.segment_based import SegmentScores, segment_scores
from audioclf.evaluation.detection.segmentation import SegmentationScores, segmentation_scores
from audioclf.evaluation.detection.thresholds import Aim, ChosenThreshold, choose_thresholds
from audioclf.evaluation.metrics.estimate import Estimate


@dataclass(frozen=True)
class ClassScores:
    """The metrics of one class, or of all together.

    `average_precision` is None if a detection has no score; that of all is the mean of the classes.
    """

    name: str
    events: EventScores
    segments: SegmentScores
    average_precision: Estimate | None
    n_recordings: int


@dataclass(frozen=True, eq=False)
class DetectionScores:
    """The metrics of a survey: by class, of all classes together, and notes on their limits.

    `segmentation` is None unless both sides have one label at a time.
    """

    survey: Survey
    matching: Matching
    by_class: tuple[ClassScores, ...]
    overall: ClassScores
    psds: dict[str, Estimate]
    thresholds: dict[Aim, list[ChosenThreshold]]
    notes: tuple[str, ...]
    segmentation: SegmentationScores | None = None


def score_survey(
    survey: Survey,
    *,
    collars: Collars | None = None,
    segment: float = 1.0,
    aims: tuple[Aim, ...] = (),
    segmentation: bool = False,
    background: str | None = None,
) -> DetectionScores:
    """Return all metrics of a survey, with 95 % intervals over its recordings.

    With `segmentation`, also those of labels of which there is one at a time, by
    `segmentation_scores`; the tolerance of boundaries is the onset collar.
    """
    collars = collars or Collars()
    of_labels = None
    if segmentation:
        of_labels = segmentation_scores(survey, collars.onset, background=background)
    matching = match(survey.truth, survey.detections, collars)
    events = event_scores(survey, matching)
    segments = segment_scores(survey, segment)
    scored = survey.has_scores
    if aims and not scored:
        raise ConfigError(
            "a threshold is chosen by scores, and the detections have none",
            hint="Give detections with scores, or leave --precision and --max-false-alarms out.",
        )
    n_classes = len(survey.classes)
    precisions: list[Estimate | None] = [None] * (n_classes + 1)
    if scored:
        precisions = [*average_precisions(survey, matching)]
    truth = survey.truth.counts(*survey.shape) > 0
    n_recordings = [*truth.sum(axis=0).tolist(), int(truth.any(axis=1).sum())]
    rows = [
        ClassScores(*row)
        for row in zip(
            [*survey.classes, "all"], events, segments, precisions, n_recordings, strict=True
        )
    ]
    of_scenarios = {}
    if scored:
        scenarios = {"psds_1": DCASE_1, "psds_2": DCASE_2}
        of_scenarios = {name: psds(survey, case) for name, case in scenarios.items()}
    chosen = {aim: choose_thresholds(survey, matching, aim) for aim in aims}
    notes = _notes(survey, rows[:-1])
    if of_labels is None:
        notes += (*_displaced(rows[-1], collars),)
    return DetectionScores(
        survey, matching, tuple(rows[:-1]), rows[-1], of_scenarios, chosen, notes, of_labels
    )


def _displaced(overall: ClassScores, collars: Collars) -> Iterator[str]:
    """Note that events are detected at other times than the collars allow."""
    found, touched = overall.events.recall.value, overall.segments.recall.value
    if touched > 2 * found:  # not so for NaN
        yield (
            f"{found:.0%} of the events are found, and {touched:.0%} of their segments: detections "
            f"begin or end at other times than --onset {collars.onset:g} and --offset "
            f"{collars.offset:g} allow, as long windows do; allow more, or read the segments"
        )


def _notes(survey: Survey, rows: list[ClassScores]) -> tuple[str, ...]:
    notes = []
    if len(survey.recordings) == 1:
        notes.append("one recording: there are no intervals, which compare several recordings")
    elif len(survey.recordings) < FEW_RECORDINGS:
        notes.append(
            f"{len(survey.recordings)} recordings: an interval over so few is a rough guide"
        )
    else:
        few = [row.name for row in rows if 0 < row.n_recordings < FEW_RECORDINGS]
        if few:
            notes.append(
                f"classes with events in fewer than {FEW_RECORDINGS} recordings, whose intervals "
                f"are a rough guide: {shown(few)}"
            )
    absent = [row.name for row in rows if not row.events.n_truth]
    if absent:
        notes.append(f"classes without an annotated event, so without recall: {shown(absent)}")
    if len(survey.detections) and np.isnan(survey.detections.scores).any():
        some = "some" if not np.isnan(survey.detections.scores).all() else "the"
        notes.append(f"{some} detections have no score: no average precision, PSDS or thresholds")
    return tuple(notes)
