"""`audioclf configs`, with `show`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from audioclf.cli.options import ForceOption, JsonOption, new_app
from audioclf.cli.terminal import complain, format_table, json_text, say

app = new_app()


@app.callback(invoke_without_command=True)
def configs(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the included configs, or print or copy one."""
    if ctx.invoked_subcommand is not None:
        return
    from audioclf.starters.recipes import recipes

    found = recipes()
    if as_json:
        rows = [{"name": recipe.name, "line": recipe.line} for recipe in found]
        say(json_text(rows))
        return
    say(format_table(("name", "what it is"), [(recipe.name, recipe.line) for recipe in found]))
    say("\nnext: audioclf configs show NAME, or audioclf init FOLDER for your own sounds")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A config of the list.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="File to copy it to, as it is; by default it is printed.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Print a config, or copy it and list what to change in it."""
    from audioclf.starters.recipes import recipe_named

    recipe = recipe_named(name)
    if out is None:
        say(recipe.text.rstrip("\n"))
        return
    from audioclf.base.files import write_new_config

    write_new_config(out, recipe.text, force=force)
    say(f"{out} written, as it comes along: {recipe.line}")
    for key, value in recipe.paths():
        if not (out.absolute().parent / value).exists():
            complain("note", f"change dataset.{key}: {value!r} is not there, seen from {out}")
        else:
            say(f"change dataset.{key}, which is {value!r}, for your own recordings")
    say(f"next: audioclf check {shlex.quote(str(out))}")
