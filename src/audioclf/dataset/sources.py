"""Sources of audio: a file, a member of a zip, a URL, or a part or channel of one of them."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import threading
import time
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from typing_extensions import override

from audioclf.base.errors import DatasetError, DecodeError
from audioclf.base.pickling import by_fields
from audioclf.base.system import open_without_waiting
from audioclf.dataset.archive import ZipMember
from audioclf.dataset.remote import (
    RemoteError,
    display_name,
    list_remote,
    read_whole,
    reading,
    stamp_remote,
)


class AudioSource(ABC):
    """Source of the bytes of one clip."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in messages: a path, or `archive.zip!member`."""

    @abstractmethod
    def open(self) -> BinaryIO:
        """Return a seekable stream of the file's bytes, to be closed by the caller.

        Raises
        ------
        DecodeError
            If the bytes cannot be read.
        """

    @abstractmethod
    def digest(self) -> str:
        """Return the SHA-256 of the stored bytes, and of the part if any, as 64 hex digits."""

    def stamp(self) -> object:
        """Return a value that changes with the file, such as size and time; None if unknown."""
        return None

    @property
    def span(self) -> Span | None:
        """The part of the file; None for the whole file."""
        return None

    @property
    def channel(self) -> int | None:
        """The channel that is read, from 1; None if the settings of decoding choose it."""
        return None

    @property
    def file(self) -> AudioSource:
        """The whole file."""
        return self


@dataclass(frozen=True)
class Listing:
    """All files of a dataset, audio or not.

    Parameters
    ----------
    name : str
        Name in messages: the path, or the URL without credentials.
    entries : tuple of (path, source)
        Paths are relative, POSIX, NFC.
    notes : tuple of str
        Sentences about ignored files.
    links : str
        Sentence about symlinked folders, also in `notes`; empty if there are none.
    """

    name: str
    entries: tuple[tuple[str, AudioSource], ...]
    notes: tuple[str, ...] = ()
    links: str = ""


def _stamp(path: Path | str) -> object:
    with reading(display_name(path)):
        if isinstance(path, str):
            return stamp_remote(path)
        status = path.stat()
    return status.st_size, status.st_mtime_ns


_SETTLED_NS = 2_000_000_000
"""Age of a file from which on another change is certain to change its time."""


def _identity(source: AudioSource) -> tuple[object, bool]:
    """Return a value that changes with the content of a file, or None, and whether that is certain.

    A file can be replaced by one of equal size and time; then the time of its change differs,
    except within the resolution of the file system's clock.
    """
    path = source.member.archive if isinstance(source, ZipSource) else None
    path = source.path if isinstance(source, FileSource) else path
    if not isinstance(path, Path):
        known = isinstance(source, RemoteSource | ZipSource)
        return source.stamp() if known else None, known
    with reading(str(path)):
        status = path.stat()
    times = (status.st_mtime_ns, status.st_ctime_ns)
    settled = not 0 <= time.time_ns() - status.st_ctime_ns < _SETTLED_NS
    return (status.st_dev, status.st_ino, status.st_size, *times), settled


@dataclass(frozen=True, slots=True, init=False)
class FileSource(AudioSource):
    """A file on disk; its path is kept as text, since a `Path` takes more memory and time."""

    text: str

    __reduce__ = by_fields

    def __init__(self, path: Path | str) -> None:
        object.__setattr__(self, "text", str(path))

    def __post_init__(self) -> None:
        """Make a path text that a dataclass derived from this one has taken."""
        object.__setattr__(self, "text", str(self.text))

    @property
    @override
    def name(self) -> str:
        return self.text

    @property
    def path(self) -> Path:
        """The path as an object."""
        return Path(self.text)

    @override
    def open(self, buffering: int = -1) -> BinaryIO:
        with reading(self.name):
            stream = open(self.text, "rb", buffering, opener=open_without_waiting)  # noqa: SIM115
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.close()
            raise DecodeError(f"{self.name}: not a regular file")
        return stream

    @override
    def stamp(self) -> object:
        return _stamp(self.path)

    @override
    def digest(self) -> str:
        return content_digest(self)


@dataclass(frozen=True, slots=True)
class RemoteSource(AudioSource):
    """A file at a URL, read whole into memory."""

    url: str

    @classmethod
    def below(cls, url: str) -> list[tuple[str, RemoteSource]]:
        """Return the files below a remote folder, with their paths in it, NFC (DatasetError)."""
        try:
            files = list_remote(url)
        except RemoteError as exc:
            raise DatasetError(f"{display_name(url)}: {exc}") from exc
        return [(unicodedata.normalize("NFC", path), cls(file)) for path, file in files]

    @property
    @override
    def name(self) -> str:
        return display_name(self.url)

    @override
    def open(self) -> BinaryIO:
        return io.BytesIO(self._content())

    @override
    def stamp(self) -> object:
        return _stamp(self.url)

    @override
    def digest(self) -> str:
        return hashlib.sha256(self._content()).hexdigest()

    def _content(self) -> bytes:
        with reading(self.name):
            return read_whole(self.url)


@dataclass(frozen=True, slots=True)
class ZipSource(AudioSource):
    """A member of a zip archive, unpacked in memory and never on disk."""

    member: ZipMember

    @property
    @override
    def name(self) -> str:
        return str(self.member)

    @override
    def open(self) -> BinaryIO:
        return io.BytesIO(self.member.read())

    @override
    def stamp(self) -> object:
        return _stamp(self.member.archive)

    @override
    def digest(self) -> str:
        # Of the stored bytes, not unpacked: not the digest of the same file on disk.
        sha = hashlib.sha256(f"zip:{self.member.method}:".encode())
        sha.update(self.member.stored_bytes())
        return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a recording, half-open: from `start` up to `end`, which is not included.

    Both are in s from the start of the file; without an `end`, the part reaches to that of the
    file. Times that are negative, not finite, or not in this order are a ValueError.

    Examples
    --------
    >>> str(Span(1.5, 3.0)), str(Span(1.5))
    ('1.5-3.0', '1.5-')
    """

    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        end = math.inf if self.end is None else self.end
        if not 0 <= self.start < end or self.end == math.inf:
            raise ValueError(f"not a part of a recording: from {self.start} to {self.end} s")

    def __str__(self) -> str:
        return f"{float(self.start)}-{'' if self.end is None else float(self.end)}"


@dataclass(frozen=True, slots=True)
class _Section(AudioSource):
    """A recording of which less than all is decoded; its name ends in `suffix`."""

    recording: AudioSource

    @property
    @abstractmethod
    def suffix(self) -> str:
        """The end of the name and of the id of a clip, such as `@1.5-3.0`."""

    @property
    @override
    def name(self) -> str:
        return f"{self.recording.name}{self.suffix}"

    @property
    @override
    def file(self) -> AudioSource:
        in_memory = isinstance(self.recording, RemoteSource | ZipSource)
        return _KeptSource(self.recording) if in_memory else self.recording.file

    @override
    def open(self) -> BinaryIO:
        return self.file.open()

    @override
    def stamp(self) -> object:
        return self.recording.stamp()

    @override
    def digest(self) -> str:
        return hashlib.sha256(f"{_digest(self.recording)}{self.suffix}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PartSource(_Section):
    """A part of a recording: its file, of which only the span `part` is decoded.

    Examples
    --------
    >>> PartSource(FileSource(Path("rec.wav")), Span(1.5, 3.0)).name
    'rec.wav@1.5-3.0'
    """

    part: Span

    @property
    @override
    def suffix(self) -> str:
        return f"@{self.part}"

    @property
    @override
    def span(self) -> Span | None:
        return self.part


@dataclass(frozen=True, slots=True)
class ChannelSource(_Section):
    """One channel of a file or of a `PartSource`, by its number from 1: `rec.wav@channel2`."""

    number: int

    @property
    @override
    def suffix(self) -> str:
        return f"@channel{self.number}"

    @property
    @override
    def span(self) -> Span | None:
        return self.recording.span

    @property
    @override
    def channel(self) -> int:
        return self.number


def content_digest(source: AudioSource) -> str:
    """Return the SHA-256 of the unpacked bytes of a file, the same on disk and in an archive."""
    with source.open() as stream, reading(source.name):
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def recording_of(source: AudioSource) -> AudioSource:
    """Return the file that a part or a channel is of; a file is its own."""
    while isinstance(source, _Section):
        source = source.recording
    return source


@lru_cache(maxsize=256)
def _stamped_digest(source: AudioSource, identity: object) -> str:
    return source.digest()


def _digest(source: AudioSource) -> str:
    identity, certain = _identity(source)
    return _stamped_digest(source, identity) if certain and identity else source.digest()


_kept = threading.local()


@dataclass(frozen=True, slots=True)
class _KeptSource(AudioSource):
    """A file that each thread keeps in memory until it reads another file."""

    recording: AudioSource

    @property
    @override
    def name(self) -> str:
        return self.recording.name

    @override
    def open(self) -> BinaryIO:
        identity, _ = _identity(self.recording)
        if identity is None:
            return self.recording.open()
        key = (self.recording, identity)
        if getattr(_kept, "key", None) != key:
            _kept.key = _kept.content = None
            with self.recording.open() as stream:
                _kept.content = stream.read()
            _kept.key = key
        return io.BytesIO(_kept.content)

    @override
    def stamp(self) -> object:
        return self.recording.stamp()

    @override
    def digest(self) -> str:
        return _digest(self.recording)
