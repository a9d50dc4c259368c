"""`audioclf check CONFIG`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from audioclf.cli import options
from audioclf.cli.terminal import format_table, say

if TYPE_CHECKING:
    from audioclf.experiment.preview import RunPreview

app = options.single_command()


@app.command()
def check(
    config: options.ConfigArgument,
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    isolate: options.IsolateOption = False,
    untrusted: options.UntrustedOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Validate a config and its dataset, without training."""
    registry = options.load_registry(strict=strict)
    from audioclf.experiment.preview import preview

    found = preview(config, overrides=overrides, registry=registry, isolate=isolate or untrusted)
    say(json.dumps(_data(found), indent=2, ensure_ascii=False) if as_json else _text(found))
    sys.exit(found.exit_code)


def _data(found: RunPreview) -> dict[str, Any]:
    return {
        "dataset": found.dataset,
        "clips": found.n_clips,
        "classes": found.class_counts,
        "seconds": round(found.seconds, 3),
        "cells": list(found.pipelines),
        "split": found.splits,
        "fits": found.n_fits,
        "unreadable": list(found.unreadable),
        "notes": list(found.notes),
    }


def _text(found: RunPreview) -> str:
    classes = ", ".join(f"{name} {count}" for name, count in found.class_counts.items())
    rows = [
        ("dataset", found.dataset),
        ("clips", f"{found.n_clips}, {found.seconds:.1f} s of audio"),
        ("classes", f"{len(found.class_counts)}: {classes}"),
        ("split", found.splits),
        ("pipelines", f"{len(found.pipelines)}: {', '.join(found.pipelines)}"),
        ("fits", str(found.n_fits)),
        *(("note", note) for note in found.notes),
        *(("unreadable", message) for message in found.unreadable),
    ]
    verdict = "some clips cannot be read" if found.unreadable else "the config is valid"
    return format_table(("check", verdict), rows)
