"""`audioclf review LIST`."""

from __future__ import annotations

import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from audioclf.base.errors import EXIT_OK, ConfigError, ResultError
from audioclf.cli import options
from audioclf.cli.terminal import complain, say


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
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for a free one.")] = 0,
    show_page: options.OpenOption = False,
) -> None:
    """Label windows with a page on this machine that shows and plays them."""
    from audioclf.dataset.label_cells import can_be_class
    from audioclf.dataset.review_list import read_list
    from audioclf.server.review import Answers, Review, ReviewServer

    listed = read_list(suggested)
    names = tuple(dict.fromkeys(classes)) or listed.classes
    if not names:
        raise ConfigError(f"{suggested} names no classes", hint="Name each with --class.")
    for name in names:
        if not can_be_class(name):
            hint = "In tables of answers, `;` is between names, and `?` before one that is unsure."
            raise ConfigError(f"a review cannot ask for a class {name!r}", hint=hint)
    target = out or suggested.with_name("reviewed.csv")
    answers = Answers(target, listed)
    try:
        for note in answers.notes:
            complain("note", note)
        session = Review(listed, names, answers, reviewer=reviewer, several=several)
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
        say(f"{target}: {len(session.mine())} of {len(session.windows)} windows reviewed")
        for line in session.agreement():
            say(line)
    finally:
        answers.close()
    sys.exit(EXIT_OK)
