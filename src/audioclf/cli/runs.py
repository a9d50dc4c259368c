"""`audioclf runs [FOLDER]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.cli.options import JsonOption
from audioclf.cli.result_text import interval_text
from audioclf.cli.terminal import format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.runs.listing import ListedRun


def runs(
    folder: Annotated[Path, typer.Argument(help="Folder that holds run folders.")] = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """List the runs in a folder, with date, best pipeline and state."""
    from audioclf.runs.listing import list_runs

    listed = list_runs(folder)
    if as_json:
        say(json_text([run.to_data() for run in listed]))
        return
    if not listed:
        say(f"{folder} holds no runs")
        return
    header = ("date", "folder", "name", "best pipeline", "metric", "state")
    say(format_table(header, [_row(run) for run in listed]))
    finished = [run for run in listed if run.state == "finished"]
    if finished:
        say(f"\nnext: audioclf report {finished[0].path}, or audioclf compare RUN...")


def _row(run: ListedRun) -> tuple[str, ...]:
    shown = f"{run.metric} {interval_text(run.to_data())}" if run.best else ""
    state = f"{run.state}: {run.problem}" if run.problem else run.state
    date = run.date.strftime("%Y-%m-%d %H:%M")
    return (date, str(run.path), run.name, run.best, shown, state)
