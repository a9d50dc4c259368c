"""Files and plot of a learning curve in a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from audioclf.evaluation.learning_curve import CurvePoint, LearningCurve
from audioclf.runs.figures import saved
from audioclf.runs.folder import LEARNING_CURVE, PIPELINES, PLOTS, RunFolder
from audioclf.runs.plots import MAX_LINES, draw_learning_curve

if TYPE_CHECKING:
    Point = dict[str, Any]

PER_CLASS, IN_ALL = "clips per class", "training clips"
"""Sizes of a learning curve: of draws, and of finished models."""
COLUMNS = ("pipeline", "clips_per_class", "training_clips", "is_whole", "value", "low", "high")


def write_learning_curve(folder: RunFolder, curve: LearningCurve) -> None:
    """Write the curve as JSON, as a table with a row for each point, and as a plot."""
    data = curve_data(curve)
    folder.write_json(f"{LEARNING_CURVE}.json", data)
    rows = ((name, *point.values()) for name, point in _points(data))
    folder.write_csv(f"{LEARNING_CURVE}.csv", COLUMNS, rows)
    lines = dict(list(data[PIPELINES].items())[:MAX_LINES])
    label = f"{curve.metric.replace('_', ' ')} with 95 % intervals"
    axis = "training clips per class; the last point: all of them" if curve.repeats else IN_ALL
    figure = draw_learning_curve(lines, axis, label)
    for form, content in saved(figure).items():
        folder.write_bytes(f"{PLOTS}/learning-curve.{form}", content)


def curve_data(curve: LearningCurve) -> dict[str, Any]:
    """Return the content of `learning_curve.json`."""
    return {
        "metric": curve.metric,
        "repeats": curve.repeats,
        "fits": curve.n_fits,
        PIPELINES: {name: list(map(_point_data, points)) for name, points in curve.points.items()},
        "notes": list(curve.notes),
    }


def size_of(data: Mapping[str, Any]) -> str:
    """Return the kind of the sizes in the content of `learning_curve.json`."""
    return PER_CLASS if data["repeats"] else IN_ALL


def _point_data(point: CurvePoint) -> Point:
    return {
        "clips_per_class": round(point.clips_per_class, 2),
        "training_clips": round(point.training_clips, 2),
        "is_whole": point.is_whole,
        **point.estimate.defined(),
    }


def _points(data: Mapping[str, Any]) -> Iterator[tuple[str, Point]]:
    yield from ((name, point) for name, points in data[PIPELINES].items() for point in points)


def curve_table(data: Mapping[str, Any]) -> tuple[list[tuple[str, float]], list[list[Point]]]:
    """Return the sizes in words, with the number of clips, and a row of points for each of them.

    A row has an estimate for each pipeline, empty where there is none; the whole training sides
    come last.
    """
    sizes = {
        (point["is_whole"], 0 if point["is_whole"] else point["clips_per_class"]): point
        for _, point in _points(data)
    }
    heads, rows = [], []
    for is_whole, size in sorted(sizes):
        of_size = sizes[is_whole, size]
        mean = of_size["clips_per_class"]
        heads.append((f"all, about {mean:.3g}" if is_whole else f"{size:g}", mean))
        found = [
            [p for p in points if p["is_whole"] == is_whole and (is_whole or p[COLUMNS[1]] == size)]
            for points in data[PIPELINES].values()
        ]
        rows.append([points[0] if points else {} for points in found])
    return heads, rows
