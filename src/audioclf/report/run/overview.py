"""The first screen: verdict, pipelines with intervals and costs, paired comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from audioclf.components.metrics import METRICS, MetricInfo
from audioclf.report import svg, words

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedRun

View = dict[str, Any]

COSTS = (
    ("fit_seconds", "fit", "time to fit", words.seconds),
    ("predict_seconds_per_clip", "predict / clip", "time to predict a clip", words.seconds),
    ("model_bytes", "model", "model size", words.size),
    ("peak_memory_bytes", "memory", "peak memory of one fit", words.size),
)
"""Key in `metrics.json`, head of the column, words of the axis, how it is written."""

MAX_PAIRS = 40


def metric_name(name: str) -> str:
    """Return the name of a metric as a person writes it.

    >>> metric_name("roc_auc"), metric_name("f1_macro")
    ('ROC AUC', 'F1 macro')
    """
    text = name.replace("_", " ")
    for word in ("roc auc", "f1"):
        text = text.replace(word, word.upper())
    return text


def verdict_of(run: SavedRun, comparison: Mapping[str, Any] | None) -> str:
    """Return what the run says in a sentence: that of the comparison, else the best pipeline."""
    if comparison and comparison.get("verdict"):
        return str(comparison["verdict"])
    best, metric = run.pipelines[0].name, run.main_metric
    found = run.pipeline_metrics[best]["metrics"].get(metric)
    name = metric_name(metric)
    if not found:
        return f"{best} is listed first; its {name} is not available."
    return f"{best} has the best {name}: {words.number(found['value'])} {words.span(found)}."


def pipelines_view(run: SavedRun) -> View:
    """Return the table of pipelines."""
    names = [str(name) for name in run.config["metrics"]]
    pipelines = run.pipeline_metrics
    costs = [
        cost for cost in COSTS if any(words.is_number(c.get(cost[0])) for c in pipelines.values())
    ]
    extent = _extent(
        [c["metrics"].get(run.main_metric) for c in pipelines.values()], run.main_metric
    )
    return {
        "metrics": [metric_name(name) for name in names],
        "costs": [head for _, head, _, _ in costs],
        "axis": svg.axis_below(extent),
        "baseline": _baseline(run),
        "rows": [
            _pipeline_row(name, pipeline, names, costs, extent)
            for name, pipeline in pipelines.items()
        ],
    }


def _pipeline_row(
    name: str,
    pipeline: Mapping[str, Any],
    metrics: Sequence[str],
    costs: Sequence[tuple[Any, ...]],
    extent: tuple[float, float],
) -> View:
    main = pipeline["metrics"].get(metrics[0])
    return {
        "name": name,
        "plot": _bar(main, extent),
        "metrics": [_estimate(pipeline["metrics"].get(metric)) for metric in metrics],
        "costs": [
            {"text": word(pipeline.get(key)), "value": _sortable(pipeline.get(key))}
            for key, _, _, word in costs
        ],
    }


def _estimate(found: Mapping[str, Any] | None) -> View:
    value = found["value"] if found else None
    return {
        "text": words.number(value),
        "span": words.span(found),
        "value": _sortable(value),
    }


def _bar(found: Mapping[str, Any] | None, extent: tuple[float, float]) -> Markup:
    if not found or not words.is_number(found["value"]):
        return Markup("")
    low, high = (v if words.is_number(v) else math.nan for v in (found["low"], found["high"]))
    return svg.interval_bar(found["value"], low, high, extent, svg.ticks(*extent, 4))


def _sortable(value: Any) -> str:
    return f"{value:.9g}" if words.is_number(value) else ""


def _extent(found: Sequence[Mapping[str, Any] | None], metric: str) -> tuple[float, float]:
    values = [each[key] for each in found if each for key in ("value", "low", "high")]
    values = [value for value in values if words.is_number(value)]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    info = METRICS[metric] if metric in METRICS else MetricInfo(low=-math.inf, high=math.inf)
    return max(info.low, low - margin), min(info.high, high + margin)


def _baseline(run: SavedRun) -> str:
    """Return the name of the pipeline that knows nothing, "" if there is none."""
    types = {name: item.get("type") for name, item in run.config["classifiers"].items()}
    for pipeline in run.pipelines:
        if types.get(pipeline.classifier, "dummy") == "dummy":
            return pipeline.name
    return ""


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
    rows = [_pair_row(pair, extent) for pair in pairs]
    return {
        "metric": metric_name(str(comparison.get("metric", run.main_metric))),
        "unit": _unit(comparison.get("unit")),
        "notes": [str(note) for note in comparison.get("notes") or []],
        "axis": svg.axis_below(extent),
        "rows": rows[:MAX_PAIRS],
        "more": rows[MAX_PAIRS:],
    }


def _unit(found: Any) -> str:
    return str(found.get("name", "clip") if isinstance(found, dict) else found or "clip")


def _pair_row(pair: Mapping[str, Any], extent: tuple[float, float]) -> View:
    holm = pair.get("p_holm")
    return {
        "better": str(pair["better"]),
        "worse": str(pair["worse"]),
        "plot": _bar({**pair, "value": pair.get("difference")}, extent),
        "difference": words.signed(pair.get("difference")),
        "span": words.span(pair),
        "value": _sortable(pair.get("difference")),
        "p": "< 0.001" if words.is_number(holm) and holm < 0.001 else words.number(holm),
        "p_value": _sortable(holm),
        "verdict": str(pair.get("verdict") or ""),
        "sentence": str(pair.get("sentence") or ""),
        "detectable": words.number(pair.get("detectable")),
    }


def costs_view(run: SavedRun) -> list[View]:
    """Return a plot of the main metric against each cost that was measured."""
    charts = [_cost_chart(run, *cost) for cost in COSTS]
    return [chart for chart in charts if chart is not None]


def _cost_chart(run: SavedRun, key: str, head: str, axis: str, word: Any) -> View | None:
    points = []
    for name, pipeline in run.pipeline_metrics.items():
        found, cost = pipeline["metrics"].get(run.main_metric), pipeline.get(key)
        if found and words.is_number(found["value"]) and words.is_number(cost) and cost > 0:
            points.append((name, float(cost), found))
    if len(points) < 2:
        return None
    extent = _extent([found for _, _, found in points], run.main_metric)
    return {"title": axis, "svg": _scatter(points, extent, run.main_metric, axis, word)}


def _scatter(
    points: Sequence[tuple[str, float, Mapping[str, Any]]],
    extent: tuple[float, float],
    metric: str,
    axis: str,
    word: Any,
) -> Markup:
    width, height, box = 520.0, 300.0, (46.0, 24.0, 512.0, 258.0)
    costs = [cost for _, cost, _ in points]
    low, high = min(costs) / 1.5, max(costs) * 1.5
    x = svg.logarithmic(low, high, box[0], box[2])
    y = svg.linear(*extent, box[3], box[1])
    marks = [_point(name, x(cost), y, found) for name, cost, found in points]
    places = [(x(cost), y(found["value"])) for _, cost, found in points]
    labels = svg.place_labels(places, [_short(name) for name, _, _ in points], box)
    x_ticks = [(value, word(value).replace(".0 ", " ")) for value in _decades(low, high)]
    y_ticks = svg.labelled(svg.ticks(*extent))
    grid = svg.frame(x, y, x_ticks, y_ticks, box, "", metric_name(metric))
    label = f"{metric_name(metric)} against {axis}, one point for each of {len(points)} pipelines"
    return svg.drawing(width, height, label, grid, *marks, *labels, class_="chart")


def _point(name: str, x: float, y: svg.Scale, found: Mapping[str, Any]) -> Markup:
    said = f"{words.shown(name)}: {words.number(found['value'])} {words.span(found)}"
    parts = [svg.tag("title", said)]
    if words.is_number(found["low"]) and words.is_number(found["high"]):
        parts.append(svg.line(x, y(found["low"]), x, y(found["high"]), "whisker faint"))
    parts.append(svg.tag("circle", cx=x, cy=y(found["value"]), r=5, class_="dot"))
    return svg.tag("g", *parts)


def _short(name: str) -> str:
    text = words.shown(name)
    return text if len(text) <= 20 else f"{text[:19]}…"


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 3) if math.log10(high / low) < 2 else (1,)
    return [s * 10.0**p for p in powers for s in steps if low <= s * 10.0**p <= high]
