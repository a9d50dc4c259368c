"""Clips from the annotations of a recording: one per mark, or windows of one length.

All times are in s, spans are half-open. A mark with an empty label makes no clip, but it keeps
windows from being background.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audioclf.base.errors import DatasetError
from audioclf.dataset.label_sets import UNSURE, join_labels

MAX_OVERLAPS = 5_000_000
"""Upper bound on the pairs of marks, or of a mark and a window, of one recording."""

_EPSILON = 1e-9  # times are sums of decimal fractions


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A span with a label."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Cut:
    """The clips of a recording, and how many were skipped for two labels or too little overlap."""

    clips: tuple[Mark, ...]
    conflicts: int = 0
    too_little: int = 0


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Length, distance and labels of windows.

    Parameters
    ----------
    window, hop : float
        Length of a window, and distance between the starts of two windows.
    min_overlap : float
        Smallest share of a window that marks of its label cover, in (0, 1].
    background : str, optional
        Label of windows without a mark; without it they are skipped.
    """

    window: float
    hop: float
    min_overlap: float
    background: str | None = None


def cut_at_marks(marks: Iterable[Mark], *, longest: bool) -> Cut:
    """Return each mark as a clip.

    If marks of two labels overlap, both are skipped; with `longest` only the shorter one, or both
    if they have the same length.

    Raises
    ------
    DatasetError
        If more than `MAX_OVERLAPS` marks overlap.
    """
    named = sorted({mark for mark in marks if mark.label and mark.end > mark.start})
    dropped: set[Mark] = set()
    for first, second in _conflicts(named):
        lengths = [round(mark.end - mark.start, 9) for mark in (first, second)]
        if not longest or lengths[0] <= lengths[1]:
            dropped.add(first)
        if not longest or lengths[1] <= lengths[0]:
            dropped.add(second)
    return Cut(tuple(mark for mark in named if mark not in dropped), conflicts=len(dropped))


def _conflicts(marks: Sequence[Mark]) -> Iterator[tuple[Mark, Mark]]:
    """Yield the pairs of marks, sorted by start, that overlap and have two labels."""
    active: list[Mark] = []
    pairs = 0
    for mark in marks:
        active = [other for other in active if other.end > mark.start + _EPSILON]
        pairs += len(active)
        _check_overlaps(pairs)
        yield from ((other, mark) for other in active if other.label != mark.label)
        active.append(mark)


def _check_overlaps(number: int) -> None:
    if number > MAX_OVERLAPS:
        raise DatasetError(f"more than {MAX_OVERLAPS:,} overlaps of annotations")


def cut_windows(marks: Iterable[Mark], seconds: float, rule: WindowRule, *, longest: bool) -> Cut:
    """Return the windows that have a label.

    A window has the label whose marks together cover at least `min_overlap` of it. A window with
    several such labels is skipped; with `longest` it has the label that covers most, if only one
    does. A shorter window at the end of the recording is left out.

    Parameters
    ----------
    marks : iterable of Mark
    seconds : float
        Length of the recording.
    rule : WindowRule
    longest : bool

    Raises
    ------
    DatasetError
        If there are more than `MAX_OVERLAPS` windows.
    """
    count = _count(seconds, rule)
    covered = _coverage(sorted(marks), count, rule)
    labels = [_label(covered.get(index, {}), rule, longest) for index in range(count)]
    clips = [
        Mark(*_bounds(index, rule), label)
        for index, label in enumerate(labels)
        if label is not None
    ]
    touched = [index for index in covered if labels[index] is None]
    disputed = sum(len(_reaching(covered[index], rule)) > 1 for index in touched)
    return Cut(tuple(clips), conflicts=disputed, too_little=len(touched) - disputed)


def cut_several(
    marks: Iterable[Mark], seconds: float, rule: WindowRule, classes: Sequence[str]
) -> Cut:
    """Return all windows, each with its labels as a text of `label_sets`, possibly none.

    A window has each label whose marks together cover at least `min_overlap` of it. Labels that
    cover less of it, and those of marks such as `?wren`, are not labelled in it; neither is any
    other class where a mark without a label lies in it.

    Raises
    ------
    DatasetError
        If there are more than `MAX_OVERLAPS` windows.
    """
    count = _count(seconds, rule)
    covered = _coverage(sorted(marks), count, rule)
    clips = [
        Mark(*_bounds(index, rule), _labels(covered.get(index, {}), rule, classes))
        for index in range(count)
    ]
    return Cut(tuple(clips))


def _labels(
    covered: dict[str, tuple[float, float]], rule: WindowRule, classes: Sequence[str]
) -> str:
    present = {label for label in _reaching(covered, rule) if not label.startswith(UNSURE)}
    touching = {label.removeprefix(UNSURE) for label in covered if label}
    unlabelled = set(classes) if "" in covered else touching
    return join_labels(present, unlabelled - present)


def _count(seconds: float, rule: WindowRule) -> int:
    if seconds + _EPSILON < rule.window:
        return 0
    count = math.floor((seconds - rule.window) / rule.hop + _EPSILON) + 1
    if count > MAX_OVERLAPS:
        raise DatasetError(f"{count:,} windows with a hop of {rule.hop} s (limit {MAX_OVERLAPS:,})")
    return count


def _bounds(index: int, rule: WindowRule) -> tuple[float, float]:
    return round(index * rule.hop, 9), round(index * rule.hop + rule.window, 9)


def _coverage(
    marks: Sequence[Mark], count: int, rule: WindowRule
) -> dict[int, dict[str, tuple[float, float]]]:
    """Return the covered seconds and the end of the cover, by window and label."""
    covered: dict[int, dict[str, tuple[float, float]]] = {}
    overlaps = 0
    for mark in marks:
        touched = _touched(mark, count, rule)
        overlaps += len(touched)
        _check_overlaps(overlaps)
        for index in touched:
            low, high = _bounds(index, rule)
            by_label = covered.setdefault(index, {})
            length, reach = by_label.get(mark.label, (0.0, low))
            end = min(mark.end, high)
            length += max(0.0, end - max(mark.start, reach))
            by_label[mark.label] = (length, max(reach, end))
    return covered


def _touched(mark: Mark, count: int, rule: WindowRule) -> range:
    """Return the windows that a mark overlaps, or that a point in time lies in."""
    first = math.floor((mark.start - rule.window) / rule.hop + _EPSILON) + 1
    stop = math.ceil(mark.end / rule.hop - _EPSILON)
    if mark.end == mark.start:
        stop = math.floor(mark.start / rule.hop + _EPSILON) + 1
    return range(max(0, first), min(count, stop))


def _label(covered: dict[str, tuple[float, float]], rule: WindowRule, longest: bool) -> str | None:
    if not covered:
        return rule.background
    reaching = _reaching(covered, rule)
    if len(reaching) > 1 and longest:
        most = max(reaching.values())
        reaching = {k: length for k, length in reaching.items() if length >= most - _EPSILON}
    return next(iter(reaching)) if len(reaching) == 1 else None


def _reaching(covered: dict[str, tuple[float, float]], rule: WindowRule) -> dict[str, float]:
    needed = rule.min_overlap * rule.window - _EPSILON
    return {label: length for label, (length, _) in covered.items() if label and length >= needed}
