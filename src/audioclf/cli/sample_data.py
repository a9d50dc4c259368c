"""`audioclf sample-data NAME`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from audioclf.base.errors import ConfigError
from audioclf.cli.terminal import format_table, say


def sample_data(
    name: Annotated[
        str | None, typer.Argument(help="Which dataset; --list shows them.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write, new or empty; by default one of the dataset's name."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same files.")] = 0,
    show_list: Annotated[bool, typer.Option("--list", help="List the datasets.")] = False,
) -> None:
    """Write a small dataset with one effect, such as leakage or a shortcut."""
    from audioclf.starters.sample_data.registry import SAMPLES, sample_named, write_sample

    if show_list:
        rows = [(sample.name, sample.line) for sample in SAMPLES.values()]
        say(format_table(("name", "what it shows"), rows))
        return
    if name is None:
        raise ConfigError("sample-data needs a name", hint=f"There are {', '.join(SAMPLES)}.")
    sample = sample_named(name)
    written = write_sample(sample, out or Path(sample.name), seed=seed)
    size = f"{written.n_bytes / 1e6:.1f} MB"
    say(f"{written.n_files} files, {size}, in {written.folder}: {sample.line}")
    say(f"next: audioclf {sample.command} {shlex.quote(str(written.config))}")
