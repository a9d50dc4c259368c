"""Output on the terminal: plain, aligned, and safe whatever the data holds."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TextIO

from typing_extensions import override

from audioclf.base.errors import ResultError
from audioclf.base.progress import clear_line
from audioclf.base.text import one_line, printable

Style = Literal["bold", "dim", "good", "warning", "error"]

_STYLES: dict[Style, str] = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "good": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
}
_KINDS: dict[str, Style] = {"error": "error", "failed": "error", "warning": "warning"}
_RESET = "\x1b[0m"
_BEGIN, _END = "\x0e", "\x0f"
"""Marks of styled text, which become escape sequences only on a terminal."""
_STDERR = 2
_LONGEST_WORD = 24
_WIDEST = 10_000
_TOGETHER = re.compile(r"(?<=\d,) (?=[^ ]+\])|(?<=\d) (?=[KMGT]?i?B$)")
"""Spaces at which a cell is not broken: inside an interval, and before a unit."""


class TolerantStream(io.TextIOWrapper):
    """Text stream that drops its text once the reader has closed the pipe, as `head` does.

    Any other failure to write is a ResultError, which names standard output; on stderr it is none.
    """

    @override
    def write(self, text: str, /) -> int:
        with self._dropped_when_closed():
            super().write(text)
        return len(text)

    @override
    def flush(self) -> None:
        with self._dropped_when_closed():
            super().flush()

    @contextlib.contextmanager
    def _dropped_when_closed(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            # Without this the interpreter would fail again with the same text when it ends.
            number = self.fileno()
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            if number != _STDERR and not isinstance(exc, BrokenPipeError):
                raise _unwritten(exc) from exc


def _unwritten(exc: OSError) -> ResultError:
    return ResultError(f"standard output: cannot be written: {exc.strerror or exc}")


def prepare_streams() -> None:
    """Open closed standard streams on the null device, and let the others end quietly.

    A file opened later would otherwise get the number of a closed stream, and what a library
    prints would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            _open_null(number)
            null = Path(os.devnull).open("w" if number else "r", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, null)
        elif number:
            setattr(sys, name, _tolerant(stream))


def _open_null(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)


def _tolerant(stream: TextIO) -> TextIO:
    stream.flush()
    return TolerantStream(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=bool(stream.line_buffering),
    )


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
    return TolerantStream(os.fdopen(kept, "wb"), encoding=stream.encoding, errors=stream.errors)


def say(text: str = "") -> None:
    """Write a result to stdout; ResultError if it cannot be written. A closed pipe is no error."""
    _write(results_stream(), _painted(text, results_stream()))


def write_result(text: str) -> None:
    """Write text to stdout as it is; a terminal gets no control characters of a stranger.

    A closed pipe is a BrokenPipeError, so that a command ends which would write for ever.
    """
    out = results_stream()
    if out.isatty():
        clear_line()
        text = "\t".join(map(printable, text.split("\t")))
    stream = getattr(out, "buffer", None)
    if stream is None:
        out.write(text)
        return
    try:
        stream.write(text.encode("utf-8", "backslashreplace"))
        stream.flush()
    except OSError as exc:
        # Else the interpreter complains once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(exc, BrokenPipeError):
            raise
        raise _unwritten(exc) from exc


def json_text(data: Any) -> str:
    """Return plain data as indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def complain(kind: str, text: str) -> None:
    """Write a message to stderr.

    All lines but the first are indented, so that no name with a line break in it can pass as
    another message.
    """
    first, *rest = printable(text).split("\n")
    lines = [first, *(line if line[:1] in ("", " ") else f"  {line}" for line in rest)]
    color = _STYLES[_KINDS.get(kind, "dim")] if has_colors(sys.stderr) else ""
    start = f"{color}audioclf: {kind}:{_RESET if color else ''}"
    clear_line()
    with contextlib.suppress(OSError):
        _write(sys.stderr, f"{start} " + "\n".join(lines))


def complain_each(
    kind: str, messages: Sequence[str], most: int | None = None, more: str = ""
) -> None:
    """Write all messages to stderr, or the first and how many `more` there are."""
    for message in messages[:most]:
        complain(kind, message)
    if most is not None and len(messages) > most:
        complain(kind, f"and {len(messages) - most} more {more}")


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


def width(most: int) -> int:
    """Return the columns of the terminal for results, at most so many; these where it is none."""
    stream = results_stream()
    if not stream.isatty():
        return most
    try:  # of the stream itself, since descriptor 1 may be that of stderr meanwhile
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns)
    except (OSError, ValueError):
        columns = 0
    return min(most, columns or 80)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> str:
    """Return rows as aligned columns below a header; indented, they fit the width of a terminal.

    >>> print(format_table(["pipeline", "accuracy"], [["svm", "0.75"], ["baseline", "0.6"]]))
    pipeline  accuracy
    svm       0.75
    baseline  0.6
    """
    table = [[_TOGETHER.sub("\xa0", one_line(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    _narrow(widths, table, width(_WIDEST) - indent)
    top, *lines = (_row_lines(row, widths) for row in table)
    return "\n".join([styled(line, "bold") for line in top] + [x for row in lines for x in row])


def _narrow(widths: list[int], table: Sequence[Sequence[str]], most: int) -> None:
    """Narrow the widest columns until the table fits, or until their words are in the way."""
    fewest = [
        max(min(len(word), _LONGEST_WORD) for row in table for word in row[column].split(" "))
        for column in range(len(widths))
    ]
    while sum(widths) + 2 * (len(widths) - 1) > most:
        column = max(range(len(widths)), key=lambda at: (widths[at] > fewest[at]) * widths[at])
        if widths[column] <= fewest[column]:
            return
        widths[column] -= 1


def _row_lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [
        [cell] if len(cell) <= most else textwrap.wrap(cell, most, break_on_hyphens=False)
        for cell, most in zip(row, widths, strict=True)
    ]
    lines = zip_longest(*cells, fillvalue="")
    return ["  ".join(map(str.ljust, line, widths)).rstrip().replace("\xa0", " ") for line in lines]


def styled(text: str, style: Style) -> str:
    """Return text that `say` shows in a style, if results go to a terminal that has colors."""
    if not text or not has_colors(results_stream()):
        return text
    return f"{_BEGIN}{list(_STYLES).index(style)}{text}{_END}"


def has_colors(stream: TextIO) -> bool:
    """Return whether a stream is a terminal with colors that nobody switched off."""
    off = os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "dumb")
    return stream.isatty() and not off


def _painted(text: str, stream: TextIO) -> str:
    """Return printable text, with the marks of `styled` as escape sequences."""
    if not has_colors(stream):
        return printable(text)
    codes = list(_STYLES.values())
    parts = re.split(f"({_BEGIN}[0-{len(codes) - 1}]|{_END})", text)
    shown = (
        codes[int(part[1])] if part[:1] == _BEGIN else _RESET if part == _END else printable(part)
        for part in parts
    )
    return "".join(shown)
