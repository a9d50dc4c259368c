"""The audio of one file, decoded from its start.

Decoders of AAC and Opus carry state from packet to packet, such as the noise that AAC fills bands
with, so a decoder that begins elsewhere gives other samples. Therefore a part is decoded from the
start of the file, and read in order it costs nothing more.

The number of samples comes from the header (MP4), or from the packets without decoding them (AAC,
MP3, Opus). In other formats the sound is decoded once to count it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import av.error
import av.logging
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Block = NDArray[np.float32]

av.logging.set_level(None)

_SCALES = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}
"""Full scale of FFmpeg's sample formats."""
_OPUS_RATE = 48_000
_OPUS_MS = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4
"""Length of a frame in ms by the upper five bits of the first byte (RFC 6716, 3.1)."""

_SEGMENT = b"\x18\x53\x80\x67"
_UNKNOWN_SIZES = 0x7FFF_F000
"""From here on, a size of 32 bits is what recorders leave until they are closed."""


class AvFile:
    """One open file, by FFmpeg's name of its format.

    ValueError without a file name if there is no audio, or it is damaged.
    """

    _container: Any = None

    def __init__(self, stream: BinaryIO, demuxer: str) -> None:
        self._stream, self._demuxer = stream, demuxer
        self.sr = self.channels = self._longest = self._position = 0
        self._rest: Block = np.empty((0, 0), np.float32)
        with _translated():
            check_size(stream, demuxer)
            self._begin()
            if next(self._blocks, None) is None:
                raise ValueError("there is no sound in it")
            self.subtype = str(self._audio.codec_context.codec.name).upper()
            count = len(self._container.streams.audio)
            self.warnings: tuple[str, ...] = ()
            if count > 1:
                self.warnings = (f"{count} audio tracks, of which one is read",)
            self.frames = self._counted()
            self._begin()

    def close(self) -> None:
        """Close the container; the stream stays open."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def read(self, start: int, count: int) -> Block:
        """Return frames `start` to `start + count` [shape=(n_frames, channels), float32]."""
        with _translated():
            if start < self._position:
                self._begin()
            blocks: list[Block] = []
            wanted = start + count
            while self._position < wanted:
                if not len(self._rest):
                    following = next(self._blocks, None)
                    if following is None:
                        self._check_end()
                        break
                    self._rest = following
                skipped = min(max(0, start - self._position), len(self._rest))
                taken = min(wanted - self._position, len(self._rest))
                blocks.append(self._rest[skipped:taken])
                self._rest = self._rest[taken:]
                self._position += taken
            return np.concatenate([np.empty((0, self.channels), np.float32), *blocks])

    def _check_end(self) -> None:
        """Refuse a file that lacks more than the last packet."""
        if self.frames - self._position > self._longest:
            raise ValueError(
                f"truncated: header says {self.frames} frames of audio, file holds {self._position}"
            )

    def _begin(self) -> None:
        """Go to the start of the file, with a new decoder."""
        self.close()
        self._stream.seek(0)
        try:
            self._container = av.open(self._stream, format=self._demuxer, metadata_errors="replace")
        except av.error.InvalidDataError as exc:
            raise ValueError("its header is damaged or missing: the file may be cut off") from exc
        self._audio = self._container.streams.best("audio")
        if self._audio is None or self._audio.codec_context is None:
            raise ValueError("there is no audio track that can be decoded")
        self._audio.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
        self._blocks = self._decoded()
        self._rest = np.empty((0, self.channels), np.float32)
        self._position = 0

    def _decoded(self) -> Iterator[Block]:
        for packet in self._container.demux(self._audio):
            if packet.is_corrupt:
                raise ValueError("a packet is cut off or damaged")
            for frame in packet.decode():
                yield self._converted(frame)

    def _converted(self, frame: Any) -> Block:
        """Return the samples of a frame [shape=(n_frames, channels)], full scale 1."""
        channels = len(frame.layout.channels)
        if not self.sr:
            self.sr, self.channels = frame.sample_rate, channels
        if (frame.sample_rate, channels) != (self.sr, self.channels):
            raise ValueError("its sample rate or number of channels changes within the file")
        name = frame.format.name
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
        scale = _SCALES[name.removesuffix("p")]
        self._longest = max(self._longest, len(samples))
        if name.startswith("u8"):
            samples = samples.astype(np.float32) - np.float32(128.0)
        if scale == 1.0:
            return np.ascontiguousarray(samples, dtype=np.float32)
        return np.ascontiguousarray(samples, dtype=np.float32) * np.float32(1.0 / scale)

    def _counted(self) -> int:
        """Return the number of samples of each channel."""
        declared = self._declared()
        if declared is not None:
            return declared
        per_packet = self._per_packet()
        self._begin()
        if per_packet is None:
            return sum(map(len, self._blocks))
        total = start = end = 0
        for packet in self._container.demux(self._audio):
            if packet.size:
                total += per_packet(packet)
                skipped = _skipped(packet)
                start, end = start + skipped[0], end + skipped[1]
        if per_packet is _opus_samples:  # not all versions of FFmpeg mark the first packet
            start = int.from_bytes(self._audio.codec_context.extradata[10:12], "little")
        return max(0, total - start - end)

    def _declared(self) -> int | None:
        """Return the length of an MP4 file by its edit list, if that counts samples."""
        if self._demuxer != "mov" or not self._audio.duration:
            return None
        per_tick = self._audio.time_base * self.sr
        if per_tick.denominator != 1 or not len(self._audio.index_entries):
            return None
        return int(Fraction(self._audio.duration) * per_tick)

    def _per_packet(self) -> Any:
        """Return a function from a packet to its samples; None if its decoding alone tells."""
        codec, size = self._audio.codec_context.codec.name, self._audio.codec_context.frame_size
        if codec == "opus":
            return _opus_samples
        if codec in {"aac", "mp3", "mp3float"} and size and size == self._longest:
            return lambda packet: size
        return None


def _opus_samples(packet: Any) -> int:
    """Return the samples in a packet of Opus at 48 kHz."""
    data = bytes(packet)
    code = data[0] & 3
    frames = (1, 2, 2, data[1] & 63 if len(data) > 1 else 0)[code]
    return round(frames * _OPUS_MS[data[0] >> 3] * _OPUS_RATE / 1000)


def _skipped(packet: Any) -> tuple[int, int]:
    """Return the samples at both ends of a packet that are an encoder's priming or padding."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    start, end = struct.unpack_from("<II", bytes(packet.get_sidedata("skip_samples")))
    return start, end


def check_size(stream: BinaryIO, demuxer: str) -> None:
    """Refuse an MP4, Matroska or AVI file that is shorter than its header says (ValueError)."""
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(4096)
    ends = {"avi": _end_of_avi, "matroska": _end_of_matroska}
    end = _end_of_mp4(stream, size) if demuxer == "mov" else ends.get(demuxer, len)(head)
    if end > size:
        raise ValueError(f"truncated: header says {end} bytes, file holds {size}")


def _end_of_mp4(stream: BinaryIO, size: int) -> int:
    """Return where the last box ends (ISO 14496-12, 4.2): 0 if it has no size."""
    at = 0
    while at + 8 <= size:
        stream.seek(at)
        head = stream.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:
            return 0
        at += length
    return at


def _end_of_avi(head: bytes) -> int:
    size = int.from_bytes(head[4:8], "little")
    return 8 + size if size < _UNKNOWN_SIZES else 0


def _end_of_matroska(head: bytes) -> int:
    """Return where the segment ends (RFC 9559, 5.1; RFC 8794, 4): 0 if a writer could not seek."""
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or at + 8 > len(head) or not head[at]:
        return 0
    length = 9 - head[at].bit_length()
    ones = (1 << 7 * length) - 1
    size = int.from_bytes(head[at : at + length], "big") & ones
    return 0 if size == ones else at + length + size


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as exc:
        if isinstance(exc, MemoryError):
            raise
        # FFmpeg's other numbers and texts, such as `Operation not permitted`, mislead here.
        unknown = isinstance(exc, av.error.PatchWelcomeError)
        text = "it uses a feature that FFmpeg does not decode" if unknown else "damaged data"
        raise ValueError(text) from exc
