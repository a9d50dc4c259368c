"""`audioclf evaluate MODEL... DATA`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audioclf.cli import options
from audioclf.cli.result_text import per_class_text
from audioclf.cli.terminal import complain, say

if TYPE_CHECKING:
    from audioclf.runs.results import RunResult


def evaluate(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL",
            help="Models, such as model.audioclf, or the folders of their runs.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Labelled recordings: a folder, zip or table, or a config with a dataset.",
            show_default=False,
        ),
    ],
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; by default a new one below runs/.")
    ] = None,
    expect_sha256: options.ExpectOption = None,
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    jobs: options.JobsOption = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    per_class: options.PerClassOption = False,
    show_page: options.OpenOption = False,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Evaluate models on labelled recordings that they were not trained on."""
    with options.progress_on_stderr(quiet=quiet, stage="model") as progress:
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.evaluating.evaluate import evaluate_models
        from audioclf.experiment.resources import cache_folder_or_default

        result = evaluate_models(
            models,
            data,
            registry,
            overrides=overrides,
            out=out,
            jobs=jobs,
            cache_folder=None if no_cache else cache_folder_or_default(cache_dir),
            isolate=isolate,
            untrusted=untrusted,
            expect_sha256=expect_sha256,
            weights=weights,
            progress=progress,
        )
    for note in result.notes:
        complain("note", note)
    metrics = result.folder / "metrics.json"
    say(metrics.read_text(encoding="utf-8").rstrip() if as_json else _described(result))
    if per_class and not as_json:
        say(f"\n{per_class_text(result.folder, result.pipelines[0].name)}")
    if show_page:
        options.open_page(result.report)
    sys.exit(result.exit_code)


def _described(result: RunResult) -> str:
    from audioclf.cli.run import describe_result

    return describe_result(result)
