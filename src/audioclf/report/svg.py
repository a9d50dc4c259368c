"""SVG drawings in the colours of the page's theme; text and attributes are escaped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

from audioclf.report.words import number

Scale = Callable[[float], float]
Point = tuple[float, float]


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element; `_` in the name of an attribute stands for `-`, a last one is dropped.

    >>> tag("text", "<b>", x=1.25, class_="tick")
    Markup('<text x="1.2" class="tick">&lt;b&gt;</text>')
    """
    written = Markup("")
    for key, value in attributes.items():
        text = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value
        if value is not None:
            written += Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), text)
    inside = Markup("").join(map(escape, children))
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, inside)


def drawing(width: float, height: float, label: str, *children: object, class_: str = "") -> Markup:
    """Return an SVG with a text alternative."""
    return tag(
        "svg",
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        width=float(width),
        height=float(height),
        role="img",
        aria_label=label,
        class_=class_ or None,
    )


def linear(low: float, high: float, start: float, stop: float) -> Scale:
    """Return the map of [low, high] onto [start, stop]."""
    extent = (high - low) or 1.0
    return lambda value: start + (value - low) / extent * (stop - start)


def logarithmic(low: float, high: float, start: float, stop: float) -> Scale:
    """Return the map of the logarithm of [low, high] onto [start, stop]."""
    inner = linear(math.log10(low), math.log10(high), start, stop)
    return lambda value: inner(math.log10(value))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values inside an interval.

    >>> ticks(0.42, 0.91)
    [0.5, 0.6, 0.7, 0.8, 0.9]
    """
    rough = (high - low) / about
    if rough <= 0 or not math.isfinite(rough):
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.75)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def interval_bar(
    value: float, low: float, high: float, extent: tuple[float, float], marks: Iterable[float] = ()
) -> Markup:
    """Draw an estimate with its interval in a row of a table; `marks` are faint lines."""
    width, height = 160.0, 22.0
    x = linear(*extent, 6, width - 6)
    lines = [
        line(x(m), 1, x(m), height - 1, "mark" if m else "mark zero")
        for m in marks
        if extent[0] <= m <= extent[1]
    ]
    whisker = []
    if math.isfinite(low) and math.isfinite(high):
        whisker = [line(x(low), height / 2, x(high), height / 2, "whisker")]
    dot = tag("circle", cx=x(value), cy=height / 2, r=4.5, class_="dot")
    label = f"{number(value)}, interval {number(low)} to {number(high)}"
    return drawing(width, height, label, *lines, *whisker, dot, class_="interval")


def axis_below(extent: tuple[float, float]) -> Markup:
    """Draw the axis of a column of `interval_bar`s."""
    width, height = 160.0, 16.0
    x = linear(*extent, 6, width - 6)
    texts = [
        _text(text, x(value), 12, "tick", "middle")
        for value, text in labelled(ticks(*extent, 4))
        if 12 <= x(value) <= width - 12
    ]
    return drawing(width, height, "scale", *texts, class_="interval")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Draw a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(
    points: Iterable[Point], x: Scale, y: Scale, *children: object, **attributes: object
) -> Markup:
    """Draw points as a line."""
    text = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
    return tag("polyline", *children, points=text, **attributes)


def frame(
    x: Scale,
    y: Scale,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
    box: tuple[float, float, float, float],
    x_label: str,
    y_label: str,
) -> Markup:
    """Draw grid, numbers and names of two axes around `box` = (left, top, right, bottom)."""
    left, top, right, bottom = box
    parts = [line(x(v), top, x(v), bottom, "grid") for v, _ in x_ticks]
    parts += [line(left, y(v), right, y(v), "grid") for v, _ in y_ticks]
    parts += [_text(text, x(v), bottom + 15, "tick", "middle") for v, text in x_ticks]
    parts += [_text(text, left - 7, y(v) + 4, "tick", "end") for v, text in y_ticks]
    parts.append(_text(x_label, (left + right) / 2, bottom + 32, "axis", "middle"))
    parts.append(_text(y_label, left - 30, top - 9, "axis", "start"))
    return Markup("").join(parts)


def _text(text: str, x: float, y: float, class_: str, anchor: str) -> Markup:
    return tag("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def labelled(values: Iterable[float]) -> list[tuple[float, str]]:
    """Return ticks with their texts."""
    return [(value, f"{value:g}".replace("-", "\N{MINUS SIGN}")) for value in values]


_Area = tuple[float, float, float, float]
_TEXT_WIDTH, _TEXT_HEIGHT = 6.6, 13.0


def place_labels(points: Sequence[Point], texts: Sequence[str], box: _Area) -> list[Markup]:
    """Write a text beside each point, with little overlap of texts and points.

    The texts stay in the box (left, top, right, bottom).
    """
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    labels = []
    for (x, y), text in zip(points, texts, strict=True):
        width = _TEXT_WIDTH * len(text)
        places: list[tuple[_Area, float, str]] = []
        for base in (y + 4 + shift for shift in (0.0, -14.0, 14.0, -28.0, 28.0)):
            top, bottom = base - _TEXT_HEIGHT + 3, base + 3
            places.append(((x + 10, top, x + 10 + width, bottom), x + 10, "start"))
            places.append(((x - 10 - width, top, x - 10, bottom), x - 10, "end"))
        area, start, anchor = min(places, key=lambda place: _cost(place[0], taken, box))
        taken.append(area)
        labels.append(_text(text, start, area[3] - 3, "name", anchor))
    return labels


def _cost(area: _Area, taken: Iterable[_Area], box: _Area) -> float:
    outside = max(0.0, box[0] - area[0]) + max(0.0, area[2] - box[2])
    outside += max(0.0, box[1] - area[1]) + max(0.0, area[3] - box[3])
    widths = [(min(area[2], o[2]) - max(area[0], o[0]), o) for o in taken]
    heights = [(w, min(area[3], o[3]) - max(area[1], o[1])) for w, o in widths]
    return 10 * outside + sum(w * h for w, h in heights if w > 0 and h > 0)
