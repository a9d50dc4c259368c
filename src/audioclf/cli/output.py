"""Words on the terminal: plain, aligned, and safe whatever the data holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def printable(text: str) -> str:
    """Return text whose control characters are shown instead of obeyed; line breaks stay."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def say(text: str = "") -> None:
    """Write a result to stdout."""
    _write(sys.stdout, printable(text))


def complain(kind: str, text: str) -> None:
    """Write a message to stderr."""
    _write(sys.stderr, f"audioclf: {kind}: {printable(text)}")


def _write(stream: object, text: str) -> None:
    # A terminal that cannot show a character gets an escape instead of a traceback.
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    print(safe, file=stream, flush=True)  # type: ignore[call-overload]


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns below a header.

    >>> print(format_table(["cell", "accuracy"], [["svm", "0.75"], ["gradient_boosting", "0.6"]]))
    cell               accuracy
    svm                0.75
    gradient_boosting  0.6
    """
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
    return "\n".join(lines)
