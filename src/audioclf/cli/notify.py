"""`audioclf notify RUN PLUGIN...`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from audioclf.base.errors import EXIT_PARTIAL
from audioclf.cli.options import NotifySecondsOption, RunArgument, load_registry
from audioclf.cli.terminal import complain, say


def notify(
    run: RunArgument,
    plugins: Annotated[
        list[str], typer.Argument(metavar="PLUGIN", help="As mlflow.", show_default=False)
    ],
    seconds: NotifySecondsOption = None,
) -> None:
    """Notify plugins, such as mlflow, of a finished run."""
    from audioclf.experiment.notify import NOTIFY_SECONDS, finished_run, send

    observers = load_registry().observers(plugins)
    finished_run(run)
    sent = list(send(observers, run, seconds=seconds or NOTIFY_SECONDS))
    for item in sent:
        if item.is_done:
            say(item.text)
        else:
            complain("warning", item.text)
    sys.exit(0 if all(item.is_done for item in sent) else EXIT_PARTIAL)
