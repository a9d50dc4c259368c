"""Comparison of finished runs: their pipelines in one table, and paired tests.

Runs are comparable only with the same clips and folds; else a difference could come from those.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL, ConfigError, ResultError
from audioclf.base.text import html_table
from audioclf.components.metrics import METRICS, Metric, canonical, of_class
from audioclf.components.registry import suggest
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.folds import untested
from audioclf.evaluation.metrics.estimate import Estimate, check_metrics, estimate, is_available
from audioclf.runs.folder import COSTS, PIPELINES, earlier_fits
from audioclf.runs.reading import SavedClip, SavedPipeline, SavedRun, read_run
from audioclf.runs.units import unit_word

MARGIN_KEY = "equivalence_margin"


@dataclass(frozen=True)
class ComparedPipeline:
    """One row of the table: the metric and the costs of a pipeline, as in `PipelineSummary`.

    Its name follows that of its run where two runs have a pipeline of this name. `estimate` is None
    where the pipeline has not the scores for the metric. `pipeline` is its name in its run.
    """

    name: str
    run: Path
    estimate: Estimate | None
    fit_seconds: float | None
    predict_seconds_per_clip: float | None
    model_bytes: float | None
    peak_memory_bytes: float | None
    pipeline: str = ""
    classifier_type: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        value = self.estimate and self.estimate.to_data()
        costs = {name: getattr(self, name) for name in COSTS}
        return {"name": self.name, "run": str(self.run), "estimate": value, **costs}


@dataclass(frozen=True)
class ComparedRuns:
    """The pipelines of one or more runs, best first, and their comparison."""

    runs: tuple[Path, ...]
    pipelines: tuple[ComparedPipeline, ...]
    comparison: Comparison
    left_out: int = 0
    """Clips that the runs could not read; they are in no number."""
    classes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when the runs read every clip, 4 when they left some out."""
        return EXIT_PARTIAL if self.left_out else EXIT_OK

    @property
    def metric_title(self) -> str:
        """The metric, with the class that it is of if it is of one of two."""
        return f"{self.comparison.metric}{of_class(self.comparison.metric, self.classes)}"

    def _repr_html_(self) -> str:
        head = ("pipeline", "run", self.metric_title)
        rows = [(p.name, p.run.name, p.estimate or "n/a") for p in self.pipelines]
        return html_table(f"{len(self.runs)} runs on {self.comparison.sample}", head, rows)

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "runs": [str(path) for path in self.runs],
            "left_out": self.left_out,
            PIPELINES: [pipeline.to_data() for pipeline in self.pipelines],
            "comparison": self.comparison.to_data(),
        }


def compare_runs(
    paths: Sequence[str | Path], *, metric: str | None = None, margin: float | None = None
) -> ComparedRuns:
    """Compare the pipelines of finished runs.

    By default the metric is the main one of the first run; `margin`, the largest difference that
    does not matter, above 0, is that of its config, if it has one. Of several folders, those that
    hold no finished run are left out and named in a note of the comparison.
    """
    runs, unread = _readable(paths)
    first = runs[0]
    _check_comparable(runs)
    wanted = _checked_metric(metric or first.main_metric, first)
    margin = margin if margin is not None else first.config.get(MARGIN_KEY)
    if margin is not None and not 0 < margin < math.inf:
        raise ConfigError(f"margin {margin:g}: expected a number above 0")
    named = _named(runs)
    seed = int(first.config["seed"])
    comparison = compare(
        {each.name: each.pipeline for each in named},
        wanted,
        first.targets,
        seed=seed,
        equivalence_margin=margin,
        baseline=next((each.name for each in named if each.is_baseline), None),
        unit_word=unit_word(first.config["dataset"], first.targets.unit),
    )
    _check_enough(comparison, named, first)
    rows = [_row(e, estimate(e.pipeline, wanted, first.targets, seed=seed)) for e in named]
    place = {name: position for position, name in enumerate(comparison.pipelines)}
    rows.sort(key=lambda row: place.get(row.name, len(place)))
    rows_left_out = (row for run in runs for row in run.left_out)
    left_out = len({row["path"] for row in rows_left_out if row["status"] == "failed"})
    comparison = replace(comparison, notes=(*unread, *comparison.notes, *_on_costs(runs)))
    folders = tuple(run.path for run in runs)
    return ComparedRuns(folders, tuple(rows), comparison, left_out, tuple(first.classes))


def _on_costs(runs: Iterable[SavedRun]) -> Iterator[str]:
    """Yield a note if costs were not measured by these runs."""
    kept = [run.path.name for run in runs if earlier_fits(run.record.get("fits") or {})]
    if kept:
        yield (
            f"some fits of {', '.join(kept)} are from earlier runs; their times and memory were "
            "measured then"
        )


def _readable(paths: Sequence[str | Path]) -> tuple[list[SavedRun], list[str]]:
    """Return the runs that can be read, and a note on each other folder; a missing one ends."""
    runs, errors = [], []
    for path in paths:
        try:
            runs.append(read_run(path))
        except ResultError as exc:
            if not Path(path).exists():
                raise
            errors.append(exc)
    if errors and not runs:
        raise errors[0]
    return runs, [f"left out: {error.message}" for error in errors]


def _check_comparable(runs: Sequence[SavedRun]) -> None:
    (path, n), *_ = Counter(run.path.resolve() for run in runs).most_common(1)
    if n > 1:
        raise ResultError(f"{path}: is given twice", hint="Give each run folder once.")
    for other in runs[1:]:
        if other.fingerprint != runs[0].fingerprint or other.classes != runs[0].classes:
            raise _refusal(runs[0], other, _different_clips(runs[0], other))
        if why := _different_folds(runs[0], other):
            raise _refusal(runs[0], other, why)


def _refusal(first: SavedRun, other: SavedRun, why: str) -> ResultError:
    return ResultError(
        f"{first.path} and {other.path} cannot be compared: {why}",
        hint="Run both configs on the same clips, with the same split and seed.",
    )


def _different_clips(first: SavedRun, other: SavedRun) -> str:
    """Return how the clips of two runs differ, by the first kind of difference."""
    mine = {clip.id: clip for clip in first.clips}
    theirs = {clip.id: clip for clip in other.clips}
    sides = ((first, sorted(mine.keys() - theirs)), (other, sorted(theirs.keys() - mine)))
    if only := [f"{len(ids)} only in {r.path}, such as {ids[0]!r}" for r, ids in sides if ids]:
        return f"different clips: {', '.join(only)}"
    for kind, fact in _FACTS.items():
        differ = [name for name, clip in mine.items() if fact(clip) != fact(theirs[name])]
        if differ:
            clips = "clip" if len(differ) == 1 else "clips"
            return f"different {kind} of {len(differ)} {clips}, such as {differ[0]!r}"
    return "different published folds or groups of the same clips"


_FACTS: dict[str, Callable[[SavedClip], str | None]] = {
    "labels": lambda clip: clip.label,
    "content": lambda clip: clip.facts.get("sha256"),
    "groups": lambda clip: clip.group,
}
"""Properties that make two clips the same, by their names in messages."""


def _different_folds(first: SavedRun, other: SavedRun) -> str:
    """Return how the folds of two runs differ, "" where they are the same."""
    if len(first.folds) == len(other.folds) and all(
        (a.repeat, a.name) == (b.repeat, b.name) and np.array_equal(a.test, b.test)
        for a, b in zip(first.folds, other.folds, strict=True)
    ):
        return ""
    mine, theirs = (
        f"{run.metrics.get('split', len(run.folds))} from seed {run.config['seed']}"
        for run in (first, other)
    )
    if mine == theirs:
        return f"different folds, although both have {mine}"
    return f"different folds: {first.path} has {mine}, {other.path} has {theirs}"


def _checked_metric(metric: str, run: SavedRun) -> Metric:
    metric = canonical(metric)
    if metric not in METRICS:
        known = suggest(metric, list(METRICS)) or f"There are {', '.join(METRICS)}."
        raise ConfigError(f"unknown metric {metric!r}", hint=known)
    check_metrics([metric], run.classes, kind=run.targets.kind)
    return metric


@dataclass(frozen=True)
class _Named:
    """A pipeline under the name that it has in the table."""

    name: str
    run: SavedRun
    pipeline: SavedPipeline
    is_baseline: bool

    def predicts_as(self, other: _Named) -> bool:
        pairs = zip(self.pipeline.folds, other.pipeline.folds, strict=True)
        return other.is_baseline and all(np.array_equal(a.y_pred, b.y_pred) for a, b in pairs)


def _named(runs: Sequence[SavedRun]) -> list[_Named]:
    """Name the pipelines of all runs; equal baselines are listed once."""
    pipelines: list[_Named] = []
    for run, label in zip(runs, _labels(runs), strict=True):
        for pipeline in run.pipelines:
            new = _Named(f"{label}/{pipeline.name}", run, pipeline, run.is_baseline(pipeline))
            if not any(new.is_baseline and new.predicts_as(other) for other in pipelines):
                pipelines.append(new)
    count = Counter(each.pipeline.name for each in pipelines)
    return [
        replace(each, name=each.pipeline.name) if count[each.pipeline.name] == 1 else each
        for each in pipelines
    ]


def _labels(runs: Sequence[SavedRun]) -> list[str]:
    """Return a name for each run: that of its config, of its folder, or its path."""
    for names in ([run.name for run in runs], [run.path.name for run in runs]):
        if len(set(names)) == len(names):
            return names
    return [str(run.path) for run in runs]


def _check_enough(comparison: Comparison, named: Sequence[_Named], run: SavedRun) -> None:
    if len(comparison.pipelines) >= 2:
        return
    metric, hint = comparison.metric, "Choose another metric with --metric, such as accuracy."
    available = [each for each in named if is_available(each.pipeline, metric)]
    if len(named) < 2:
        why = f"there is one pipeline, {named[0].name}"
        hint = "Give a run with several classifiers or featurizers, or several runs."
    elif len(available) > len(comparison.pipelines):
        labels = [] if run.targets.class_codes is None else [clip.label for clip in run.clips]
        reason = untested(run.folds, labels) if labels else ""
        why = f"{metric} is not defined on these folds" + (f", since {reason}" if reason else "")
        hint = f"{hint[:-1]}, or use a split that tests every class."
    else:
        count = "only one" if comparison.pipelines else "none"
        why = f"of {len(named)} pipelines, {count} has scores that {metric} needs"
    raise ResultError(f"nothing to compare: {why}", hint=hint)


def _row(pipeline: _Named, value: Estimate | None) -> ComparedPipeline:
    written = pipeline.run.pipeline_metrics[pipeline.pipeline.name]
    costs = {name: written.get(name) for name in COSTS}
    configured = pipeline.run.config.get("classifiers", {}).get(pipeline.pipeline.classifier) or {}
    return ComparedPipeline(
        pipeline.name,
        pipeline.run.path,
        value,
        **costs,
        pipeline=pipeline.pipeline.name,
        classifier_type=str(configured.get("type", "")),
    )
