"""`audioclf review LIST`."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL, ConfigError, ResultError
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each, say

if TYPE_CHECKING:
    from audioclf.dataset.review_list import ReviewList
    from audioclf.server.review import Answers, Review


def review(
    suggested: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help="Table with path, start and end, as of suggest.",
            show_default=False,
        ),
    ],
    reviewer: Annotated[str, typer.Option(help="Name of the reviewer, if there are several.")] = "",
    classes: Annotated[
        list[str],
        typer.Option(
            "--class", help="Class of a key; by default those of the list; may be repeated."
        ),
    ] = [],  # noqa: B006  typer copies it
    several: Annotated[
        bool, typer.Option("--several", help="A window can have several classes.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Table to append to; reviewed.csv beside the list if not given."),
    ] = None,
    import_from: Annotated[
        Path | None,
        typer.Option(
            "--import", help="Add answers from another tool or table of review; show no page."
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Write the windows and answers for another tool; show no page."),
    ] = None,
    form: Annotated[
        Literal["raven", "audacity", "label-studio"] | None,
        typer.Option("--format", help="Format of --export; by default that of its ending."),
    ] = None,
    clips: Annotated[
        Path | None, typer.Option(help="Folder for each window as a WAV file; show no page.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files of --export and --clips.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for a free one.")] = 0,
    show_page: options.OpenOption = False,
) -> None:
    """Label windows with a page on this machine that shows and plays them."""
    from audioclf.dataset.label_cells import can_be_class
    from audioclf.dataset.review_list import read_list
    from audioclf.server.review import Answers, Review

    listed = read_list(suggested)
    names = tuple(dict.fromkeys(classes)) or listed.classes
    for name in names:
        if not can_be_class(name):
            hint = "In tables of answers, `;` is between names, and `?` before one that is unsure."
            raise ConfigError(f"a review cannot ask for a class {name!r}", hint=hint)
    target = out or suggested.with_name("reviewed.csv")
    writes = export is not None or clips is not None
    code = EXIT_OK
    if import_from is not None or not writes:
        if not names:
            raise ConfigError(f"{suggested} names no classes", hint="Name each with --class.")
        with closing(Answers(target, listed)) as answers:
            complain_each("note", answers.notes)
            if import_from is not None:
                _add(import_from, answers, listed, names, reviewer)
            else:
                session = Review(listed, names, answers, reviewer=reviewer, several=several)
                _show(session, port, show_page=show_page)
            _say_progress(target, answers, listed, reviewer)
    if export is not None:
        _write(export, form, listed, target, reviewer, force=force)
    if clips is not None:
        code = _cut(listed, clips, force=force)
    sys.exit(code)


def _show(session: Review, port: int, *, show_page: bool) -> None:
    """Serve the page until Ctrl-C."""
    from audioclf.server.review import ReviewServer

    try:
        server = ReviewServer(session, secrets.token_urlsafe(16), port)
    except OSError as exc:
        raise ResultError(f"cannot listen at port {port}: {exc.strerror or exc}") from exc
    with server:
        complain("note", f"{server.address} until Ctrl-C; the address is a secret")
        if show_page:
            import webbrowser

            webbrowser.open(server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _add(
    path: Path, answers: Answers, listed: ReviewList, classes: Sequence[str], reviewer: str
) -> None:
    """Append the answers of another tool."""
    from audioclf.dataset.path_labels import count
    from audioclf.experiment.review.exchange import import_answers

    imported = import_answers(path, listed, classes, answers.rows, reviewer=reviewer)
    complain_each("note", imported.notes)
    for answer in imported.answers:
        answers.add(answer)
    say(f"{path}: {count(len(imported.answers), 'answer', 'answers')} added")


def _say_progress(target: Path, answers: Answers, listed: ReviewList, reviewer: str) -> None:
    """Print the number of windows with an answer by each reviewer, and their agreement."""
    from audioclf.dataset.review_list import latest
    from audioclf.evaluation.sampling.agreement import agreements

    keys = {window.key for window in listed.windows}
    by_window = [mine for key, mine in latest(answers.rows).items() if key in keys]
    names = sorted({reviewer, *(name for mine in by_window for name in mine)})
    for name in names:
        n_done = sum(name in mine for mine in by_window)
        who = f" by {name}" if name else ""
        if n_done or name == reviewer:
            say(f"{target}: {n_done} of {len(keys)} windows reviewed{who}")
    for item in agreements(by_window):
        say(str(item))


def _write(
    out: Path,
    form: Literal["raven", "audacity", "label-studio"] | None,
    listed: ReviewList,
    target: Path,
    reviewer: str,
    *,
    force: bool,
) -> None:
    """Write the windows with the answers of a reviewer for another tool."""
    from audioclf.dataset.path_labels import shown
    from audioclf.dataset.review_list import latest, read_answers
    from audioclf.experiment.review.exchange import chosen_format, export_answers

    by_window = latest(read_answers(target)[0] if target.exists() else ())
    names = sorted({name for mine in by_window.values() for name in mine})
    if names and not reviewer and "" not in names:
        raise ConfigError(
            f"{target} has answers of {shown(names)}, and an export has those of one",
            hint="Choose one with --reviewer.",
        )
    mine = {key: own[reviewer] for key, own in by_window.items() if reviewer in own}
    export_answers(listed, mine, out, chosen_format(form, out), force=force)
    n_done = sum(window.key in mine for window in listed.windows)
    who = f" by {reviewer}" if reviewer else ""
    say(f"{out}: {len(listed.windows)} windows, {n_done} of them reviewed{who}")
    words = ["audioclf", "review", str(listed.path), "--import", str(out)]
    command = shlex.join([*words, *(["--reviewer", reviewer] if reviewer else [])])
    lost = f"the choice of the windows, notes and times are not in {out}"
    complain("note", f"{lost}; to import changed labels: {command}")


def _cut(listed: ReviewList, folder: Path, *, force: bool) -> int:
    """Write the windows as files, and return the exit code."""
    from audioclf.experiment.review.exchange import cut_clips

    failures = list(cut_clips(listed, folder, force=force))
    complain_each("failed", failures, 20, "windows")
    say(f"{folder}: {len(listed.windows) - len(failures)} of {len(listed.windows)} windows as WAV")
    return EXIT_PARTIAL if failures else EXIT_OK
