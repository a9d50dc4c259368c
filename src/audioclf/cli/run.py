"""`audioclf run CONFIG`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.cli.common import (
    ConfigArgument,
    JobsOption,
    JsonOption,
    QuietOption,
    SetOption,
    StrictOption,
    load_registry,
    progress_on_stderr,
    single_command,
)
from audioclf.cli.output import complain, format_table, say

if TYPE_CHECKING:
    from audioclf.config import Metric
    from audioclf.results import CellSummary, RunResult

app = single_command()


@app.command()
def run(
    config: ConfigArgument,
    overrides: SetOption = [],  # noqa: B006  typer copies it
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; by default a new one below runs/.")
    ] = None,
    jobs: JobsOption = None,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Folder of the feature cache.", show_default=False)
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor fill the feature cache.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    strict: StrictOption = False,
) -> None:
    """Load, extract, train and evaluate what a config says; leave a run folder."""
    registry = load_registry(strict=strict)
    from audioclf.experiment import run as run_experiment

    with progress_on_stderr(quiet=quiet) as progress:
        result = run_experiment(
            config,
            overrides=overrides,
            out=out,
            jobs=jobs,
            cache=not no_cache,
            cache_dir=cache_dir,
            registry=registry,
            progress=progress,
        )
    for note in result.notes:
        complain("note", note)
    say(_as_json(result) if as_json else describe_result(result))
    sys.exit(result.exit_code)


def describe_result(result: RunResult) -> str:
    """Return the table of results with what one has to know to read it."""
    metrics = result.config.metrics
    rows = [_row(cell, metrics) for cell in result.cells]
    table = format_table(["cell", *metrics, "fit s"], rows)
    failed = f", {result.n_failed} left out" if result.n_failed else ""
    what = f"{result.n_clips} clips{failed}, {len(result.classes)} classes; {result.splits}"
    interval = f"[95 % bootstrap interval over {result.n_units} {result.unit}s]"
    return f"{table}\n\n{what}; {interval}\nresults in {result.folder}"


def _row(cell: CellSummary, metrics: tuple[Metric, ...]) -> list[str]:
    shown = ["n/a" if (found := cell.metrics[m]) is None else str(found) for m in metrics]
    return [cell.name, *shown, f"{cell.fit_seconds:.3g}"]


def _as_json(result: RunResult) -> str:
    return (result.folder / "metrics.json").read_text(encoding="utf-8").rstrip()
