"""YAML with comments that reads back equal, for names of any content."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from audioclf.base.text import one_line

WIDTH = 96

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))


def scalar(value: object) -> str:
    r"""Return a value on one line; text is quoted if any YAML reader might misread it.

    >>> scalar("my sounds"), scalar("no"), scalar(None), scalar("a\tb")
    ("'my sounds'", "'no'", 'null', '"a\\tb"')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, str):
        return repr(value)
    if _PLAIN.fullmatch(value) and value.lower().strip(".") not in _WORDS and value.strip("."):
        return value
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    dumped = yaml.dump(value, default_style='"', width=10**9, allow_unicode=False)
    return str(dumped).strip()


def flow(value: object) -> str:
    """Return plain data on one line, as in `{type: svm, C: 1}`."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{scalar(str(k))}: {flow(v)}" for k, v in value.items())
        return "{" + inside + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)  # what would end a plain word in a flow, such as a comma, is in quotes


def block(data: Mapping[str, Any], indent: int = 0) -> list[str]:
    """Return a mapping line by line; a short inner mapping stands on one line."""
    lines = []
    space = " " * indent
    for key, value in data.items():
        one = f"{space}{scalar(key)}: {flow(value)}"
        if isinstance(value, Mapping) and len(one) > 60:
            lines += [f"{space}{scalar(key)}:", *block(value, indent + 2)]
        else:
            lines.append(one)
    return lines


def comment(text: str, indent: int = 0, *, keep: bool = False) -> list[str]:
    """Return text as comment lines; no text can end the comment.

    It stays on one line with `keep`, as text to copy must.
    """
    safe = one_line(text)
    start = " " * indent + "# "
    if keep:
        return [start + safe]
    width = WIDTH - len(start)
    wrapped = textwrap.wrap(safe, width, break_long_words=False, break_on_hyphens=False)
    return [start + line for line in wrapped]
