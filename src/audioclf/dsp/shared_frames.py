"""Shared frames of overlapping windows of one recording.

A frame without padding depends on the recording alone. If another window has a frame at the same
sample, both are equal and are transformed once. Frames at the ends of a window contain its padding
and are not shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

from audioclf.dsp.framing import Framing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]


class Windows(Sequence["Matrix"]):
    """Windows of `n_samples` of one recording `y` [shape=(n,), float32], as clips with positions.

    `starts` are their first samples; no window reaches beyond the end of `y`.
    """

    def __init__(self, y: Matrix, starts: Sequence[int], n_samples: int) -> None:
        self.y, self.starts, self.n_samples = y, tuple(starts), n_samples

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Matrix: ...

    @overload
    def __getitem__(self, index: slice) -> Windows: ...

    def __getitem__(self, index: int | slice) -> Matrix | Windows:
        if isinstance(index, slice):
            return Windows(self.y, self.starts[index], self.n_samples)
        start = self.starts[index]
        return self.y[start : start + self.n_samples]


class Run(NamedTuple):
    """Frames of the recording at distances of `hop_length` samples."""

    first: int
    """First sample of the first frame."""
    n_frames: int


class Place(NamedTuple):
    """Run of the inner frames of a window, and the position of the first of them in it."""

    run: int
    offset: int


class Overlap(NamedTuple):
    """Shared frames of windows.

    `inner` are the frames of a window without padding; `places` are in the order of the windows.
    """

    inner: range
    runs: list[Run]
    places: list[Place]


def overlap_of(windows: Windows, framing: Framing, n_frames: int) -> Overlap | None:
    """Return the shared frames of windows of `n_frames` frames, None if there are none."""
    inner = _inner(windows.n_samples, framing, n_frames)
    first = inner.start * framing.hop_length - (framing.n_fft // 2 if framing.center else 0)
    firsts = [start + first for start in windows.starts]
    runs, places = _runs(firsts, len(inner), framing.hop_length)
    saved = len(windows) * len(inner) - sum(run.n_frames for run in runs)
    return Overlap(inner, runs, places) if saved > 0 else None


def _inner(n_samples: int, framing: Framing, n_frames: int) -> range:
    if not framing.center:
        return range(n_frames)
    half, hop = framing.n_fft // 2, framing.hop_length
    start = -(-half // hop)
    return range(start, max(start, (n_samples + half - framing.n_fft) // hop + 1))


def _runs(firsts: Sequence[int], count: int, hop: int) -> tuple[list[Run], list[Place]]:
    """Join the frames of windows at distances of multiples of `hop` that overlap or touch."""
    runs: list[Run] = []
    places: dict[int, Place] = {}
    for index in sorted(range(len(firsts)), key=lambda i: (firsts[i] % hop, firsts[i])):
        first = firsts[index]
        offset, off_grid = divmod(first - runs[-1].first, hop) if runs else (0, 1)
        if off_grid or not 0 <= offset <= runs[-1].n_frames:
            runs.append(Run(first, count))
            offset = 0
        else:
            runs[-1] = runs[-1]._replace(n_frames=max(runs[-1].n_frames, offset + count))
        places[index] = Place(len(runs) - 1, offset)
    return runs, [places[index] for index in range(len(firsts))]
