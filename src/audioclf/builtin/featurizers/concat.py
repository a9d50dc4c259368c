"""Concatenation of several featurizers in one row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, field_validator
from typing_extensions import override

from audioclf.plugin import AnyFeaturizer, FeatureError, Featurizer, Flatten, Pooling, Stats

if TYPE_CHECKING:
    from audioclf.dsp.short_time import Matrix
    from audioclf.plugin import OnnxGraph

_AS_IT_IS = Stats(statistics=("mean",), percentiles=(), segments=0)
"""The mean over the single frame that `concat` returns: that frame, bit for bit."""

PartName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


def _pairs(parts: dict[str, Featurizer]) -> tuple[tuple[str, Featurizer], ...]:
    if not parts:
        raise ValueError("at least one part is needed")
    for name, part in parts.items():
        if isinstance(part.pooling, Flatten) and getattr(part, "n_steps", None) is None:
            raise ValueError(
                f"part {name!r} has `pooling: flatten`, so its width would depend on the longest "
                "clip: set its `n_steps`, which fixes the number of frames, or `pooling: stats`"
            )
    return tuple(parts.items())


if TYPE_CHECKING:
    Parts = tuple[tuple[str, Featurizer], ...]
else:
    # A mapping in YAML and Python, stored as pairs because a component is hashable.
    Parts = Annotated[dict[PartName, AnyFeaturizer], AfterValidator(_pairs), PlainSerializer(dict)]


class Concat(Featurizer):
    """Several featurizers, each with its own pooling, concatenated in one row.

    The parts may have different frames, since their pooled rows are joined. The matrix of a clip is
    that row as a column, shape (n_features, 1), and `concat` has no pooling of its own. A part with
    the pooling `flatten` needs `n_steps`, so that all rows have the same width.

    The cache stores the joined row; a change of the pooling of a part computes it again.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclf.builtin.featurizers.mfcc import Mfcc
    >>> from audioclf.builtin.featurizers.spectral_shape import SpectralShape
    >>> y = np.random.default_rng(0).normal(0.0, 0.1, 22050).astype(np.float32)
    >>> Concat(parts={"mfcc": Mfcc(), "shape": SpectralShape()}).extract(y, 22050).shape
    (396, 1)
    """

    type: Literal["concat"] = "concat"

    parts: Parts
    """Featurizers by name, each with its fields and its `pooling`."""

    pooling: Pooling = _AS_IT_IS
    """Fixed: the pooled rows of the parts are not pooled again."""

    @field_validator("pooling")
    @classmethod
    def _is_left_alone(cls, pooling: Pooling) -> Pooling:
        if pooling != _AS_IT_IS:
            raise ValueError("concat has no pooling of its own: set `pooling` inside its parts")
        return pooling

    @field_validator("parts")
    @classmethod
    def _views_fit(cls, parts: Parts) -> Parts:
        """Check that all parts with views have the same: view by view, they join one copy."""
        augmented = {name: _augmented(part) for name, part in parts if len(part.views()) > 1}
        if len(set(augmented.values())) > 1:
            raise ValueError(
                f"the parts {' and '.join(map(repr, augmented))} have different `augment`: set the "
                "same for all of them"
            )
        return parts

    @override
    def to_onnx(self, graph: OnnxGraph, y: str, sr: int) -> str:
        rows = [
            # As `_row` pools a part: the frames of a part with `flatten` are its `n_steps`.
            part.pooling.to_onnx(
                graph, part.to_onnx(graph, y, sr), getattr(part, "n_steps", 0) or 0
            )
            for _, part in self.parts
        ]
        return graph.reshape(graph.op("Concat", *rows, axis=0), [-1, 1])

    @override
    def views(self) -> Sequence[Featurizer]:
        views = [(name, part.views()) for name, part in self.parts]
        count = max(len(copies) for _, copies in views)
        if count == 1:
            return (self,)
        joined = (
            tuple((name, copies[min(number, len(copies) - 1)]) for name, copies in views)
            for number in range(count)
        )
        return tuple(self.model_copy(update={"parts": parts}) for parts in joined)

    @override
    def averages_views(self) -> bool:
        return any(part.averages_views() for _, part in self.parts)

    @override
    def extract(self, y: Matrix, sr: int) -> Matrix:
        return self.extract_many([y], sr)[0]

    @override
    def extract_many(self, ys: Sequence[Matrix], sr: int) -> list[Matrix]:
        """Return the pooled rows of all parts, in order, as a column [shape=(n_features, 1)]."""
        return self._joined(lambda part: part.extract_many(ys, sr))

    @override
    def extract_windows(
        self, y: Matrix, sr: int, starts: Sequence[int], n_samples: int
    ) -> list[Matrix]:
        return self._joined(lambda part: part.extract_windows(y, sr, starts, n_samples))

    @override
    def shared_step(self, sr: int) -> int | None:
        """Return the least common multiple of the steps of all parts that share work."""
        steps = [step for _, part in self.parts if (step := part.shared_step(sr)) is not None]
        return math.lcm(*steps) if steps else None

    @override
    def samples_per_frame(self, sr: int) -> int | None:
        """Return the samples of the longest frame of all parts."""
        frames = [part.samples_per_frame(sr) for _, part in self.parts]
        return max((frame for frame in frames if frame is not None), default=None)

    @override
    def notes(self, sr: int) -> Sequence[str]:
        return [f"part {name!r}: {note}" for name, part in self.parts for note in part.notes(sr)]

    def _joined(self, extract: Callable[[Featurizer], list[Matrix]]) -> list[Matrix]:
        import numpy as np

        by_part = [list(_rows(name, part, extract)) for name, part in self.parts]
        return [np.concatenate(rows)[:, np.newaxis] for rows in zip(*by_part, strict=True)]


def _augmented(part: Featurizer) -> tuple[object, ...]:
    """Return the properties of views that joined parts must share."""
    return (getattr(part, "augment", None), len(part.views()), part.averages_views())


def _rows(
    name: str, part: Featurizer, extract: Callable[[Featurizer], list[Matrix]]
) -> Iterator[Matrix]:
    """Yield the pooled row of one part for each clip."""
    try:
        matrices = extract(part)
    except FeatureError as exc:
        raise FeatureError(f"part {name!r}: {exc.message}", hint=exc.hint) from exc
    for features in matrices:
        if getattr(features, "ndim", 0) != 2 or 0 in features.shape:
            shape = getattr(features, "shape", type(features).__name__)
            raise FeatureError(
                f"part {name!r} returned {shape}, not an array of shape (n_bins, n_frames)"
            )
        yield part.pooling.pool(features, features.shape[1])
