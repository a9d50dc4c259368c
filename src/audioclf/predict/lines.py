"""Lines of one recording: windows, events, segments, or one for the whole recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from audioclf.dataset.label_sets import join_labels
from audioclf.models.calibration.maps import is_tie
from audioclf.models.decisions import name_of
from audioclf.predict.events import Event, Rollup, find_events, rolled_up
from audioclf.predict.formats import Line
from audioclf.predict.scoring import Outcome
from audioclf.predict.segments import SegmentRule, find_segments
from audioclf.predict.settings import Settings, gives_p_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.models.model import Model


def lines_of(outcome: Outcome, model: Model, settings: Settings) -> tuple[int, Iterable[Line]]:
    """Return the number of lines of one recording, and the lines."""
    if settings.events is not None:
        events = _events_of(outcome, model, settings)
        path = outcome.recording.name
        return len(events), [event_line(path, model, settings, event) for event in events]
    if (several := model.manifest.several) is not None:
        thresholds = settings.thresholds or several.thresholds
        lines = list(_lines_of_several(outcome, model, settings, thresholds))
        return len(lines), lines
    if model.is_number:
        numbers = list(_number_lines(outcome, settings))
        return len(numbers), numbers
    if settings.rollup is not None:
        return 1, [_rolled_up_line(outcome, model, settings.rollup)]
    n_windows = len(outcome.codes)
    p_values: Sequence[float | None] = [None] * n_windows
    if gives_p_values(model, settings):
        p_values = model.scorer.p_values_of_scores(outcome.scores).tolist()
    return n_windows, (_window_line(outcome, model, index, p) for index, p in enumerate(p_values))


def _window_line(outcome: Outcome, model: Model, index: int, p_value: float | None) -> Line:
    code = int(outcome.codes[index])
    scores = () if outcome.scores is None else tuple(map(float, outcome.scores[index]))
    start, end = map(float, outcome.times[index])
    label = name_of(code, model.classes)
    score = (scores[code] if code >= 0 else max(scores)) if scores else None
    return Line(outcome.recording.name, start, end, label, score, scores, p_value=p_value)


def _number_lines(outcome: Outcome, settings: Settings) -> Iterator[Line]:
    """Yield the number of each window, or the mean of the whole recording."""
    assert outcome.scores is not None
    times, numbers = outcome.times, outcome.scores[:, 0]
    if settings.rollup is not None:
        times, numbers = np.array([[times[0, 0], times[:, 1].max()]]), numbers.mean(keepdims=True)
    for (start, end), number in zip(times.tolist(), numbers.tolist(), strict=True):
        yield Line(outcome.recording.name, start, end, f"{number:.6f}", None)


def _lines_of_several(
    outcome: Outcome, model: Model, settings: Settings, thresholds: Sequence[float]
) -> Iterator[Line]:
    """Yield the windows, or the whole recording, with their labels joined by `;`.

    A format of one label per line gets a line for each of them.
    """
    assert outcome.scores is not None
    times, scores = outcome.times, outcome.scores
    limits = np.asarray(thresholds)
    states = scores >= limits
    if settings.rollup is not None:
        times = np.array([[times[0, 0], times[:, 1].max()]])
        share = settings.rollup == "share"
        scores = (states if share else scores).mean(axis=0, keepdims=True)
        states = np.array([states.any(axis=0) if share else scores[0] >= limits])
    has_scores = model.score_kind != "none" or settings.rollup is not None
    for (start, end), row, state in zip(times.tolist(), scores.tolist(), states, strict=True):
        names = [(model.classes[code], row[code]) for code in np.flatnonzero(state)]
        path = outcome.recording.name
        if settings.output.one_label:
            for name, score in names:
                yield Line(path, start, end, name, score if has_scores else None)
        else:
            more = tuple(row) if has_scores else ()
            yield Line(path, start, end, join_labels(name for name, _ in names), None, more)


def _events_of(outcome: Outcome, model: Model, settings: Settings) -> list[Event]:
    rule = settings.events
    assert rule is not None
    if isinstance(rule, SegmentRule):
        assert outcome.scores is not None
        assert outcome.info is not None
        return find_segments(
            outcome.times,
            outcome.scores,
            rule,
            end=float(outcome.times[0, 0]) + outcome.info.seconds,
            abstain_below=model.manifest.abstain_below,
        )
    scores = scores_for_events(outcome, rule.makes_events(model.classes))
    return find_events(outcome.times, scores, rule, settings.thresholds)


def event_line(path: str, model: Model, settings: Settings, event: Event) -> Line:
    """Return the line of an event or a segment."""
    label = (*model.classes, "")[event.code]
    more = (event.mean_score, event.n_windows)
    p_value = None
    if gives_p_values(model, settings):
        scores = np.full((1, 2), 1 - event.score)
        scores[0, event.code] = event.score
        p_value = float(model.scorer.p_values_of_scores(scores)[0])
    return Line(path, event.start, event.end, label, event.score, more, p_value=p_value)


def scores_for_events(
    outcome: Outcome, wanted: NDArray[np.bool_] | np.bool_ = np.True_
) -> NDArray[np.float64]:
    """Return the scores [shape=(n_windows, n_classes)], NaN where they make no event.

    That is where the model abstains, where two classes are highest, and for unwanted classes.
    """
    assert outcome.scores is not None
    if outcome.is_several:
        return np.where(wanted, outcome.scores, np.nan)
    no_class = (outcome.codes < 0) | is_tie(outcome.scores)
    return np.where(no_class[:, None] | ~wanted, np.nan, outcome.scores)


def _rolled_up_line(outcome: Outcome, model: Model, how: Rollup) -> Line:
    scores = outcome.scores
    if scores is None:
        scores = np.zeros((len(outcome.codes), len(model.classes)))
    totals = tuple(map(float, rolled_up(scores, outcome.codes, how)))
    start, end = float(outcome.times[0, 0]), float(outcome.times[:, 1].max())
    score = max(totals)
    code = totals.index(score) if (outcome.codes >= 0).any() else int(outcome.codes.min())
    label = name_of(code, model.classes)
    return Line(outcome.recording.name, start, end, label, score, totals)
