"""Map of the clips: a point for each clip, coloured by class, group or file format.

Eight colours times seven shapes mark 56 classes; more classes share marks, and the legend selects
one of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.report import svg
from audioclf.report.explore.exploration import Exploration, format_words, group_names
from audioclf.report.words import shown

View = dict[str, Any]

MAX_DRAWN = 4000
"""Points on the map at most; of more clips some are drawn evenly from each class."""

COLOURS = 8
SHAPES = (
    "M-1,0A1,1 0 1 1 1,0A1,1 0 1 1 -1,0Z",
    "M-.9,-.9H.9V.9H-.9Z",
    "M0,-1.15L1.1,.85H-1.1Z",
    "M0,-1.25L1.25,0L0,1.25L-1.25,0Z",
    "M0,1.15L1.1,-.85H-1.1Z",
    "M-.4,-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z",
    "M-1.1,-.6L-.6,-1.1L0,-.5L.6,-1.1L1.1,-.6L.5,0L1.1,.6L.6,1.1L0,.5L-.6,1.1L-1.1,.6L-.5,0Z",
)
"""Paths of about the same size around the origin."""

_MAX_SETS = 20
"""Most sets of several labels, and most classes, that colour the points."""

WIDTH, HEIGHT = 760.0, 520.0
_MARGIN = 18.0


@dataclass(frozen=True)
class Colouring:
    """One way to colour the points.

    `codes` are the position of each drawn point's value in `names`; `counts` include clips that are
    not drawn.
    """

    title: str
    names: tuple[str, ...]
    codes: tuple[int, ...]
    counts: tuple[int, ...]


def fair_order(exploration: Exploration, positions: Sequence[int]) -> list[int]:
    """Return positions in an order of which any first part is spread evenly over the classes."""
    by_class: dict[str, list[int]] = {}
    for at in positions:
        by_class.setdefault(exploration.dataset.clips[at].label, []).append(at)
    ranked = []
    golden = (5**0.5 - 1) / 2  # multiples of it, modulo 1, fill [0, 1) evenly at any length
    for label in sorted(by_class):
        own = by_class[label]
        spread = np.argsort([(k * golden) % 1 for k in range(len(own))])
        ranked += [(int(rank), label, at) for rank, at in zip(spread, own, strict=True)]
    return [at for _, _, at in sorted(ranked)]


def colourings_of(exploration: Exploration, drawn: Sequence[int]) -> list[Colouring]:
    """Return the ways to colour: class always, group and format where there are several."""
    clips = exploration.dataset.clips
    columns = list(_class_columns(exploration))
    groups = group_names(exploration)
    if groups is not None:
        columns.append((groups[0], list(groups[1])))
    columns.append(("file format", [format_words(exploration.formats[clip.id]) for clip in clips]))
    made = []
    for title, values in columns:
        counts = Counter(values)
        names = tuple(sorted(counts))
        at_name = {name: code for code, name in enumerate(names)}
        codes = tuple(at_name[values[at]] for at in drawn)
        made.append(Colouring(title, names, codes, tuple(counts[name] for name in names)))
    return [made[0], *(other for other in made[1:] if len(other.names) > 1)]


def _class_columns(exploration: Exploration) -> Iterator[tuple[str, list[str]]]:
    """Yield the class of each clip; for several labels the frequent sets, then class by class."""
    dataset = exploration.dataset
    states = dataset.targets.states
    if states is None:
        yield "class", [clip.label for clip in dataset]
        return
    sets = [" + ".join(dataset.labels_of(clip)) or "no class" for clip in dataset]
    frequent = {name for name, _ in Counter(sets).most_common(_MAX_SETS)}
    yield "classes", [name if name in frequent else "other sets of classes" for name in sets]
    words = {1: "yes", 0: "no", -1: "not labelled"}
    most = sorted(dataset.class_counts, key=lambda name: -dataset.class_counts[name])
    for name in most[:_MAX_SETS]:
        column = states[:, dataset.classes.index(name)].tolist()
        yield f"class {name}", [words[state] for state in column]


def map_view(
    exploration: Exploration,
    drawn: Sequence[int],
    colourings: Sequence[Colouring],
    playable: frozenset[str],
) -> View:
    """Return the drawing, its legend and the shares of variance."""
    plane, first = exploration.plane, colourings[0]
    places = _places(plane.points[list(drawn)])
    size = 5.0 if len(drawn) <= 300 else 3.6 if len(drawn) <= 1500 else 3.0
    clips = exploration.dataset.clips
    marks = []
    for (x, y), code, at in zip(places, first.codes, drawn, strict=True):
        mark, silent = _appearance(code), "" if clips[at].id in playable else " mute"
        style = f"p k{mark['colour']}{silent}"
        marks.append(svg.tag("use", href=f"#s{mark['shape']}", x=x, y=y, class_=style))
    label = (
        f"Map of {len(drawn)} clips by their {exploration.featurizer} features. "
        "Arrow keys move between clips, Enter plays."
    )
    shapes = [
        svg.tag("path", id=f"s{n}", d=path, transform=f"scale({size:g})")
        for n, path in enumerate(SHAPES)
    ]
    ring = svg.tag("circle", id="ring", r=size + 5, cx=0.0, cy=0.0, class_="ring", hidden="")
    return {
        "svg": svg.drawing(
            WIDTH, HEIGHT, label, svg.tag("defs", *shapes), *marks, ring, class_="clipmap"
        ),
        "legend": [
            {"name": name, "count": count, "code": code, **_appearance(code)}
            for code, (name, count) in enumerate(zip(first.names, first.counts, strict=True))
        ],
        "shapes": SHAPES,
        "titles": [each.title for each in colourings],
        "featurizer": exploration.featurizer,
        "explained": f"{100 * plane.kept:.0f} %",
        "percent": [f"{100 * share:.0f} %" for share in plane.variance],
        "n_columns": plane.n_columns,
        "n_drawn": len(drawn),
        "n_fitted": plane.n_fitted,
        "n_marks": COLOURS * len(SHAPES),
    }


def _appearance(code: int) -> View:
    return {"colour": code % COLOURS, "shape": code // COLOURS % len(SHAPES)}


def _places(points: Any) -> list[tuple[float, float]]:
    """Return places on the drawing; both axes have one scale, so that distances are comparable."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1e-9)
    room = np.array([WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN])
    scale = float((room / extent).min()) if (high > low).any() else 0.0
    middle = (low + high) / 2
    x = WIDTH / 2 + (points[:, 0] - middle[0]) * scale
    y = HEIGHT / 2 - (points[:, 1] - middle[1]) * scale
    return list(zip(x.tolist(), y.tolist(), strict=True))


def map_data(
    exploration: Exploration, drawn: Sequence[int], colourings: Sequence[Colouring]
) -> dict[str, Any]:
    """Return the points as columns for the script of the page."""
    clips = exploration.dataset.clips
    facts = exploration.facts[list(drawn)]
    return {
        "ids": [shown(clips[at].id) for at in drawn],
        "seconds": [round(value, 2) for value in facts[:, COLUMN["duration_s"]].tolist()],
        "level": [round(value, 1) for value in facts[:, COLUMN["level_db"]].tolist()],
        "colours": COLOURS,
        "shapes": len(SHAPES),
        "colourings": [
            {**asdict(each), "names": [shown(name) for name in each.names]} for each in colourings
        ],
    }
