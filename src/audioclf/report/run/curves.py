"""ROC curve, precision-recall curve and reliability diagram of one pipeline.

Two classes have one curve, with the class that sorts last as the positive one. Of more classes each
has a curve against the rest, up to the 12 classes with the lowest recall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from audioclf.evaluation.metrics.curves import precision_recall_curve, reliability, roc_curve
from audioclf.report import svg, words
from audioclf.runs.plots import curve_classes

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedPipeline, SavedRun

View = dict[str, Any]
_Line = tuple[Sequence[float], Sequence[float], float]
"""Points of a curve as x and y, and the area below."""

ROC_TITLE = "ROC curve: true positive rate against false positive rate"

COLOURS = 8
"""Colours of curves; those after the eighth are dashed."""

_BOX = (46.0, 24.0, 326.0, 264.0)
_X = svg.linear(0, 1, _BOX[0], _BOX[2])
_Y = svg.linear(0, 1, _BOX[3], _BOX[1])
_CHANCE = svg.polyline([(0, 0), (1, 1)], _X, _Y, class_="chance")


def drawn(run: SavedRun, pipeline: SavedPipeline) -> list[View]:
    """Return the curves of a pipeline; none where it has no scores."""
    codes = curve_classes(run.pipeline_metrics[pipeline.name])
    rocs: dict[str, _Line] = {}
    recalls: dict[str, _Line] = {}
    chance = Markup("")
    for code in codes:
        name = run.classes[code]
        if roc := roc_curve(pipeline, run.targets, code):
            rocs[name] = (roc.fpr, roc.tpr, roc.area)
        if curve := precision_recall_curve(pipeline, run.targets, code):
            recalls[name] = (curve.recall, curve.precision, curve.average_precision)
            chance = svg.polyline([(0, curve.share), (1, curve.share)], _X, _Y, class_="chance")
    n_curves = 1 if len(run.classes) == 2 and not run.is_several else len(codes)
    which = f"Positive class {run.classes[-1]}" if n_curves == 1 else "One curve per class"
    if 1 < len(rocs) < len(run.classes):
        lowest = "average precision" if run.is_several else "recall"
        which = f"The {len(rocs)} classes with the lowest {lowest}"
    views = (
        _view(ROC_TITLE, ("false positive rate", "true positive rate"), rocs, which, _CHANCE),
        _view(
            "Precision-recall curve",
            ("recall", "precision"),
            recalls,
            which,
            chance if len(recalls) == 1 else Markup(""),
        ),
        None if run.is_several else _reliability(run, pipeline),
    )
    return [view for view in views if view is not None]


def _view(
    title: str, axes: tuple[str, str], lines: Mapping[str, _Line], which: str, chance: Markup
) -> View | None:
    if not lines:
        return None
    area_name = "AUC" if title == ROC_TITLE else "average precision"
    curves, legend = [], []
    for n, (name, (x, y, area)) in enumerate(lines.items()):
        key = {"colour": n % COLOURS, "dashed": n >= COLOURS, "name": name}
        legend.append({**key, "area": words.number(area)})
        tooltip = svg.tag("title", f"{words.shown(name)}: {area_name} {words.number(area)}")
        style = f"curve s{n % COLOURS}{' dashed' if n >= COLOURS else ''}"
        points = zip(x, y, strict=True)
        curves.append(svg.polyline(points, _X, _Y, tooltip, class_=style, data_curve=n))
    mean = words.number(float(np.mean([area for *_, area in lines.values()])))
    text = f"{which}; {'mean ' if len(lines) > 1 else ''}{area_name} {mean}"
    return {
        "title": title,
        "svg": _square(f"{title}. {words.shown(text)}", *axes, chance, *curves),
        "caption": f"{text}. Dotted: chance." if chance else f"{text}.",
        "area_name": area_name,
        "legend": legend if len(lines) > 1 else [],
    }


def _square(label: str, x_label: str, y_label: str, *marks: Markup) -> Markup:
    steps = svg.labelled([0, 0.25, 0.5, 0.75, 1])
    grid = svg.frame(_X, _Y, steps, steps, _BOX, x_label, y_label)
    return svg.drawing(340, 304, label, grid, *marks, class_="chart square")


def _reliability(run: SavedRun, pipeline: SavedPipeline) -> View | None:
    bins = reliability(pipeline, run.targets)
    if not bins:
        return None
    line = svg.polyline([(b.mean_score, b.share_right) for b in bins], _X, _Y, class_="curve faint")
    label = "Reliability diagram: accuracy against mean top score"
    dots = []
    for b in bins:
        score, accuracy = words.number(b.mean_score), words.number(b.share_right)
        text = f"{b.count} predictions: mean score {score}, accuracy {accuracy}"
        radius = 3 + 6 * (b.count / max(each.count for each in bins)) ** 0.5
        place = {"cx": _X(b.mean_score), "cy": _Y(b.share_right), "r": radius}
        dots.append(svg.tag("circle", svg.tag("title", text), **place, class_="dot"))
    return {
        "title": "Calibration: reliability diagram",
        "svg": _square(label, "mean top score", "accuracy", _CHANCE, line, *dots),
        "caption": "Predictions in ten bins of their top score; the area of a dot is their "
        "number. Below the dotted line the scores are higher than the accuracy.",
        "legend": [],
    }
