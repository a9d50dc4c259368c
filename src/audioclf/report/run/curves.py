"""ROC, precision-recall and reliability curves of one pipeline, as drawings.

Two classes have one curve, that of the class that sorts last; of more, each has one against the
rest, and of very many those that are found least often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from audioclf.evaluation.metrics.curves import precision_recall_curve, reliability, roc_curve
from audioclf.report import svg, words

if TYPE_CHECKING:
    from audioclf.evaluation.metrics.curves import ReliabilityBin
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
    which = (
        f"{run.classes[-1]} against the rest" if len(run.classes) == 2 else "one curve per class"
    )
    if 1 < len(codes) < len(run.classes):
        which = f"the {len(codes)} classes with the lowest recall"
    views = (
        _roc(run, pipeline, codes, which),
        _precision(run, pipeline, codes, which),
        _bins(run, pipeline),
    )
    return [view for view in views if view is not None]


def _codes(run: SavedRun, pipeline: SavedPipeline) -> list[int]:
    n_classes = len(run.classes)
    if n_classes <= 2:
        return [n_classes - 1]
    confusion = np.asarray(run.pipeline_metrics[pipeline.name]["confusion"], dtype=np.float64)
    found = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1e-9)
    return sorted(int(code) for code in np.argsort(found, kind="stable")[:MAX_LINES])


def _roc(run: SavedRun, pipeline: SavedPipeline, codes: Iterable[int], which: str) -> View | None:
    found = [(code, roc_curve(pipeline, run.targets, code)) for code in codes]
    lines = [(run.classes[code], c.fpr, c.tpr, c.area) for code, c in found if c]
    return _view(
        ROC_TITLE, lines, "false positive rate", "true positive rate", which, "AUC", _CHANCE
    )


def _precision(
    run: SavedRun, pipeline: SavedPipeline, codes: Iterable[int], which: str
) -> View | None:
    found = [(code, precision_recall_curve(pipeline, run.targets, code)) for code in codes]
    lines = [
        (run.classes[code], c.recall, c.precision, c.average_precision) for code, c in found if c
    ]
    shares = [c.share for _, c in found if c]
    guess = [
        svg.polyline([(0, share), (1, share)], _X, _Y, class_="chance") for share in shares[:1]
    ]
    below = Markup("").join(guess if len(lines) == 1 else [])
    return _view(
        "Precision-recall curve", lines, "recall", "precision", which, "average precision", below
    )


def _view(
    title: str,
    lines: Sequence[_Line],
    x_label: str,
    y_label: str,
    which: str,
    area: str,
    below: Markup,
) -> View | None:
    if not lines:
        return None
    style = "curve" if len(lines) == 1 else "curve many"
    drawn_lines = [
        svg.polyline(
            zip(x, y, strict=True),
            _X,
            _Y,
            svg.tag("title", f"{words.shown(name)}: {area} {words.number(worth)}"),
            class_=style,
        )
        for name, x, y, worth in lines
    ]
    mean = words.number(float(np.mean([worth for *_, worth in lines])))
    said = f"{which}; {area} {mean}" if len(lines) == 1 else f"{which}; mean {area} {mean}"
    return {
        "title": title,
        "svg": _square(f"{title}, {words.shown(said)}", x_label, y_label, below, *drawn_lines),
        "caption": f"{said}. Dashed: chance." if below else f"{said}.",
    }


def _square(label: str, x_label: str, y_label: str, *marks: Markup) -> Markup:
    steps = svg.labelled([0, 0.25, 0.5, 0.75, 1])
    grid = svg.frame(_X, _Y, steps, steps, _BOX, x_label, y_label)
    return svg.drawing(340, 304, label, grid, *marks, class_="chart square")


def _bins(run: SavedRun, pipeline: SavedPipeline) -> View | None:
    found = reliability(pipeline, run.targets)
    if not found:
        return None
    points = [(b.mean_score, b.share_right) for b in found]
    line = svg.polyline(points, _X, _Y, class_="curve faint")
    most = max(b.count for b in found)
    dots = [_dot(b, most) for b in found]
    label = "Reliability diagram: accuracy against mean top score"
    return {
        "title": "Calibration: reliability diagram",
        "svg": _square(label, "mean top score", "accuracy", _CHANCE, line, *dots),
        "caption": "Predictions in ten bins of their top score; the area of a dot is their "
        "number. Below the dashed line the scores are higher than the accuracy.",
    }


def _dot(found: ReliabilityBin, most: int) -> Markup:
    text = (
        f"{found.count} predictions: mean score {words.number(found.mean_score)}, "
        f"accuracy {words.number(found.share_right)}"
    )
    return svg.tag(
        "circle",
        svg.tag("title", text),
        cx=_X(found.mean_score),
        cy=_Y(found.share_right),
        r=3 + 6 * (found.count / most) ** 0.5,
        class_="dot",
    )
