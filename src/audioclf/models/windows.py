"""Windows over a recording: half-open, from whole samples at the rate of the model.

Window `i` holds the samples `i * hop` up to `i * hop + size`, which is not in it. Where samples
remain behind the last whole window, one shorter window follows: it is kept if it has at least half
of a window, and it is not padded, just as a short clip is not when a model is trained.

Each window is featurized as a clip of its own: its first and last frames see the padding around it,
and levels in dB may be relative to its loudest frame. Frames that see no padding are the same in
two windows that lie a multiple of the featurizer's hop apart, and those are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from audioclf.audio.stream import open_stream
from audioclf.base.errors import ConfigError, FeatureError
from audioclf.dataset.remote import is_url
from audioclf.dataset.sources import AudioSource, FileSource, RemoteSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

Partial = Literal["keep", "drop"]

BATCH = 32
"""Windows that are featurized and classified together."""


class WindowModel(Protocol):
    """The part of a `Model` that scores windows."""

    @property
    def sr(self) -> int:
        """Sample rate in Hz."""

    @property
    def shared_step(self) -> int | None:
        """Samples by a multiple of which windows must lie apart to share work."""

    def rows_of(
        self, ys: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of waveforms."""

    def rows_of_windows(
        self, y: NDArray[np.float32], starts: Sequence[int], n_samples: int
    ) -> list[NDArray[np.float32] | FeatureError]:
        """Return the features of windows of one recording."""

    def scores_of(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores of rows of features."""


@dataclass(frozen=True)
class Cutting:
    """How a recording is cut, in samples.

    Parameters
    ----------
    size, hop : int
        Length of a window, and from the start of one to the start of the next.
    partial : {"keep", "drop"}
        What becomes of a last, shorter window; "keep" needs at least half of a window.
    """

    size: int
    hop: int
    partial: Partial = "keep"

    @classmethod
    def of(cls, window: float, hop: float | None, sr: int, partial: Partial = "keep") -> Cutting:
        """Round lengths in s to whole samples; without a hop, windows meet.

        Raises
        ------
        ConfigError
            If a length is not positive, or less than a sample.
        """
        lengths = {"window": window, "hop": window if hop is None else hop}
        for name, seconds in lengths.items():
            if not (np.isfinite(seconds) and round(seconds * sr) >= 1):
                raise ConfigError(f"a {name} of {seconds:g} s is less than a sample at {sr} Hz")
        return cls(round(window * sr), round(lengths["hop"] * sr), partial)

    @property
    def fewest(self) -> int:
        """Samples that the last window needs."""
        return self.size if self.partial == "drop" else (self.size + 1) // 2

    def own_samples(self, step: int | None) -> int:
        """Return how many samples' frames of a window no window before it has, about.

        Parameters
        ----------
        step : int, optional
            Samples by a multiple of which windows must lie apart to share frames.
        """
        return self.size if step is None else min(self.size, math.lcm(step, self.hop))


class Piece(NamedTuple):
    """Samples `start` up to `end` of a recording, which is not in it."""

    start: int
    end: int
    y: NDArray[np.float32]


class ScoredWindow(NamedTuple):
    """Times in the file in s, and a score for each class."""

    start: float
    end: float
    scores: NDArray[np.float64]


def pieces(blocks: Iterable[NDArray[np.float32]], cutting: Cutting) -> Iterator[Piece]:
    """Yield the windows of a recording that comes in blocks.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n_samples,)]
        Of any lengths; what is cut does not depend on where one ends.
    cutting : Cutting
    """
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


def model_windows(
    model: WindowModel,
    path: str | Path | AudioSource,
    *,
    window: float,
    hop: float | None = None,
    partial: Partial = "keep",
) -> Iterator[ScoredWindow]:
    """Yield the scores of window after window of a recording; see `Model.windows`.

    Raises
    ------
    ConfigError
        If window or hop are less than a sample.
    DecodeError, FeatureError
        If the recording or a window of it cannot be used.
    ModelError
        If the classifier gives no scores.
    """
    cutting = Cutting.of(window, hop, model.sr, partial)
    source = _source(path)
    with open_stream(source, model.sr) as stream:
        found = pieces(stream.blocks, cutting)
        while batch := list(islice(found, BATCH)):
            scores = model.scores_of(_rows(model, batch, cutting, source.name))
            for piece, row in zip(batch, scores, strict=True):
                start, end = (stream.offset + at / model.sr for at in piece[:2])
                yield ScoredWindow(start, end, row)


def _source(path: str | Path | AudioSource) -> AudioSource:
    if isinstance(path, AudioSource):
        return path
    return RemoteSource(str(path)) if is_url(path) else FileSource(Path(path))


def _rows(
    model: WindowModel, batch: list[Piece], cutting: Cutting, name: str
) -> NDArray[np.float32]:
    rows = []
    for piece, row in zip(batch, rows_of_pieces(model, batch, cutting), strict=True):
        if isinstance(row, FeatureError):
            where = f"{name}, from {piece.start / model.sr:g} s on"
            raise FeatureError(f"{where}: {row.message}", hint=row.hint) from row
        rows.append(row)
    return np.stack(rows)


def rows_of_pieces(
    model: WindowModel, batch: Sequence[Piece], cutting: Cutting | None
) -> list[NDArray[np.float32] | FeatureError]:
    """Return the features of windows, those of overlapping neighbors from the samples of both.

    Parameters
    ----------
    model : WindowModel
    batch : sequence of Piece
        Of one recording after the other, in order of time.
    cutting : Cutting, optional
        How they were cut; None where each is a recording.
    """
    if cutting is None or cutting.own_samples(model.shared_step) == cutting.size:
        return model.rows_of([piece.y for piece in batch])
    rows: list[NDArray[np.float32] | FeatureError] = []
    for stretch in _stretches(batch, cutting):
        new = [piece.y[cutting.size - cutting.hop :] for piece in stretch[1:]]
        y = np.concatenate([stretch[0].y, *new])
        starts = [index * cutting.hop for index in range(len(stretch))]
        rows += model.rows_of_windows(y, starts, len(stretch[0].y))
    return rows


def _stretches(batch: Sequence[Piece], cutting: Cutting) -> Iterator[list[Piece]]:
    """Yield whole windows that follow each other in one recording together, others alone.

    A recording begins at 0, so none can seem to go on where another ends.
    """
    stretch: list[Piece] = []
    for piece in batch:
        whole = len(piece.y) == cutting.size
        if stretch and not (whole and piece.start == stretch[-1].start + cutting.hop):
            yield stretch
            stretch = []
        stretch.append(piece)
    if stretch:
        yield stretch
