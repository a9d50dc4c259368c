"""Docstrings as Markdown, for the pages of the reference."""

from __future__ import annotations

import inspect
from collections.abc import Iterator


def markdown(docstring: str | None) -> str:
    """Return a docstring as Markdown, with the headings of its sections in bold."""
    lines = inspect.cleandoc(docstring or "").split("\n")
    parts: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and set(below) == {"-"} and line.strip():
            parts += [f"**{line}**", ""]
        elif line and set(line) == {"-"}:
            continue
        else:
            is_indented = line.startswith("    ")
            parts.append(f"  {line.strip()}" if is_indented else _list_item(line))
    return "\n".join(_fenced(parts)).strip()


def _fenced(lines: list[str]) -> Iterator[str]:
    """Yield the lines with fences around examples; an empty line ends an example."""
    is_inside = False
    for line in [*lines, ""]:
        if line.startswith(">>>") and not is_inside:
            yield "```pycon"
            is_inside = True
        if is_inside and not line:
            yield "```"
            is_inside = False
        yield line


def _list_item(line: str) -> str:
    """Return `name : type` in a section of parameters as an item of a list."""
    name, colon, kind = line.partition(" : ")
    return f"- `{name}` : {kind}" if colon and " " not in name.replace(", ", ",") else line
