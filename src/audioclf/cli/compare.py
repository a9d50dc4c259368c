"""`audioclf compare RUN...`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioclf.cli.options import JsonOption, PerClassOption, progress_on_stderr
from audioclf.cli.result_text import (
    COSTS_HEADER,
    cost_columns,
    curve_text,
    per_class_text,
    verdict_lines,
    with_type,
)
from audioclf.cli.terminal import complain_each, format_table, json_text, left_out, say

if TYPE_CHECKING:
    from audioclf.evaluation.comparison.result import Comparison
    from audioclf.runs.comparing import ComparedPipeline, ComparedRuns


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Run folders.", show_default=False)
    ],
    metric: Annotated[
        str | None,
        typer.Option(help="Metric; by default the first of the first run.", show_default=False),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Largest difference that does not matter.", show_default=False),
    ] = None,
    all_pairs: Annotated[
        bool,
        typer.Option("--all-pairs", help="Show every pair, not only those of the best pipeline."),
    ] = False,
    per_class: PerClassOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the pipelines of one or more runs in pairs, with intervals and tests."""
    with progress_on_stderr(stage="compare"):
        from audioclf.runs.comparing import compare_runs

        found = compare_runs(runs, metric=metric, margin=margin)
    if as_json:
        say(json_text(found.to_data()))
        sys.exit(found.exit_code)
    complain_each("note", found.comparison.notes)
    say(describe_comparison(found, all_pairs=all_pairs))
    if curve := _curve_of(found):
        say(f"\n{curve_text(curve)}")
    if per_class:
        best = found.pipelines[0]
        say(f"\n{per_class_text(best.run, best.pipeline)}")
    sys.exit(found.exit_code)


def describe_comparison(found: ComparedRuns, *, all_pairs: bool = False) -> str:
    """Return the table of pipelines with the verdicts below it."""
    comparison = found.comparison
    header = ["pipeline", found.metric_title, *COSTS_HEADER]
    table = format_table(header, [_row(pipeline) for pipeline in found.pipelines])
    sentences = "\n".join(_sentences(comparison, all_pairs=all_pairs))
    interval = f"95 % bootstrap interval over {comparison.sample}"
    if comparison.n_units == 1:
        interval = f"no intervals: only {comparison.sample} to resample"
    what = f"[{interval}]{left_out(found.left_out)}"
    return f"{table}\n\n{sentences}\n\n{what}"


def _curve_of(found: ComparedRuns) -> dict[str, Any] | None:
    """Return the learning curve of a run that was given alone."""
    from audioclf.runs.folder import LEARNING_CURVE
    from audioclf.runs.tables import read_json

    path = found.runs[0] / f"{LEARNING_CURVE}.json"
    return read_json(path) if len(found.runs) == 1 and path.is_file() else None


def _row(pipeline: ComparedPipeline) -> list[str]:
    costs = (
        pipeline.fit_seconds,
        pipeline.predict_seconds_per_clip,
        pipeline.model_bytes,
        pipeline.peak_memory_bytes,
    )
    shown = "n/a" if pipeline.estimate is None else str(pipeline.estimate)
    return [with_type(pipeline.name, pipeline.classifier_type), shown, *cost_columns(*costs)]


def _sentences(comparison: Comparison, *, all_pairs: bool) -> Iterator[str]:
    yield from verdict_lines(comparison)
    yield ""
    best = comparison.pipelines[0]
    shown = [pair for pair in comparison.pairs if all_pairs or pair.better == best]
    yield from (pair.sentence for pair in shown)
    if hidden := len(comparison.pairs) - len(shown):
        yield f"and {hidden} more pair{'s' * (hidden > 1)}, with --all-pairs"
