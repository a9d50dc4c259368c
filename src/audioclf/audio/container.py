"""Audio format of a file by its content, and a check of its header.

Only WAV (RIFF, RIFX, RF64), FLAC, Ogg, AIFF and MP3 reach a decoder. libsndfile and libmpg123
accept more, guess and print, and a file's name is no evidence of its content.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from posixpath import splitext
from typing import BinaryIO

from audioclf.audio.mpeg import FrameIndex, find_first_frame, index_frames
from audioclf.audio.ogg import OggPages, check_ogg
from audioclf.audio.pcm import PcmLayout
from audioclf.audio.riff import check_aiff, check_w64, check_wav
from audioclf.base.errors import DecodeError
from audioclf.base.limits import Limits, raised_by
from audioclf.dataset.decoders import Decoder, decoder_for
from audioclf.dataset.path_labels import AUDIO_SUFFIXES
from audioclf.dataset.signatures import (
    HEAD_BYTES,
    ZEROS,
    by_plugin,
    conversion_hint,
    hint_for,
    looks_like,
)

_SUFFIXES = {
    "WAV": (".wav", ".wave", ".rf64"),
    "RF64": (".wav", ".wave", ".rf64"),
    "W64": (".w64",),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "AIFF": (".aif", ".aiff", ".aifc"),
    "MP3": (".mp3",),
}
"""Suffixes of file names by container."""

_FEWEST_BYTES = 12
_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_CONTAINERS = frozenset({b"RIFF", b"RIFX", b"RF64", b"BW64", b"OggS", b"FORM"})
_APE_HEADER_BYTES = 32
_NO_END = "the Ogg stream has no last page: the file may be cut off"


@dataclass(frozen=True, slots=True)
class Container:
    """Facts about a file that are known before it is decoded.

    `kind` is "WAV", "RF64", "W64", "FLAC", "OGG", "AIFF" or "MP3"; the format begins at byte
    `start`, after an ID3 tag, and the file ends at byte `size`. `pcm` is given if no decoder is
    needed; `warnings` are oddities that are no reason to refuse the file; `chunks` are those of a
    WAV or AIFF file.
    """

    kind: str
    start: int
    size: int
    pcm: PcmLayout | None
    warnings: tuple[str, ...]
    frames: FrameIndex | None = None
    pages: OggPages | None = None
    decoder: Decoder | None = None
    codec: str = ""
    chunks: str = ""


def check_container(stream: BinaryIO, name: str, limits: Limits) -> Container:
    """Return the format of a file by its content, and check its header.

    The suffix of `name` is compared with the content. A file of another format, a truncated one, or
    one with an impossible header is a DecodeError.
    """
    size = stream.seek(0, 2)
    if size < _FEWEST_BYTES:
        raise DecodeError(f"{name}: only {size} bytes, which is too short for audio")
    start = _behind_tags(stream, size)
    stream.seek(start)
    head = stream.read(HEAD_BYTES)
    found = _kind(stream, head, start, size)
    if found is None:
        return _of_a_decoder(head, size, name, tagged=start > 0)
    kind, start = found
    container = Container(kind, start, size, None, name_remarks(kind, name))
    return _check(container, stream, name, limits)


def check_format(sr: int, channels: int, name: str, limits: Limits) -> None:
    """Check a sample rate in Hz and a number of channels (DecodeError)."""
    if not limits.min_sr <= sr <= limits.max_sr:
        more = raised_by("max_sr" if sr > limits.max_sr else "min_sr")
        expected = f"{limits.min_sr}..{limits.max_sr} Hz"
        raise DecodeError(f"{name}: sample rate {sr} Hz is outside {expected}{more}")
    if not 1 <= channels <= limits.max_channels:
        more = raised_by("max_channels") if channels else ""
        raise DecodeError(f"{name}: {channels} channels (limit {limits.max_channels}){more}")


def _behind_tags(stream: BinaryIO, size: int) -> int:
    """Return where the ID3v2 and APE tags in front of the audio end."""
    start = 0
    while start < size:
        stream.seek(start)
        head = stream.read(HEAD_BYTES)
        tag = _id3_size(head) or _ape_size(head)
        if not tag:
            break
        start += tag
    return start


def _id3_size(head: bytes) -> int:
    """Return the bytes of an ID3v2 tag, whose size field has 7 bits in each byte."""
    if head[:3] != b"ID3" or max(head[6:10]) > 127:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _ape_size(head: bytes) -> int:
    """Return the bytes of an APE tag; some writers count a footer that is not there."""
    if head[:8] != b"APETAGEX" or len(head) < _APE_HEADER_BYTES:
        return 0
    size, items = struct.unpack_from("<2I", head, 12)
    return _APE_HEADER_BYTES + (size if items else 0)


def _kind(stream: BinaryIO, head: bytes, start: int, size: int) -> tuple[str, int] | None:
    """Return the format, and where it begins."""
    magic, form = head[:4], head[8:12]
    if magic == b"fLaC":
        return "FLAC", start
    if head.startswith(_W64) and not start:
        return "W64", 0
    first = find_first_frame(stream, start, size)
    if first is not None:
        return "MP3", first
    if not start:
        if magic in {b"RIFF", b"RIFX", b"RF64", b"BW64"} and form == b"WAVE":
            return "RF64" if magic in {b"RF64", b"BW64"} else "WAV", 0
        if magic == b"FORM" and form in {b"AIFF", b"AIFC"}:
            return "AIFF", 0
        if magic == b"OggS":
            return "OGG", 0
    if magic in _CONTAINERS or magic[:3] == b"ID3" or looks_like(head) not in {None, ZEROS}:
        return None
    first = find_first_frame(stream, start, size, behind_junk=True)
    return None if first is None else ("MP3", first)


def _check(container: Container, stream: BinaryIO, name: str, limits: Limits) -> Container:
    """Return the container with the facts from its header."""
    kind, start, size = container.kind, container.start, container.size
    if kind in {"WAV", "RF64"}:
        header = check_wav(stream, size, name, limits)
        check_format(header.sr, header.channels, name, limits)
        return Container(
            kind,
            start,
            size,
            header.pcm,
            container.warnings,
            codec=header.codec,
            chunks=header.chunks,
        )
    if kind == "W64":
        check_w64(stream, size, name)
    elif kind == "AIFF":
        return replace(container, chunks=check_aiff(stream, size, name, limits))
    elif kind == "OGG":
        pages = check_ogg(stream, size, name)
        cut = () if pages is None or pages.ended else (_NO_END,)
        return replace(container, pages=pages, warnings=container.warnings + cut)
    elif kind == "MP3":
        frames = index_frames(stream, start, size)
        _check_mp3(frames, size - start, name)
        warnings = (*container.warnings, *frames.warnings())
        return replace(container, frames=frames, warnings=warnings)
    return container


def _of_a_decoder(head: bytes, size: int, name: str, *, tagged: bool) -> Container:
    """Return the container of a format that a plugin decodes (DecodeError)."""
    found = decoder_for(head)
    if found is None:
        raise _not_audio(head, name, tagged=tagged)
    decoder, kind = found
    return Container(kind, 0, size, None, name_remarks(kind, name), decoder=decoder)


def _not_audio(head: bytes, name: str, *, tagged: bool) -> DecodeError:
    kind = looks_like(head)
    if tagged and head[:4] in _CONTAINERS:
        kind = "an ID3 tag in front of another format, which only FLAC and MP3 may have"
    guess = f" (looks like {kind}{by_plugin(head)})" if kind else ""
    return DecodeError(
        f"{name}: not WAV/FLAC/OGG/AIFF/MP3 audio{guess}",
        hint=hint_for(head) or conversion_hint(head),
    )


def name_remarks(kind: str, name: str) -> tuple[str, ...]:
    """Return the warning about a file whose suffix is that of another format, if it is."""
    suffix = splitext(name)[1].lower()  # a path object takes ten times as long, for each clip
    if suffix in _SUFFIXES.get(kind, ()) or suffix not in AUDIO_SUFFIXES:
        return ()
    return (f"{kind} data in a file named {suffix}",)


def _check_mp3(frames: FrameIndex, held: int, name: str) -> None:
    """Compare the size in the Xing, Info or VBRI header, if there is one, with the file."""
    declared = 0 if frames.info is None else frames.info.size or 0
    if declared - held > declared // 100:
        raise DecodeError(
            f"{name}: truncated: header says {declared} bytes of audio, file holds {held}"
        )
