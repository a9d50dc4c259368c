"""`audioclf report RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audioclf.cli.options import (
    BudgetOption,
    OpenOption,
    RunArgument,
    load_registry,
    open_page,
    progress_on_stderr,
)
from audioclf.cli.terminal import complain, say


def report(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default report.html in the run folder.")
    ] = None,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Leave out sound and spectrograms of clips.")
    ] = False,
    budget: BudgetOption = None,
    show_page: OpenOption = False,
) -> None:
    """Write one HTML page of a finished run: numbers, pictures and sound."""
    with progress_on_stderr(stage="page"):
        from audioclf.report.run.page import report_again

        registry = None if no_audio else load_registry()
        path, remark = report_again(
            run, sound=not no_audio, out=out, budget_mb=budget, registry=registry
        )
    if remark:
        complain("note", remark)
    say(str(path))
    if show_page:
        open_page(path)
