"""The command line: parse, call, print. Nothing here computes.

Results go to stdout, progress and messages to stderr. Commands are imported when they are called,
so that `audioclf --help` costs little more than typer itself.
"""

from __future__ import annotations

import functools
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from audioclf._version import __version__
from audioclf.base.errors import AudioclfError, Terminated, stop_code, stop_words
from audioclf.base.machine import limit_threads_at_start
from audioclf.cli.terminal import complain, stdout_for_results

_COMMANDS = {
    "init": "Look at a folder or zip of recordings and write a config for it, with its reasons.",
    "explore": "Look at the data before any training: one HTML page, and a table.",
    "run": "Load, extract, train and evaluate what a config says; leave a run folder.",
    "predict": "Name the class of new sounds: clips, or windows and events in long recordings.",
    "check": "Say what a run would do, and what is wrong, without training.",
    "compare": "Compare the pipelines of one or more runs in pairs, with intervals and tests.",
    "report": "Write one HTML page that shows a finished run: numbers, pictures and sound.",
    "audit": "Say why numbers should not be believed: leaks, shortcuts, bad files, labels.",
    "replay": "Do a finished run again from its folder, and say where the results part.",
    "notify": "Tell plugins, such as mlflow, of a run that finished before.",
    "model": "Look into a model file: `model show FILE` says what it holds, without running it.",
    "export": "Write a model as ONNX, and prove that it gives the same scores there.",
    "sample-data": "Make a small dataset that shows one effect, such as leakage or a shortcut.",
    "configs": "List the configs that come along; `configs show NAME` prints or copies one.",
    "plugins": "List what is installed; `plugins show|check NAME`, `doctor` and `new` for authors.",
    "cache": "Show, verify or prune the cache of features.",
    "schema": "Print the JSON schema of configs, for editors.",
}


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and imports one only to call it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order in which they are shown."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        app = import_module(f"audioclf.cli.{cmd_name.replace('-', '_')}").app
        command: Any = typer.main.get_command(app)
        command.name = cmd_name
        for each in (command, *getattr(command, "commands", {}).values()):
            each.callback = _keeping_stdout(each.callback)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands from the static table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: Any) -> Any:
        """Call the command; the one place where errors for the user are caught."""
        try:
            return super().invoke(ctx)
        except AudioclfError as exc:
            complain("error", str(exc))
            sys.exit(exc.exit_code)
        except KeyboardInterrupt as exc:
            complain("stopped", stop_words(exc))
            sys.exit(stop_code(exc))


def _keeping_stdout(callback: Any) -> Any:
    """Let a command print its results alone; what a plugin prints goes to stderr."""

    @functools.wraps(callback)
    def keeping(*args: Any, **kwargs: Any) -> Any:
        with stdout_for_results():
            return callback(*args, **kwargs)

    return keeping


def _terminate(signum: int, frame: object) -> NoReturn:
    raise Terminated


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"audioclf {__version__}")  # noqa: T201
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    name="audioclf",
    help="Audio classification from one YAML file, with numbers that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Audio classification from one YAML file, with numbers that can be trusted."""


def main() -> None:
    """Run the command line; the entry point of the `audioclf` program."""
    limit_threads_at_start()
    signal.signal(signal.SIGTERM, _terminate)
    app(prog_name="audioclf")
