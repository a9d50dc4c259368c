"""One pass over a figure that draws its pixels and its SVG.

matplotlib draws a figure anew for each format, and most of the time goes into its layout: ticks,
texts and their places. Here, one layout in pixels serves both.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from PIL import Image

_PRIMITIVES = (
    "draw_path",
    "draw_markers",
    "draw_path_collection",
    "draw_quad_mesh",
    "draw_gouraud_triangles",
    "draw_image",
)
_WIDTHS, _STYLES = 7, 8
"""Places of the widths and dashes of lines among the arguments of `draw_path_collection`, after
the first."""
_POINTS = 72
"""Points of an inch, the unit of an SVG."""


class _BothRenderer(RendererAgg):
    """A renderer of pixels that passes each element on to a renderer of SVG.

    Both have coordinates in pixels. Widths of lines, dashes and fonts are in points, which an SVG
    renderer takes for the unit of the coordinates.
    """

    def __init__(self, figure: Figure, svg: io.StringIO) -> None:
        width, height = figure.bbox.size
        super().__init__(width, height, figure.dpi)  # type: ignore[no-untyped-call]
        self._scale = figure.dpi / _POINTS
        svg_renderer: Callable[..., Any] = RendererSVG
        metadata = {"Date": None}
        self._svg = svg_renderer(width, height, svg, image_dpi=_POINTS, metadata=metadata)
        for name in _PRIMITIVES:
            setattr(self, name, self._both(name))

    def _both(self, name: str) -> Callable[..., None]:
        pixels, svg = getattr(self, name), getattr(self._svg, name)

        def draw(gc: Any, *args: Any, **options: Any) -> None:
            pixels(gc, *args, **options)
            if name == "draw_path_collection":
                changed = list(args)
                changed[_WIDTHS] = [width * self._scale for width in args[_WIDTHS]]
                changed[_STYLES] = [self._dashes(*style) for style in args[_STYLES]]
                args = tuple(changed)
            svg(self._scaled(gc), *args, **options)

        return draw

    def _scaled(self, gc: Any) -> Any:
        scaled = self._svg.new_gc()
        scaled.copy_properties(gc)
        scaled.set_linewidth(gc.get_linewidth() * self._scale)
        scaled.set_dashes(*self._dashes(*gc.get_dashes()))
        return scaled

    def _dashes(self, offset: float, dashes: Any) -> tuple[float, Any]:
        scaled = None if dashes is None else [each * self._scale for each in dashes]
        return (offset or 0.0) * self._scale, scaled

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        *options: Any,
        **more: Any,
    ) -> None:
        """Draw a text; an SVG has the size of its font in units of the page, here pixels."""
        super().draw_text(gc, x, y, s, prop, angle, *options, **more)  # type: ignore[no-untyped-call]
        prop = prop.copy()
        prop.set_size(prop.get_size_in_points() * self._scale)
        self._svg.draw_text(gc, x, y, s, prop, angle, *options, **more)

    def open_group(self, s: str, gid: str | None = None) -> None:
        """Begin a group of elements in the SVG."""
        self._svg.open_group(s, gid)

    def close_group(self, s: str) -> None:
        """End a group of elements in the SVG."""
        self._svg.close_group(s)

    def finish(self) -> None:
        """End the SVG."""
        self._svg.finalize()


def drawn(figure: Figure, dpi: int) -> tuple[bytes, bytes]:
    """Return a figure as PNG and as SVG."""
    figure.set_dpi(dpi)
    text = io.StringIO()
    renderer = _BothRenderer(figure, text)
    figure.draw(renderer)
    renderer.finish()
    return _png(renderer, dpi), _in_points(text.getvalue(), figure).encode("utf-8")


def _in_points(svg: str, figure: Figure) -> str:
    """Return an SVG drawn in pixels with its size on paper."""
    width, height = (f"{inches * _POINTS:g}pt" for inches in figure.get_size_inches())
    size = f'<svg\\1 width="{width}" height="{height}" viewBox='
    return re.sub(r'<svg([^>]*?) width="[^"]*" height="[^"]*" viewBox=', size, svg, count=1)


def _png(renderer: Any, dpi: int) -> bytes:
    """Return the pixels as PNG, without transparency; more compression takes twice the time."""
    buffer, pixels = io.BytesIO(), renderer.buffer_rgba()
    size = (pixels.shape[1], pixels.shape[0])
    image = Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1).convert("RGB")
    image.save(buffer, "PNG", dpi=(dpi, dpi), compress_level=3)
    return buffer.getvalue()
