"""The command line: commands parse options, call the library and print.

Results go to stdout, progress and messages to stderr. A command is a line of `COMMANDS` and a
module of its name, which is imported only to call it, so `audioclf --help` starts fast.
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
from audioclf.cli.options import new_app
from audioclf.cli.terminal import complain, prepare_streams, stdout_for_results

COMMANDS = {
    "init": "Suggest a config for a folder or zip of recordings, with reasons.",
    "explore": "Describe a dataset before training, in a table and one HTML page.",
    "run": "Train and evaluate the pipelines of a config; write a run folder.",
    "predict": "Classify new recordings: clips, or windows and events in long recordings.",
    "check": "Validate a config and its dataset, without training.",
    "runs": "List the runs in a folder, with date, best pipeline and state.",
    "compare": "Compare the pipelines of one or more runs in pairs, with intervals and tests.",
    "report": "Write one HTML page of a finished run: numbers, pictures and sound.",
    "audit": "Look for reasons to doubt the numbers: leakage, shortcuts, bad files, wrong labels.",
    "replay": "Repeat a finished run from its folder, and compare the results stage by stage.",
    "notify": "Notify plugins, such as mlflow, of a finished run.",
    "model": "Show the content of a model file, without running it.",
    "export": "Export a model as ONNX, and check that its scores stay the same.",
    "sample-data": "Write a small dataset that shows one effect, such as leakage or a shortcut.",
    "configs": "List the included configs, or print or copy one.",
    "plugins": "List, explain, check and create plugins.",
    "cache": "Show, verify or prune the feature cache.",
    "schema": "Print the JSON schema of configs, for editors.",
}
"""Name of each command and the first line of its help."""


class LazyGroup(TyperGroup):
    """Group of commands that are imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order in which they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"audioclf.cli.{name}")
        if (app := getattr(module, "app", None)) is None:
            (app := new_app()).command()(getattr(module, name))
        command: Any = typer.main.get_command(app)
        command.name = cmd_name
        for item in (command, *getattr(command, "commands", {}).values()):
            item.callback = _keeping_stdout(item.callback)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands from the static table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

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
    prepare_streams()
    limit_threads_at_start()
    signal.signal(signal.SIGTERM, _terminate)
    app(prog_name="audioclf")
