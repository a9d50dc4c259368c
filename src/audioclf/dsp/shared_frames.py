"""Windows of one recording that overlap: which of their frames are the same samples.

A frame that sees none of the padding around a window is a stretch of the recording. Where another
window has a frame at the same sample, both are one, and need to be transformed once. Frames at the
ends of a window see its padding, and belong to it alone.
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
    """Windows of one recording, as clips that know where they come from.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], float32
        The recording.
    starts : sequence of int
        First sample of each window.
    n_samples : int
        Length of each; none reaches beyond the end of `y`.
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
    """Frames of the recording, each `hop_length` samples behind the one before it."""

    first: int
    """Sample at which the first frame begins."""
    n_frames: int


class Place(NamedTuple):
    """Where the inner frames of a window are: in which run, and from which of its frames on."""

    run: int
    offset: int


class Overlap(NamedTuple):
    """How windows share their frames.

    `inner` are the frames of a window that see no padding; the places are in the order of the
    windows.
    """

    inner: range
    runs: list[Run]
    places: list[Place]


def overlap_of(windows: Windows, framing: Framing, n_frames: int) -> Overlap | None:
    """Return how windows of `n_frames` frames share them, None where they share none."""
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
    """Join the frames of windows that lie a multiple of `hop` apart and overlap or touch."""
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
