"""Text from data, such as file names, labels and metadata, made safe for its destination.

A terminal, a spreadsheet or a file system would obey some texts instead of showing them. Pages and
model cards escape text themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Start of a cell that a spreadsheet would execute, after any number of apostrophes."""
_NUMBER = re.compile(r"'*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_NOT_IN_NAMES = re.compile(r'[<>:"|?*\\/]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever ending follows."""
_NAME_BYTES = 200
"""Longest part of a path that is made from data; most file systems take 255 bytes."""


def printable(text: str) -> str:
    r"""Return text whose control characters are shown instead of obeyed; line breaks stay.

    Escape sequences, marks that turn the direction of writing, and half characters are among them.

    >>> printable("\x1b[31mred")
    '\\x1b[31mred'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escape(c) for c in text)


def one_line(text: str) -> str:
    r"""Return printable text in one line and one cell: line breaks and tabs are escapes too.

    >>> one_line("dog\naudioclf: error: all is lost")
    'dog\\naudioclf: error: all is lost'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def csv_cell(text: str) -> str:
    """Return a text cell that no spreadsheet takes for a formula.

    A `'` goes in front of a text that begins with `=`, `+`, `-`, `@`, their full-width forms, a tab
    or a line break, also after such apostrophes, so that `csv_text` can undo it. Numbers stay.

    >>> csv_cell("=1+1"), csv_cell("'=1+1"), csv_cell("-0.5"), csv_cell("dog.wav")
    ("'=1+1", "''=1+1", '-0.5', 'dog.wav')
    """
    return f"'{text}" if _is_formula(text) else text


def csv_text(cell: str) -> str:
    """Return the text that `csv_cell` made a cell of.

    >>> csv_text("'=1+1"), csv_text("'tis"), csv_text("-0.5")
    ('=1+1', "'tis", '-0.5')
    """
    return cell[1:] if cell.startswith("'") and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    if text[:1].isalnum():  # as most cells, and faster than to search
        return False
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None


def file_name(text: str) -> str:
    r"""Return a file name that every system takes, for one part of a path that comes from data.

    Characters that do not print or have a meaning in paths become `_`, as do dots and spaces at the
    end; names of devices get a `_`; long names are cut. Different texts may become one name.

    >>> file_name("dog:1\n"), file_name("NUL.wav"), file_name("a. "), file_name("..")
    ('dog_1_', '_NUL.wav', 'a__', '__')
    """
    name = "".join(c if c.isprintable() else "_" for c in _NOT_IN_NAMES.sub("_", text))
    name = name.encode()[:_NAME_BYTES].decode(errors="ignore")
    stem = name.rstrip(". ")
    name = stem + "_" * (len(name) - len(stem))
    return f"_{name}" if _DEVICE.match(name) else name or "_"


def human_number(number: float) -> str:
    """Return a number with four digits, without an exponent below a million.

    >>> human_number(0.123456), human_number(11_025.0), human_number(-3.0)
    ('0.1235', '11020', '-3')
    """
    return f"{float(f'{number:.4g}'):g}"


def human_bytes(size: float) -> str:
    """Return a size in binary units.

    >>> human_bytes(900), human_bytes(5 << 20), human_bytes(3 << 29)
    ('900 B', '5.0 MiB', '1.5 GiB')
    """
    for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.{1 if size < 100 * factor else 0}f} {unit}"
    return f"{round(size)} B"


def human_seconds(seconds: float) -> str:
    """Return a time in its usual unit.

    >>> human_seconds(0.25), human_seconds(75), human_seconds(9000), human_seconds(300_000)
    ('0.2 s', '75 s', '2.5 h', '3.5 days')
    """
    if seconds < 120:
        return f"{seconds:.{1 if seconds < 10 else 0}f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def html_table(caption: str, head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a table for notebooks, in which names from data are text."""

    def line(tag: str, cells: Iterable[object]) -> str:
        texts = (f"<{tag}>{escape(one_line(str(cell)))}</{tag}>" for cell in cells)
        return f"<tr>{''.join(texts)}</tr>"

    body = "".join(line("td", row) for row in rows)
    start = f"<caption>{escape(one_line(caption))}</caption><thead>{line('th', head)}</thead>"
    return f"<table>{start}<tbody>{body}</tbody></table>"
