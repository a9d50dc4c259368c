"""Plots of a run as PNG: classes, examples, confusion matrices.

They need no display, and their colours suit colour-blind readers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_BLUE = "#30638e"
_MAX_NAME = 24

_MAX_SECTIONS, _MAX_FRAMES = 10_000, 4_000
"""Sections of a waveform and frames of its features that are drawn; a plot has 500 pixels."""

MAX_EXAMPLES = 20
"""Classes of which an example is drawn at most."""


@dataclass(frozen=True)
class Example:
    """A clip of a class with its features, reduced to what a picture can show.

    `y` [shape=(n_points,)] are the samples, or the `envelope`; `features`
    [shape=(n_bins, n_frames)] all frames, or some at equal distances.
    """

    label: str
    clip_id: str
    seconds: float
    y: NDArray[np.float32]
    features: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        label: str,
        clip_id: str,
        y: NDArray[np.float32],
        sr: int,
        features: NDArray[np.float32],
    ) -> Example:
        """Reduce a clip, so that the memory of a plot does not grow with the length of clips."""
        import numpy as np

        step = math.ceil(features.shape[1] / _MAX_FRAMES)
        thin = np.array(features[:, step // 2 :: step])
        return cls(label, clip_id, len(y) / sr, envelope(y, _MAX_SECTIONS), thin)


def envelope(y: NDArray[np.float32], n_sections: int) -> NDArray[np.float32]:
    """Return the smallest and the largest sample of each section, or a short waveform as it is."""
    import numpy as np

    if len(y) <= 2 * n_sections:
        return y
    starts = np.arange(n_sections) * len(y) // n_sections
    lowest, highest = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return np.stack([lowest, highest], axis=1).ravel()


def plot_class_distribution(counts: Mapping[str, int]) -> bytes:
    """Draw the number of clips of each class."""
    figure = _figure(6.4, max(1.6, 0.6 + 0.28 * len(counts)))
    axes = figure.add_subplot()
    bars = axes.barh([_shown(name) for name in counts], list(counts.values()), color=_BLUE)
    axes.bar_label(bars, padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("clips")
    axes.margins(x=0.1)
    axes.set_title(f"{sum(counts.values())} clips in {len(counts)} classes")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def plot_examples(examples: Sequence[Example], featurizer: str) -> bytes:
    """Draw for each class the waveform of a clip beside its features."""
    figure = _figure(9.0, 2.0 * len(examples) + 0.4)
    rows = figure.subplots(len(examples), 2, squeeze=False)
    for (left, right), example in zip(rows, examples, strict=True):
        _draw_waveform(left, example)
        n_bins = len(example.features)
        image = right.imshow(
            example.features,
            origin="lower",
            aspect="auto",
            cmap="magma",
            extent=(0.0, example.seconds, 0, n_bins),
            interpolation="nearest",
        )
        figure.colorbar(image, ax=right, pad=0.02)
        right.set_title(_plain(featurizer), fontsize=9)
        right.set_ylabel("bin")
    for axes in rows[-1]:
        axes.set_xlabel("time (s)")
    return _png(figure)


def _draw_waveform(axes: Any, example: Example) -> None:
    import numpy as np

    times = np.arange(len(example.y)) * (example.seconds / len(example.y))
    axes.plot(times, example.y, linewidth=0.4, color=_BLUE)
    axes.set_xlim(0.0, example.seconds)
    axes.set_ylabel("amplitude")
    axes.set_title(f"{_shown(example.label)}: {_plain(example.clip_id)}", fontsize=9)


def plot_confusion(confusion: NDArray[np.float64], classes: Sequence[str], title: str) -> bytes:
    """Draw a confusion matrix: a row per true class, in per cent of its clips.

    `confusion` ([shape=(n_classes, n_classes)]): mean number of clips per repeat; rows are true,
    columns predicted.
    """
    import numpy as np

    side = min(12.0, 3.0 + 0.45 * len(classes))
    figure = _figure(side + 0.8, side)
    axes = figure.add_subplot()
    totals = confusion.sum(axis=1, keepdims=True)
    share = np.divide(confusion, totals, out=np.zeros_like(confusion), where=totals > 0)
    image = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [_shown(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(_plain(title), fontsize=10)
    if len(classes) <= 20:
        _write_counts(axes, confusion, share)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046)
    return _png(figure)


def _write_counts(axes: Any, confusion: NDArray[np.float64], share: NDArray[np.float64]) -> None:
    for row, counts in enumerate(confusion.tolist()):
        for column, count in enumerate(counts):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:.4g}", ha="center", va="center", color=colour)


def _figure(width: float, height: float) -> Figure:
    # A Figure of its own, without pyplot, keeps no global state and needs no display.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    import warnings

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes; the tables have it whole.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _plain(text: str) -> str:
    """Return text without control characters and formulas of matplotlib."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).replace(
        "$", r"\$"
    )


def _shown(name: str) -> str:
    return _plain(name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…")
