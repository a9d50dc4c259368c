"""Chunks of WAV and AIFF files, compared with the size of the file.

Decoders stop at the end of the file without an error: a recording truncated by a full disk becomes
a shorter clip. Here the sizes must agree, except for harmless deviations: a size that a program
could not seek back to fill in, a missing pad byte, anything after the audio.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from audioclf.audio.pcm import SAMPLE_BYTES, PcmLayout
from audioclf.base.errors import DecodeError
from audioclf.base.limits import DEFAULT_LIMITS, Limits, raised_by

_FIRST_CHUNK = 12
_NAMED = 64
_IN_DS64 = 0xFFFFFFFF
_TO_THE_END = frozenset({0xFFFFFFFF, 0x7FFFF000})
"""Sizes that ffmpeg and SoX write when they cannot seek back: the audio goes on to the end."""
_PLACEHOLDERS = (range(0x7FFF_F000, 0x8000_1000), range(0xFFFF_F000, 0x1_0000_0000))
"""The greatest sizes, less or more a header, that other recorders leave until they are closed."""
_HEADER_BYTES = frozenset({36, 44})
"""Bytes of the usual WAV header, without and with the 8 bytes in front of the RIFF size."""
_NOT_A_SIZE = 1 << 48
"""From this many bytes on, a 64-bit size is a placeholder too."""

_W64_PADDING = 8

_FMT = "HHIIHH"
"""Format tag, channels, sample rate, bytes per second, bytes per frame, bits per sample."""
_FMT_BYTES, _EXTENSIBLE_BYTES = 16, 40
_EXTENSIBLE = 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_ALIGNMENT_BYTES = 1 << 20
_SUBTYPES = {(1, 16): "PCM_16", (1, 24): "PCM_24", (1, 32): "PCM_32", (3, 32): "FLOAT"}
"""Kinds of samples that `pcm` reads, by format tag and bits per sample."""


_CODECS = {
    0x01: "PCM",
    0x02: "MS ADPCM",
    0x03: "float",
    0x06: "A-law",
    0x07: "u-law",
    0x11: "IMA ADPCM",
    0x22: "TrueSpeech",
    0x31: "GSM 6.10",
    0x40: "G.721",
    0x45: "G.726",
    0x50: "MPEG layer II",
    0x55: "MP3",
    0xFF: "AAC",
    0x161: "WMA",
    0x2000: "AC-3",
    0x674F: "Ogg Vorbis",
    0xF1AC: "FLAC",
}
"""Names of codecs by format tag (RFC 2361, and Microsoft's mmreg.h)."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """Sample rate in Hz, channels, where the samples are if `pcm` reads their kind, and codec.

    `chunks` are the identifiers of at most 64 chunks, in order, with spaces between.
    """

    sr: int
    channels: int
    pcm: PcmLayout | None
    codec: str = "PCM"
    chunks: str = ""


def check_wav(stream: BinaryIO, size: int, name: str, limits: Limits) -> WavHeader:
    """Check the chunks of a RIFF, RIFX or RF64 file of `size` bytes and return its header.

    It is a DecodeError if there is no or more than one `fmt ` or `data` chunk, if there are too
    many chunks, or if the audio is shorter than the header says.
    """
    file = _File(stream, size, name, limits, "<")
    if file.bytes_at(0, 4) == b"RIFX":
        file = _File(stream, size, name, limits, ">")
    chunks = _up_to_data(file)
    head = {chunk.id: chunk for chunk in chunks}
    fmt, data = head.get(b"fmt "), head.get(b"data")
    if data is None:
        raise file.error("no 'data' chunk, so no audio")
    if fmt is None:
        raise file.error("no 'fmt ' chunk before the audio")
    length = _data_bytes(file, data, head.get(b"ds64"))
    for chunk in file.chunks(file.after(data.start + length, length)):
        if chunk.id == b"data":
            raise file.error("two 'data' chunks, where a WAV file has one")
        chunks.append(chunk)
    return _header(file, fmt, data.start, length, _names(chunks))


def check_aiff(stream: BinaryIO, size: int, name: str, limits: Limits) -> str:
    """Check the chunks of an AIFF or AIFF-C file, and return their identifiers as `WavHeader` does.

    It is a DecodeError if there is no `COMM` or `SSND` chunk, if there are too many chunks, or if
    the audio is shorter than the header says.
    """
    file = _File(stream, size, name, limits, ">")
    chunks = []
    for chunk in file.chunks(_FIRST_CHUNK):
        chunks.append(chunk)
        held = size - chunk.start
        if chunk.id == b"SSND" and not _means_to_the_end(chunk.size, held, chunk.start):
            _check_held(file, chunk.size, held)
    for ident in (b"SSND", b"COMM"):
        if all(chunk.id != ident for chunk in chunks):
            raise file.error(f"no '{ident.decode()}' chunk, which AIFF audio needs")
    return _names(chunks)


def chunks_of(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield identifier, start and size of the chunks of a RIFF or RF64 file; none of others."""
    size = stream.seek(0, 2)
    file = _File(stream, size, "", DEFAULT_LIMITS, "<")
    if file.bytes_at(0, 4) in {b"RIFF", b"RF64", b"BW64"}:
        yield from ((chunk.id, chunk.start, chunk.size) for chunk in file.chunks(_FIRST_CHUNK))


@dataclass(frozen=True, slots=True)
class _Chunk:
    id: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _File:
    stream: BinaryIO
    size: int
    name: str
    limits: Limits
    order: str

    def error(self, message: str, *, hint: str | None = None) -> DecodeError:
        return DecodeError(f"{self.name}: {message}", hint=hint)

    def bytes_at(self, at: int, count: int) -> bytes:
        self.stream.seek(at)
        return self.stream.read(count)

    def chunks(self, at: int) -> Iterator[_Chunk]:
        """Yield each chunk until the file ends or something else begins."""
        count = 0
        while True:
            head = self.bytes_at(at, 8)
            if len(head) < 8 or not _is_id(head[:4]):
                return
            count += 1
            if count > self.limits.max_chunks:
                more = raised_by("max_chunks")
                raise self.error(f"more than {self.limits.max_chunks} chunks{more}")
            ident, size = struct.unpack(f"{self.order}4sI", head)
            yield _Chunk(ident, at + 8, size)
            at = self.after(at + 8 + size, size)

    def after(self, end: int, size: int) -> int:
        """Return where the next chunk begins: some writers do not pad an odd size."""
        if size % 2 == 0:
            return end
        peek = self.bytes_at(end, 5)
        return end if _is_id(peek[:4]) and not _is_id(peek[1:]) else end + 1


def _is_id(ident: bytes) -> bool:
    return len(ident) == 4 and all(32 <= byte < 127 for byte in ident)


def _names(chunks: Sequence[_Chunk]) -> str:
    return " ".join(chunk.id.decode("ascii").strip() for chunk in chunks[:_NAMED])


def _up_to_data(file: _File) -> list[_Chunk]:
    chunks: list[_Chunk] = []
    for chunk in file.chunks(_FIRST_CHUNK):
        if chunk.id == b"fmt " and any(each.id == chunk.id for each in chunks):
            raise file.error("two 'fmt ' chunks, where a WAV file has one")
        chunks.append(chunk)
        if chunk.id == b"data":
            break
    return chunks


def _data_bytes(file: _File, data: _Chunk, ds64: _Chunk | None) -> int:
    """Return the number of bytes of audio, unless the file holds fewer than its header says."""
    held = file.size - data.start
    declared = data.size
    if declared == _IN_DS64 and ds64 is not None:
        declared = int.from_bytes(file.bytes_at(ds64.start + 8, 8), "little")
    if declared in _TO_THE_END or declared >= _NOT_A_SIZE:
        return held
    if declared == 0 and held and not _only_chunks(file, data.start):
        raise file.error(
            f"unfinished recording? its header says 0 bytes of audio, {held} follow",
            hint="Repair the header, for example with `sox --ignore-length in.wav out.wav`.",
        )
    if _means_to_the_end(declared, held, data.start):
        return held
    _check_held(file, declared, held)
    if data.size != _IN_DS64 and held - declared > _IN_DS64:
        raise file.error(
            f"its header says {declared} bytes of audio, and {held} follow, more than such a "
            "header can say",
            hint="Write it anew as RF64 or FLAC, for example with `sox --ignore-length`.",
        )
    return declared


def _means_to_the_end(declared: int, held: int, start: int) -> bool:
    """Return whether a size beyond the end is a placeholder, or counts the header too."""
    if declared in _TO_THE_END:
        return True
    if declared <= held:
        return False
    in_front = declared - held
    counts_header = in_front in _HEADER_BYTES or in_front in {start, start - 8}
    return counts_header or any(declared in sizes for sizes in _PLACEHOLDERS)


def _only_chunks(file: _File, at: int) -> bool:
    for chunk in file.chunks(at):
        at = chunk.start + chunk.size
    return abs(file.size - at) <= 1


def _check_held(file: _File, declared: int, held: int) -> None:
    if declared > held:
        raise file.error(f"truncated: header says {declared} bytes of audio, file holds {held}")


def _header(file: _File, fmt: _Chunk, start: int, length: int, chunks: str) -> WavHeader:
    body = file.bytes_at(fmt.start, min(fmt.size, _EXTENSIBLE_BYTES))
    if len(body) < _FMT_BYTES:
        raise file.error(f"'fmt ' chunk of {len(body)} bytes, where {_FMT_BYTES} are needed")
    tag, channels, sr, _, frame_bytes, bits = struct.unpack_from(file.order + _FMT, body)
    valid_bits = bits
    if tag == _EXTENSIBLE and len(body) == _EXTENSIBLE_BYTES and body[26:] == _GUID_TAIL:
        valid_bits, subformat = struct.unpack_from(f"{file.order}H4xH", body, 18)
        padded = (bits, valid_bits) == (32, 24)
        tag = subformat if valid_bits in {0, bits} or padded else _EXTENSIBLE
    codec = _CODECS.get(tag, f"format {tag:#06x}")
    subtype = _SUBTYPES.get((tag, bits)) if file.order == "<" and channels else None
    if tag == 1 and 24 in {bits, valid_bits} and frame_bytes == 4 * channels:
        raw = file.bytes_at(start, min(length, _ALIGNMENT_BYTES))
        subtype = _alignment_of_24_bits(raw, bits) if subtype else None
    if subtype is None or frame_bytes != channels * SAMPLE_BYTES[subtype]:
        return WavHeader(sr, channels, None, codec, chunks)
    pcm = PcmLayout(subtype, sr, channels, start, length // frame_bytes)
    return WavHeader(sr, channels, pcm, codec, chunks)


def check_w64(stream: BinaryIO, size: int, name: str) -> None:
    """Refuse a Wave64 file that is shorter than its header says (DecodeError)."""
    stream.seek(16)
    declared = int.from_bytes(stream.read(8), "little")
    if size + _W64_PADDING < declared < _NOT_A_SIZE:
        raise DecodeError(f"{name}: truncated: header says {declared} bytes, file holds {size}")


def _alignment_of_24_bits(raw: bytes, bits: int) -> str:
    """Return the kind of 24-bit samples in four bytes each.

    The standard puts them into the upper three bytes, above zero, and calls them 32 bits of which
    24 are valid. ALSA (S24_LE) puts them into the lower three, below the sign, zero or anything.
    """
    in_bytes = np.frombuffer(raw[: len(raw) // 4 * 4], np.uint8).reshape(-1, 4)
    lowest, upper, top = in_bytes[:, 0], in_bytes[:, 2], in_bytes[:, 3]
    if not top.any() or bool((top == np.where(upper & 0x80, 0xFF, 0)).all()):
        return "PCM_24_LOW"
    return "PCM_32" if bits == 32 or not lowest.any() else "PCM_24_LOW"
