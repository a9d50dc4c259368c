"""ROC curve, precision-recall curve and reliability diagram of one pipeline.

Two classes have one curve, with the class that sorts last as the positive one. Of more classes each
has a curve against the rest, up to the `MAX_LINES` classes with the lowest recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from audioclf.evaluation.metrics.curves import precision_recall_curve, reliability, roc_curve
from audioclf.report import svg, words

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedPipeline, SavedRun

View = dict[str, Any]
_Line = tuple[str, Sequence[float], Sequence[float], float]
"""Name of the class, x, y, and the area below."""

ROC_TITLE = "ROC curve: true positive rate against false positive rate"

MAX_LINES = 12

_BOX = (46.0, 24.0, 326.0, 264.0)
_X = svg.linear(0, 1, _BOX[0], _BOX[2])
_Y = svg.linear(0, 1, _BOX[3], _BOX[1])
_CHANCE = svg.polyline([(0, 0), (1, 1)], _X, _Y, class_="chance")


def drawn(run: SavedRun, pipeline: SavedPipeline) -> list[View]:
    """Return the curves of a pipeline; none where it has no scores."""
    codes = _codes(run, pipeline)
    which = f"Positive class {run.classes[-1]}" if len(run.classes) == 2 else "One curve per class"
    if 1 < len(codes) < len(run.classes):
        which = f"The {len(codes)} classes with the lowest recall"
    views = (
        _roc(run, pipeline, codes, which),
        _precision_recall(run, pipeline, codes, which),
        _reliability(run, pipeline),
    )
    return [view for view in views if view is not None]


def _codes(run: SavedRun, pipeline: SavedPipeline) -> list[int]:
    if len(run.classes) <= 2:
        return [len(run.classes) - 1]
    confusion = np.asarray(run.pipeline_metrics[pipeline.name]["confusion"], dtype=np.float64)
    recall = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1e-9)
    return sorted(int(code) for code in np.argsort(recall, kind="stable")[:MAX_LINES])


def _roc(run: SavedRun, pipeline: SavedPipeline, codes: Sequence[int], which: str) -> View | None:
    curves = [(run.classes[code], roc_curve(pipeline, run.targets, code)) for code in codes]
    lines = [(name, c.fpr, c.tpr, c.area) for name, c in curves if c]
    return _view(ROC_TITLE, ("false positive rate", "true positive rate"), lines, which, _CHANCE)


def _precision_recall(
    run: SavedRun, pipeline: SavedPipeline, codes: Sequence[int], which: str
) -> View | None:
    made = [precision_recall_curve(pipeline, run.targets, code) for code in codes]
    curves = [(run.classes[code], c) for code, c in zip(codes, made, strict=True) if c]
    lines = [(name, c.recall, c.precision, c.average_precision) for name, c in curves]
    chance = Markup("")
    if len(curves) == 1:
        share = curves[0][1].share
        chance = svg.polyline([(0, share), (1, share)], _X, _Y, class_="chance")
    return _view("Precision-recall curve", ("recall", "precision"), lines, which, chance)


def _view(
    title: str, axes: tuple[str, str], lines: Sequence[_Line], which: str, chance: Markup
) -> View | None:
    if not lines:
        return None
    area_name = "AUC" if title == ROC_TITLE else "average precision"
    style = "curve" if len(lines) == 1 else "curve many"
    curves = []
    for name, x, y, area in lines:
        tooltip = svg.tag("title", f"{words.shown(name)}: {area_name} {words.number(area)}")
        curves.append(svg.polyline(zip(x, y, strict=True), _X, _Y, tooltip, class_=style))
    mean = words.number(float(np.mean([area for *_, area in lines])))
    text = f"{which}; {'mean ' if len(lines) > 1 else ''}{area_name} {mean}"
    return {
        "title": title,
        "svg": _square(f"{title}. {words.shown(text)}", *axes, chance, *curves),
        "caption": f"{text}. Dashed: chance." if chance else f"{text}.",
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
        "number. Below the dashed line the scores are higher than the accuracy.",
    }
