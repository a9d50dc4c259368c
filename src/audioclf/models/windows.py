"""Windows over a recording, in samples at the rate of the model.

A shorter window follows the last whole one if it has at least half the length; it is not padded, as
short clips are not in training. Each window is featurized as a clip of its own; frames without
padding are equal in two windows that lie a multiple of the featurizer's hop apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from audioclf.base.errors import ConfigError, FeatureError
from audioclf.dataset.remote import is_url
from audioclf.dataset.sources import AudioSource, FileSource, RemoteSource
from audioclf.models.arrays import ArraySource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.featurizer import Featurizer

Partial = Literal["keep", "drop"]

BATCH = 32
"""Number of windows that are featurized and classified together."""

_MOST_SAMPLES = 2**53


@dataclass(frozen=True)
class Cutting:
    """Length of windows and distance of their starts, in samples.

    `partial` says whether a shorter last window is used if it has at least half the length.
    """

    size: int
    hop: int
    partial: Partial = "keep"

    @classmethod
    def of(cls, window: float, hop: float | None, sr: int, partial: Partial = "keep") -> Cutting:
        """Round lengths in s to whole samples; by default the hop is the window.

        `ConfigError` if a length is not positive, less than a sample, or more than 2**53 samples.
        """
        lengths = {"window": window, "hop": window if hop is None else hop}
        for name, seconds in lengths.items():
            if seconds * sr > _MOST_SAMPLES:
                raise ConfigError(f"a {name} of {seconds:g} s is longer than any recording")
            if not (np.isfinite(seconds) and round(seconds * sr) >= 1):
                raise ConfigError(f"a {name} of {seconds:g} s is less than a sample at {sr} Hz")
        return cls(round(window * sr), round(lengths["hop"] * sr), partial)

    @property
    def fewest(self) -> int:
        """Least number of samples of the last window."""
        return self.size if self.partial == "drop" else (self.size + 1) // 2

    def own_samples(self, step: int | None) -> int:
        """Return roughly how many samples of a window have frames that no earlier window has.

        Windows share frames if a multiple of `step` samples apart; None if never.
        """
        return self.size if step is None else min(self.size, math.lcm(step, self.hop))


class Piece(NamedTuple):
    """Samples `start` up to `end` (exclusive) of a recording."""

    start: int
    end: int
    y: NDArray[np.float32]


class ScoredWindow(NamedTuple):
    """Start and end in the file in s, and a score for each class."""

    start: float
    end: float
    scores: NDArray[np.float64]


def pieces(blocks: Iterable[NDArray[np.float32]], cutting: Cutting) -> Iterator[Piece]:
    """Yield the windows of a recording that is read in blocks of any lengths."""
    buffer = np.empty(0, dtype=np.float32)
    origin = start = covered = 0
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while start + cutting.size <= origin + len(buffer):
            covered = start + cutting.size
            yield Piece(start, covered, buffer[start - origin : covered - origin])
            start += cutting.hop
        passed = min(start - origin, len(buffer))
        buffer, origin = buffer[passed:], origin + passed
    end = origin + len(buffer)
    if covered < end and end - start >= cutting.fewest:
        yield Piece(start, end, buffer[start - origin :])


def source_of(path: str | Path | AudioSource) -> AudioSource:
    """Return the source of a path or URL."""
    if isinstance(path, AudioSource):
        return path
    return RemoteSource(path) if isinstance(path, str) and is_url(path) else FileSource(Path(path))


def window_runs(batch: Sequence[Piece], cutting: Cutting) -> Iterator[list[Piece]]:
    """Yield consecutive whole windows of one recording together, other windows alone.

    Each recording starts at 0, so a window of the next recording never continues a run.
    """
    run: list[Piece] = []
    for piece in batch:
        whole = len(piece.y) == cutting.size
        if run and not (whole and piece.start == run[-1].start + cutting.hop):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


Label = str | list[str] | float | None
"""A class, None where a model abstains, a list of a model of several labels, or a number."""

if TYPE_CHECKING:
    Sound = str | Path | AudioSource | NDArray[Any]
    Sounds = list[Any] | tuple[Any, ...]


def source_from(item: Any, sr: int | None) -> AudioSource:
    """Return the source of a sound that is given by its place, or as an array at `sr` Hz."""
    if isinstance(item, AudioSource | str | Path):
        return source_of(item)
    if sr is None:
        raise TypeError("a waveform needs its sample rate: pass sr=..., in Hz")
    return ArraySource.of(item, sr)


def shared_step(featurizer: Featurizer, sr: int) -> int | None:
    """Return how many samples apart windows share work; None if never, or if the plugin fails."""
    with suppress(Exception):  # it fails in `extract`, too
        step = featurizer.shared_step(sr)
        return step if isinstance(step, int) and step > 0 else None
    return None


_T = TypeVar("_T")


def rows_of_runs(
    batch: Sequence[Piece],
    cutting: Cutting,
    step: int | None,
    alone: Callable[[list[NDArray[np.float32]]], list[_T]],
    together: Callable[[NDArray[np.float32], list[int], int], list[_T]],
) -> list[_T]:
    """Return a result for each window; neighbors that share frames are computed together.

    Windows share frames if a multiple of `step` samples apart. `alone` takes waveforms, `together`
    a waveform, the first samples of windows, and their length.
    """
    if cutting.own_samples(step) == cutting.size:
        return alone([piece.y for piece in batch])
    rows: list[_T] = []
    for run in window_runs(batch, cutting):
        new = [piece.y[cutting.size - cutting.hop :] for piece in run[1:]]
        y = np.concatenate([run[0].y, *new])
        rows += together(y, [index * cutting.hop for index in range(len(run))], len(run[0].y))
    return rows


def joined(
    views: Iterable[Sequence[NDArray[np.float32] | FeatureError]],
    pooled: Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float32]],
) -> list[NDArray[np.float32] | FeatureError]:
    """Return the pooled row of all views of each clip, or the first error of a view."""
    rows: list[NDArray[np.float32] | FeatureError] = []
    for parts in zip(*views, strict=True):
        good = [part for part in parts if not isinstance(part, FeatureError)]
        failed = [part for part in parts if isinstance(part, FeatureError)]
        rows.append(failed[0] if failed else pooled(good))
    return rows
