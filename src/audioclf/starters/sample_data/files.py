"""Files of a sample dataset: a path, bytes, and the planted fault."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.starters.sample_data.sounds import SR

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SampleFile:
    """One sound file of a sample dataset.

    Parameters
    ----------
    path : str
        POSIX, below the folder of sounds.
    planted : str
        The fault that an audit should find; empty for most.
    """

    path: str
    content: bytes
    planted: str = ""


def wav(y: NDArray[np.float32], sr: int = SR, subtype: str = "PCM_16") -> bytes:
    """Return a WAV file; the same samples always give the same bytes.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,) or (n_samples, n_channels)], float32
        Clipped to [-1, 1].
    sr : int
        Sample rate in Hz.
    subtype : str
        Encoding by libsndfile's name: `PCM_U8`, `PCM_16`, `PCM_24` or `ULAW`.
    """
    return _encoded(y, sr, "WAV", subtype)


def flac(y: NDArray[np.float32], sr: int = SR) -> bytes:
    """Return a FLAC file of 16 bits."""
    return _encoded(y, sr, "FLAC", "PCM_16")


def _encoded(y: NDArray[np.float32], sr: int, container: str, subtype: str) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    clipped = np.clip(y, -1.0, 1.0 - 2.0**-15)
    # Rounded here: libsndfile rounds in its own way in each format.
    samples = np.round(clipped * 2.0**15).astype(np.int16) if subtype == "PCM_16" else clipped
    soundfile.write(buffer, samples, sr, format=container, subtype=subtype)
    return buffer.getvalue()
