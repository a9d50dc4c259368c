"""`audioclf search CONFIG|MODEL RECORDING... --like CALL`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.cli import options
from audioclf.cli.terminal import complain_each, format_table, say

_SHOWN = 10


def search(
    features: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|MODEL", help="Config or model with the featurizer.", show_default=False
        ),
    ],
    recordings: options.RecordingsArgument,
    like: Annotated[
        list[str], typer.Option(help="Recording of a call, or a table of such; may be repeated.")
    ],
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Number of windows.")] = 50,
    window: Annotated[
        float | None,
        typer.Option(metavar="S", help="Length of a window; by default the shortest call."),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds from window to window; by default half of one."),
    ] = None,
    featurizer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Featurizer of a config that has several.")
    ] = None,
    per_recording: options.PerRecordingOption = None,
    reviewed: options.ReviewedOption = [],  # noqa: B006  typer copies it
    out: options.ListOption = Path("suggested.csv"),
    force: options.ForceOption = False,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    jobs: options.JobsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Find the windows of recordings that are most similar to a call."""
    options.check_new_list(out, force=force)
    with options.progress_on_stderr(quiet=quiet) as progress:
        from audioclf.experiment.review import searching
        from audioclf.experiment.review.suggesting import write_list
        from audioclf.predict.inputs import collect

        registry = options.load_registry()
        chosen = searching.features_of(features, registry, featurizer)
        calls, collected = collect(like), collect(recordings)
        seconds = window if window is not None else searching.example_seconds(calls.recordings)
        resources = options.resources_of(jobs, cache_dir, no_cache)
        with resources.make_engine() as engine:
            examples = searching.index_of(calls.recordings, chosen, (seconds, seconds), engine)
            index = searching.index_of(
                collected.recordings,
                chosen,
                (seconds, seconds / 2 if hop is None else hop),
                engine,
                cache_folder=resources.cache_folder,
                progress=progress,
            )
        windows = searching.similar_windows(
            index, examples, n=n, per_recording=per_recording, reviewed=reviewed, out=out
        )
        write_list(out, windows, ())
    complain_each("note", (*collected.notes, *index.notes))
    complain_each("failed", (*examples.failures, *index.failures), 20, "recordings")
    rows = [
        [f"{item.score:.3f}", f"{item.start:g}", f"{item.end:g}", item.path]
        for item in windows[:_SHOWN]
    ]
    say(format_table(["cosine", "start, s", "end, s", "recording"], rows))
    say()
    counts = f"{len(windows)} of {len(index.rows):,} windows of {seconds:g} s"
    say(f"{out}: {counts}; next: audioclf review {out} --class NAME")
    sys.exit(EXIT_PARTIAL if index.failures else EXIT_OK)
