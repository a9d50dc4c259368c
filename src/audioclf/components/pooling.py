"""Pooling of the feature matrix of a clip, shape (n_bins, n_frames), to a row.

Rows have the same width for clips of all lengths: `flatten` pads or cuts to the number of frames of
`audio.duration`, `stats` summarises over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal

import annotated_types as at
from pydantic import Field, model_validator

from audioclf.base.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.components.onnx_graph import OnnxGraph

Statistic = Literal["mean", "std"]
Percentile = Annotated[float, at.Ge(0.0), at.Le(100.0)]

_VALUES_TOGETHER = 1 << 15
"""Values that are summarised together: so few that they stay in the processor's cache."""


class Flatten(Settings):
    """All frames in order, padded at the end to the longest clip that the config allows."""

    type: Literal["flatten"] = "flatten"

    pad: float = 0.0
    """Value of the padding, in the unit of the features."""

    def width(self, n_bins: int, max_frames: int) -> int:
        """Return the number of columns of a row."""
        return n_bins * max_frames

    def shape(self, n_bins: int, max_frames: int) -> tuple[int, int] | None:
        """Return the shape (n_bins, n_frames) of the matrix in a row, which holds its transpose."""
        return n_bins, max_frames

    def pool(self, features: NDArray[np.float32], max_frames: int) -> NDArray[np.float32]:
        """Return the frames in order as a row [shape=(max_frames * n_bins,)], float32.

        The bins of the first frame come first; `max_frames` is that of the longest clip of the
        config.
        """
        return self.pool_many([features], max_frames)[0]

    def pool_many(
        self, matrices: Sequence[NDArray[np.float32]], max_frames: int
    ) -> list[NDArray[np.float32]]:
        """Return the row of each matrix, equal to `pool`."""
        import numpy as np

        if not matrices:
            return []
        shape = (len(matrices), max_frames, len(matrices[0]))
        rows = np.full(shape, self.pad, dtype=np.float32)
        for row, features in zip(rows, matrices, strict=True):
            row[: features.shape[1]] = features[:, :max_frames].T
        return list(rows.reshape(len(matrices), -1))

    def to_onnx(self, graph: OnnxGraph, matrix: str, max_frames: int) -> str:
        """Add the nodes of `pool` and return the value of the row [shape=(width,)], float32."""
        import numpy as np

        frames = graph.op("Transpose", graph.part(matrix, 1, 0, max_frames))
        missing = graph.op(
            "Sub", graph.constant([max_frames], np.int64), graph.size(frames, axis=0)
        )
        shape = graph.op("Concat", missing, graph.size(frames, axis=1), axis=0)
        padding = graph.op("Expand", graph.constant(self.pad), shape)
        return graph.reshape(graph.op("Concat", frames, padding, axis=0), [-1])


class Stats(Settings):
    """Statistics over time: of the whole clip, and of a fixed number of equal time segments."""

    type: Literal["stats"] = "stats"

    statistics: tuple[Statistic, ...] = ("mean", "std")
    """Moments over all frames of the clip; `std` divides by the number of frames."""

    percentiles: tuple[Percentile, ...] = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 100.0)
    """Percentiles over all frames of the clip, in [0, 100], linearly interpolated."""

    segments: int = Field(default=3, ge=0, le=1000)
    """Number of equal segments of the clip with their own statistics; 0 for none."""

    segment_statistics: tuple[Statistic, ...] = ("mean",)
    """Moments over the frames of each segment."""

    deltas: bool = False
    """Whether to add the same statistics of the first time derivative."""

    delta_width: int = Field(default=9, ge=3, multiple_of=1)
    """Frames for the estimate of the derivative, odd, as in librosa's `delta(width=9)`."""

    @model_validator(mode="after")
    def _not_empty(self) -> Stats:
        if not self.statistics and not self.percentiles and not self._segment_rows:
            raise ValueError("at least one statistic, percentile or segment statistic is needed")
        if self.delta_width % 2 == 0:
            raise ValueError(f"delta_width must be odd, not {self.delta_width}")
        return self

    @property
    def _segment_rows(self) -> int:
        return self.segments * len(self.segment_statistics)

    def width(self, n_bins: int, max_frames: int) -> int:
        """Return the number of columns of a row."""
        per_bin = len(self.statistics) + len(self.percentiles) + self._segment_rows
        return n_bins * per_bin * (2 if self.deltas else 1)

    def shape(self, n_bins: int, max_frames: int) -> tuple[int, int] | None:
        """Return None: statistics keep no time axis."""
        return None

    def pool(self, features: NDArray[np.float32], max_frames: int) -> NDArray[np.float32]:
        """Return the statistics as a row [shape=(width,)], float32, by statistic and then by bin.

        If a clip has fewer frames than segments, a segment holds its nearest frame.
        """
        return self.pool_many([features], max_frames)[0]

    def pool_many(
        self, matrices: Sequence[NDArray[np.float32]], max_frames: int
    ) -> list[NDArray[np.float32]]:
        """Return the row of each matrix, equal to `pool`.

        Every bin is summarised alone, so those of matrices of one shape and order in memory, by
        which sums are rounded, are summarised together.
        """
        import numpy as np

        alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for place, features in enumerate(matrices):
            alike.setdefault((features.shape, features.strides), []).append(place)
        rows: dict[int, NDArray[np.float32]] = {}
        for group in chain.from_iterable(_in_blocks(*item) for item in alike.items()):
            bins = np.concatenate([matrices[place] for place in group])
            parts = self._summarise(bins)
            if self.deltas:
                parts += self._summarise(delta(bins, self.delta_width))
            by_bin = np.array(parts, dtype=np.float32).reshape(len(parts), len(group), -1)
            pooled = by_bin.transpose(1, 0, 2).reshape(len(group), -1)
            rows.update(zip(group, pooled, strict=True))
        return [rows[place] for place in range(len(matrices))]

    def to_onnx(self, graph: OnnxGraph, matrix: str, max_frames: int) -> str:
        """Add the nodes of `pool` and return the value of the row [shape=(width,)], float32."""
        import numpy as np

        parts = self._summary_in(graph, matrix)
        if self.deltas:
            parts += self._summary_in(graph, _delta_in(graph, matrix, self.delta_width))
        row = graph.reshape(graph.op("Concat", *parts, axis=0), [-1])
        return graph.cast(row, np.float32)

    def _summary_in(self, graph: OnnxGraph, matrix: str) -> list[str]:
        import numpy as np

        exact = graph.cast(matrix, np.float64)
        parts = _moments_in(graph, exact, self.statistics)
        if self.percentiles:
            parts += _percentiles_in(graph, exact, self.percentiles)
        if not self.segment_statistics:
            return parts
        n_frames, one = graph.size(matrix, axis=1), graph.constant([1], np.int64)
        for index in range(self.segments):
            starts, stop = (
                graph.op(
                    "Div",
                    graph.op("Mul", graph.constant([number], np.int64), n_frames),
                    graph.constant([self.segments], np.int64),
                )
                for number in (index, index + 1)
            )
            start = graph.op("Min", starts, graph.op("Sub", n_frames, one))
            stop = graph.op("Max", stop, graph.op("Add", start, one))
            segment = graph.part(exact, 1, start, stop)
            parts += _moments_in(graph, segment, self.segment_statistics)
        return parts

    def _summarise(self, features: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        import numpy as np

        # Sums of many frames lose digits in float32.
        exact = features.astype(np.float64)
        n_frames = features.shape[1]
        parts = _moments(exact, self.statistics, [(0, n_frames)])
        if self.percentiles:
            parts += _percentiles(features, self.percentiles)
        return parts + _moments(exact, self.segment_statistics, _bounds(n_frames, self.segments))


def _in_blocks(alike: tuple[tuple[int, ...], ...], places: list[int]) -> Iterator[list[int]]:
    """Yield the places of matrices of one shape and order, a few at a time."""
    size = max(1, _VALUES_TOGETHER // prod(alike[0]))
    for start in range(0, len(places), size):
        yield places[start : start + size]


Pooling = Annotated[Flatten | Stats, Field(discriminator="type")]
"""Any pooling."""


def _moments_in(graph: OnnxGraph, exact: str, statistics: tuple[Statistic, ...]) -> list[str]:
    """Return the values of statistics over all frames, each [shape=(n_bins, 1)], float64."""
    mean = graph.mean(exact, axis=1)
    parts = []
    for name in statistics:
        if name == "mean":
            parts.append(mean)
        else:
            centred = graph.op("Sub", exact, mean)
            variance = graph.mean(graph.op("Mul", centred, centred), axis=1)
            parts.append(graph.op("Sqrt", variance))
    return parts


def _percentiles_in(graph: OnnxGraph, exact: str, percentiles: tuple[float, ...]) -> list[str]:
    """Return the values of percentiles, each [shape=(n_bins, 1)], float64."""
    import numpy as np

    n_frames = graph.size(exact, axis=1)
    ordered = graph.op("TopK", exact, n_frames, axis=1, largest=0, n_outputs=2)
    last = graph.op("Sub", n_frames, graph.constant([1], np.int64))
    parts = []
    for percentile in percentiles:
        position = graph.op(
            "Mul", graph.constant([percentile / 100.0], np.float64), graph.cast(last, np.float64)
        )
        below = graph.cast(position, np.int64)
        above = graph.op("Min", graph.op("Add", below, graph.constant([1], np.int64)), last)
        low, high = (graph.op("Gather", ordered, place, axis=1) for place in (below, above))
        weight = graph.op("Sub", position, graph.cast(below, np.float64))
        rise = graph.op("Mul", graph.op("Sub", high, low), weight)
        parts.append(graph.op("Add", low, rise))
    return parts


def _delta_in(graph: OnnxGraph, matrix: str, width: int) -> str:
    """Return the value of `delta` [shape=(n_bins, n_frames)], float32."""
    import numpy as np

    half = width // 2
    exact = graph.cast(matrix, np.float64)
    padded = graph.padded(exact, half, half, mode="edge", rank=2)
    norm = 2.0 * sum(offset * offset for offset in range(1, half + 1))
    slopes = []
    for offset in range(1, half + 1):
        ahead = graph.part(padded, 1, half + offset, offset - half or None)
        behind = graph.part(padded, 1, half - offset, -half - offset)
        scale = graph.constant(offset / norm, np.float64)
        slopes.append(graph.op("Mul", graph.op("Sub", ahead, behind), scale))
    return graph.cast(graph.op("Sum", *slopes), np.float32)


def _bounds(n_frames: int, segments: int) -> list[tuple[int, int]]:
    """Return start and stop of each segment; an empty segment gets the nearest frame."""
    starts = [min(index * n_frames // segments, n_frames - 1) for index in range(segments)]
    stops = [(index + 1) * n_frames // segments for index in range(segments)]
    return [(start, max(start + 1, stop)) for start, stop in zip(starts, stops, strict=True)]


def _moments(
    exact: NDArray[np.float64], statistics: tuple[Statistic, ...], bounds: list[tuple[int, int]]
) -> list[NDArray[np.float64]]:
    """Return the statistics of each range of frames in order, each [shape=(n_bins,)]."""
    import numpy as np

    parts: list[NDArray[np.float64]] = []
    for start, stop in bounds if statistics else ():
        frames = exact[:, start:stop]
        mean = np.add.reduce(frames, axis=1) / (stop - start)
        parts += [mean if name == "mean" else _deviation(frames, mean) for name in statistics]
    return parts


def _deviation(frames: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    centred = frames - mean[:, None]
    squares = np.einsum("ij,ij->i", centred, centred)
    return np.asarray(np.sqrt(squares / frames.shape[1]))


def _percentiles(
    features: NDArray[np.float32], percentiles: tuple[float, ...]
) -> list[NDArray[np.float64]]:
    """Return percentiles as `numpy.percentile` does, from one sort, in a fraction of its time."""
    import numpy as np

    ordered = np.sort(features, axis=1)
    last = ordered.shape[1] - 1
    position = [percentile / 100.0 * last for percentile in percentiles]
    below = [int(place) for place in position]
    low = ordered[:, below].astype(np.float64)
    high = ordered[:, [min(index + 1, last) for index in below]]
    weight = np.subtract(position, below)
    return list((low + (high - low) * weight).T)


def delta(features: NDArray[np.float32], width: int = 9) -> NDArray[np.float32]:
    """Return the slope per frame of a line through `width` frames, an odd number, float32.

    The Savitzky-Golay derivative of `librosa.feature.delta(features, width=width, mode="nearest")`.
    """
    import numpy as np

    half = width // 2
    padded = np.pad(features.astype(np.float64), ((0, 0), (half, half)), mode="edge")
    slope = np.zeros(features.shape)
    for offset in range(1, half + 1):
        ahead = padded[:, half + offset : padded.shape[1] - half + offset]
        behind = padded[:, half - offset : padded.shape[1] - half - offset]
        slope += offset * (ahead - behind)
    norm = 2.0 * sum(offset * offset for offset in range(1, half + 1))
    return (slope / norm).astype(np.float32)
