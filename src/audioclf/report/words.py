"""Text and numbers of the pages: 3 decimals, units, no invisible characters."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from markupsafe import Markup, escape

from audioclf.base.text import one_line

MISSING = "\N{EN DASH}"
_SIZES = ("B", "kB", "MB", "GB", "TB")


def shown(text: object) -> str:
    """Return text in which invisible and control characters are written as escapes."""
    return one_line(str(text))


def short(text: str, length: int = 20) -> str:
    """Return text as `shown`, its end cut where it is longer."""
    text = shown(text)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def breakable(text: str) -> Markup:
    """Return HTML with an optional line break after each underscore.

    >>> breakable("a_<b>")
    Markup('a_<wbr>&lt;b&gt;')
    """
    return Markup("_<wbr>").join(escape(part) for part in text.split("_"))


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """Return a number with a fixed number of decimals, with a true minus sign."""
    if not is_number(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if float(text) == 0 else "\N{MINUS SIGN}")


def signed(value: Any) -> str:
    """Return a difference with its sign."""
    text = number(value)
    return f"+{text}" if is_number(value) and value > 0 and float(text) else text


def span(interval: Any) -> str:
    """Return an interval as `[low, high]`; nothing where an end is missing."""
    if not interval or not (is_number(interval.get("low")) and is_number(interval.get("high"))):
        return ""
    return f"[{number(interval['low'])}, {number(interval['high'])}]"


def sort_key(value: Any) -> str:
    """Return a number as the page sorts by it; nothing where it is missing."""
    return f"{value:.9g}" if is_number(value) else ""


def estimate(data: Any) -> dict[str, str]:
    """Return an estimate for a table: `text`, `span` and `value` to sort by."""
    value = data.get("value") if data else None
    return {"text": number(value), "span": span(data), "value": sort_key(value)}


def seconds(value: Any) -> str:
    """Return a time in the unit that suits it."""
    if not is_number(value):
        return MISSING
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if abs(value) * factor >= 1:
            return f"{_two_digits(value * factor)} {unit}"
    return f"{_two_digits(value * 1e6)} µs"


def total_length(value: float) -> str:
    """Return the length of many clips: in seconds below 10 minutes, else in minutes."""
    return seconds(value) if value < 600 else f"{value / 60:.0f} min"


def size(value: Any) -> str:
    """Return a number of bytes in the unit that suits it."""
    if not is_number(value):
        return MISSING
    power = min(len(_SIZES) - 1, int(math.log10(abs(value)) // 3)) if abs(value) >= 1 else 0
    return f"{_two_digits(value / 1000**power)} {_SIZES[power]}"


def count(value: Any) -> str:
    """Return a count: whole if it is, as a mean over repeats otherwise."""
    if not is_number(value):
        return MISSING
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def anything(value: Any) -> str:
    """Return a value of a table whose columns are not known beforehand."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(anything, value))
    if isinstance(value, dict):
        return ", ".join(f"{shown(key)}: {anything(item)}" for key, item in value.items())
    return shown(value)


def _two_digits(value: float) -> str:
    return f"{value:.1f}" if 0 < abs(value) < 9.95 else f"{value:.0f}"
