"""Numbers on the page of a run: predicted and true numbers, errors, and ranges in place of classes.

The browser of clips and the section on the dataset show ranges of the true numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from audioclf.base.text import human_number
from audioclf.dataset.targets import ranges_of
from audioclf.report import svg, words
from audioclf.report.run.outcomes import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.runs.reading import SavedPipeline, SavedRun

    Floats = NDArray[np.float64]

View = dict[str, Any]

MAX_POINTS = 2000
"""Clips in a chart at most, drawn at random."""

_BOX = (56.0, 24.0, 336.0, 264.0)


class NumberRanges:
    """The numbers of a run in ranges, and the mean predictions of each pipeline by clip."""

    def __init__(self, run: SavedRun) -> None:
        self.true: Floats = run.targets.truth
        self.names, self.labels = ranges_of(self.true)
        lowest = [self.true[self.labels == code].min() for code in range(1, len(self.names))]
        self._starts = np.array(lowest)
        means = [_mean_predictions(pipeline, len(self.true)) for pipeline in run.pipelines]
        self.predicted = [mean for mean, _ in means]
        self.outcomes = [self._outcome(mean, tested) for mean, tested in means]
        learned = [not run.is_baseline(pipeline) for pipeline in run.pipelines]
        self._judged = [p for p, use in zip(self.predicted, learned, strict=True) if use]

    def _outcome(self, predicted: Floats, tested: NDArray[np.intp]) -> Outcome:
        """Return the ranges of the predicted numbers; one is wrong if the true range differs."""
        codes = np.searchsorted(self._starts, np.nan_to_num(predicted), side="right")
        codes = np.where(tested > 0, codes, -1)
        wrong = np.where(codes == self.labels, 0, tested)
        return Outcome(codes, tested, wrong, np.full(len(codes), np.nan))

    def order(self) -> list[int]:
        """Return the positions of all clips, the largest mean error first, untested ones last."""
        errors = np.mean([np.abs(p - self.true) for p in self._judged or self.predicted], axis=0)
        order: list[int] = np.argsort(-np.nan_to_num(errors, nan=-1.0), kind="stable").tolist()
        return order

    def texts(self, listed: Sequence[int]) -> View:
        """Return true and predicted numbers of clips as texts, for the browser."""
        predicted = [[*map(human_number, values[listed])] for values in self.predicted]
        return {"true": [*map(human_number, self.true[listed])], "predicted": predicted}


def _mean_predictions(pipeline: SavedPipeline, n_clips: int) -> tuple[Floats, NDArray[np.intp]]:
    total, tested = np.zeros(n_clips), np.zeros(n_clips, dtype=np.intp)
    for fold in pipeline.folds:
        total[fold.fold.test] += fold.y_pred
        tested[fold.fold.test] += 1
    mean = np.divide(total, tested, out=np.full(n_clips, np.nan), where=tested > 0)
    return mean, tested


def charts(run: SavedRun, pipeline: SavedPipeline) -> list[View]:
    """Return predicted numbers and errors of the test clips against the true numbers."""
    true: Floats = run.targets.truth
    predicted, tested = _mean_predictions(pipeline, len(true))
    rows = np.flatnonzero(tested)
    if len(rows) > MAX_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_POINTS, replace=False))
    ids = [run.clips[row].id for row in rows]
    errors = run.pipeline_metrics[pipeline.name].get("errors") or {}
    x, y = true[rows], predicted[rows]
    ends = (float(min(x.min(), y.min())), float(max(x.max(), y.max())))
    zero = (float(x.min()), float(x.max()))
    return [
        _chart("Predicted against true number", x, y, ids, (ends, ends), "predicted")
        | {"caption": "Dotted: predicted equals true. Each point is a clip."},
        _chart("Errors", x, y - x, ids, (zero, (0.0, 0.0)), "predicted minus true")
        | {
            "caption": f"Mean {words.signed(errors.get('mean'))}, standard deviation "
            f"{words.number(errors.get('deviation'))}. A slope means that low numbers are "
            "overestimated and high ones underestimated."
        },
    ]


def _chart(
    title: str,
    x: Floats,
    y: Floats,
    ids: Sequence[str],
    guide: tuple[tuple[float, float], tuple[float, float]],
    y_label: str,
) -> View:
    x_ends = (min(x.min(), guide[0][0]), max(x.max(), guide[0][1]))
    y_ends = (min(y.min(), *guide[1]), max(y.max(), *guide[1]))
    extents = [(a - 0.04 * (b - a or 1.0), b + 0.04 * (b - a or 1.0)) for a, b in (x_ends, y_ends)]
    across, up = (
        svg.linear(*extents[0], _BOX[0], _BOX[2]),
        svg.linear(*extents[1], _BOX[3], _BOX[1]),
    )
    points = [
        svg.tag(
            "circle",
            svg.tag("title", f"{words.shown(name)}: {human_number(a)}, {human_number(b)}"),
            cx=across(a),
            cy=up(b),
            r=3,
            class_="dot faint",
        )
        for name, a, b in zip(ids, x.tolist(), y.tolist(), strict=True)
    ]
    x_ticks, y_ticks = (svg.labelled(svg.ticks(*extent)) for extent in extents)
    grid = svg.frame(across, up, x_ticks, y_ticks, _BOX, "true", y_label)
    dotted = svg.polyline(zip(*guide, strict=True), across, up, class_="chance")
    label = f"{title}: {len(points)} clips"
    drawn = svg.drawing(350, 304, label, grid, dotted, *points, class_="chart")
    return {"title": title, "svg": drawn, "legend": [], "area_name": "", "caption": Markup("")}
