"""The learning curve of a run as the page shows it: a plot and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from audioclf.report import svg, words
from audioclf.report.run.curves import COLOURS
from audioclf.report.run.overview import extent_of, metric_name
from audioclf.runs.curve_files import PER_CLASS, curve_table, size_of
from audioclf.runs.folder import PIPELINES
from audioclf.runs.plots import MAX_LINES

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedRun

View = dict[str, Any]

_WIDTH, _HEIGHT, _BOX = 560.0, 344.0, (46.0, 24.0, 552.0, 298.0)
_APART = 5.0
"""Distance of the intervals of two pipelines at one size."""


def learning_view(run: SavedRun, data: Mapping[str, Any] | None) -> View | None:
    """Return the learning curve of `learning_curve.json`; None without one."""
    if not data or not any(data[PIPELINES].values()):
        return None
    sizes, rows = curve_table(data)
    metric = str(data["metric"])
    names = list(data[PIPELINES])[:MAX_LINES]
    legend = [
        {"colour": n % COLOURS, "dashed": n >= COLOURS, "name": name}
        for n, name in enumerate(names)
    ]
    return {
        "metric": metric_name(metric),
        "size": size_of(data),
        "repeats": data["repeats"],
        "fits": data["fits"],
        "names": list(data[PIPELINES]),
        "legend": legend,
        "rows": [
            {"size": size, "cells": [words.estimate(point) for point in row]}
            for (size, _), row in zip(sizes, rows, strict=True)
        ],
        "notes": [str(note) for note in data.get("notes") or []],
        "svg": _drawn(data, names, sizes, _baseline(run, metric)),
    }


def _baseline(run: SavedRun, metric: str) -> float | None:
    """Return the value of the baseline, if the run has the metric."""
    name = next((item.name for item in run.pipelines if run.is_baseline(item)), None)
    estimate = run.pipeline_metrics[name]["metrics"].get(metric) if name else None
    value = (estimate or {}).get("value")
    return value if words.is_number(value) else None


def _drawn(
    data: Mapping[str, Any],
    names: Sequence[str],
    sizes: Sequence[tuple[str, float]],
    baseline: float | None,
) -> Markup:
    metric, lines = str(data["metric"]), [data[PIPELINES][name] for name in names]
    level = [] if baseline is None else [{"value": baseline, "low": None, "high": None}]
    extent = extent_of([*(point for line in lines for point in line), *level], metric)
    means = [mean for _, mean in sizes]
    low, high = min(means), max(means)
    x = svg.logarithmic(low / 1.15, high * 1.15, _BOX[0], _BOX[2])
    y = svg.linear(*extent, _BOX[3], _BOX[1])
    ticks = [(mean, "all" if size.startswith("all") else size) for size, mean in sizes]
    marks = []
    if baseline is not None:
        ends = [(low / 1.15, baseline), (high * 1.15, baseline)]
        marks.append(svg.polyline(ends, x, y, class_="chance"))
    for n, (name, line) in enumerate(zip(names, lines, strict=True)):
        shift = _APART * (n - (len(names) - 1) / 2)
        marks.append(_line(n, name, line, x, y, shift, size_of(data)))
    axis = "training clips per class" if size_of(data) == PER_CLASS else size_of(data)
    title = f"Learning curve: {metric_name(metric)} by {axis}"
    frame = svg.frame(
        x, y, ticks, svg.labelled(svg.ticks(*extent)), _BOX, axis, metric_name(metric)
    )
    return svg.drawing(_WIDTH, _HEIGHT, title, frame, *marks, class_="chart")


def _line(
    n: int,
    name: str,
    line: Sequence[Mapping[str, Any]],
    x: svg.Scale,
    y: svg.Scale,
    shift: float,
    unit: str,
) -> Markup:
    """Draw the points of a pipeline with their intervals, moved to the right by `shift`."""
    colour = f"s{n % COLOURS}"

    def at(size: float) -> float:
        return x(size) + shift

    points = [(point["clips_per_class"], point["value"]) for point in line]
    style = f"curve {colour}{' dashed' if n >= COLOURS else ''}"
    parts = [svg.polyline(points, at, y, class_=style, data_curve=n)]
    for point in line:
        size, found = at(point["clips_per_class"]), words.estimate(point)
        of_size = f"{point['clips_per_class']:g} {unit}"
        where = "all training clips" if point["is_whole"] else of_size
        text = f"{words.shown(name)}, {where}: {found['text']} {found['span']}"
        marks = [svg.tag("title", text)]
        if found["span"]:
            marks.append(svg.line(size, y(point["low"]), size, y(point["high"]), f"span {colour}"))
        place = {"cx": size, "cy": y(point["value"]), "r": 4.0}
        marks.append(svg.tag("circle", **place, class_=f"point {colour}"))
        parts.append(svg.tag("g", *marks))
    return svg.tag("g", *parts)
