"""`audioclf evaluate MODEL... DATA`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from audioclf.cli import options
from audioclf.cli.run import show_result
from audioclf.cli.terminal import complain_each


def evaluate(
    models: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL",
            help="At least one model, such as model.audioclf, or the folder of its run.",
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

        result = evaluate_models(
            models,
            data,
            registry,
            options.resources_of(jobs, cache_dir, no_cache, isolate=isolate or untrusted),
            overrides=overrides,
            out=out,
            untrusted=untrusted,
            expect_sha256=expect_sha256,
            weights=weights,
            progress=progress,
        )
    complain_each("note", result.notes)
    show_result(result, as_json=as_json, per_class=per_class, show_page=show_page)
    sys.exit(result.exit_code)
