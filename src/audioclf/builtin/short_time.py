"""The short-time engine: waveforms in, power spectra in cache-sized blocks, feature matrices out.

The numbers are those of librosa 0.11 (`librosa.stft`, `librosa.power_to_db`); the transform is
computed in single precision where that is enough, without librosa, numba or scipy.signal.

The frames of many clips are packed into one block, yet a clip's numbers are the same to the last
bit whether it is alone or in a batch. Three rules keep that promise:

- the Fourier transform and all functions of its result get a multiple of `TILE` frames, so that
  vector instructions compute every frame, and none is left to the loop for the rest;
- filterbanks are sparse matrices, whose product adds up the frequencies of each frame in one
  order (see `audioclf.builtin.mel_filters`): BLAS has an order that depends on the shapes;
- what looks at a whole clip, such as its loudest level, is computed clip by clip.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioclf.builtin.framing import Framing
from audioclf.builtin.windows import analysis_window
from audioclf.plugin import FeatureError

Matrix = NDArray[np.float32]
Project = Callable[[Matrix], Matrix]
"""From magnitudes (n_fft // 2 + 1, n), n a multiple of `TILE`, to features (n_rows, n)."""

TILE = 16
"""Frames that are always computed together; at least the widest vector register in float32."""

_BLOCK_SAMPLES = 5 << 16
"""Samples in a block of frames: with its spectra it stays in cache, and a usual clip fits in."""


def transform(
    ys: Sequence[Matrix],
    framing: Framing,
    n_rows: int,
    project: Project,
    *,
    double: bool = False,
) -> list[Matrix]:
    """Return what `project` makes of the magnitude spectra of each waveform.

    Parameters
    ----------
    ys : sequence of np.ndarray [shape=(n_samples,)], float32
        Read only.
    framing : Framing
    n_rows : int
        Number of features that `project` returns for a frame.
    project : callable
        From magnitudes [shape=(n_fft // 2 + 1, n)] to features [shape=(n_rows, n)], n being a
        multiple of `TILE`; frame by frame, in numbers that do not depend on the other frames.
        It may write over its argument.
    double : bool
        Whether the transform is computed in double precision, which takes twice the time. In
        single precision a bin is known to about 1e-7 of the greatest in its frame, which is 1e-3 of
        a bin 80 dB below.

    Returns
    -------
    matrices : list of np.ndarray [shape=(n_rows, n_frames)], float32, C order

    Raises
    ------
    FeatureError
        If a clip is too short for the framing.
    """
    for y in ys:
        _check_length(len(y), framing)
    counts = [_n_frames(len(y), framing) for y in ys]
    matrices = [np.empty((n_rows, count), dtype=np.float32) for count in counts]
    for spans, frames in _blocks(ys, counts, framing):
        magnitude = _SCRATCH.array("magnitude", (framing.n_bins, len(frames)))
        spectra = _rfft(frames.astype(np.float64) if double else frames)
        features = project(np.abs(spectra, out=magnitude, casting="same_kind"))
        for span in spans:
            matrices[span.clip][:, span.source] = features[:, span.rows]
    return matrices


class _Scratch(threading.local):
    """Arrays that a thread uses again: fresh ones would cost more page faults than the rest."""

    def __init__(self) -> None:
        self.memory: dict[str, Matrix] = {}

    def array(self, name: str, shape: tuple[int, int]) -> Matrix:
        size = math.prod(shape)
        if name not in self.memory or len(self.memory[name]) < size:
            self.memory[name] = np.empty(size, dtype=np.float32)
        return self.memory[name][:size].reshape(shape)


_SCRATCH = _Scratch()


def _check_length(n_samples: int, framing: Framing) -> None:
    """Refuse a clip that the frames or their padding cannot be made of."""
    n_fft, half = framing.n_fft, framing.n_fft // 2
    needed = {"reflect": half + 1, "symmetric": half}.get(framing.pad_mode, 1)
    if n_samples == 0:
        raise FeatureError("the clip has no samples, at least one is needed")
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
    """Consecutive frames of one clip, and the rows of the block that they fill."""

    clip: int
    source: slice
    rows: slice


def _blocks(
    ys: Sequence[Matrix], counts: Sequence[int], framing: Framing
) -> Iterator[tuple[list[_Span], Matrix]]:
    """Yield windowed frames, a multiple of `TILE` of them, the last ones zeros if need be."""
    window = analysis_window(framing.window, framing.win_length, framing.n_fft)
    size = max(TILE, _BLOCK_SAMPLES // framing.n_fft // TILE * TILE)
    block = _SCRATCH.array("block", (size, framing.n_fft))
    cut = -1
    for spans in _pack(counts, size):
        for span in spans:
            if span.clip != cut:
                frames, cut = _frames(ys[span.clip], framing), span.clip
            np.multiply(frames[span.source], window, out=block[span.rows])
        filled = spans[-1].rows.stop
        used = -(-filled // TILE) * TILE
        block[filled:used] = 0.0
        yield spans, block[:used]


def _pack(counts: Sequence[int], size: int) -> Iterator[list[_Span]]:
    """Yield blocks of at most `size` frames that hold the frames of all clips in order."""
    spans: list[_Span] = []
    row = 0
    for clip, count in enumerate(counts):
        start = 0
        while start < count:
            taken = min(count - start, size - row)
            spans.append(_Span(clip, slice(start, start + taken), slice(row, row + taken)))
            start, row = start + taken, row + taken
            if row == size:
                yield spans
                spans, row = [], 0
    if spans:
        yield spans


def _frames(y: Matrix, framing: Framing) -> Matrix:
    """Return all frames as overlapping views, shape (n_frames, n_fft)."""
    padded = np.ascontiguousarray(_padded(y, framing), dtype=np.float32)
    shape = (_n_frames(len(y), framing), framing.n_fft)
    strides = (framing.hop_length * padded.itemsize, padded.itemsize)
    return np.ndarray(shape, np.float32, buffer=padded, strides=strides)


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

    The one place that chooses the library. Asked for columns, it writes them at no extra cost.
    """
    from scipy.fft import rfft

    return np.asarray(rfft(frames.T, axis=0, workers=1))


def raise_to(magnitude: Matrix, exponent: float) -> Matrix:
    """Return `magnitude ** exponent`, written over the magnitude."""
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
    """Convert power to dB: `10 log10(max(S, amin) / max(ref, amin))`.

    Parameters
    ----------
    S : np.ndarray, float32
        Power, not negative, at least one value.
    ref : float or "max"
        Power that is 0 dB; `max` takes the greatest of `S`.
    amin : float
        Power to which all smaller powers are raised.
    top_db : float, optional
        Levels lower than the greatest by more than this are raised to that limit.
    out : np.ndarray, optional
        Where to write; may be `S`.

    Returns
    -------
    level : np.ndarray, float32, dB
        Same shape as `S`; equal to `librosa.power_to_db`.
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
