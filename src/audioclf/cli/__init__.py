"""The command line: commands parse options, call the library and print.

Results go to stdout, progress and messages to stderr. A command is a line of `COMMANDS` and a
module of its name, which is imported only to call it, so `audioclf --help` starts fast.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from audioclf._version import __version__
from audioclf.base.errors import AudioclfError, ResultError, Terminated, stop_code, stop_words
from audioclf.base.machine import collect_garbage_rarely, limit_threads_at_start
from audioclf.base.system import end_process
from audioclf.cli.help import format_examples, is_verbose, set_verbose, with_help
from audioclf.cli.options import new_app
from audioclf.cli.terminal import complain, prepare_streams, say, stdout_for_results

_SECTIONS = {
    "Start": {
        "init": "Suggest a config for a folder, zip or table of recordings, with reasons.",
        "explore": "Describe a dataset before training, in a table and one HTML page.",
        "sample-data": "Write a small dataset with one effect, such as leakage or a shortcut.",
        "configs": "List the included configs, or print or copy one.",
    },
    "Train and evaluate": {
        "check": "Validate a config and its dataset, without training.",
        "audit": "Look for leakage, shortcuts, bad files and wrong labels.",
        "features": "Write the features of all clips or windows as a table, for use elsewhere.",
        "run": "Train and evaluate the pipelines of a config; write a run folder.",
        "runs": "List the runs in a folder, with date, best pipeline and state.",
        "compare": "Compare the pipelines of one or more runs in pairs, with intervals and tests.",
        "report": "Write one HTML page of a finished run: numbers, pictures and sound.",
        "replay": "Repeat a finished run from its folder, and compare the results stage by stage.",
        "stress": "Measure how much noise, codecs, band limits, levels and rooms cost a pipeline.",
        "notify": "Notify plugins, such as mlflow, of a finished run.",
    },
    "Use a model": {
        "predict": "Classify new recordings: clips, or windows, events and segments of long ones.",
        "listen": "Classify sound while it is recorded: a microphone, or samples on a pipe.",
        "serve": "Serve a model over HTTP, with a page to try it.",
        "evaluate": "Evaluate models on labelled recordings that they were not trained on.",
        "score": "Score detections against annotations, with intervals over recordings.",
        "model": "Show the content of a model file, without running it.",
        "export": "Export a model as ONNX, and check that its scores stay the same.",
    },
    "Label and retrain": {
        "search": "Find the windows of recordings that are most similar to a call.",
        "suggest": "Choose windows of recordings to label, with the probability of each choice.",
        "review": "Label windows with a page on this machine that shows and plays them.",
        "estimate": "Estimate events, precision and recall in all recordings from reviews.",
    },
    "Help and set-up": {
        "docs": "Print a page of the documentation, or list the pages.",
        "weights": "Describe or download a pre-trained model, with the YAML that uses it.",
        "plugins": "List, explain, check and create plugins.",
        "cache": "Show, verify or prune the feature cache.",
        "schema": "Print the JSON schema of configs, for editors.",
    },
}
COMMANDS = {name: line for section in _SECTIONS.values() for name, line in section.items()}
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
        with_help(command, cmd_name, *(item for item in self.params if item.name == "verbose"))
        for item in (command, *getattr(command, "commands", {}).values()):
            item.callback = _keeping_stdout(item.callback)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the lists of commands from the static table."""
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()), col_max=16)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the first steps."""
        format_examples("", ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command; for an unknown one the error has the nearest name."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from audioclf.components.registry import suggest

            hint = suggest(name, COMMANDS)
            if Path(name).exists():
                command = "run" if name.lower().endswith((".yaml", ".yml")) else "init"
                hint = f"Did you mean 'audioclf {command} {name}'?"
            ctx.fail(f"No such command {name!r}. {hint}".rstrip())
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Call the command; the one place where errors for the user are caught."""
        try:
            return super().invoke(ctx)
        except AudioclfError as exc:
            if is_verbose(ctx):
                traceback.print_exc()
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
        say(f"audioclf {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    name="audioclf",
    help="Audio classification from one YAML file, with numbers that can be trusted.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
    verbose: bool = typer.Option(
        False,
        "--verbose",
        "-v",
        callback=set_verbose,
        expose_value=False,
        help="Show versions, messages of libraries, and the traceback of an error.",
    ),
) -> None:
    """Audio classification from one YAML file, with numbers that can be trusted."""


def main() -> None:
    """Run the command line; the entry point of the `audioclf` program."""
    prepare_streams()
    limit_threads_at_start()
    collect_garbage_rarely()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        try:
            app(prog_name="audioclf")
        except ResultError as exc:  # of a help, which is written before a command is called
            complain("error", str(exc))
            sys.exit(exc.exit_code)
    except SystemExit as exc:
        if not isinstance(exc.code, int):
            raise
        with contextlib.suppress(KeyboardInterrupt):  # one more ends the wait for threads
            threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001
        end_process(exc.code)
