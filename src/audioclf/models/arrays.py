"""Arrays as files: untrusted `.npy` files, and waveforms as sound files in memory."""

from __future__ import annotations

import hashlib
import io
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from audioclf.base.errors import DecodeError
from audioclf.base.limits import limits_in_force
from audioclf.dataset.sources import AudioSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_HEADER = 10_000
_SCALES = {np.dtype(np.int16): 2.0**15, np.dtype(np.int32): 2.0**31}
_WAV = struct.Struct("<4sI4s4sIHHIIHH4sI")
_IEEE_FLOAT = 3


def to_npy(array: NDArray[Any]) -> bytes:
    """Return an array in NumPy's format, version 1.0."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def check_npy(data: bytes) -> None:
    """Check that the header of an array fits its bytes, before memory is allocated.

    `ValueError` if it is no array of plain numbers in NumPy's format 1.0 or 2.0, or too long or
    short.
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array in version {version} of NumPy's format")
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read(stream, max_header_size=_MAX_HEADER)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which would have to be unpickled")
    claimed = math.prod(shape) * dtype.itemsize
    held = len(data) - stream.tell()
    if min(shape, default=0) < 0 or claimed != held:
        raise ValueError(f"an array of shape {shape}, {claimed} bytes, of which {held} are there")


def from_npy(data: bytes) -> NDArray[Any]:
    """Return the array of an untrusted file; `ValueError` as `check_npy`."""
    check_npy(data)
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def checked_array(data: bytes, dtype: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return the array of an untrusted file, of this type and shape; None is any length.

    `ValueError` as `check_npy`, or if it has another type or shape.
    """
    array = from_npy(data)
    fits = array.dtype == dtype and array.ndim == len(shape)
    if not fits or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{array.dtype} of shape {array.shape} is not what it must be")
    return array


@dataclass(frozen=True, slots=True, eq=False)
class ArraySource(AudioSource):
    """A waveform in memory as a WAV file of 32-bit floats, which is decoded like any file."""

    content: bytes

    @classmethod
    def of(cls, y: Any, sr: int) -> ArraySource:
        """Return the file of a waveform [shape=(n_samples,) or (n_channels, n_samples)], `sr` Hz.

        It holds floats in [-1, 1], or 16-bit or 32-bit integers, which are divided by 2^15 or 2^31.
        `DecodeError` if it has another shape or type, no samples, or too many.
        """
        samples = _as_frames(np.asarray(y))
        if not samples.size or samples.size > limits_in_force().max_samples:
            raise DecodeError(
                f"array: {samples.size} samples, expected 1 to {limits_in_force().max_samples}"
            )
        return cls(_wav_header(samples, _whole(sr)) + samples.tobytes())

    @property
    def name(self) -> str:
        """Its name in messages."""
        return "array"

    def open(self) -> BinaryIO:
        """Open the file in memory."""
        return io.BytesIO(self.content)

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()


def _as_frames(y: NDArray[Any]) -> NDArray[np.float32]:
    """Return float32 frames [shape=(n_samples, n_channels)]."""
    if y.ndim not in (1, 2) or (y.ndim == 2 and len(y) > limits_in_force().max_channels):
        raise DecodeError(
            f"array: shape {y.shape} is neither (n_samples,) nor (n_channels, n_samples)",
            hint="soundfile gives (n_samples, n_channels): pass its transpose, y.T.",
        )
    if y.dtype in _SCALES:
        y = y / _SCALES[y.dtype]
    if not np.issubdtype(y.dtype, np.floating):
        raise DecodeError(f"array: {y.dtype} samples; use floats in [-1, 1], int16 or int32")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(np.atleast_2d(y).T, dtype="<f4")


def _whole(sr: Any) -> int:
    if isinstance(sr, bool) or sr != int(sr) or not 0 < sr < 1 << 31:
        raise DecodeError(f"array: sample rate {sr!r} is not a whole number of Hz")
    return int(sr)


def _wav_header(samples: NDArray[np.float32], sr: int) -> bytes:
    n_bytes, width = samples.nbytes, 4 * samples.shape[1]
    fmt = (_IEEE_FLOAT, samples.shape[1], sr, min(sr * width, 0xFFFFFFFF), width, 32)
    size = _WAV.size - 8 + n_bytes
    return _WAV.pack(b"RIFF", size, b"WAVE", b"fmt ", 16, *fmt, b"data", n_bytes)
