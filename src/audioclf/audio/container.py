"""Audio format of a file by its content, and a check of its header.

Only WAV (RIFF, RIFX, RF64), FLAC, Ogg, AIFF and MP3 reach a decoder. libsndfile and libmpg123
accept more, guess and print, and a file's name is no evidence of its content.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from audioclf.audio.pcm import PcmLayout
from audioclf.audio.riff import check_aiff, check_wav
from audioclf.base.errors import DecodeError
from audioclf.base.limits import Limits, raised_by
from audioclf.dataset.signatures import HEAD_BYTES, hint_for, looks_like

_SUFFIXES = {
    ".wav": ("WAV", "RF64"),
    ".wave": ("WAV", "RF64"),
    ".rf64": ("WAV", "RF64"),
    ".flac": ("FLAC",),
    ".ogg": ("OGG",),
    ".oga": ("OGG",),
    ".opus": ("OGG",),
    ".aif": ("AIFF",),
    ".aiff": ("AIFF",),
    ".aifc": ("AIFF",),
    ".mp3": ("MP3",),
}
"""Containers by suffix of the file name."""

AUDIO_SUFFIXES = tuple(_SUFFIXES)
"""Suffixes of files that can be decoded, in lower case."""

_FEWEST_BYTES = 12

_BITRATES_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""kbit/s of MPEG-1 and of MPEG-2 and 2.5, layer III, from index 1 on."""
_SAMPLE_RATES = (44_100, 48_000, 32_000)


@dataclass(frozen=True, slots=True)
class Container:
    """Facts about a file that are known before it is decoded.

    Parameters
    ----------
    kind : str
        "WAV", "RF64", "FLAC", "OGG", "AIFF" or "MP3".
    start, size : int
        Where the format begins, after an ID3 tag, and where the file ends, in bytes.
    pcm : PcmLayout, optional
        Where the samples are, if no decoder is needed.
    warnings : tuple of str
        Oddities that are no reason to refuse the file.
    """

    kind: str
    start: int
    size: int
    pcm: PcmLayout | None
    warnings: tuple[str, ...]


def check_container(stream: BinaryIO, name: str, limits: Limits) -> Container:
    """Return the format of a file by its content, and check its header.

    Parameters
    ----------
    stream : binary stream
        Seekable, at any position.
    name : str
        Name of the file in messages; its suffix is compared with the content.
    limits : Limits

    Raises
    ------
    DecodeError
        If the file is of another format, is truncated, or has an impossible header.
    OSError
        If the stream cannot be read.
    """
    size = stream.seek(0, 2)
    if size < _FEWEST_BYTES:
        raise DecodeError(f"{name}: only {size} bytes, which is too short for audio")
    head = _head(stream, 0)
    start = _id3_size(head)
    if start:
        head = _head(stream, start)
    kind = _kind(stream, head, start, size)
    if kind is None:
        raise _not_audio(head, name, tagged=start > 0)
    pcm = _check(kind, stream, start, size, name, limits)
    return Container(kind, start, size, pcm, _mismatch(kind, name))


def check_format(sr: int, channels: int, name: str, limits: Limits) -> None:
    """Check a sample rate in Hz and a number of channels.

    Raises
    ------
    DecodeError
        If one of them is outside its limits.
    """
    if not limits.min_sr <= sr <= limits.max_sr:
        more = raised_by("max_sr" if sr > limits.max_sr else "min_sr")
        expected = f"{limits.min_sr}..{limits.max_sr} Hz"
        raise DecodeError(f"{name}: sample rate {sr} Hz is outside {expected}{more}")
    if not 1 <= channels <= limits.max_channels:
        more = raised_by("max_channels") if channels else ""
        raise DecodeError(f"{name}: {channels} channels (limit {limits.max_channels}){more}")


def _head(stream: BinaryIO, at: int) -> bytes:
    stream.seek(at)
    return stream.read(HEAD_BYTES)


def _id3_size(head: bytes) -> int:
    """Return the bytes of an ID3v2 tag, whose size field has 7 bits in each byte."""
    if head[:3] != b"ID3" or max(head[6:10]) > 127:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _kind(stream: BinaryIO, head: bytes, start: int, size: int) -> str | None:
    magic, form = head[:4], head[8:12]
    if magic == b"fLaC":
        return "FLAC"
    if _is_mp3(stream, head, start, size):
        return "MP3"
    if start:
        return None
    if magic in {b"RIFF", b"RIFX", b"RF64"} and form == b"WAVE":
        return "RF64" if magic == b"RF64" else "WAV"
    if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
        return "AIFF"
    return "OGG" if magic == b"OggS" else None


def _check(
    kind: str, stream: BinaryIO, start: int, size: int, name: str, limits: Limits
) -> PcmLayout | None:
    if kind in {"WAV", "RF64"}:
        header = check_wav(stream, size, name, limits)
        check_format(header.sr, header.channels, name, limits)
        return header.pcm
    if kind == "AIFF":
        check_aiff(stream, size, name, limits)
    elif kind == "OGG":
        _check_ogg(stream, name)
    elif kind == "MP3":
        _check_mp3(_head(stream, start), size - start, name)
    return None


def _not_audio(head: bytes, name: str, *, tagged: bool) -> DecodeError:
    kind = looks_like(head)
    if tagged and head[:4] in {b"RIFF", b"RIFX", b"RF64", b"OggS", b"FORM"}:
        kind = "an ID3 tag in front of another format, which only FLAC and MP3 may have"
    guess = f" (looks like {kind})" if kind else ""
    return DecodeError(
        f"{name}: not WAV/FLAC/OGG/AIFF/MP3 audio{guess}",
        hint=hint_for(head) or "Convert it to WAV or FLAC, or remove it.",
    )


def _mismatch(kind: str, name: str) -> tuple[str, ...]:
    suffix = PurePosixPath(name).suffix.lower()
    if kind in _SUFFIXES.get(suffix, (kind,)):
        return ()
    return (f"{kind} data in a file named {suffix}",)


def _is_mp3(stream: BinaryIO, head: bytes, start: int, size: int) -> bool:
    """Return whether a frame of MPEG audio, layer III, is followed by another or by the end.

    One frame alone is eleven bits, which any file may begin with.
    """
    length = _mp3_frame_bytes(head)
    if length is None or start + length > size:
        return False
    if start + length + 4 > size:
        return True
    stream.seek(start + length)
    return _mp3_frame_bytes(stream.read(4)) is not None


def _mp3_frame_bytes(head: bytes) -> int | None:
    """Return the length of the frame with this header (ISO 11172-3, 2.4.1.3), or None."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer != 1 or bitrate in {0, 15} or rate == 3:
        return None
    kbits = (_BITRATES_1 if version == 3 else _BITRATES_2)[bitrate - 1]
    sr = _SAMPLE_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return (144_000 if version == 3 else 72_000) * kbits // sr + (head[2] >> 1 & 1)


_OGG_PAGES = 200_000
"""Maximum number of pages to check; a page has at most 64 KiB, usually 4 KiB."""


def _check_ogg(stream: BinaryIO, name: str) -> None:
    """Refuse streams in sequence (RFC 3533, 4): decoders read the first and stop."""
    at, playing = 0, False
    for _ in range(_OGG_PAGES):
        page = _ogg_page(stream, at)
        if page is None:
            return
        begins, at = page
        if begins and playing:
            raise DecodeError(
                f"{name}: several Ogg streams in sequence, of which only the first would be read",
                hint="Write them into one stream or into files of their own.",
            )
        playing = not begins


def _ogg_page(stream: BinaryIO, at: int) -> tuple[bool, int] | None:
    """Return whether a page begins a stream, and where it ends."""
    stream.seek(at)
    head = stream.read(27)
    if len(head) < 27 or head[:4] != b"OggS":
        return None
    lengths = stream.read(head[26])
    return bool(head[5] & 2), at + 27 + len(lengths) + sum(lengths)


def _check_mp3(head: bytes, held: int, name: str) -> None:
    """Compare the size in the Xing or Info header, if there is one, with the file."""
    at = max(head.find(b"Xing", 0, 64), head.find(b"Info", 0, 64))
    if at < 0 or len(head) < at + 16:
        return
    flags, first, second = struct.unpack_from(">3I", head, at + 4)
    declared = (second if flags & 1 else first) if flags & 2 else 0
    if declared - held > declared // 100:
        raise DecodeError(
            f"{name}: truncated: header says {declared} bytes of audio, file holds {held}"
        )
