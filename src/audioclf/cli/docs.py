"""`audioclf docs [TOPIC]`."""

from __future__ import annotations

from typing import Annotated

import typer

from audioclf.cli.terminal import format_table, has_colors, results_stream, say


def _topics() -> list[str]:
    from audioclf.starters.pages import pages

    return list(pages())


def docs(
    topic: Annotated[
        str | None,
        typer.Argument(
            help="Page, such as loaders, or component, such as svm; without it a list.",
            show_default=False,
            autocompletion=_topics,
        ),
    ] = None,
    where: Annotated[bool, typer.Option("--path", help="Print the path of the page only.")] = False,
) -> None:
    """Print a page of the documentation, or list the pages."""
    from audioclf.starters.pages import page_of, pages, title_of

    if topic is None:
        rows = [(path.parent.name, name, title_of(path)) for name, path in pages().items()]
        say(format_table(("part", "topic", "title"), rows))
        say("\nnext: audioclf docs TOPIC")
        return
    page = page_of(topic)
    if where:
        say(str(page))
        return
    text = page.read_text(encoding="utf-8")
    if has_colors(results_stream()):
        _render(text)
    else:
        say(text.rstrip("\n"))


def _render(text: str) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(file=results_stream())
    console.print(Markdown(text, code_theme="ansi_dark"), width=min(console.width, 100))
