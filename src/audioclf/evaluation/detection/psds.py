"""Polyphonic sound detection score (PSDS; Bilen et al. 2020), over all thresholds.

A detection is relevant if events of its class cover at least the share `dtc` of it (detection
tolerance); an event is found if the relevant detections cover at least `gtc` of it. Any other
detection is a false alarm, and a cross-trigger of each other class whose events cover at least
`cttc` of it. The score is the area below the true positive rate, averaged over the classes less
its standard deviation times `alpha_st`, over the effective rate of false alarms up to `e_max`,
divided by `e_max`. Annotated events of one class that overlap are joined first; the cover of
detections that overlap is added up, as psds_eval would.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audioclf.evaluation.detection.average_precision import N_LEVELS, Levels
from audioclf.evaluation.detection.events import Codes, Events, Floats, Survey, summed
from audioclf.evaluation.detection.resampling import SEED, ratio
from audioclf.evaluation.metrics.bootstrap import interval, on_resamples
from audioclf.evaluation.metrics.estimate import Estimate

_SLACK = 1e-9
_GRID = 100
"""Rates of false alarms at which resamples are evaluated."""


@dataclass(frozen=True)
class Scenario:
    """The parameters of a score; rates are per hour."""

    dtc: float
    gtc: float
    cttc: float
    alpha_ct: float
    alpha_st: float = 1.0
    e_max: float = 100.0


DCASE_1 = Scenario(dtc=0.7, gtc=0.7, cttc=0.3, alpha_ct=0.0)
"""Scenario 1 of DCASE: events have to be located in time."""
DCASE_2 = Scenario(dtc=0.1, gtc=0.1, cttc=0.3, alpha_ct=0.5)
"""Scenario 2 of DCASE: classes must not be confused."""


def psds(survey: Survey, scenario: Scenario) -> Estimate:
    """Return the score over all classes with an event, with its interval; NaN without an event.

    The value uses all scores of the detections. The interval uses at most `N_LEVELS` thresholds
    for a class and `_GRID` rates of false alarms.
    """
    counted = _Counts.of(survey, scenario)
    classes = np.flatnonzero(counted.counts_of_truth.sum(axis=0))
    if not len(classes):
        return Estimate(float("nan"), float("nan"), float("nan"))
    weights = np.ones((1, len(survey.recordings)))
    curves = [counted.curve(int(code), weights) for code in classes]
    value = _area([(x[0], y[0]) for x, y in curves], scenario)
    parts = [counted.compressed(int(code)) for code in classes]
    grid = (np.arange(_GRID) + 0.5) * scenario.e_max / _GRID

    def statistic(draws: Floats) -> Floats:
        heights = [counted.heights(part, draws, grid) for part in parts]
        rates = _effective(np.stack(heights, axis=1), scenario)
        return np.asarray(rates.mean(axis=1, keepdims=True))

    resampled = on_resamples(statistic, len(survey.recordings), seed=SEED, width=_GRID * N_LEVELS)
    seen = counted.counts_of_truth.sum(axis=1) > 0
    seen[survey.detections.recordings] = True
    low, high = interval(value, resampled[:, 0], int(seen.sum()))
    return Estimate(value, low, high)


def _effective(rates: Floats, scenario: Scenario) -> Floats:
    """Return the effective true positive rate over classes [shape=(n_rows, n_classes, ...)]."""
    defined = np.isfinite(rates)
    n = np.maximum(defined.sum(axis=1), 1)
    mean = np.where(defined, rates, 0.0).sum(axis=1) / n
    spread = np.where(defined, (rates - mean[:, None]) ** 2, 0.0).sum(axis=1) / n
    return np.asarray(np.maximum(mean - scenario.alpha_st * np.sqrt(spread), 0.0))


def _area(curves: list[tuple[Floats, Floats]], scenario: Scenario) -> float:
    """Return the score of step curves of effective rate of false alarms and true positive rate."""
    ends = np.unique(np.concatenate([x for x, _ in curves] + [[0.0]]))
    ends = np.append(ends[ends < scenario.e_max], scenario.e_max)
    heights = np.stack([step_heights(x, y, ends[:-1]) for x, y in curves])[None]
    return float((np.diff(ends) * _effective(heights, scenario)[0]).sum() / scenario.e_max)


def step_heights(x: Floats, y: Floats, at: Floats) -> Floats:
    """Return the highest y of the points with an x of at most `at`; x and y do not fall."""
    reached = np.searchsorted(x, at, side="right")
    return np.concatenate([[0.0], y])[reached]


@dataclass(frozen=True, eq=False)
class _Part:
    """Sums of a class by recording, as columns that follow each other.

    The found events, false alarms and rates of cross-triggers at each level, then its number of
    events. The rates count each cross-trigger of a class per hour of that class in all recordings.
    """

    counts: Floats
    n_levels: int


@dataclass(frozen=True, eq=False)
class _Counts:
    """Detections and events of a survey with their roles in a scenario."""

    survey: Survey
    scenario: Scenario
    truth: Events
    false: NDArray[np.bool_]
    found_at: Floats
    crossed: tuple[Codes, Codes]
    hours_of_truth: Floats
    counts_of_truth: Floats

    @classmethod
    def of(cls, survey: Survey, scenario: Scenario) -> _Counts:
        truth = joined(survey.truth)
        first, second, seconds = overlaps(truth, survey.detections)
        detections = survey.detections
        same = truth.classes[first] == detections.classes[second]
        lengths = detections.ends - detections.starts
        cover = np.bincount(second[same], seconds[same], minlength=len(detections))
        relevant = (cover >= scenario.dtc * lengths - _SLACK) & (cover > 0)
        kept = same & relevant[second]
        found_at = _found_at(truth, detections, first[kept], second[kept], seconds[kept], scenario)
        other = ~same & ~relevant[second]
        crossed = _crossed(truth, detections, first[other], second[other], seconds[other], scenario)
        lengths_of_truth = (truth.ends - truth.starts) / 3600.0
        hours = summed(truth.recordings, truth.classes, survey.shape, lengths_of_truth)
        counts = truth.counts(*survey.shape)
        return cls(survey, scenario, truth, ~relevant, found_at, crossed, hours, counts)

    def compressed(self, code: int, most: int | None = N_LEVELS) -> _Part:
        """Return the sums of a class by recording."""
        detections, n = self.survey.detections, len(self.survey.recordings)
        own = detections.classes == code
        scores = detections.scores[own]
        levels = Levels.of(np.where(np.isnan(scores), 0.0, scores), most)
        n_levels = len(levels.thresholds)
        false = levels.counts(detections.recordings[own], n, self.false[own])
        events = (self.truth.classes == code) & np.isfinite(self.found_at)
        # The first level whose threshold is at most the score from which on an event is found.
        at = np.searchsorted(-levels.thresholds, -self.found_at[events], side="left")
        at = np.minimum(at, max(n_levels - 1, 0))
        found = summed(self.truth.recordings[events], at, (n, n_levels))
        detection, crossed = self.crossed
        place = np.full(len(detections), -1, np.intp)
        place[own] = levels.of_detections
        rows = own[detection]
        hours = self.hours_of_truth.sum(axis=0)
        n_others = max(int((np.delete(hours, code) > 0).sum()), 1)
        weights = 1.0 / (n_others * hours[crossed[rows]])
        at_levels, recordings = place[detection[rows]], detections.recordings[detection[rows]]
        crossing = summed(recordings, at_levels, (n, n_levels), weights)
        columns = (found, false, crossing, self.counts_of_truth[:, [code]])
        return _Part(np.hstack(columns), n_levels)

    def curve(self, code: int, draws: Floats) -> tuple[Floats, Floats]:
        return self.rates(self.compressed(code, None), draws)

    def rates(self, part: _Part, draws: Floats) -> tuple[Floats, Floats]:
        """Return effective rates of false alarms, and true positive rates, at all levels."""
        sums, n = draws @ part.counts, part.n_levels
        hours = (draws @ self.survey.hours)[:, None]
        found = np.cumsum(sums[:, :n], axis=1)
        alarms = np.cumsum(sums[:, n : 2 * n], axis=1) / hours
        crossing = np.cumsum(sums[:, 2 * n : 3 * n], axis=1)
        return alarms + self.scenario.alpha_ct * crossing, ratio(found, sums[:, 3 * n :])

    def heights(self, part: _Part, draws: Floats, grid: Floats) -> Floats:
        """Return the true positive rate at rates of false alarms [shape=(n_rows, n_grid)]."""
        x, y = self.rates(part, draws)
        heights = np.empty((len(x), len(grid)))
        for row in range(len(x)):
            heights[row] = step_heights(x[row], y[row], grid)
        heights[(draws @ part.counts[:, -1]) == 0] = np.nan
        return heights


def joined(events: Events) -> Events:
    """Return events with those of one recording and class joined that overlap; points are left."""
    order = np.lexsort((events.starts, events.classes, events.recordings))
    rows: list[tuple[int, int, float, float, float]] = []
    part = events.at(order[events.ends[order] > events.starts[order]])
    columns = (part.recordings, part.classes, part.starts, part.ends)
    for recording, code, start, end in zip(*(each.tolist() for each in columns), strict=True):
        if rows and rows[-1][:2] == (recording, code) and start < rows[-1][3]:
            rows[-1] = (*rows[-1][:3], max(rows[-1][3], end), float("nan"))
        else:
            rows.append((recording, code, start, end, float("nan")))
    return Events.of(rows)


def overlaps(truth: Events, detections: Events) -> tuple[Codes, Codes, Floats]:
    """Return the pairs of an event and a detection that overlap, and for how many seconds."""
    firsts, seconds = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    order, by_start = (
        np.lexsort((events.starts, events.recordings)) for events in (truth, detections)
    )
    n = int(max(truth.recordings.max(initial=-1), detections.recordings.max(initial=-1))) + 1
    bounds = np.searchsorted(truth.recordings[order], np.arange(n + 1))
    edges = np.searchsorted(detections.recordings[by_start], np.arange(n + 1))
    for (low, high), (begin, end) in zip(
        pairwise(bounds.tolist()), pairwise(edges.tolist()), strict=True
    ):
        if low == high or begin == end:
            continue
        events, found = order[low:high], by_start[begin:end]
        # An event overlaps detections that start before its end, and no earlier than the longest
        # detection before its start.
        starts = detections.starts[found]
        longest = float((detections.ends[found] - starts).max())
        left = np.searchsorted(starts, truth.starts[events] - longest - _SLACK)
        number = np.searchsorted(starts, truth.ends[events], side="left") - left
        pair = np.repeat(np.arange(len(events)), number)
        at = np.repeat(left - (np.cumsum(number) - number), number) + np.arange(len(pair))
        keep = detections.ends[found[at]] > truth.starts[events[pair]]
        firsts.append(events[pair[keep]])
        seconds.append(found[at[keep]])
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    shared = np.minimum(truth.ends[first], detections.ends[second])
    shared = shared - np.maximum(truth.starts[first], detections.starts[second])
    return first, second, shared


def _found_at(
    truth: Events,
    detections: Events,
    first: Codes,
    second: Codes,
    seconds: Floats,
    scenario: Scenario,
) -> Floats:
    """Return the score from which on each event is found, -inf if it never is."""
    scores = np.nan_to_num(detections.scores[second], nan=0.0)
    order = np.lexsort((-scores, first))
    first, scores, seconds = first[order], scores[order], seconds[order]
    sums = np.cumsum(seconds)
    begin = np.searchsorted(first, first, side="left")
    before = np.concatenate([[0.0], sums])[begin]
    enough = sums - before >= scenario.gtc * (truth.ends - truth.starts)[first] - 1e-7
    found = np.full(len(truth), -np.inf)
    np.maximum.at(found, first[enough], scores[enough])
    return found


def _crossed(
    truth: Events,
    detections: Events,
    first: Codes,
    second: Codes,
    seconds: Floats,
    scenario: Scenario,
) -> tuple[Codes, Codes]:
    """Return the detections that cross-trigger, with the classes that they do it for."""
    n_classes = int(truth.classes.max(initial=0)) + 1
    cells, codes = np.unique(second * n_classes + truth.classes[first], return_inverse=True)
    cover = np.bincount(codes.reshape(-1), seconds, minlength=len(cells))
    detection = cells // n_classes
    lengths = (detections.ends - detections.starts)[detection]
    enough = cover >= scenario.cttc * lengths - _SLACK
    return detection[enough], cells[enough] % n_classes
