"""Overview of a run: verdict, table of pipelines, paired comparisons, metric against cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from audioclf.components.metrics import METRICS, MetricInfo, of_class
from audioclf.report import svg, words
from audioclf.runs.folder import PIPELINES

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedRun

View = dict[str, Any]

MAX_PAIRS = 200
"""Rows of the table of pairs at most."""
MAX_MATRIX = 15
"""Pipelines in the matrix of pairs at most."""


class Cost(NamedTuple):
    """A cost of a pipeline: its key in `metrics.json`, column head, axis, and how it is written."""

    key: str
    head: str
    axis: str
    written: Callable[[Any], str]


COSTS = (
    Cost("fit_seconds", "fit", "time to fit", words.seconds),
    Cost("predict_seconds_per_clip", "predict / clip", "time to predict a clip", words.seconds),
    Cost("model_bytes", "model", "model size", words.size),
    Cost("peak_memory_bytes", "memory", "peak memory of one fit", words.size),
)


_SHORT = {"ccc": "CCC", "mae": "MAE", "rmse": "RMSE", "r2": "R\N{SUPERSCRIPT TWO}"}


def metric_name(name: str) -> str:
    """Return the name of a metric as a person writes it.

    >>> metric_name("roc_auc"), metric_name("f1_macro")
    ('ROC AUC', 'F1 macro')
    """
    if name in _SHORT:
        return _SHORT[name]
    words = name.replace("_", " ").replace("roc ", "ROC ")
    return words.replace("auc", "AUC").replace("f1", "F1")


def verdict_of(run: SavedRun, comparison: Mapping[str, Any] | None) -> str:
    """Return the verdict of the comparison, else the best pipeline, as a sentence."""
    if comparison and comparison.get("verdict"):
        return str(comparison["verdict"])
    best, metric = run.pipelines[0].name, metric_name(run.main_metric)
    estimate = words.estimate(run.pipeline_metrics[best]["metrics"].get(run.main_metric))
    if not estimate["value"]:
        return f"{best} is listed first; its {metric} is not available."
    return f"{best} has the best {metric}: {estimate['text']} {estimate['span']}."


def pipelines_view(run: SavedRun) -> View:
    """Return the table of pipelines."""
    names = [str(name) for name in run.config["metrics"]]
    pipelines = run.pipeline_metrics
    costs = [c for c in COSTS if any(words.is_number(p.get(c.key)) for p in pipelines.values())]
    main = {name: p["metrics"].get(run.main_metric) for name, p in pipelines.items()}
    extent = extent_of(list(main.values()), run.main_metric)
    return {
        "metrics": [f"{metric_name(name)}{of_class(name, run.classes)}" for name in names],
        "costs": [cost.head for cost in costs],
        "axis": svg.axis_below(extent),
        "baseline": next((p.name for p in run.pipelines if run.is_baseline(p)), ""),
        "rows": [
            {
                "name": name,
                "plot": bar(main[name], extent),
                "metrics": [words.estimate(pipeline["metrics"].get(name)) for name in names],
                "costs": [
                    {"text": cost.written(value), "value": words.sort_key(value)}
                    for cost in costs
                    for value in [pipeline.get(cost.key)]
                ],
            }
            for name, pipeline in pipelines.items()
        ],
    }


def bar(estimate: Mapping[str, Any] | None, extent: tuple[float, float]) -> Markup:
    """Draw an estimate with its interval in a row of a table; nothing where it is missing."""
    if not estimate or not words.is_number(estimate["value"]):
        return Markup("")
    low, high = (v if words.is_number(v) else math.nan for v in (estimate["low"], estimate["high"]))
    return svg.interval_bar(estimate["value"], low, high, extent, svg.ticks(*extent, 4))


def extent_of(estimates: Sequence[Mapping[str, Any] | None], metric: str) -> tuple[float, float]:
    """Return the ends of an axis for values of a metric with their intervals."""
    values = [item[key] for item in estimates if item for key in ("value", "low", "high")]
    values = [value for value in values if words.is_number(value)]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    info = METRICS[metric] if metric in METRICS else MetricInfo(low=-math.inf, high=math.inf)
    return max(info.low, low - margin), min(info.high, high + margin)


def pairs_view(run: SavedRun, comparison: Mapping[str, Any] | None) -> View | None:
    """Return the differences between pairs of pipelines, each with its interval."""
    pairs = (comparison or {}).get("pairs") or []
    if not comparison or not pairs:
        return None
    spans = [[pair.get(key) for key in ("difference", "low", "high")] for pair in pairs]
    ends: list[float] = [end for span in spans for end in span if words.is_number(end)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    margin = 0.06 * (high - low) or 0.1
    extent = (low - margin, high + margin)
    names = [str(name) for name in comparison.get(PIPELINES) or []]
    return {
        "metric": metric_name(str(comparison.get("metric", run.main_metric))),
        "unit": str((comparison.get("unit") or {}).get("name", "clip")),
        "notes": [str(note) for note in comparison.get("notes") or []],
        "axis": svg.axis_below(extent),
        "rows": [_pair_row(pair, extent) for pair in pairs[:MAX_PAIRS]],
        "n_rows": len(pairs),
        "names": names[:MAX_MATRIX],
        "n_names": len(names),
        "matrix": _pair_matrix(names[:MAX_MATRIX], pairs) if len(names) > 2 else [],
    }


def _pair_matrix(names: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> list[list[View]]:
    """Return the cells of the differences row minus column; those without a pair are empty."""
    cells: dict[tuple[str, str], View] = {}
    for pair in pairs:
        better, worse, difference = pair["better"], pair["worse"], pair.get("difference")
        shared = {
            "verdict": str(pair.get("verdict") or ""),
            "title": str(pair.get("sentence") or ""),
        }
        less = -difference if words.is_number(difference) else None
        cells[better, worse] = {"text": words.signed(difference), "side": "more", **shared}
        cells[worse, better] = {"text": words.signed(less), "side": "less", **shared}
    return [[cells.get((row, column), {}) for column in names] for row in names]


def _pair_row(pair: Mapping[str, Any], extent: tuple[float, float]) -> View:
    holm = pair.get("p_holm")
    return {
        "better": str(pair["better"]),
        "worse": str(pair["worse"]),
        "plot": bar({**pair, "value": pair.get("difference")}, extent),
        "difference": words.signed(pair.get("difference")),
        "span": words.span(pair),
        "value": words.sort_key(pair.get("difference")),
        "p": "< 0.001" if words.is_number(holm) and holm < 0.001 else words.number(holm),
        "p_value": words.sort_key(holm),
        "verdict": str(pair.get("verdict") or ""),
        "sentence": str(pair.get("sentence") or ""),
        "detectable": words.number(pair.get("detectable")),
    }


def costs_view(run: SavedRun) -> list[View]:
    """Return a plot of the main metric against each cost that was measured."""
    views = []
    for cost in COSTS:
        points: list[_Point] = []
        for name, pipeline in run.pipeline_metrics.items():
            estimate, value = pipeline["metrics"].get(run.main_metric), pipeline.get(cost.key)
            if words.estimate(estimate)["value"] and words.is_number(value) and value > 0:
                points.append((name, float(value), estimate))
        if len(points) >= 2:
            views.append({"title": cost.axis, "svg": _scatter(points, run.main_metric, cost)})
    return views


_Point = tuple[str, float, Mapping[str, Any]]
"""Name of a pipeline, its cost and its estimate."""


def _scatter(points: Sequence[_Point], metric: str, cost: Cost) -> Markup:
    width, height, box = 520.0, 300.0, (46.0, 24.0, 512.0, 258.0)
    extent = extent_of([estimate for _, _, estimate in points], metric)
    values = [value for _, value, _ in points]
    low, high = min(values) / 1.5, max(values) * 1.5
    x = svg.logarithmic(low, high, box[0], box[2])
    y = svg.linear(*extent, box[3], box[1])
    marks = [_point(name, x(value), y, estimate) for name, value, estimate in points]
    places = [(x(value), y(estimate["value"])) for _, value, estimate in points]
    names = [words.short(name) for name, _, _ in points]
    labels = svg.place_labels(places, names, box)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [s * 10.0**power for power in powers for s in ((1, 3) if high < 100 * low else (1,))]
    x_ticks = [(t, cost.written(t).replace(".0 ", " ")) for t in steps if low <= t <= high]
    grid = svg.frame(x, y, x_ticks, svg.labelled(svg.ticks(*extent)), box, "", metric_name(metric))
    label = (
        f"{metric_name(metric)} against {cost.axis}, a point for each of {len(points)} pipelines"
    )
    return svg.drawing(width, height, label, grid, *marks, *labels, class_="chart")


def _point(name: str, x: float, y: svg.Scale, estimate: Mapping[str, Any]) -> Markup:
    text = words.estimate(estimate)
    parts = [svg.tag("title", f"{words.shown(name)}: {text['text']} {text['span']}")]
    if words.is_number(estimate["low"]) and words.is_number(estimate["high"]):
        parts.append(svg.line(x, y(estimate["low"]), x, y(estimate["high"]), "whisker faint"))
    parts.append(svg.tag("circle", cx=x, cy=y(estimate["value"]), r=5, class_="dot"))
    return svg.tag("g", *parts)
