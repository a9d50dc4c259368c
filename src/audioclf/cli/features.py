"""`audioclf features CONFIG --out FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL, ConfigError
from audioclf.cli import options
from audioclf.cli.terminal import complain_each, say

_MAX_FAILED = 20


def features(
    config: options.ConfigArgument,
    out: Annotated[
        Path, typer.Option(help="File to write: NAME.csv, .parquet or .npz.", show_default=False)
    ],
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    featurizer: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Featurizer of the config; by default all of them."),
    ] = [],  # noqa: B006
    window: Annotated[
        float | None, typer.Option(metavar="S", help="A row for each window of so many seconds.")
    ] = None,
    hop: options.HopOption = None,
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    jobs: options.JobsOption = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    quiet: options.QuietOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Write the features of all clips or windows as a table, for use elsewhere."""
    with options.progress_on_stderr(quiet=quiet) as progress:
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.feature_table import check_format, feature_table
        from audioclf.experiment.prepared import prepare

        check_format(out)
        if window is None and hop is not None:
            raise ConfigError("--hop is about windows", hint="Add --window, in s.")
        prepared = prepare(config, overrides, registry, check=False)
        resources = options.resources_of(jobs, cache_dir, no_cache, isolate=isolate or untrusted)
        table = feature_table(
            prepared, resources, featurizer, window=window, hop=hop, progress=progress
        )
        table.write(out)
    complain_each("note", table.notes)
    complain_each("warning", [row.message for row in table.failed], _MAX_FAILED, "clips")
    shapes = (f"{name} {matrix.shape[1]}" for name, matrix in table.matrices.items())
    rows = "clips" if window is None else "windows"
    say(f"{out}: {len(table.facts)} {rows}; columns: {', '.join(shapes)}")
    sys.exit(EXIT_PARTIAL if table.failed else EXIT_OK)
