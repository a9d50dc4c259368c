"""`audioclf check CONFIG`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from audioclf.cli import options
from audioclf.cli.terminal import format_table, json_text, say

if TYPE_CHECKING:
    from audioclf.experiment.preview import RunPreview


def check(
    config: options.ConfigArgument,
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Validate a config and its dataset, without training."""
    with options.progress_on_stderr() as progress:
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.preview import preview

        result = preview(
            config,
            overrides=overrides,
            registry=registry,
            isolate=isolate or untrusted,
            progress=progress,
        )
    say(json_text(_data(result)) if as_json else _text(result))
    sys.exit(result.exit_code)


def _data(result: RunPreview) -> dict[str, Any]:
    return {
        "dataset": result.dataset,
        "clips": result.n_clips,
        "classes": result.class_counts,
        **({"labels": result.labels.to_data()} if result.labels else {}),
        "seconds": round(result.seconds, 3),
        "cells": list(result.pipelines),
        "split": result.splits,
        "fits": result.n_fits,
        "unreadable": list(result.unreadable),
        "notes": list(result.notes),
    }


def _classes(result: RunPreview) -> tuple[str, str]:
    by_name = result.class_counts.items()
    if result.is_numbers:
        return "numbers", ", ".join(f"{name} ({count} clips)" for name, count in by_name)
    counts = ", ".join(f"{name} {count}" for name, count in by_name)
    return "classes", f"{len(result.class_counts)}: {counts}"


def _text(result: RunPreview) -> str:
    rows = [
        ("dataset", result.dataset),
        ("clips", f"{result.n_clips}, {result.seconds:.1f} s of audio"),
        *(result.labels.words() if result.labels else [_classes(result)]),
        ("split", result.splits),
        ("pipelines", f"{len(result.pipelines)}: {', '.join(result.pipelines)}"),
        ("fits", str(result.n_fits)),
        *(("note", note) for note in result.notes),
        *(("unreadable", message) for message in result.unreadable),
    ]
    verdict = "some clips cannot be read" if result.unreadable else "the config is valid"
    return format_table(("check", verdict), rows)
