"""Estimates for a collection from the reviews of a list whose probabilities are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audioclf.base.errors import DatasetError
from audioclf.dataset.label_sets import SEPARATOR, split_labels
from audioclf.dataset.path_labels import count
from audioclf.dataset.review_list import (
    CERTAIN,
    LABELLED,
    SKIPPED,
    UNSURE,
    Answer,
    agreed,
    latest,
    read_answers,
    unfinished,
)
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.evaluation.sampling.agreement import Agreement, agreements
from audioclf.evaluation.sampling.estimates import (
    Stratum,
    Threshold,
    at_threshold,
    joined,
    more_for_half,
    precision_of,
    total_of,
)


@dataclass(frozen=True)
class Band:
    """Reviewed windows of a band of scores, those with an event, and its precision."""

    low: float
    n_windows: int
    n_reviewed: int
    n_events: int
    precision: Estimate


@dataclass(frozen=True)
class Estimates:
    """Estimates for all windows of a collection; `events` has the windows with each class.

    `target` are the classes that were looked for, `wanted` is the lowest threshold whose precision
    is at least the wanted one with 95 % confidence, `more` the number of further windows that
    halves the intervals.
    """

    target: tuple[str, ...]
    n_windows: int
    n_reviewed: int
    events: dict[str, Estimate]
    any_event: Estimate
    bands: tuple[Band, ...]
    thresholds: tuple[Threshold, ...]
    more: int
    wanted: Threshold | None = None
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return all numbers as plain data."""
        thresholds = [_threshold_data(item) for item in self.thresholds]
        return {
            "target": list(self.target),
            "windows": self.n_windows,
            "reviewed": self.n_reviewed,
            "events": {name: value.to_data() for name, value in self.events.items()},
            "any_event": self.any_event.to_data(),
            "bands": [{**vars(band), "precision": band.precision.to_data()} for band in self.bands],
            "thresholds": thresholds,
            "wanted": None if self.wanted is None else _threshold_data(self.wanted),
            "more_for_half": self.more,
            "agreements": [
                {**vars(pair), "kappa": pair.kappa.to_data()} for pair in self.agreements
            ],
            "notes": list(self.notes),
        }


def _threshold_data(item: Threshold) -> dict[str, Any]:
    return {**vars(item), "precision": item.precision.to_data(), "recall": item.recall.to_data()}


def estimates_of(tables: Sequence[Path], precision: float | None = None) -> Estimates:
    """Return the estimates from tables of answers to one list (DatasetError)."""
    name = ", ".join(map(str, tables))
    rows = [answer for table in tables for answer in read_answers(table)[0]]
    if len({(w.collection_windows, w.model, w.target) for w in (row.window for row in rows)}) > 1:
        raise DatasetError(f"{name}: windows of several lists", hint="Give those of one list.")
    by_window = latest(rows)
    said = {key: agreed(mine.values()) for key, mine in by_window.items()}
    answers = [answer for answer in said.values() if answer and answer.state == LABELLED]
    notes = [note for table in tables for note in unfinished(table)]
    for state, text in ((SKIPPED, "skipped"), (UNSURE, "unsure")):
        number = sum((answer.state if answer else SKIPPED) == state for answer in said.values())
        if number:
            is_not = count(number, "window is", "windows are")
            notes.append(f"{is_not} {text}, and taken for a random part of the list")
    if number := sum(bool(split_labels(answer.label)[1]) for answer in answers):
        has = count(number, "window has", "windows have")
        notes.append(
            f"{has} a class that is unsure or on which reviewers differ: not counted for that class"
        )
    _check(name, answers)
    target = tuple(answers[0].window.target.split(SEPARATOR))
    is_target = [_state_of(answer, target) for answer in answers]
    strata, hits = _strata(name, answers, is_target)
    edges = sorted({item.low for item in strata if not item.name.startswith(CERTAIN)})
    thresholds = tuple(at_threshold(strata, hits, edge) for edge in edges)
    names = dict.fromkeys(each for answer in answers for each in answer.asked or target)
    events = {}
    for each in names:
        own, has_event = _strata(name, answers, [_state_of(item, (each,)) for item in answers])
        events[each] = total_of(own, has_event)
    enough = [t for t in thresholds if precision is not None and t.precision.low >= precision]
    return Estimates(
        target,
        answers[0].window.collection_windows,
        len(answers),
        events,
        total_of(strata, hits),
        tuple(_bands(strata, hits, edges)),
        thresholds,
        more_for_half(strata),
        min(enough, key=lambda item: item.score, default=None),
        tuple(agreements(by_window.values())),
        tuple(notes),
    )


def _check(name: str, answers: Sequence[Answer]) -> None:
    """Refuse answers that say nothing of the collection."""
    if not answers:
        raise DatasetError(f"{name}: no window is labelled", hint="Label some with `review`.")
    windows = [answer.window for answer in answers]
    if any(w.probability is None or not w.stratum_windows for w in windows):
        raise DatasetError(
            f"{name}: the list does not say with which probability its windows were chosen",
            hint="Make the list with `audioclf suggest`.",
        )
    if all(w.chosen_by in CERTAIN for w in windows):
        raise DatasetError(
            f"{name}: the windows were chosen because they are {windows[0].chosen_by}; the others "
            "could not be chosen, and nothing is known of them",
            hint="Make a list with `audioclf suggest --by mixed` or `random`.",
        )
    sizes = {w.stratum: w.stratum_windows for w in windows}
    counts = Counter(w.stratum for w in windows)
    facts = {(w.stratum, w.stratum_low, w.stratum_windows, w.chosen_by) for w in windows}
    if len(facts) > len(sizes) or any(counts[name] > size for name, size in sizes.items()):
        raise DatasetError(
            f"{name}: its strata contradict each other, so its first columns were changed",
            hint="Take these columns from the list that `audioclf suggest` wrote.",
        )
    missing = windows[0].collection_windows - sum(sizes.values())
    if missing:
        raise DatasetError(
            f"{name}: no window is labelled of {count(missing, 'window', 'windows')} of "
            f"{windows[0].collection_windows:,}, which differ in score from the others",
            hint="Label the rest of the list.",
        )


def _state_of(answer: Answer, names: Sequence[str]) -> bool | None:
    """Return whether a window holds one of the classes; None if that is not known."""
    present, unsure = split_labels(answer.label)
    if any(name in present for name in names):
        return True
    known = all(name in answer.asked and name not in unsure for name in names)
    return False if known or (not answer.asked and not unsure) else None


def _strata(
    name: str, answers: Sequence[Answer], states: Sequence[bool | None]
) -> tuple[list[Stratum], np.ndarray]:
    """Return the strata with the windows whose state is known, and the states."""
    members: dict[str, list[int]] = {}
    for at, answer in enumerate(answers):
        members.setdefault(answer.window.stratum, []).append(at)
    by_way: dict[str, list[Stratum]] = {}
    for stratum, places in members.items():
        first = answers[places[0]].window
        rows = np.array([at for at in places if states[at] is not None], dtype=np.intp)
        weights = np.array([1 / (answers[at].window.probability or 1.0) for at in rows])
        low, size = first.stratum_low or 0.0, first.stratum_windows
        by_way.setdefault(first.chosen_by, []).append(Stratum(stratum, low, size, rows, weights))
    parts = [joined(strata) for strata in by_way.values()]
    if not all(parts):
        raise DatasetError(f"{name}: of a class no window is known to have it or not")
    return [stratum for part in parts for stratum in part], np.array([bool(s) for s in states])


def _bands(strata: Sequence[Stratum], hits: np.ndarray, edges: Sequence[float]) -> list[Band]:
    """Return the bands between the lowest scores of strata, the highest first."""
    bands = []
    for low, high in zip(edges[::-1], [float("inf"), *edges[:0:-1]], strict=True):
        own = [item for item in strata if low <= item.low < high]
        size = sum(item.size for item in own)
        rows = np.concatenate([item.rows for item in own])
        n_events, precision = int(hits[rows].sum()), precision_of(own, hits)
        bands.append(Band(low, size, len(rows), n_events, precision))
    return bands
