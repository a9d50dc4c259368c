"""Thresholds for a wanted precision, or for a highest rate of false alarms.

A threshold promises its aim for new recordings: it is chosen where the bound of a one-sided 90 %
interval over recordings reaches the aim, and not where the value in these recordings does. It is
chosen on some recordings and tested on the others (cross-fitting), never on the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audioclf.evaluation.detection.average_precision import Levels
from audioclf.evaluation.detection.event_based import EventScores, event_scores
from audioclf.evaluation.detection.events import Events, Floats, Survey
from audioclf.evaluation.detection.matching import Matching
from audioclf.evaluation.detection.resampling import SEED

Kind = Literal["precision", "false_per_hour"]

CONFIDENCE = 0.9
"""Share of surveys in which the threshold keeps its promise."""

_N_PARTS = 5
_N_LEVELS = 400


@dataclass(frozen=True)
class Aim:
    """A precision to reach, or a rate of false alarms per hour not to exceed."""

    kind: Kind
    value: float

    @property
    def sentence(self) -> str:
        """The aim in words."""
        if self.kind == "precision":
            return f"a precision of at least {self.value:g}"
        return f"at most {self.value:g} false alarms per hour"


@dataclass(frozen=True)
class ChosenThreshold:
    """The threshold of a class for an aim, NaN if there is none.

    `scores` are those of thresholds that were chosen in the same way on other recordings than
    those that they were tested on, None if there is no threshold; `n_untested` recordings had none.
    """

    threshold: float
    scores: EventScores | None
    n_untested: int = 0


def choose_thresholds(survey: Survey, matching: Matching, aim: Aim) -> list[ChosenThreshold]:
    """Return the threshold of each class, then one for all classes together."""
    n_recordings, n_classes = survey.shape
    parts = _parts(n_recordings)
    found = []
    for code in [*range(n_classes), None]:
        own = np.full(len(survey.detections), True)
        if code is not None:
            own = survey.detections.classes == code
        threshold = _threshold(survey, matching, own, aim, np.full(n_recordings, True))
        scores, untested = _tested(survey, matching, own, code, aim, parts)
        found.append(ChosenThreshold(threshold, scores, untested))
    return found


def _parts(n_recordings: int) -> Floats:
    order = np.random.default_rng(SEED).permutation(n_recordings)
    parts = np.empty(n_recordings)
    parts[order] = np.arange(n_recordings) % _N_PARTS
    return parts


def _tested(
    survey: Survey, matching: Matching, own: np.ndarray, code: int | None, aim: Aim, parts: Floats
) -> tuple[EventScores | None, int]:
    """Return the scores of each part at the threshold that the other parts give."""
    detections = survey.detections
    kept = np.full(len(detections), False)
    tested = np.full(len(survey.recordings), False)
    for part in np.unique(parts):
        threshold = _threshold(survey, matching, own, aim, parts != part)
        if math.isnan(threshold):
            continue
        tested |= parts == part
        inside = parts[detections.recordings] == part
        kept |= own & inside & (detections.scores >= threshold)
    n_untested = int((~tested).sum())
    if not tested.any():
        return None, n_untested
    truth = tested[survey.truth.recordings]
    if code is not None:
        truth &= survey.truth.classes == code
    part_survey, part_matching = _one_class(survey, matching, truth, kept, tested)
    return event_scores(part_survey, part_matching)[-1], n_untested


def _one_class(
    survey: Survey, matching: Matching, truth: np.ndarray, kept: np.ndarray, tested: np.ndarray
) -> tuple[Survey, Matching]:
    """Return some events and detections as if they were of one class."""

    def plain(events: Events) -> Events:
        zeros = np.zeros(len(events), np.intp)
        return Events(events.recordings, zeros, events.starts, events.ends, events.scores)

    part = Survey(
        survey.recordings,
        survey.seconds,
        ("all",),
        plain(survey.truth.at(truth)),
        plain(survey.detections.at(kept)),
    ).of_recordings(tested)
    none = np.empty(0, np.intp)
    return part, Matching(matching.event_of[kept], none)


def _threshold(
    survey: Survey, matching: Matching, own: np.ndarray, aim: Aim, chosen: np.ndarray
) -> float:
    """Return the lowest threshold that keeps the promise in the chosen recordings; NaN if none."""
    detections = survey.detections
    rows = own & chosen[detections.recordings]
    if not rows.any():
        return float("nan")
    levels = Levels.of(detections.scores[rows], _N_LEVELS)
    recordings = (np.cumsum(chosen) - 1)[detections.recordings[rows]]
    n, hits = int(chosen.sum()), matching.hits[rows]
    above = hits if aim.kind == "precision" else ~hits
    counts = np.cumsum(levels.counts(recordings, n, above), axis=1)
    if aim.kind == "precision":
        every = np.full(len(hits), True)
        detected = np.cumsum(levels.counts(recordings, n, every), axis=1)
        good = lowest_share(counts, detected) >= aim.value
    else:
        bound = highest_rate(counts, survey.hours[chosen])
        good = np.cumprod(bound <= aim.value).astype(bool)
    places = np.flatnonzero(good)
    return float(levels.thresholds[places[-1]]) if len(places) else float("nan")


def highest_rate(counts: Floats, hours: Floats) -> Floats:
    """Return the upper bounds of rates [shape=(n_levels,)] of counts [(n_recordings, n_levels)].

    Each is the larger one of two one-sided bounds: that of a Poisson process, and that of Student's
    t for the logarithm of the rate with the variance between recordings.
    """
    from scipy import special

    total = counts.sum(axis=0)
    rate = total / hours.sum()
    poisson = special.gammaincinv(total + 1.0, CONFIDENCE) / hours.sum()
    error = _error(counts, hours[:, None], rate) * _quantile(len(hours))
    exponent = np.divide(error, rate, out=np.zeros_like(rate), where=rate > 0)
    return np.asarray(np.maximum(poisson, rate * np.exp(np.minimum(exponent, 700.0))))


def lowest_share(counts: Floats, of: Floats) -> Floats:
    """Return the lower bounds of shares of counts [shape=(n_recordings, n_levels)].

    Each is the smaller one of two one-sided bounds: that of independent trials (Clopper and
    Pearson), and that of Student's t for the log odds with the variance between recordings.
    """
    from scipy import special

    total, n = counts.sum(axis=0), of.sum(axis=0)
    share = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    exact = np.where(
        total > 0, special.betaincinv(np.maximum(total, 1), n - total + 1, 1 - CONFIDENCE), 0.0
    )
    spread = share * (1.0 - share)
    error = _error(counts, of, share) * _quantile(len(counts))
    exponent = np.divide(error, spread, out=np.zeros_like(share), where=spread > 0)
    below = share / (share + (1.0 - share) * np.exp(np.minimum(exponent, 700.0)) + (share == 0))
    return np.asarray(np.minimum(exact, below))


def _error(above: Floats, below: Floats, ratio: Floats) -> Floats:
    """Return the standard error of ratios of two sums over recordings; infinite for one."""
    n = len(above)
    if n < 2:
        return np.full(above.shape[1], np.inf)
    sums = ((above - ratio * below) ** 2).sum(axis=0) * n / (n - 1)
    return np.asarray(np.sqrt(sums) / np.maximum(below.sum(axis=0), 1e-12))


def _quantile(n: int) -> float:
    from scipy import special

    return float(special.stdtrit(max(n - 1, 1), CONFIDENCE))
