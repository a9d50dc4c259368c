"""`audioclf replay RUN`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioclf.cli import options
from audioclf.cli.terminal import format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.experiment.replay import Change, Replay


def replay(
    run: options.RunArgument,
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the replay; by default a new one next to the run."),
    ] = None,
    jobs: options.JobsOption = None,
    engine: options.EngineOption = "local",
    scheduler: options.SchedulerOption = None,
    insecure_cluster: options.InsecureOption = False,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Repeat a finished run from its folder, and compare the results stage by stage."""
    with options.progress_on_stderr(quiet=quiet) as progress:
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.replay import replay as replay_run

        result = replay_run(
            run,
            overrides=overrides,
            out=out,
            jobs=jobs,
            engine=engine,
            scheduler=scheduler,
            insecure_cluster=insecure_cluster,
            registry=registry,
            progress=progress,
        )
    say(json_text(_data(result)) if as_json else describe(result))
    sys.exit(result.exit_code)


def _data(result: Replay) -> dict[str, Any]:
    return {
        "run": str(result.run),
        "replay": str(result.folder),
        "verdict": result.verdict,
        "first_different": result.first_different,
        "stages": [asdict(stage) for stage in result.stages],
        "environment": [asdict(change) for change in result.changes],
    }


def describe(result: Replay) -> str:
    """Return the table of stages, what differs in the environment, and the verdict."""
    rows = [(stage.name, stage.verdict, stage.detail) for stage in result.stages]
    table = format_table(("stage", "verdict", "detail"), rows)
    changed = "; ".join(map(_words, result.changes)) or "the same platform and versions"
    first = result.first_different
    verdict = result.verdict if first is None else f"different, first at {first}"
    return f"{table}\n\nenvironment: {changed}\n{verdict}\nreplayed in {result.folder}"


def _words(change: Change) -> str:
    return f"{change.name} {change.now or 'missing'} instead of {change.recorded or 'missing'}"
