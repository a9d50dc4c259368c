"""Samples of uncompressed WAV files, as float32.

The numbers are those of libsndfile, bit for bit: an integer of b bits is divided by 2^(b-1), and a
float is taken as it is. NumPy reads them several times faster and without its callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PcmLayout:
    """Where the samples of a file are: interleaved, little-endian, from byte `offset` on.

    `subtype` is a key of `SAMPLE_BYTES`, `sr` in Hz, `frames` the number of whole frames.
    """

    subtype: str
    sr: int
    channels: int
    offset: int
    frames: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.channels * SAMPLE_BYTES[self.subtype]


def read_pcm(stream: BinaryIO, layout: PcmLayout, start: int, count: int) -> NDArray[np.float32]:
    """Return frames `start` to `start + count` [shape=(n_frames, channels), float32].

    There are fewer if the stream ends early.
    """
    stream.seek(layout.offset + start * layout.frame_bytes)
    raw = stream.read(count * layout.frame_bytes)
    whole = len(raw) - len(raw) % layout.frame_bytes
    return _UNPACK[layout.subtype](raw[:whole]).reshape(-1, layout.channels)


def _scaled(samples: NDArray[Any], bits: int) -> NDArray[np.float32]:
    scaled = samples.astype(np.float32)
    scaled *= np.float32(2.0**-bits)
    return scaled


def _pcm_24(raw: bytes) -> NDArray[np.float32]:
    # Each view of four bytes begins one byte early; masking that byte leaves the sample times 256.
    early = np.ndarray((len(raw) // 3,), "<i4", b"\0" + raw, strides=(3,))
    return _scaled(early & -256, 31)


_UNPACK: dict[str, Callable[[bytes], NDArray[np.float32]]] = {
    "PCM_16": lambda raw: _scaled(np.frombuffer(raw, "<i2"), 15),
    "PCM_24": _pcm_24,
    # The lower three of each four bytes; the fourth is no part of the sample.
    "PCM_24_LOW": lambda raw: _scaled(np.frombuffer(raw, "<i4") << 8, 31),
    "PCM_32": lambda raw: _scaled(np.frombuffer(raw, "<i4"), 31),
    "FLOAT": lambda raw: np.frombuffer(raw, "<f4").astype(np.float32),
}
SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_24_LOW": 4, "PCM_32": 4, "FLOAT": 4}
"""The kinds of samples that are read here, with the bytes of one."""
