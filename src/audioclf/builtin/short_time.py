"""The short-time engine: waveforms in, power spectra in cache-sized blocks, feature matrices out.

The numbers are those of librosa 0.11 (`librosa.stft`, `librosa.power_to_db`); the transform is
computed in single precision, without librosa, numba or scipy.signal.

The frames of many clips are packed into one block, yet a clip's numbers are the same to the last
bit whether it is alone or in a batch. Three rules keep that promise:

- the Fourier transform always gets a multiple of `TILE` frames, so that each is computed by the
  same vector instructions and none by the loop for the rest;
- matrix products work on `TILE` frames at a time (see `audioclf.builtin.mel_filters`): BLAS adds
  up in an order that depends on the shapes and on a row's place among the others;
- all else is one correctly rounded operation per element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audioclf.builtin.spectral import Framing
from audioclf.builtin.windows import analysis_window
from audioclf.plugin import FeatureError

Matrix = NDArray[np.float32]
Project = Callable[[Matrix], Matrix]
"""From power spectra (n, n_fft // 2 + 1), n a multiple of `TILE`, to features (n_rows, n)."""

TILE = 16
"""Frames that are always computed together; at least the widest vector register in float32."""

_BLOCK_SAMPLES = 1 << 17
"""Samples in a block of frames: with its spectra it stays in the second-level cache."""


def transform(
    ys: Sequence[Matrix], framing: Framing, n_rows: int, project: Project
) -> list[Matrix]:
    """Return what `project` makes of the power spectra of each waveform.

    Parameters
    ----------
    ys : sequence of np.ndarray [shape=(n_samples,)], float32
        Read only.
    framing : Framing
    n_rows : int
        Number of features that `project` returns for a frame.
    project : callable
        From power spectra [shape=(n, n_fft // 2 + 1)] to features [shape=(n_rows, n)], n being
        a multiple of `TILE`; frame by frame, in numbers that do not depend on the other frames.
        It may write over its argument.

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
    window = analysis_window(framing.window, framing.win_length, framing.n_fft)
    counts = [_n_frames(len(y), framing) for y in ys]
    matrices = [np.empty((n_rows, count), dtype=np.float32) for count in counts]
    block = np.zeros((_block_rows(framing.n_fft), framing.n_fft), dtype=np.float32)
    cut = -1
    for spans in _pack(counts, len(block)):
        for span in spans:
            if span.clip != cut:
                frames, cut = _frames(ys[span.clip], framing), span.clip
            np.multiply(frames[span.source], window, out=block[span.row : span.stop])
        used = -(-spans[-1].stop // TILE) * TILE
        features = project(_power(block[:used]))
        for span in spans:
            matrices[span.clip][:, span.source] = features[:, span.row : span.stop]
    return matrices


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


def _block_rows(n_fft: int) -> int:
    return max(TILE, _BLOCK_SAMPLES // n_fft // TILE * TILE)


@dataclass(frozen=True, slots=True)
class _Span:
    """Consecutive frames of one clip, and the row of the block where they start."""

    clip: int
    source: slice
    row: int

    @property
    def stop(self) -> int:
        return self.row + self.source.stop - self.source.start  # type: ignore[no-any-return]


def _pack(counts: Sequence[int], rows: int) -> Iterator[list[_Span]]:
    """Yield blocks of at most `rows` frames that hold the frames of all clips in order."""
    spans: list[_Span] = []
    row = 0
    for clip, count in enumerate(counts):
        start = 0
        while start < count:
            taken = min(count - start, rows - row)
            spans.append(_Span(clip, slice(start, start + taken), row))
            start, row = start + taken, row + taken
            if row == rows:
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


def _power(frames: Matrix) -> Matrix:
    """Return the power spectra; `re * re + im * im` rounds the same way everywhere."""
    parts = _rfft(frames).view(np.float32)
    np.square(parts, out=parts)
    return np.add(parts[:, 0::2], parts[:, 1::2])


def _rfft(frames: Matrix) -> NDArray[np.complex64]:
    """Return the Fourier transform of each row; the one place that chooses the library."""
    from scipy.fft import rfft

    return np.asarray(rfft(frames, axis=-1, workers=1), dtype=np.complex64)


def magnitude_power(power: Matrix, exponent: float) -> Matrix:
    """Return `|X|**exponent` of the power spectra `|X|**2`, written over them."""
    if exponent == 1.0:
        np.sqrt(power, out=power)
    elif exponent != 2.0:
        np.power(power, np.float32(exponent / 2.0), out=power)
    return power


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
    reference = float(S.max()) if ref == "max" else ref
    level = np.maximum(S, np.float32(amin), out=out)
    np.log10(level, out=level)
    np.multiply(level, 10.0, out=level)
    if reference != 1.0:
        np.subtract(level, 10.0 * math.log10(max(amin, reference)), out=level)
    if top_db is not None:
        np.maximum(level, level.max() - np.float32(top_db), out=level)
    return level
