"""Short-time Fourier transform of many waveforms in blocks that fit the CPU cache.

The numbers are those of librosa 0.11 (`librosa.stft`, `librosa.power_to_db`). A clip has the same
ones, bit for bit, alone and in a batch: vector instructions compute every frame, since there is a
multiple of `TILE`, sparse filterbanks add up frequencies in one order, and levels of a whole clip
are computed clip by clip. So overlapping windows can share frames.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from audioclf.base.errors import FeatureError
from audioclf.dsp.analysis_windows import analysis_window
from audioclf.dsp.framing import Framing
from audioclf.dsp.shared_frames import Overlap, Windows, overlap_of

Matrix = NDArray[np.float32]
Project = Callable[[Matrix], Matrix]
"""From magnitudes (n_fft // 2 + 1, n), n a multiple of `TILE`, to features (n_rows, n)."""

TILE = 16
"""Number of frames computed together; at least the widest vector register in float32."""

_BLOCK_SAMPLES = 5 << 16
"""Samples in a block of frames, which with its spectra fits the cache and holds a usual clip."""


def transform(
    ys: Sequence[Matrix], framing: Framing, n_rows: int, project: Project, *, double: bool = False
) -> list[Matrix]:
    """Return `project` of the magnitudes of each waveform [shape=(n_rows, n_frames), float32].

    Each frame of `project` is independent of the others; it may overwrite its argument. Waveforms
    are read only; shared frames of `Windows` are transformed once. Double precision takes twice the
    time; in single precision the error of a bin is about 1e-7 of the greatest bin of its frame, or
    1e-3 of a bin 80 dB below it. A clip that is too short for the framing is a FeatureError.
    """
    for y in ys:
        _check_length(len(y), framing)
    runs, finish = _frame_runs(ys, framing, n_rows)
    for spans, frames in _blocks(runs, framing):
        magnitude = _SCRATCH.array("magnitude", (framing.n_bins, len(frames)))
        spectra = _rfft(frames.astype(np.float64) if double else frames)
        features = project(np.abs(spectra, out=magnitude, casting="same_kind"))
        for span in spans:
            runs[span.run].features[:, span.source] = features[:, span.rows]
    return finish()


class _FrameRun(NamedTuple):
    """Consecutive frames to transform, and the array for their features."""

    cut: Callable[[], Matrix]
    """Returns the frames, shape (n, n_fft)."""
    features: Matrix
    """Shape (n_rows, n)."""


def _frame_runs(
    ys: Sequence[Matrix], framing: Framing, n_rows: int
) -> tuple[list[_FrameRun], Callable[[], list[Matrix]]]:
    """Return the frame runs to transform, and a function that returns the matrix of each clip."""
    overlap = None
    if isinstance(ys, Windows) and len(ys) > 1:
        overlap = overlap_of(ys, framing, _n_frames(ys.n_samples, framing))
    if overlap is not None:
        return _shared_runs(cast(Windows, ys), overlap, framing, n_rows)
    runs = [
        _FrameRun(partial(_frames, y, framing), _empty(n_rows, _n_frames(len(y), framing)))
        for y in ys
    ]
    return runs, lambda: [run.features for run in runs]


def _shared_runs(
    windows: Windows, overlap: Overlap, framing: Framing, n_rows: int
) -> tuple[list[_FrameRun], Callable[[], list[Matrix]]]:
    """Return the runs of shared frames, and of the frames at the ends of each window."""
    inner = overlap.inner
    n_edges = _n_frames(windows.n_samples, framing) - len(inner)
    y = np.ascontiguousarray(windows.y, dtype=np.float32)
    runs = [
        _FrameRun(
            partial(_views, y[run.first :], run.n_frames, framing), _empty(n_rows, run.n_frames)
        )
        for run in overlap.runs
    ]
    edges = [
        _FrameRun(partial(_edge_frames, window, inner, framing), _empty(n_rows, n_edges))
        for window in (windows if n_edges else ())
    ]

    def finish() -> list[Matrix]:
        matrices = []
        for index, (run, offset) in enumerate(overlap.places):
            shared = runs[run].features[:, offset : offset + len(inner)]
            edge = edges[index].features if n_edges else shared[:, :0]
            parts = (edge[:, : inner.start], shared, edge[:, inner.start :])
            matrices.append(np.concatenate(parts, axis=1))
        return matrices

    return runs + edges, finish


def _edge_frames(window: Matrix, inner: range, framing: Framing) -> Matrix:
    frames = _frames(window, framing)
    return np.concatenate([frames[: inner.start], frames[inner.stop :]])


def _empty(n_rows: int, n_frames: int) -> Matrix:
    return np.empty((n_rows, n_frames), dtype=np.float32)


class _Scratch(threading.local):
    """Reused arrays of a thread: new arrays would cost more in page faults than the transform."""

    def __init__(self) -> None:
        self.memory: dict[str, Matrix] = {}

    def array(self, name: str, shape: tuple[int, int]) -> Matrix:
        size = math.prod(shape)
        if name not in self.memory or len(self.memory[name]) < size:
            self.memory[name] = np.empty(size, dtype=np.float32)
        return self.memory[name][:size].reshape(shape)


_SCRATCH = _Scratch()


def _check_length(n_samples: int, framing: Framing) -> None:
    """Raise an error for a clip that is too short for a frame or its padding."""
    n_fft, half = framing.n_fft, framing.n_fft // 2
    needed = {"reflect": half + 1, "symmetric": half}.get(framing.pad_mode, 1)
    if n_samples == 0:
        raise FeatureError("the clip has no samples; at least one is needed")
    if not framing.center and n_samples < n_fft:
        raise FeatureError(
            f"the clip has {n_samples} samples, fewer than the n_fft={n_fft} of one frame "
            "that `center: false` needs",
            hint="Set `center: true`, which pads short clips, or lower n_fft.",
        )
    if framing.center and n_samples < needed:
        raise FeatureError(
            f"the clip has {n_samples} samples, fewer than the {needed} that "
            f"`pad_mode: {framing.pad_mode}` needs with n_fft={n_fft}",
            hint="Set `pad_mode: constant`, which pads with zeros, or lower n_fft.",
        )


def _n_frames(n_samples: int, framing: Framing) -> int:
    padding = 2 * (framing.n_fft // 2) if framing.center else 0
    return 1 + (n_samples + padding - framing.n_fft) // framing.hop_length


class _Span(NamedTuple):
    """Consecutive frames of one run, and their rows in the block."""

    run: int
    source: slice
    rows: slice


def _blocks(runs: Sequence[_FrameRun], framing: Framing) -> Iterator[tuple[list[_Span], Matrix]]:
    """Yield windowed frames, padded with zeros to a multiple of `TILE`."""
    window = analysis_window(framing.window, framing.win_length, framing.n_fft)
    size = max(TILE, _BLOCK_SAMPLES // framing.n_fft // TILE * TILE)
    block = _SCRATCH.array("block", (size, framing.n_fft))
    cut = -1
    for spans in _pack([run.features.shape[1] for run in runs], size):
        for span in spans:
            if span.run != cut:
                frames, cut = runs[span.run].cut(), span.run
            np.multiply(frames[span.source], window, out=block[span.rows])
        filled = spans[-1].rows.stop
        used = -(-filled // TILE) * TILE
        block[filled:used] = 0.0
        yield spans, block[:used]


def _pack(counts: Sequence[int], size: int) -> Iterator[list[_Span]]:
    """Yield blocks of at most `size` frames that hold the frames of all runs in order."""
    spans: list[_Span] = []
    row = 0
    for run, count in enumerate(counts):
        start = 0
        while start < count:
            taken = min(count - start, size - row)
            spans.append(_Span(run, slice(start, start + taken), slice(row, row + taken)))
            start, row = start + taken, row + taken
            if row == size:
                yield spans
                spans, row = [], 0
    if spans:
        yield spans


def _frames(y: Matrix, framing: Framing) -> Matrix:
    """Return all frames as overlapping views, shape (n_frames, n_fft)."""
    padded = np.ascontiguousarray(_padded(y, framing), dtype=np.float32)
    return _views(padded, _n_frames(len(y), framing), framing)


def _views(y: Matrix, n_frames: int, framing: Framing) -> Matrix:
    """Return the first frames of contiguous samples as overlapping views."""
    shape = (n_frames, framing.n_fft)
    strides = (framing.hop_length * y.itemsize, y.itemsize)
    return np.ndarray(shape, np.float32, buffer=y, strides=strides)


def _padded(y: Matrix, framing: Framing) -> Matrix:
    half = framing.n_fft // 2
    if not framing.center:
        return y
    if framing.pad_mode != "constant":
        return np.pad(y, half, mode=framing.pad_mode)
    padded = np.zeros(len(y) + 2 * half, dtype=np.float32)
    padded[half : half + len(y)] = y
    return padded


def _rfft(frames: NDArray[Any]) -> NDArray[Any]:
    """Return the Fourier transform of each row as a column, in C order and the frames' precision.

    The only place that depends on the library, which writes columns at no extra cost.
    """
    from scipy.fft import rfft

    return np.asarray(rfft(frames.T, axis=0, workers=1))


def raise_to(magnitude: Matrix, exponent: float) -> Matrix:
    """Return `magnitude ** exponent`, computed in place."""
    if exponent == 2.0:
        return np.square(magnitude, out=magnitude)
    return magnitude if exponent == 1.0 else np.power(magnitude, exponent, out=magnitude)


def power_to_db(
    S: Matrix,
    ref: float | Literal["max"] = 1.0,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
    *,
    out: Matrix | None = None,
) -> Matrix:
    """Convert power to dB like `librosa.power_to_db`: `10 log10(max(S, amin) / max(ref, amin))`.

    `ref="max"` is the greatest power of `S`, `top_db` the largest distance below the greatest
    level; `out` may be `S`.
    """
    reference = np.float32(S.max() if ref == "max" else ref)
    level = np.maximum(S, np.float32(amin), out=out)
    np.log10(level, out=level)
    np.multiply(level, 10.0, out=level)
    if reference != 1.0:
        np.subtract(level, 10.0 * np.log10(max(np.float32(amin), reference)), out=level)
    if top_db is not None:
        np.maximum(level, level.max() - np.float32(top_db), out=level)
    return level
