"""Output on the terminal: plain, aligned, and safe whatever the data holds."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from audioclf.base.text import one_line, printable

_kept: list[TextIO] = []
"""Streams that `stdout_for_results` keeps, innermost last."""


def results_stream() -> TextIO:
    """Return where results go."""
    return _kept[-1] if _kept else sys.stdout


@contextlib.contextmanager
def stdout_for_results() -> Iterator[None]:
    """Keep stdout for results: what plugins and libraries write there goes to stderr meanwhile."""
    own = sys.stdout
    below = _taken(own)
    _kept.append(own if below is None else below)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = own
        _kept.pop()
        if below is not None:
            with contextlib.suppress(OSError):
                below.flush()
            os.dup2(below.fileno(), 1)
            with contextlib.suppress(OSError):
                below.close()


def _taken(stream: TextIO) -> TextIO | None:
    """Return a stream to what file descriptor 1 was, which is stderr now; None if it is another."""
    try:
        if stream.fileno() != 1:
            return None
        stream.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
    except (OSError, ValueError, AttributeError):
        return None
    return os.fdopen(kept, "w", encoding=stream.encoding, errors=stream.errors)


def say(text: str = "") -> None:
    """Write a result to stdout."""
    _write(results_stream(), printable(text))


def complain(kind: str, text: str) -> None:
    """Write a message to stderr.

    All lines but the first are indented, so that no name with a line break in it can pass as
    another message.
    """
    first, *rest = printable(text).split("\n")
    lines = [first, *(line if line[:1] in ("", " ") else f"  {line}" for line in rest)]
    _write(sys.stderr, f"audioclf: {kind}: " + "\n".join(lines))


def _write(stream: object, text: str) -> None:
    # A terminal that cannot show a character gets an escape instead of a traceback.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    print(safe, file=stream, flush=True)  # type: ignore[call-overload]


def left_out(count: int) -> str:
    """Return the number of clips left out, as the end of a line; nothing where none was."""
    if not count:
        return ""
    return f"; {count} clip{'' if count == 1 else 's'} {'was' if count == 1 else 'were'} left out"


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns below a header.

    >>> print(format_table(["pipeline", "accuracy"], [["svm", "0.75"], ["baseline", "0.6"]]))
    pipeline  accuracy
    svm       0.75
    baseline  0.6
    """
    table = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
    return "\n".join(lines)
