"""Pages of an Ogg file (RFC 3533)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from audioclf.base.errors import DecodeError

_PAGES = 200_000
"""Maximum number of pages to check; a page has at most 64 KiB, usually 4 KiB."""
_HEADER_BYTES = 27
_CODECS = (
    (b"\x01vorbis", "Vorbis", True),
    (b"OpusHead", "Opus", True),
    (b"\x7fFLAC", "FLAC", False),
    (b"fLaC", "FLAC", False),
    (b"Speex   ", "Speex", False),
    (b"CELT    ", "CELT", False),
    (b"PCM     ", "PCM", False),
    (b"\x80theora", "Theora video", False),
    (b"BBCD\0", "Dirac video", False),
)
"""Codecs by the first bytes of their first page, and whether they can be decoded."""


@dataclass(frozen=True, slots=True)
class OggPages:
    """Facts from the pages of the audio of an Ogg file.

    - samples: number of the last sample in the file; Opus counts at 48 kHz
    - last_samples: samples that end in the last page
    - from_zero: whether no page has a negative number, as in files cut out of longer ones
    - ended: whether the last page says that it is the last one, and is whole
    """

    samples: int
    last_samples: int
    from_zero: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class _Page:
    flags: int
    granule: int
    serial: int
    start: int
    end: int

    @property
    def begins(self) -> bool:
        return self.flags & 2 != 0


def check_ogg(stream: BinaryIO, size: int, name: str) -> OggPages | None:
    """Return facts from the pages; None if there are too many of them.

    Several streams in sequence, of which decoders read the first (RFC 3533, 4), are a DecodeError,
    and so is a file without a stream of a codec that can be decoded.
    """
    codecs: dict[int, tuple[str, bool]] = {}
    at, playing = 0, False
    audio: int | None = None
    granules, ended, from_zero = [0, 0], False, True
    for _ in range(_PAGES):
        page = _page_at(stream, at)
        if page is None:
            break
        if page.begins and playing:
            raise DecodeError(
                f"{name}: several Ogg streams in sequence, of which only the first would be read",
                hint="Write them into one stream or into files of their own.",
            )
        playing = not page.begins
        if page.begins:
            codecs[page.serial] = codec = _codec(stream, page)
            audio = page.serial if audio is None and codec[1] else audio
        if page.serial == audio:
            ended = page.flags & 4 != 0 and page.end <= size
            if page.granule != -1:
                granules = [granules[1], page.granule]
                from_zero &= page.granule >= 0
        at = page.end
    else:
        return None
    _check_codecs(codecs, name)
    return OggPages(granules[1], max(0, granules[1] - granules[0]), from_zero, ended)


def _page_at(stream: BinaryIO, at: int) -> _Page | None:
    stream.seek(at)
    head = stream.read(_HEADER_BYTES)
    if len(head) < _HEADER_BYTES or head[:4] != b"OggS":
        return None
    lengths = stream.read(head[26])
    start = at + _HEADER_BYTES + len(lengths)
    granule = int.from_bytes(head[6:14], "little", signed=True)
    serial = int.from_bytes(head[14:18], "little")
    return _Page(head[5], granule, serial, start, start + sum(lengths))


def _codec(stream: BinaryIO, page: _Page) -> tuple[str, bool]:
    stream.seek(page.start)
    head = stream.read(8)
    for magic, codec, decoded in _CODECS:
        if head.startswith(magic):
            return codec, decoded
    return "", False


def _check_codecs(codecs: dict[int, tuple[str, bool]], name: str) -> None:
    """Refuse a file all of whose codecs are known, and none of which can be decoded."""
    names = sorted({codec for codec, _ in codecs.values()})
    if "" in names or not names or any(decoded for _, decoded in codecs.values()):
        return
    raise DecodeError(
        f"{name}: {' and '.join(names)} in Ogg cannot be decoded, only Vorbis and Opus",
        hint="Convert it to WAV or FLAC, for example with `ffmpeg -i in.ogg out.flac`.",
    )
