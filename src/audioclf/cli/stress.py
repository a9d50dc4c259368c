"""`audioclf stress RUN|MODEL [DATA]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioclf.base.errors import ConfigError
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each, format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.experiment.stress.result import Stress

_MODEL = ".audioclf"


def stress(
    subject: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL", help="Folder of a run, or a model.", show_default=False
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Labelled recordings for a model: a folder, zip or table, or a config.",
            show_default=False,
        ),
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(help="Pipeline of the run; by default the best.", show_default=False),
    ] = None,
    noise: Annotated[
        Path | None,
        typer.Option(help="Recordings of noise to test with as well.", show_default=False),
    ] = None,
    only: Annotated[
        list[str],
        typer.Option(
            metavar="GROUP", help="noise, codec, band, level, room or time; may be repeated."
        ),
    ] = [],  # noqa: B006  typer copies it
    jobs: options.JobsOption = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Measure how much noise, codecs, band limits, levels and rooms cost a pipeline."""
    if subject.suffix == _MODEL and data is None:
        raise ConfigError(
            "a model needs labelled clips that it was not trained on",
            hint="Name a folder, zip, table or config of some; the folder of its run needs none.",
        )
    if data is not None and pipeline is not None:
        raise ConfigError("--pipeline is about a run without DATA", hint="Leave one of them out.")
    with options.progress_on_stderr(quiet=quiet) as progress:
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.stress.of_model import stress_model
        from audioclf.experiment.stress.of_run import stress_run

        resources = options.resources_of(jobs, cache_dir, no_cache)
        more: Any = {"noise": noise, "groups": only, "progress": progress}
        if data is None:
            result = stress_run(subject, registry, resources, pipeline=pipeline, **more)
        else:
            result = stress_model(subject, data, registry, resources, **more)
    complain_each("note", result.notes)
    say(json_text(result.to_data()) if as_json else describe(result))
    if data is None and not quiet:
        complain("done", f"stress.json in {subject}; `audioclf report {subject}` shows it")


def describe(result: Stress) -> str:
    """Return the table of changes, and the one that costs most."""
    rows = [("as it is", str(result.clean), "")]
    rows += [(row.name, str(row.estimate), row.interval) for row in result.rows]
    table = format_table(("change", result.metric, "difference"), rows)
    return (
        f"{table}\n\n{result.subject} on {result.sample}; [95 % bootstrap interval; each "
        f"difference is paired and by itself]\n\n{result.sentence}"
    )
