"""Clock times at which recordings began, by their metadata or their names.

Read are GUANO (guano-md.org) and the metadata of Wildlife Acoustics (Song Meter) and AudioMoth in
WAV files, and names that end in date and time, such as `SITE_20240501_193000.wav`. AudioMoth's
first names were the seconds since 1970 in hexadecimal.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import PurePosixPath
from typing import BinaryIO

from audioclf.audio.riff import chunks_of
from audioclf.base.errors import DecodeError
from audioclf.dataset.sources import AudioSource, FileSource

_YEARS = range(1990, 2101)
_CHUNK_BYTES = 1 << 16
_FILES = 50
"""Files whose metadata is read to know whether there is a column of times."""

_NAME = re.compile(r"(?:^|.*[^0-9])(\d{8})[_T-](\d{6})(?:[._]\d{1,6})?[TZ]?")
_HEX_NAME = re.compile(r"[0-9A-F]{8}")
_HEX_YEARS = range(2017, 2036)
_GUANO = re.compile(rb"^Timestamp:([^\r\n]{11,40})", re.MULTILINE)
_AUDIOMOTH = re.compile(
    rb"Recorded at (\d\d:\d\d:\d\d(?:\.\d{1,6})?) (\d\d/\d\d/\d{4}) "
    rb"\(UTC(?:([+-]\d{1,2})(?::(\d\d))?)?\)"
)
_WAMD_HEADER = struct.Struct("<HI")
_WAMD_TIME = 5


def clock_time(source: AudioSource) -> datetime | None:
    """Return when a recording began, with its offset from UTC if that is known; None if unknown.

    Metadata is read of files on disk only: of others, that would read the whole file.
    """
    file = source.file
    found = _of_metadata(file) if isinstance(file, FileSource) else None
    return found or _of_name(file.name)


def any_clock_time(sources: Iterable[AudioSource]) -> bool:
    """Return whether a recording has a clock time, by all names and the first files' metadata."""
    files = [source.file for source in sources]
    if any(_of_name(file.name) for file in files):
        return True
    on_disk = (file for file in files if isinstance(file, FileSource))
    return any(_of_metadata(file) for file in islice(on_disk, _FILES))


def shown_time(began: datetime, seconds: float) -> str:
    """Return a time so many seconds after the beginning, in ISO 8601 with milliseconds.

    >>> shown_time(datetime(2024, 5, 1, 19, 30), 75.5)
    '2024-05-01T19:31:15.500'
    """
    return (began + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def _of_name(name: str) -> datetime | None:
    stem = PurePosixPath(name.replace("\\", "/").partition("?")[0]).stem
    if match := _NAME.fullmatch(stem):
        return _parsed(f"{match[1]}T{match[2]}")
    if _HEX_NAME.fullmatch(stem):
        found = datetime.fromtimestamp(int(stem, 16), UTC)
        return found if found.year in _HEX_YEARS else None
    return None


def _of_metadata(file: FileSource) -> datetime | None:
    try:
        with file.open() as stream:
            return _of_chunks(stream)
    except (DecodeError, OSError):
        return None


def _of_chunks(stream: BinaryIO) -> datetime | None:
    found: dict[bytes, datetime | None] = {}
    for ident, start, size in chunks_of(stream):
        if reader := _READERS.get(ident):
            stream.seek(start)
            found[ident] = found.get(ident) or reader(stream.read(min(size, _CHUNK_BYTES)))
    return next((found[ident] for ident in _READERS if found.get(ident)), None)


def _of_guano(chunk: bytes) -> datetime | None:
    match = _GUANO.search(chunk)
    return _parsed(match[1].decode("ascii", "replace").strip()) if match else None


def _of_song_meter(chunk: bytes) -> datetime | None:
    at = 0
    while at + _WAMD_HEADER.size <= len(chunk):
        kind, size = _WAMD_HEADER.unpack_from(chunk, at)
        at += _WAMD_HEADER.size
        if kind == _WAMD_TIME:
            return _parsed(chunk[at : at + size].decode("ascii", "replace").strip(" \0"))
        at += size
    return None


def _of_audiomoth(chunk: bytes) -> datetime | None:
    match = _AUDIOMOTH.search(chunk)
    if match is None:
        return None
    clock, date, hours, minutes = (part.decode() for part in match.groups(b""))
    day, month, year = date.split("/")
    found = _parsed(f"{year}-{month}-{day}T{clock}")
    sign = -1 if hours.startswith("-") else 1
    offset = timedelta(hours=int(hours or 0), minutes=sign * int(minutes or 0))
    in_a_day = abs(offset) < timedelta(days=1)
    return found.replace(tzinfo=timezone(offset)) if found and in_a_day else found


_READERS = {b"guan": _of_guano, b"wamd": _of_song_meter, b"LIST": _of_audiomoth}
"""Readers by chunk, the best one first."""


def _parsed(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in _YEARS else None
