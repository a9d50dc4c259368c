"""Events from scored windows, and one line per recording.

A window stands for the part of the recording that is nearer to its centre than to that of another
window, since overlapping windows would make events too long at both ends. Each class is judged by
its own score, so events of two classes can overlap if `threshold_off` is below 0.5. A window in
which two classes share the highest score counts for no class, as where the model abstains. Adjacent
windows whose score reaches `threshold_off` form an event if one of them reaches `threshold`
(hysteresis; by default both are equal). Events of one class are merged if the gap is at most
`merge_gap`; then events shorter than `min_duration` are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np

from audioclf.base.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rollup = Literal["mean", "share"]

EVENTS_VERSION = 3
"""Version of these rules: in version 1 events reached to the ends of their windows, in version 2
the class for background made events."""

_BACKGROUND = re.compile(
    r"back[ _-]?ground|silen(?:ce|t)|nothing|none|empty|absent|negative|ambien(?:t|ce)|no[ _-].+",
    re.IGNORECASE,
)

SLACK = 1e-9
"""Tolerance in s for times that are equal except for rounding."""


@dataclass(frozen=True)
class EventRule:
    """The rule by which windows form events.

    One window of an event reaches `threshold`, all its windows reach `threshold_off`, by default
    the same. Events of a class with a gap of at most `merge_gap` s are merged, and shorter ones
    than `min_duration` s are dropped. With `only`, no other class makes events; a class in `skip`
    makes none, nor does one whose name says that there is nothing, unless `only` names it.
    """

    rows: ClassVar[str] = "events"

    threshold: float = 0.5
    threshold_off: float | None = None
    merge_gap: float = 0.0
    min_duration: float = 0.0
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 <= self.off <= self.threshold <= 1.0:
            raise ConfigError(
                f"thresholds of {self.threshold:g} and {self.off:g} (off): expected "
                "0 <= off <= threshold <= 1"
            )
        for name in ("merge_gap", "min_duration"):
            seconds = getattr(self, name)
            if not 0.0 <= seconds < np.inf:
                option = name.replace("_", " ")
                raise ConfigError(f"a {option} of {seconds:g} s: 0 or more is expected")

    @property
    def off(self) -> float:
        """Score that all windows of an event must reach."""
        return self.threshold if self.threshold_off is None else self.threshold_off

    def makes_events(self, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return which classes make events [shape=(n_classes,)].

        An unknown name in `only` or `skip` is a ConfigError.
        """
        for name in (*self.only, *self.skip):
            if name not in classes:
                raise ConfigError(
                    f"the model has no class {name!r}", hint=f"There are {', '.join(classes)}."
                )
        wanted = self.only or [name for name in classes if not _BACKGROUND.fullmatch(name)]
        return np.array([name in wanted and name not in self.skip for name in classes])


class Event(NamedTuple):
    """A part of a recording in which a class was detected.

    `start` and `end` are in s, half-open; `code` is the position of the class. The scores are those
    of the `n_windows` windows that reach `threshold_off`.
    """

    start: float
    end: float
    code: int
    score: float
    mean_score: float
    n_windows: int


def find_events(
    times: NDArray[np.float64],
    scores: NDArray[np.float64],
    rule: EventRule,
    thresholds: Sequence[float] | None = None,
) -> list[Event]:
    """Return the events in one recording, by start, then by class.

    `times` [shape=(n_windows, 2)] are starts and ends in s, in order; `scores` [shape=(n_windows,
    n_classes)] are NaN in windows that count for no class. `thresholds` of the classes take the
    place of that of the rule.

    >>> times = np.array([[0, 1], [1, 2], [2, 3], [3, 4]], dtype=float)
    >>> scores = np.array([[0.9], [0.4], [0.1], [0.8]])
    >>> for event in find_events(times, scores, EventRule(0.5, threshold_off=0.3)):
    ...     print(event.start, event.end, event.n_windows)
    0.0 2.0 2
    3.0 4.0 1
    >>> overlapping = np.array([[0, 2], [1, 3], [2, 4], [3, 5]], dtype=float)
    >>> for event in find_events(overlapping, scores, EventRule(0.5, threshold_off=0.3)):
    ...     print(event.start, event.end, event.n_windows)
    0.0 2.5 2
    3.5 5.0 1
    """
    parts = _nearest_parts(times)
    events = [
        event
        for code in range(scores.shape[1])
        for event in _events_of(parts, scores[:, code], code, _rule_of(code, rule, thresholds))
    ]
    return sorted(events, key=lambda event: (event.start, event.code))


def _rule_of(code: int, rule: EventRule, thresholds: Sequence[float] | None) -> EventRule:
    if thresholds is None:
        return rule
    threshold = thresholds[code]
    off = None if rule.threshold_off is None else min(threshold, rule.threshold_off)
    return replace(rule, threshold=threshold, threshold_off=off)


def _nearest_parts(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return windows cut where they overlap, halfway between their centres."""
    parts = times.copy()
    centres = times.mean(axis=1)
    halfway = (centres[:-1] + centres[1:]) / 2
    overlap = times[:-1, 1] > times[1:, 0] + SLACK
    parts[:-1, 1] = np.where(overlap, halfway, times[:-1, 1])
    parts[1:, 0] = np.where(overlap, halfway, times[1:, 0])
    return parts


def _events_of(
    times: NDArray[np.float64], scores: NDArray[np.float64], code: int, rule: EventRule
) -> Iterator[Event]:
    runs = [run for run in _runs(times, scores, rule) if scores[run].max() >= rule.threshold]
    for windows in _merged(times, runs, rule.merge_gap):
        start, end = float(times[windows[0], 0]), float(times[windows, 1].max())
        if end - start >= rule.min_duration - SLACK:
            best, mean = float(scores[windows].max()), float(scores[windows].mean())
            yield Event(start, end, code, best, mean, len(windows))


def _runs(
    times: NDArray[np.float64], scores: NDArray[np.float64], rule: EventRule
) -> list[NDArray[np.intp]]:
    """Return runs of adjacent windows that reach `off`."""
    active = np.flatnonzero(scores >= rule.off)
    gaps = times[active[1:], 0] - times[active[:-1], 1]
    broken = (np.diff(active) > 1) | (gaps > rule.merge_gap + SLACK)
    runs = np.split(active, np.flatnonzero(broken) + 1)
    return [run for run in runs if len(run)]


def _merged(
    times: NDArray[np.float64], runs: list[NDArray[np.intp]], merge_gap: float
) -> list[NDArray[np.intp]]:
    merged: list[list[NDArray[np.intp]]] = []
    for run in runs:
        if merged and times[run[0], 0] - times[merged[-1][-1][-1], 1] <= merge_gap + SLACK:
            merged[-1].append(run)
        else:
            merged.append([run])
    return [np.concatenate(parts) for parts in merged]


@dataclass(eq=False)
class EventTracker:
    """The events of `find_events`, each one as soon as no further window can change it.

    Its memory does not grow with the number of windows.
    """

    rule: EventRule
    thresholds: Sequence[float] | None = None
    _last: tuple[float, float, NDArray[np.float64]] | None = None
    _halfway: float | None = None
    _classes: dict[int, _ClassEvents] = field(default_factory=dict)

    def add(self, start: float, end: float, scores: NDArray[np.float64]) -> list[Event]:
        """Take the next window, with its times in s, and return the events that have ended."""
        window, last = (start, end, scores), self._last
        self._last = window
        if last is None:
            return []
        overlap = last[1] > start + SLACK
        halfway = ((last[0] + last[1]) / 2 + (start + end) / 2) / 2 if overlap else None
        return self._take(last, halfway)

    def finish(self) -> list[Event]:
        """Return the events that last until the end."""
        ended = [] if self._last is None else self._take(self._last, None)
        self._last = None
        for code in sorted(self._classes):
            ended += self._classes[code].finish()
        return sorted(ended, key=lambda event: (event.start, event.code))

    def _take(
        self, window: tuple[float, float, NDArray[np.float64]], halfway: float | None
    ) -> list[Event]:
        start, end, scores = window
        start = start if self._halfway is None else self._halfway
        end, self._halfway = (end if halfway is None else halfway), halfway
        for code in np.flatnonzero(scores >= self._offs):
            rule = _rule_of(int(code), self.rule, self.thresholds)
            self._classes.setdefault(int(code), _ClassEvents(int(code), rule))
        ended: list[Event] = []
        for each in list(self._classes.values()):
            ended += each.add(start, end, float(scores[each.code]))
            if each.is_idle:
                del self._classes[each.code]
        return sorted(ended, key=lambda event: (event.start, event.code))

    @cached_property
    def _offs(self) -> NDArray[np.float64]:
        """Score of each class from which a window is active; one for all if they are equal."""
        if self.thresholds is None:
            return np.array(self.rule.off)
        codes = range(len(self.thresholds))
        return np.array([_rule_of(code, self.rule, self.thresholds).off for code in codes])


@dataclass(eq=False)
class _ClassEvents:
    """The unfinished event of one class, and the run of windows that may become a part of it."""

    code: int
    rule: EventRule
    event: Event | None = None
    run: Event | None = None

    @property
    def is_idle(self) -> bool:
        return self.event is None and self.run is None

    def add(self, start: float, end: float, score: float) -> list[Event]:
        """Take the part of time for which the next window stands."""
        ended: list[Event] = []
        gap = self.rule.merge_gap + SLACK
        is_active = score >= self.rule.off
        if self.run is not None and not (is_active and start - self.run.end <= gap):
            ended += self._close()
        if is_active:
            part = Event(start, end, self.code, score, score, 1)
            self.run = part if self.run is None else _joined(self.run, part)
        if self.event is not None:
            following = end if self.run is None else self.run.start
            if following - self.event.end > gap:
                ended += self._end()
        return ended

    def finish(self) -> list[Event]:
        """Return what is unfinished."""
        return [*self._close(), *self._end()]

    def _close(self) -> list[Event]:
        """Make the run a part of an event, if it reaches the threshold."""
        run, self.run = self.run, None
        if run is None or run.score < self.rule.threshold:
            return []
        if self.event is None:
            self.event = run
            return []
        if run.start - self.event.end <= self.rule.merge_gap + SLACK:
            self.event = _joined(self.event, run)
            return []
        ended, self.event = self._end(), run
        return ended

    def _end(self) -> list[Event]:
        event, self.event = self.event, None
        if event is None or event.end - event.start < self.rule.min_duration - SLACK:
            return []
        return [event]


def _joined(first: Event, second: Event) -> Event:
    n_windows = first.n_windows + second.n_windows
    total = first.mean_score * first.n_windows + second.mean_score * second.n_windows
    return Event(
        first.start,
        max(first.end, second.end),
        first.code,
        max(first.score, second.score),
        total / n_windows,
        n_windows,
    )


def no_events_note(highest: float, n_classes: int, rule: EventRule) -> str:
    """Return why windows with a highest score formed no event, with a threshold to try."""
    if not np.isfinite(highest):
        return "no events: no window has a class"
    if highest >= rule.threshold:
        return (
            f"no events: all are shorter than --min-duration {rule.min_duration:g}; "
            "lower it, or use a longer --merge-gap"
        )
    lower = np.floor(max(0.9 * highest, min(highest, 1 / n_classes)) * 1000) / 1000
    return (
        f"no events: no window reaches --threshold {rule.threshold:g}, the highest score is "
        f"{highest:.3f}; try --threshold {lower:.3g}"
    )


def rolled_up(
    scores: NDArray[np.float64], codes: NDArray[np.intp], how: Rollup
) -> NDArray[np.float64]:
    """Return one score per class for a whole recording.

    It is the mean score, or the share of the windows that have the class. The model abstains from
    windows with a negative code.

    >>> rolled_up(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 1]), "mean").round(2)
    array([0.65, 0.35])
    """
    if how == "mean":
        return np.asarray(scores.mean(axis=0))
    counts = np.bincount(codes[codes >= 0], minlength=scores.shape[1])
    return np.asarray(counts / len(codes))
