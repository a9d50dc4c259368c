"""Options and progress that several commands share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from audioclf.base.errors import ConfigError
from audioclf.base.progress import QUIET_VARIABLE, Progress, shown
from audioclf.cli.terminal import complain

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.experiment.resources import Resources
    from audioclf.models.model import Model


def _recipe_names() -> list[str]:
    from audioclf.starters.recipes import recipes

    return [recipe.name for recipe in recipes()]


ConfigArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="YAML file, or an included config, such as quickstart.",
        show_default=False,
        autocompletion=_recipe_names,
    ),
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a finished run.", show_default=False)
]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="A model, such as model.audioclf, or the folder of its run.",
        show_default=False,
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]
BudgetOption = Annotated[
    float | None, typer.Option(min=0, help="MB for sound and spectrograms; by default 3.5.")
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
    bool, typer.Option("--no-cache", help="Neither use nor fill the cache of features and fits.")
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
OpenOption = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
PerClassOption = Annotated[
    bool, typer.Option("--per-class", help="Show each class with its precision, recall and F1.")
]
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
HopOption = Annotated[
    float | None,
    typer.Option(metavar="S", help="Seconds from window to window; by default their length."),
]
ThresholdOption = Annotated[
    list[str],
    typer.Option(
        metavar="[CLASS=]X",
        help="Score that an event reaches, or each of several labels; by default 0.5, or that "
        "of the model.",
        show_default=False,
    ),
]
ThresholdOffOption = Annotated[
    float | None, typer.Option(help="Score below which an event ends; by default the same.")
]
MergeGapOption = Annotated[
    float | None,
    typer.Option(metavar="S", help="Events that are so close become one; 0 if not given."),
]
MinDurationOption = Annotated[
    float | None,
    typer.Option(metavar="S", help="Least length of events and segments; by default 0."),
]
OnlyOption = Annotated[list[str], typer.Option(help="Write events of this class; may be repeated.")]
SkipOption = Annotated[
    list[str], typer.Option(help="Write no events of this class; may be repeated.")
]
WeightsOption = Annotated[
    list[Path],
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Weights that the featurizer of the model reads, found by their digest.",
        show_default=False,
    ),
]
StrictModelOption = Annotated[
    bool,
    typer.Option(
        "--strict", help="Refuse a model of other versions, although it holds an ONNX graph."
    ),
]
PerRecordingOption = Annotated[
    int | None, typer.Option(min=1, help="Windows of one recording at most.")
]
ReviewedOption = Annotated[
    list[Path], typer.Option(help="Leave out the windows of an earlier list; may be repeated.")
]
ListOption = Annotated[Path, typer.Option(help="List to write.")]
RecordingsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RECORDING", help="Recordings, folders, zips or tables.", show_default=False
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict-plugins", help="Stop at the first broken plugin, with its traceback."),
]


def check_new_list(out: Path, *, force: bool) -> None:
    """Refuse to replace a list."""
    if out.exists() and not force:
        raise ConfigError(f"{out} exists", hint="Choose another --out, or replace it with --force.")
    if out.exists():
        from audioclf.dataset.review_list import is_plain_list

        if not is_plain_list(out):
            raise ConfigError(
                f"{out} holds answers, or is no list of windows: it is not replaced",
                hint="Choose another --out.",
            )


def event_fields(
    only: Sequence[str], skip: Sequence[str], **numbers: float | None
) -> dict[str, Any]:
    """Return the fields of the rule of events; None for those that are not given."""
    return {**numbers, "only": tuple(only) or None, "skip": tuple(skip) or None}


def about_events(name: str) -> ConfigError:
    """Return the error for an option that is about events, where none are asked for."""
    return ConfigError(f"--{name.replace('_', '-')} is about events", hint="Add --events.")


def new_app() -> typer.Typer:
    """Return an app that holds one command of the command line."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def resources_of(
    jobs: int | None, cache_dir: Path | None, no_cache: bool, *, isolate: bool = False
) -> Resources:
    """Return the cores and the cache with which a command works."""
    from audioclf.base.machine import available_cores
    from audioclf.experiment.resources import Resources, cache_folder_or_default

    folder = None if no_cache else cache_folder_or_default(cache_dir)
    return Resources(jobs or available_cores(), isolate=isolate, cache_folder=folder)


def load_registry(*, strict: bool = False) -> Registry:
    """Discover the plugins and name each broken one once on stderr."""
    from audioclf.components.discovery import discover

    registry = discover(strict=strict)
    for record in registry.plugins:
        if record.status == "failed":
            complain("warning", f"plugin {record.origin} is broken: {record.reason}")
    return registry


def open_model_of(
    command: str, bundle: Path, weights: list[Path], expect_sha256: str | None, *, strict: bool
) -> tuple[Model, tuple[str, ...]]:
    """Return the model of a bundle or a run for a command that classifies, and notes."""
    from audioclf.models.bundle.reading import open_model
    from audioclf.predict.settings import check_classes

    model, notes = open_model(
        bundle,
        load_registry(),
        expect_sha256=expect_sha256,
        weights=weights,
        graph="never" if strict else "if_needed",
    )
    check_classes(model, command)
    return model, notes


def open_page(page: Path | None) -> None:
    """Open a page in the browser, or say that there is no page or no browser."""
    import webbrowser

    if page is None:
        complain("note", "no page was made, since the config has `report: {html: false}`")
    elif not webbrowser.open(page.absolute().as_uri()):
        complain("note", f"no browser was found to open {page}")


@contextmanager
def progress_on_stderr(*, quiet: bool = False, stage: str = "load") -> Iterator[Progress]:
    """Show the stage that is at work, beginning with this one."""
    with shown(not quiet and not os.environ.get(QUIET_VARIABLE)) as progress:
        progress(stage, 0, 1)
        yield progress
