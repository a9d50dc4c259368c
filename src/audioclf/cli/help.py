"""Help of the commands: options in groups, examples, and the option `--verbose` of all commands."""

from __future__ import annotations

import logging
import platform
import sys
from functools import partial
from typing import Any

import typer

from audioclf._version import __version__
from audioclf.cli.terminal import complain

EXAMPLES: dict[str, tuple[str, ...]] = {
    "": (
        "init my_sounds",
        "run my_sounds.yaml --open",
        "predict runs/NAME/model.audioclf new_sounds",
    ),
    "init": ("init my_sounds", "init labels.csv --label species --root recordings"),
    "explore": ("explore my_sounds.yaml --open",),
    "run": (
        "run quickstart --set dataset.path=my_sounds.zip",
        "run my_sounds.yaml --set classifiers.svm.C=10 --per-class",
        "run my_sounds.yaml --plan",
    ),
    "predict": (
        "predict model.audioclf recordings --out labels.csv",
        "predict model.audioclf night.wav --window 3 --hop 1 --events --format audacity",
        "predict model.audioclf show.mp3 --window 1 --hop 0.25 --segments --min-duration 3",
    ),
    "listen": (
        "listen model.audioclf --window 1 --hop 0.25 --events",
        "listen model.audioclf - --rate 16000 --window 1",
    ),
    "serve": ("serve model.audioclf", "serve model.audioclf --port 80 --host 0.0.0.0"),
    "evaluate": ("evaluate model.audioclf second_site", "evaluate runs/A runs/B second_site.yaml"),
    "score": (
        "score found.csv nights/ --annotations truth/ --map names.csv",
        "score model.audioclf nights/ --annotations truth/ --window 3 --onset 3 --offset 3",
    ),
    "check": ("check my_sounds.yaml", "check quickstart --set dataset.path=my_sounds.zip"),
    "runs": ("runs", "runs experiments --json"),
    "compare": ("compare runs/NAME", "compare runs/A runs/B --metric f1_macro --per-class"),
    "report": ("report runs/NAME --open",),
    "audit": ("audit my_sounds.yaml --quick", "audit my_sounds.yaml --allow recording-habit"),
    "replay": ("replay runs/NAME",),
    "stress": ("stress runs/NAME --noise noise", "stress model.audioclf new_sounds --only codec"),
    "notify": ("notify runs/NAME mlflow",),
    "search": ("search birds.yaml nights/ --like call.wav --n 50",),
    "suggest": ("suggest model.audioclf nights/ --window 3 --n 60 --by mixed",),
    "review": (
        "review suggested.csv --reviewer anna --open",
        "review suggested.csv --export calls.selections.txt",
        "review suggested.csv --import calls.selections.txt",
    ),
    "estimate": ("estimate reviewed.csv", "estimate reviewed.csv --precision 0.9"),
    "model": ("model show model.audioclf",),
    "export": ("export model.audioclf --to onnx",),
    "sample-data": ("sample-data --list", "sample-data groups"),
    "configs": ("configs", "configs show quickstart --out mine.yaml"),
    "docs": ("docs", "docs loaders", "docs svm"),
    "features": (
        "features my_sounds.yaml --out features.csv",
        "features my_sounds.yaml --out windows.npz --window 5 --hop 2.5",
    ),
    "weights": ("weights inspect model.onnx", "weights fetch org/name@revision"),
    "plugins": ("plugins show mfcc", "plugins check knn", "plugins doctor"),
    "cache": ("cache stats", "cache prune --older-than 30d"),
}
"""Arguments that are shown in the help of each command, and below the list of commands."""

GROUPS = {
    "Speed": "jobs engine scheduler insecure_cluster cache_dir no_cache",
    "Clips and plugins from strangers": "isolate untrusted clip_seconds fit_seconds limit "
    "expect_sha256 strict strict_plugins",
    "Output": "out form force resume per_class show_page budget no_audio as_json quiet verbose "
    "notify notify_seconds help",
}
"""Groups of options in the help of a command that has many, by the names of parameters."""

_MANY = 9


def with_help(command: Any, name: str, *more: Any) -> Any:
    """Return the command with grouped options, examples, and more options."""
    for each in (command, *getattr(command, "commands", {}).values()):
        each.params.extend(more)
        each.format_options = partial(_format_options, each)
        each.collect_usage_pieces = partial(_usage, each)
    command.format_epilog = partial(format_examples, name)
    return command


def _usage(command: Any, ctx: Any) -> list[str]:
    """Return the parts of the usage line, which differ between versions of typer."""
    pieces = ["[OPTIONS]"]
    for item in command.params:
        if item.param_type_name == "argument":
            shown = argument_name(item) if item.required else f"[{argument_name(item)}]"
            pieces.append(shown if item.nargs == 1 else f"{shown}...")
    return [*pieces, "COMMAND [ARGS]..."] if hasattr(command, "commands") else pieces


def argument_name(argument: Any) -> str:
    """Return the name of an argument in usage lines."""
    return str(argument.metavar or argument.name.upper())


def format_examples(name: str, ctx: Any, formatter: Any) -> None:
    """Write the examples of a command."""
    if examples := EXAMPLES.get(name):
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"  audioclf {line}\n")


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Write arguments and options, each group below its title."""
    titles = {name: title for title, names in GROUPS.items() for name in names.split()}
    parameters = command.get_params(ctx)
    groups: dict[str, list[Any]] = {name: [] for name in ("Arguments", "Options", *GROUPS)}
    for parameter in parameters:
        title = titles.get(parameter.name, "Options") if len(parameters) > _MANY else "Options"
        title = "Arguments" if parameter.param_type_name == "argument" else title
        if record := parameter.get_help_record(ctx):
            name = argument_name(parameter) if title == "Arguments" else record[0]
            groups[title].append((name, record[1].replace("\\[", "[")))  # of older typer
    for title, records in groups.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
    if hasattr(command, "format_commands"):
        command.format_commands(ctx, formatter)


def set_verbose(ctx: typer.Context, wanted: bool) -> None:
    """Show versions and messages of libraries on stderr; the rest is for `is_verbose`."""
    if wanted and not is_verbose(ctx):
        ctx.meta[__name__] = True
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
        system = f"Python {platform.python_version()} on {platform.platform()}"
        complain("info", f"audioclf {__version__}, {system}, {sys.prefix}")


def is_verbose(ctx: Any) -> bool:
    """Return whether `--verbose` was given, before or after the name of the command."""
    return bool(ctx.meta.get(__name__))
