"""Figures without global state, their text, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

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
    axes.set_title(plain(title), fontsize=10, y=1.0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_colours(axes: Axes, image: AxesImage, label: str) -> None:
    """Draw the colours of an image with their values, as an image, which every viewer shows."""
    import numpy as np

    low, high = image.get_clim()
    low, high = (low, high) if low < high else (low - 0.5, high + 0.5)
    colours = np.linspace(low, high, 256)[:, None]
    axes.imshow(
        colours, origin="lower", aspect="auto", cmap=image.cmap, extent=(0.0, 1.0, low, high)
    )
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_ylabel(label, fontsize=8)


def saved(figure: Figure) -> dict[str, bytes]:
    """Return a figure as PNG and as SVG, in which text stays text."""
    import warnings

    from matplotlib import rc_context

    from audioclf.runs.canvas import drawn

    with (
        warnings.catch_warnings(),
        rc_context(
            {"svg.fonttype": "none", "svg.hashsalt": "audioclf", "path.simplify_threshold": 0.3}
        ),
    ):
        # A label in a script that the font lacks is drawn as boxes; the tables have it whole.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        png, svg = drawn(figure, _DPI)
    return {"png": png, "svg": svg}


def plain(text: str) -> str:
    """Return text without control characters and formulas of matplotlib."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).replace(
        "$", r"\$"
    )


def short(name: str) -> str:
    """Return the beginning of a name, as `plain`."""
    return plain(name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…")
