"""Facts of a clip for the audits: file format, levels, silence, duration.

Facts of the file are read from its header. Facts of the waveform are a featurizer: they are
extracted with the features, from the same decoding and with the same cache.

Levels are in dB relative to full scale (dBFS) and at least `FLOOR_DB`, times in s, frequencies in
Hz. The waveform is that of the run: mixed down, resampled, cut.

After the end of a sound, its level falls by 60 dB in the reverberation time of the room, and that
is the steepest fall in a clip if the sounds themselves end faster (Ratnam et al. 2003, *J. Acoust.
Soc. Am.* 114, 2877-2892). It is measured on the differences of successive samples, which weaken
hum, and only where noise does not end it early: see `RANGE_DB`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from audioclf.audit.inputs import FileFormat
from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten, Pooling
from audioclf.dataset.sources import AudioSource, RemoteSource, ZipSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.reader import AudioInfo
    from audioclf.features.worker import LedgerRow

    Waveform = NDArray[np.float32]

FLOOR_DB = -120.0
"""Lower limit of all levels, and the level of digital silence."""

FULL_SCALE = 0.999
"""Absolute value above which a sample counts as clipped."""

SILENCE_DB = 30.0
"""Distance of silence below the loudest frame."""

BANDWIDTH_DB = 60.0
"""Largest distance of the highest frequency below the strongest."""

RANGE_DB = 25.0
"""Least distance of the 10th percentile of the level from the loudest frame to measure a decay."""

_DECAY_FRAME = 0.012
"""Frames of the decay, in s."""
_SLOPE = np.arange(3.0, -4.0, -1.0) / 28
"""Weights of seven levels, to convolve with them: the slope of their regression line."""
_LOUD_DB = 20.0
"""Largest distance of the start of a decay from the loudest frame."""

_FRAME = 512
_WINDOW = np.hanning(_FRAME).astype(np.float32)
_EDGE = 256
_SPECTRA = 48
"""Frames of a clip, evenly spaced, whose spectra are averaged."""
_FLAT = 1e-6
"""Amplitude below which a change is rounding."""

Kind = Literal["recording", "timing"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One column of the table of facts; the name includes the unit."""

    name: str
    kind: Kind
    meaning: str


FACTS: tuple[Fact, ...] = (
    Fact("peak_db", "recording", "largest absolute sample"),
    Fact("level_db", "recording", "root mean square"),
    Fact("dc_offset", "recording", "mean of the samples, full scale is 1"),
    Fact("clipped", "recording", "share of samples at full scale"),
    Fact("noise_floor_db", "recording", "10th percentile of the level of frames of 512 samples"),
    Fact("bandwidth_hz", "recording", "highest frequency within 60 dB of the strongest"),
    Fact(
        "decay_s",
        "recording",
        "reverberation: time for 60 dB at the steepest fall of the level; 0 if not measurable",
    ),
    Fact("zeros", "recording", "share of samples that are exactly 0"),
    Fact("flat", "recording", "share of samples that equal the one before"),
    Fact("duration_s", "timing", "length of what was decoded"),
    Fact("lead_s", "timing", "time before the first frame within 30 dB of the loudest"),
    Fact("tail_s", "timing", "time after the last frame within 30 dB of the loudest"),
)
"""The waveform facts in the order of the columns."""

COLUMN: dict[str, int] = {fact.name: column for column, fact in enumerate(FACTS)}


class AuditFacts(Featurizer):
    """The waveform facts of a clip as a matrix with one frame."""

    type: Literal["audit_facts"] = "audit_facts"

    pooling: Pooling = Flatten()
    """One frame is one row."""

    def extract(self, y: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        """Return the facts in the order of `FACTS` [shape=(n_facts, 1)], float32, finite."""
        n_samples = len(y)
        magnitude = np.abs(y)
        peak = float(magnitude.max())
        frames, levels = _frames(y)
        lead, tail = _silence(levels, n_samples)
        values = {
            "peak_db": _db(peak),
            "level_db": _db(float(np.sqrt(np.dot(y, y) / n_samples))),
            "dc_offset": float(y.sum(dtype=np.float64)) / n_samples,
            "clipped": _share(magnitude >= FULL_SCALE) if peak >= FULL_SCALE else 0.0,
            "noise_floor_db": _db(_tenth(levels)),
            "bandwidth_hz": _bandwidth(frames, sr),
            "decay_s": decay_seconds(y, sr),
            "zeros": 1.0 - np.count_nonzero(y) / n_samples,
            "flat": _share(np.abs(np.diff(_inside(y))) < _FLAT),
            "duration_s": n_samples / sr,
            "lead_s": lead / sr,
            "tail_s": tail / sr,
        }
        return np.array([[values[fact.name]] for fact in FACTS], dtype=np.float32)


def _db(amplitude: float) -> float:
    """Return an amplitude in dB of full scale, or the floor."""
    return max(FLOOR_DB, 20.0 * float(np.log10(max(amplitude, 1e-12))))


def _share(mask: NDArray[np.bool_]) -> float:
    return np.count_nonzero(mask) / len(mask) if len(mask) else 0.0


def _tenth(levels: Waveform) -> float:
    """Return the 10th percentile, which `np.quantile` computes in much more time."""
    place = 0.1 * (len(levels) - 1)
    low = int(place)
    high = min(low + 1, len(levels) - 1)
    below, above = np.partition(levels, (low, high))[[low, high]]
    step, share = above - below, np.float32(place - low)
    rest = np.float32(1.0 - (place - low))
    return float(above - step * rest if share >= 0.5 else below + step * share)


def _inside(y: Waveform) -> Waveform:
    """Return a clip without its edges, where resampling adds ringing."""
    return y[_EDGE:-_EDGE] if len(y) >= 8 * _EDGE else y


def _frames(y: Waveform) -> tuple[Waveform, Waveform]:
    """Return frames side by side, the last one padded, and their levels (RMS, linear)."""
    n_frames = -(-len(y) // _FRAME)
    padded = y
    if len(y) < n_frames * _FRAME:
        padded = np.zeros(n_frames * _FRAME, dtype=np.float32)
        padded[: len(y)] = y
    frames = padded.reshape(n_frames, _FRAME)
    powers = np.einsum("ij,ij->i", frames, frames)
    powers[:-1] /= _FRAME
    powers[-1] /= len(y) - (n_frames - 1) * _FRAME
    return frames, np.sqrt(powers)


def _silence(levels: Waveform, n_samples: int) -> tuple[int, int]:
    """Return the samples before and after the frames that are near the loudest."""
    loud = np.flatnonzero(levels >= levels.max() * 10.0 ** (-SILENCE_DB / 20.0))
    return int(loud[0]) * _FRAME, max(0, n_samples - (int(loud[-1]) + 1) * _FRAME)


def _bandwidth(frames: Waveform, sr: int) -> float:
    """Return the highest frequency with energy; 0 for silence.

    The last of several frames is left out, since the edge of its padding has all frequencies.
    """
    whole = frames[:-1] if len(frames) > 1 else frames
    chosen = whole[_spaced(len(whole))]
    chosen = chosen - chosen.mean(axis=1, keepdims=True)  # a constant offset is no sound
    spectra = np.fft.rfft(chosen * _WINDOW, axis=1)
    power = np.einsum("ij,ij->j", spectra.real, spectra.real)
    power += np.einsum("ij,ij->j", spectra.imag, spectra.imag)
    if power.max() < len(chosen) * (_FRAME / 4 * _FLAT) ** 2:
        return 0.0
    highest = np.flatnonzero(power >= power.max() * 10.0 ** (-BANDWIDTH_DB / 10.0))[-1]
    return min(sr / 2.0, (float(highest) + 0.5) * sr / _FRAME)


def decay_seconds(y: Waveform, sr: int) -> float:
    """Return the time for 60 dB at the steepest fall of the level over 84 ms; 0 if not measurable.

    It is so if the clip has fewer than 14 frames, no fall, or levels within `RANGE_DB`.
    """
    size = max(1, round(_DECAY_FRAME * sr))
    n_frames = (len(y) - 1) // size
    if n_frames < 2 * len(_SLOPE):
        return 0.0
    frames = np.diff(y[: n_frames * size + 1]).reshape(n_frames, size)
    powers = np.einsum("ij,ij->i", frames, frames)
    levels = 10.0 * np.log10(np.maximum(powers, size * np.float32(_FLAT**2)))
    loudest = float(levels.max())
    if loudest - _tenth(levels) < RANGE_DB:
        return 0.0
    slopes = np.convolve(levels, _SLOPE, "valid")
    fall = -float(slopes[levels[: len(slopes)] > loudest - _LOUD_DB].min(initial=0.0))
    return 60.0 * size / sr / fall if fall > 0.0 else 0.0


@lru_cache(maxsize=256)
def _spaced(n_frames: int) -> NDArray[np.intp]:
    return np.linspace(0, n_frames - 1, min(n_frames, _SPECTRA)).astype(np.intp)


FORMAT_FACTS = ("container", "subtype", "sr", "channels", "suffix", "chunks")


def read_formats(ledger: Iterable[LedgerRow]) -> dict[str, FileFormat]:
    """Return the format of each clip that could be read; files behind a URL are not read again."""
    chunks: dict[str, str] = {}
    formats = {}
    for row in ledger:
        if row.status == "ok" and row.info is not None:
            file: AudioSource = getattr(row.clip.source, "recording", row.clip.source)
            if file.name not in chunks:
                chunks[file.name] = _chunks_of(file)
            formats[row.clip.id] = _format(row.info, file.name, chunks[file.name])
    return formats


def _format(info: AudioInfo, name: str, chunks: str) -> FileFormat:
    suffix = PurePosixPath(name).suffix
    return FileFormat(info.container, info.subtype, info.sr, info.channels, suffix, chunks)


def _chunks_of(file: AudioSource) -> str:
    in_remote_zip = isinstance(file, ZipSource) and isinstance(file.member.archive, str)
    if in_remote_zip or isinstance(file, RemoteSource):
        return ""
    with file.open() as stream:
        return " ".join(chunk_ids(stream))


_MAX_CHUNKS = 64


def chunk_ids(stream: BinaryIO) -> tuple[str, ...]:
    r"""Return the ids of the chunks of a RIFF, RIFX, RF64 or FORM file, in order.

    There are at most 64, without padding, each printable. Files of other formats have no chunks.

    >>> import io
    >>> chunk_ids(io.BytesIO(b"RIFF----WAVEfmt \x02\0\0\0--data\0\0\0\0"))
    ('fmt', 'data')
    """
    stream.seek(0)
    head = stream.read(12)
    if head[:4] not in {b"RIFF", b"RIFX", b"RF64", b"FORM"}:
        return ()
    size_format = ">I" if head[:4] in {b"RIFX", b"FORM"} else "<I"
    ids: list[str] = []
    position = 12
    while len(ids) < _MAX_CHUNKS:
        stream.seek(position)
        chunk = stream.read(8)
        if len(chunk) < 8 or not all(32 <= byte < 127 for byte in chunk[:4]):
            break
        ids.append(chunk[:4].decode("ascii").strip())
        (size,) = struct.unpack(size_format, chunk[4:])
        position += 8 + size + size % 2
    return tuple(ids)
