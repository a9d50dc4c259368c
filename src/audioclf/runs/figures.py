"""Figures without global state, their text, and their files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ["#2f5fc4", "#cf5a1c", "#14805e", "#a97a00", "#9b3a9c", "#1189b3", "#7b4f2c", "#68707e"]
BLUE = COLOURS[0]
_MAX_NAME = 24
_DPI = 200


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of a size in inches."""
    # A Figure of its own, without pyplot, keeps no global state and needs no display.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def new_axes(
    width: float, height: float, title: str, names: Sequence[str] | None = None
) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes, and names from top to bottom at the left."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    left = 0.7
    if names:
        axes.set_yticks(range(len(names)), [short(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        left = 0.3 + 0.085 * max(len(short(name)) for name in names)
    figure.subplots_adjust(left / width, 0.5 / height, 1 - 0.2 / width, 1 - 0.35 / height)
    axes.set_title(plain(title), fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def saved(figure: Figure) -> dict[str, bytes]:
    """Return a figure as PNG and as SVG, in which text stays text."""
    import warnings

    from matplotlib import rc_context

    saved = {}
    with (
        warnings.catch_warnings(),
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "audioclf"}),
    ):
        # A label in a script that the font lacks is drawn as boxes; the tables have it whole.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for form, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=form, dpi=_DPI, metadata=metadata)
            saved[form] = buffer.getvalue()
    return saved


def plain(text: str) -> str:
    """Return text without control characters and formulas of matplotlib."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).replace(
        "$", r"\$"
    )


def short(name: str) -> str:
    """Return the beginning of a name, as `plain`."""
    return plain(name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…")
