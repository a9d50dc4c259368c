"""Audio files and zip archives built byte by byte, so that each may lie where a test wants it."""

import hashlib
import io
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from audioclf.dataset.sources import AudioSource

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


@dataclass(frozen=True)
class MemorySource(AudioSource):
    """Bytes as a clip."""

    data: bytes
    file_name: str = "clip.wav"

    @property
    def name(self) -> str:
        return self.file_name

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def noise(frames: int = 4000, channels: int = 1, seed: int = 0) -> NDArray[np.float64]:
    """Return noise in [-0.5, 0.5], shape (frames, channels)."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))


def encoded(
    container: str, subtype: str, y: NDArray[Any] | None = None, sr: int = 16_000, **options: Any
) -> bytes:
    """Return a sound file as libsndfile writes it."""
    buffer = io.BytesIO()
    y = noise() if y is None else y
    soundfile.write(buffer, y, sr, format=container, subtype=subtype, **options)
    return buffer.getvalue()


def chunk(ident: bytes, body: bytes, *, size: int | None = None, order: str = "<") -> bytes:
    """Return a RIFF chunk, with its pad byte, whose size field may lie."""
    pad = b"\0" * (len(body) % 2)
    return ident + struct.pack(f"{order}I", len(body) if size is None else size) + body + pad


def fmt(
    *,
    tag: int = PCM,
    channels: int = 1,
    sr: int = 16_000,
    bits: int = 16,
    frame_bytes: int | None = None,
    extra: bytes = b"",
    order: str = "<",
) -> bytes:
    """Return a `fmt ` chunk."""
    if frame_bytes is None:
        frame_bytes = channels * bits // 8
    rate = min(sr * frame_bytes, 0xFFFFFFFF)
    fields = (tag, channels, sr, rate, frame_bytes & 0xFFFF, bits)
    return chunk(b"fmt ", struct.pack(f"{order}HHIIHH", *fields) + extra, order=order)


def riff(*chunks: bytes, magic: bytes = b"RIFF", form: bytes = b"WAVE", order: str = "<") -> bytes:
    """Return a RIFF file of these chunks."""
    body = form + b"".join(chunks)
    return magic + struct.pack(f"{order}I", min(len(body), 0xFFFFFFFF)) + body


def wav(audio: bytes | None = None, *, data_size: int | None = None, **fields: Any) -> bytes:
    """Return a WAV file of 16-bit noise, or of these bytes of audio."""
    audio = pcm16() if audio is None else audio
    return riff(fmt(**fields), chunk(b"data", audio, size=data_size))


def pcm16(frames: int = 4000, channels: int = 1, seed: int = 0) -> bytes:
    """Return interleaved 16-bit noise."""
    return (noise(frames, channels, seed) * 32767).astype("<i2").tobytes()


def float_wav(samples: Iterable[float], *, bits: int = 32) -> bytes:
    """Return a WAV file of these floats."""
    audio = np.asarray(list(samples), dtype=f"<f{bits // 8}").tobytes()
    return wav(audio, tag=FLOAT, bits=bits)


def rf64(data_size: int, audio: bytes | None = None, *, samples: int = 0) -> bytes:
    """Return an RF64 file whose `ds64` chunk says that there are `data_size` bytes of audio."""
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, data_size, samples, 0))
    data = chunk(b"data", pcm16() if audio is None else audio, size=0xFFFFFFFF)
    return riff(ds64, fmt(), data, magic=b"RF64")


def id3(body: bytes) -> bytes:
    """Return an ID3v2.3 tag around this body."""
    length = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + length + body


@dataclass(frozen=True)
class Entry:
    """One entry of a zip, each field of which may contradict the others.

    What is None follows from the data: stored if `method` is 0, else deflated.
    """

    name: bytes
    data: bytes = b"data"
    method: int = 0
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    attributes: int = 0
    offset: int | None = None
    local_name: bytes | None = None
    extra: bytes = b""

    @property
    def packed(self) -> bytes:
        return self.data if self.method == 0 else deflated(self.data)

    @property
    def fields(self) -> tuple[int, int, int]:
        """CRC-32, packed size and size, as both headers say them."""
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed_size = len(self.packed) if self.packed_size is None else self.packed_size
        return crc, packed_size, len(self.data) if self.size is None else self.size

    def local(self) -> bytes:
        name = self.name if self.local_name is None else self.local_name
        fields = (b"PK\3\4", 20, self.flags, self.method, 0, 33, *self.fields, len(name), 0)
        return struct.pack("<4s5H3I2H", *fields) + name + self.packed

    def central(self, offset: int) -> bytes:
        head = (b"PK\1\2", 0x0314, 20, self.flags, self.method, 0, 33, *self.fields)
        tail = (len(self.name), len(self.extra), 0, 0, 0, self.attributes)
        at = offset if self.offset is None else self.offset
        return struct.pack("<4s6H3I5HII", *head, *tail, at) + self.name + self.extra


def zip_of(*entries: Entry) -> bytes:
    """Return a zip archive of these entries."""
    body, directory = b"", b""
    for entry in entries:
        directory += entry.central(len(body))
        body += entry.local()
    count = len(entries)
    sizes = (0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + struct.pack("<4H2IH", *sizes)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
