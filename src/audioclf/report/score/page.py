"""The misses and false alarms of a score as one HTML page that needs no network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError
from audioclf.dataset.sources import AudioSource, PartSource, Span
from audioclf.evaluation.detection.events import Events
from audioclf.evaluation.detection.scores import DetectionScores
from audioclf.report.clips import MAX_SECONDS
from audioclf.report.media import SAMPLE_RATE, data_uri, picture_of, sound_of, thumbnail_of
from audioclf.report.render import rendered

View = dict[str, Any]

MAX_SHOWN = 30
"""Misses, and false alarms, that a page shows at most."""

_MARGIN = 1.0
"""Seconds before and after an event."""

_BUDGET = 6_000_000


@dataclass(frozen=True)
class _Card:
    """An event of one side, and the part of the recording that is shown."""

    side: Events
    at: int
    start: float
    end: float


def build_page(
    name: str,
    scores: DetectionScores,
    sources: Mapping[str, AudioSource],
    table: Sequence[Sequence[str]],
    notes: Sequence[str],
    curve: bytes | None,
    further: Sequence[str] = (),
) -> str:
    """Return the page as HTML.

    `table` has a header and the rows of the classes, `further` has lines of numbers below it;
    `curve` is a PNG. Recordings that are not in `sources` have no sound and no spectrogram.
    """
    survey, matching = scores.survey, scores.matching
    missed = _fair(survey.truth, np.flatnonzero(matching.detection_of < 0))
    false = _fair(survey.detections, np.flatnonzero(~matching.hits))
    budget = [_BUDGET]
    groups: list[View] = []
    sides = ("misses", survey.truth, missed), ("false alarms", survey.detections, false)
    for kind, events, order in sides:
        cards = [_card(events, at, survey.seconds) for at in order[:MAX_SHOWN]]
        views = [_view(card, scores, sources, budget) for card in cards]
        groups.append({"kind": kind, "n": len(order), "cards": views})
    view = {
        "name": name,
        "n_recordings": len(survey.recordings),
        "hours": f"{survey.hours.sum():.3g}",
        "header": table[0],
        "rows": table[1:],
        "groups": groups,
        "notes": notes,
        "further": further,
        "curve": None if curve is None else data_uri(curve, "image/png"),
        "has_sound": any(card["sound"] for group in groups for card in group["cards"]),
    }
    return rendered("score", view, {})


def _fair(events: Events, rows: NDArray[np.intp]) -> list[int]:
    """Return rows in turns of the classes, those of each by falling score."""
    scores = np.nan_to_num(events.scores[rows], nan=0.0)
    by_class: dict[int, list[int]] = defaultdict(list)
    for row in rows[np.argsort(-scores, kind="stable")].tolist():
        by_class[int(events.classes[row])].append(row)
    turns = [(turn, code, row) for code, own in by_class.items() for turn, row in enumerate(own)]
    return [row for *_, row in sorted(turns)]


def _card(side: Events, at: int, seconds: NDArray[np.float64]) -> _Card:
    start = max(0.0, float(side.starts[at]) - _MARGIN)
    length = float(seconds[side.recordings[at]])
    end = min(length, float(side.ends[at]) + _MARGIN, start + MAX_SECONDS)
    return _Card(side, at, min(start, max(0.0, length - 0.1)), end)


def _view(
    card: _Card, scores: DetectionScores, sources: Mapping[str, AudioSource], budget: list[int]
) -> View:
    survey = scores.survey
    place = int(card.side.recordings[card.at])
    score = float(card.side.scores[card.at])
    recording = survey.recordings[place]
    picture, sound, problem = _media(card, sources.get(recording), budget)
    return {
        "label": survey.classes[card.side.classes[card.at]],
        "recording": recording,
        "from": f"{card.side.starts[card.at]:.2f}",
        "to": f"{card.side.ends[card.at]:.2f}",
        "score": "" if np.isnan(score) else f"{score:.3f}",
        "picture": picture,
        "sound": sound,
        "problem": problem,
        "lanes": [
            ("annotated", _marks(card, survey.truth, place, survey.classes)),
            ("detected", _marks(card, survey.detections, place, survey.classes)),
        ],
    }


def _marks(card: _Card, events: Events, place: int, classes: Sequence[str]) -> list[View]:
    inside = (events.recordings == place) & (events.ends >= card.start)
    rows = np.flatnonzero(inside & (events.starts <= card.end))
    length = max(card.end - card.start, 1e-6)
    marks = []
    for row in rows[:20].tolist():
        left = max(0.0, (float(events.starts[row]) - card.start) / length)
        right = min(1.0, (float(events.ends[row]) - card.start) / length)
        marks.append(
            {
                "left": f"{100 * left:.2f}",
                "width": f"{100 * max(right - left, 0.005):.2f}",
                "label": classes[events.classes[row]],
                "own": events is card.side and row == card.at,
            }
        )
    return marks


def _media(card: _Card, source: AudioSource | None, budget: list[int]) -> tuple[str, str, str]:
    """Return picture and sound as data URIs, and why there are none."""
    if source is None or budget[0] <= 0:
        return "", "", ""
    try:
        part = PartSource(source, Span(card.start, card.end))
        y = decode(part, AudioConfig(sr=SAMPLE_RATE)).y
        picture = picture_of(thumbnail_of(y, SAMPLE_RATE).levels)
        sound = sound_of(y, SAMPLE_RATE)
    except AudioclfError as exc:
        return "", "", exc.message
    budget[0] -= len(picture) + len(sound)
    return picture, sound, ""
