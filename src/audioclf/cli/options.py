"""Options and progress that several commands share."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from audioclf.cli.terminal import complain

if TYPE_CHECKING:
    from audioclf.components.registry import Registry

_QUIET_SECONDS = 1.0
_now = time.monotonic


def _recipe_names() -> list[str]:
    from audioclf.starters.recipes import recipes

    return [recipe.name for recipe in recipes()]


ConfigArgument = Annotated[
    Path,
    typer.Argument(
        help="YAML file, or an included config, such as quickstart.",
        show_default=False,
        autocompletion=_recipe_names,
    ),
]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a finished run.", show_default=False)]
ModelArgument = Annotated[
    Path, typer.Argument(help="A model, such as model.audioclf.", show_default=False)
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]
BudgetOption = Annotated[
    float | None, typer.Option(min=0, help="MB for sound and spectrograms; by default 4 to 8.")
]
EngineOption = Annotated[
    Literal["local", "dask"],
    typer.Option(help="Where the work is done; the results do not change."),
]
SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value, as in split.test_size=0.3."),
]
JobsOption = Annotated[
    int | None, typer.Option(min=1, help="Cores to use; all by default. The results do not change.")
]
CacheDirOption = Annotated[
    Path | None, typer.Option(help="Folder of the feature cache.", show_default=False)
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Neither use nor fill the feature cache.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="Address of a Dask scheduler, as tls://host:8786.", show_default=False),
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure-cluster", help="Accept a scheduler elsewhere without TLS.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
IsolateOption = Annotated[
    bool, typer.Option("--isolate", help="Work in processes, so that a crash costs one clip.")
]
UntrustedOption = Annotated[
    bool,
    typer.Option(
        "--untrusted",
        help="For clips and models from strangers: read them in processes that may crash.",
    ),
]
NotifySecondsOption = Annotated[
    float | None,
    typer.Option("--notify-seconds", min=0.1, help="Time limit of each plugin; by default 600 s."),
]
ExpectOption = Annotated[
    str | None,
    typer.Option(
        "--expect-sha256",
        metavar="DIGEST",
        help="Refuse a file whose SHA-256 is another.",
        show_default=False,
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict-plugins", help="Stop at the first broken plugin, with its traceback."),
]


def new_app() -> typer.Typer:
    """Return an app that holds one command of the command line."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def load_registry(*, strict: bool = False) -> Registry:
    """Discover the plugins and name each broken one once on stderr."""
    from audioclf.components.discovery import discover

    registry = discover(strict=strict)
    for record in registry.plugins:
        if record.status == "failed":
            complain("warning", f"plugin {record.origin} is broken: {record.reason}")
    return registry


@contextmanager
def progress_on_stderr(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each stage that lasts over a second, where stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    with _bars() as bars:
        yield _Stages(bars)


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), Remaining())
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _Stages:
    """Adds the bar of a stage once the stage has lasted a second."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._started: dict[str, float] = {}
        self._tasks: dict[str, Any] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        started = self._started.setdefault(stage, _now())
        if stage not in self._tasks and _now() - started > _QUIET_SECONDS:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        if stage in self._tasks:
            self._bars.update(self._tasks[stage], completed=done)
