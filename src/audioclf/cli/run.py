"""`audioclf run CONFIG`."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.base.errors import ConfigError
from audioclf.base.text import human_bytes, human_seconds
from audioclf.cli import options
from audioclf.cli.result_text import (
    COSTS_HEADER,
    cost_columns,
    curve_text,
    finding_line,
    per_class_text,
    verdict_lines,
    with_type,
)
from audioclf.cli.terminal import complain_each, format_table, json_text, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audioclf.base.progress import Progress
    from audioclf.components.registry import Registry
    from audioclf.experiment.planning import RunPlan
    from audioclf.experiment.resources import Resources
    from audioclf.runs.results import PipelineSummary, RunResult


def run(
    config: options.ConfigArgument,
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; by default a new one below runs/.")
    ] = None,
    jobs: options.JobsOption = None,
    engine: options.EngineOption = "local",
    scheduler: options.SchedulerOption = None,
    insecure_cluster: options.InsecureOption = False,
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    clip_seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Leave out a clip that takes longer; implies --isolate."),
    ] = None,
    fit_seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Stop at a fit that takes longer; implies --isolate."),
    ] = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    notify: Annotated[
        list[str],
        typer.Option(
            "--notify",
            metavar="PLUGIN",
            help="Notify a plugin, such as mlflow, of the finished run; by default those in "
            "AUDIOCLF_NOTIFY.",
        ),
    ] = [],  # noqa: B006  typer copies it
    notify_seconds: options.NotifySecondsOption = None,
    per_class: options.PerClassOption = False,
    show_page: options.OpenOption = False,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Only estimate time, memory and disk.")
    ] = False,
) -> None:
    """Train and evaluate the pipelines of a config; write a run folder."""
    if plan_only:
        resources = options.resources_of(jobs, cache_dir, no_cache, isolate=isolate or untrusted)
        with options.progress_on_stderr(quiet=quiet) as progress:
            registry = options.load_registry(strict=strict)
            plan = _plan(config, overrides, registry, resources, out, progress)
        complain_each("warning", plan.warnings)
        totals = asdict(plan.total)
        del totals["name"]
        data = {**asdict(plan), **totals}
        say(json_text(data) if as_json else describe_plan(plan))
        return
    with options.progress_on_stderr(quiet=quiet) as progress:
        from audioclf.experiment.resources import begin_early

        if engine == "local":
            begin_early(config, jobs, overrides)
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.run import run as run_experiment

        result = run_experiment(
            config,
            overrides=overrides,
            out=out,
            jobs=jobs,
            engine=engine,
            scheduler=scheduler,
            insecure_cluster=insecure_cluster,
            isolate=True if isolate or untrusted else None,
            clip_seconds=clip_seconds,
            fit_seconds=fit_seconds,
            cache=not no_cache,
            cache_dir=cache_dir,
            registry=registry,
            notify=notify or None,
            notify_seconds=notify_seconds,
            progress=progress,
        )
    complain_each("note", (*result.remarks, *result.notes))
    complain_each("warning", result.failed_notifications)
    show_result(result, as_json=as_json, per_class=per_class, show_page=show_page)
    sys.exit(result.exit_code)


def show_result(result: RunResult, *, as_json: bool, per_class: bool, show_page: bool) -> None:
    """Print a result, and open its page."""
    metrics = result.folder / "metrics.json"
    say(metrics.read_text(encoding="utf-8").rstrip() if as_json else describe_result(result))
    if per_class and not as_json:
        say(f"\n{per_class_text(result.folder, result.pipelines[0].name)}")
    if show_page:
        options.open_page(result.report)


def _plan(
    config: Path,
    overrides: list[str],
    registry: Registry,
    resources: Resources,
    out: Path | None,
    progress: Progress,
) -> RunPlan:
    from audioclf.base.limits import use_limits
    from audioclf.experiment.planning import plan
    from audioclf.experiment.prepared import prepare, resolve

    loaded, registry = resolve(config, overrides, registry)
    if resources.isolate or loaded.isolate:
        raise ConfigError(
            "--plan reads clips and fits in this process, which isolation rules out",
            hint="Run without --plan; or, if you trust the clips, plan without isolation.",
        )
    with use_limits(loaded.limits):
        started = time.perf_counter()
        prepared = prepare(loaded, registry=registry)
        seconds = time.perf_counter() - started
        progress("plan", 0, 1)
        return plan(prepared, resources, out=out or Path("runs"), load_seconds=seconds)


def describe_plan(plan: RunPlan) -> str:
    """Return the table of stages with the facts behind it."""
    table = format_table(
        ["stage", "about", "memory", "disk"],
        [
            [
                stage.name,
                human_seconds(stage.seconds),
                human_bytes(stage.memory),
                human_bytes(stage.disk) if stage.disk else "",
            ]
            for stage in (*plan.stages, plan.total)
        ],
    )
    columns = ", ".join(f"{name} {width}" for name, width in plan.columns.items())
    mapped = f"; in a file: {', '.join(plan.mapped)}" if plan.mapped else ""
    return (
        f"{table}\n\n"
        f"{plan.n_clips} clips; {plan.n_pipelines} pipelines, {plan.n_fits} fits of "
        f"{plan.rows_per_fit} clips; {plan.jobs} at a time\n"
        f"columns: {columns}{mapped}\n"
        f"probed: {plan.n_probed} clips, {100 * plan.cached:.0f} % of them in the cache; "
        "each figure is an estimate, often off by a factor of 2"
    )


def _labels(result: RunResult) -> str:
    return f"{len(result.classes)} classes" if result.classes else "numbers"


def describe_result(result: RunResult) -> str:
    """Return the table of results, the verdict, and what one has to know to read them."""
    from audioclf.components.metrics import of_class

    metrics = result.config.metrics
    titles = [f"{metric}{of_class(metric, result.classes)}" for metric in metrics]
    header = ["pipeline", *titles, *COSTS_HEADER]
    rows = [_row(result, pipeline) for pipeline in result.pipelines]
    table = format_table(header, rows)
    failed = f", {result.n_failed} left out" if result.n_failed else ""
    what = f"{result.n_clips} clips{failed}, {_labels(result)}; {result.splits}"
    unit = (result.comparison.unit_word if result.comparison else "") or result.unit
    interval = f"95 % bootstrap interval over {result.n_units} {unit}s"
    if result.n_units == 1:
        interval = f"no intervals: only 1 {unit} is tested"
    weighted = f"; weighted by {result.weighted_by}" if result.weighted_by else ""
    parts = [
        table,
        f"{what}; [{interval}]{weighted}{_hard(result)}",
        *_curve(result),
        *_judgement(result),
        "\n".join(_places(result)),
    ]
    return "\n\n".join(parts)


def _row(result: RunResult, pipeline: PipelineSummary) -> list[str]:
    estimates = [pipeline.metrics[metric] for metric in result.config.metrics]
    shown = ["n/a" if estimate is None else str(estimate) for estimate in estimates]
    classifier = result.config.classifiers.get(pipeline.classifier)
    name = pipeline.name if classifier is None else with_type(pipeline.name, classifier.type_name())
    costs = (
        pipeline.fit_seconds,
        pipeline.predict_seconds_per_clip,
        pipeline.model_bytes,
        pipeline.peak_memory,
    )
    return [name, *shown, *cost_columns(*costs)]


def _hard(result: RunResult) -> str:
    from audioclf.runs.results import hard_words

    words = hard_words(result.hard)
    return f"\nleft out as hard, so the results do not hold for them: {words}" if words else ""


def _curve(result: RunResult) -> Iterator[str]:
    """Yield the table of the learning curve, a row for each size."""
    if (curve := result.learning_curve) is None or not any(curve.points.values()):
        return
    from audioclf.runs.curve_files import curve_data

    yield curve_text(curve_data(curve))


def _judgement(result: RunResult) -> Iterator[str]:
    if result.comparison is not None:
        yield "\n".join(verdict_lines(result.comparison))
    if lines := list(_drifts(result)):
        yield "\n".join(lines)
    if result.findings:
        yield "\n".join(finding_line(finding) for finding in result.findings)


def _drifts(result: RunResult) -> Iterator[str]:
    """Yield how each finished model differs from its own cross-validation."""
    from audioclf.runs.finished import drift_sentence

    for model in result.models:
        if (metric := next(iter(model.differences), None)) is not None:
            here, before = result[model.name].metrics[metric], model.cross_validated[metric]
            assert here is not None
            change = model.differences[metric]
            yield drift_sentence(model.name, metric, here.value, before.value, change)


def _places(result: RunResult) -> Iterator[str]:
    yield f"results in {result.folder}"
    if result.model is not None:
        yield f"model   {result.model}"
    if result.report is not None:
        yield f"page    {result.report}"
