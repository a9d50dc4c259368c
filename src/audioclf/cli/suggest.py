"""`audioclf suggest MODEL RECORDING...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each, format_table, say


def suggest(
    bundle: options.ModelArgument,
    recordings: options.RecordingsArgument,
    window: Annotated[
        float, typer.Option(metavar="S", help="Length of a window.", show_default=False)
    ],
    hop: options.HopOption = None,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Number of windows.")] = 60,
    by: Annotated[
        Literal["mixed", "uncertain", "diverse", "scores", "random"],
        typer.Option(
            help="uncertain: the least certain; diverse: those that differ most in features; "
            "scores: as many from each band of scores; random: each with the same probability; "
            "mixed: half uncertain, half drawn from all bands."
        ),
    ] = "mixed",
    classes: Annotated[
        list[str],
        typer.Option(
            "--class", help="Class to look for; all but background if not given; may be repeated."
        ),
    ] = [],  # noqa: B006  typer copies it
    per_recording: options.PerRecordingOption = None,
    reviewed: options.ReviewedOption = [],  # noqa: B006
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 42,
    out: options.ListOption = Path("suggested.csv"),
    force: options.ForceOption = False,
    weights: options.WeightsOption = [],  # noqa: B006
    expect_sha256: options.ExpectOption = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    jobs: options.JobsOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Choose windows of recordings to label, with the probability of each choice."""
    options.check_new_list(out, force=force)
    with options.progress_on_stderr(quiet=quiet, stage="model") as progress:
        from audioclf.experiment.review import collection
        from audioclf.experiment.review.choosing import Choice
        from audioclf.experiment.review.suggesting import score_windows, suggest_windows, write_list
        from audioclf.models.bundle.reading import read_bundle
        from audioclf.predict.inputs import collect
        from audioclf.predict.settings import check_classes

        registry = options.load_registry()
        stored = read_bundle(
            bundle, registry, expect_sha256=expect_sha256, weights=weights, graph="if_needed"
        )
        model = stored.model
        check_classes(model, "suggest")
        targets = collection.targets_of(model, classes)
        collected = collect(recordings)
        result = score_windows(
            model,
            registry,
            collected.recordings,
            (window, hop),
            options.resources_of(jobs, cache_dir, no_cache),
            progress=progress,
            keep_rows=by == "diverse",
        )
        free = collection.not_reviewed(result.windows, reviewed)
        choice = Choice(by, n, per_recording)
        windows, chosen = suggest_windows(model, result, free, targets, choice, seed=seed, out=out)
        write_list(out, windows, model.classes)
    complain_each("note", (*stored.notes, *collected.notes, *result.notes))
    complain_each("failed", result.failures, 20, "recordings")
    n_free = int(free.sum())
    if n_free < len(free):
        complain("note", f"{len(free) - n_free} windows overlap reviewed ones, left out")
    if len(windows) < n:
        complain("note", f"only {len(windows)} windows could be chosen")
    rows = [
        [
            key[0],
            chosen.band_of(key, "or higher"),
            str(chosen.keys.count(key)),
            f"{chosen.sizes[key]:,}",
        ]
        for key in sorted(chosen.sizes, key=lambda key: (key[0], -key[1]))
    ]
    say(format_table(["chosen by", "score", "windows", "chosen from"], rows))
    say()
    say(f"{out}: {len(windows)} of {n_free:,} windows; next: audioclf review {out}")
    sys.exit(EXIT_PARTIAL if result.failures else EXIT_OK)
