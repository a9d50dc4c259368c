"""Clips, where their bytes are, and the dataset that they form.

A clip is known by its id: the path inside the dataset, POSIX, NFC, below the wrapping folders, so
that a folder and a zip of it hold the same ids. Clips are sorted by id, classes by name; neither
follows the order of a directory listing or of a zip's central directory.
"""

from __future__ import annotations

import hashlib
import io
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from audioclf.archive import ZipMember
from audioclf.errors import DatasetError, DecodeError
from audioclf.remote import RemoteError, display_name, list_remote, read_whole, stamp_remote

_BLOCK = 1 << 20


class AudioSource(ABC):
    """Where the bytes of one clip are."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that messages show: a path, or `archive.zip!member`."""

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
        """Return the SHA-256 of the bytes as they are stored, as 64 hexadecimal digits."""

    def stamp(self) -> object:
        """Return something that differs once the bytes have been written to; None if unknown."""
        return None


def _stamp(path: Path | str) -> object:
    try:
        if isinstance(path, str):
            return stamp_remote(path)
        found = path.stat()
    except OSError as exc:
        raise DecodeError(f"{path}: {exc.strerror or exc}") from exc
    except RemoteError as exc:
        raise DecodeError(f"{display_name(path)}: {exc}") from exc
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class FileSource(AudioSource):
    """A file on disk."""

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def open(self) -> BinaryIO:
        """Open the file for reading."""
        try:
            return self.path.open("rb")
        except OSError as exc:
            raise DecodeError(f"{self.name}: {exc.strerror or exc}") from exc

    def stamp(self) -> object:
        """Return size and time of change."""
        return _stamp(self.path)

    def digest(self) -> str:
        """Return the SHA-256 of the file, read in blocks."""
        sha = hashlib.sha256()
        with self.open() as stream:
            try:
                while block := stream.read(_BLOCK):
                    sha.update(block)
            except OSError as exc:
                raise DecodeError(f"{self.name}: {exc.strerror or exc}") from exc
        return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class RemoteSource(AudioSource):
    """A file that a URL names, read whole into memory."""

    url: str

    @classmethod
    def below(cls, url: str) -> list[tuple[str, RemoteSource]]:
        """Return the files below a remote folder, each with its path in it, POSIX, NFC.

        Raises
        ------
        DatasetError
            If there are none, or a folder cannot be listed.
        """
        try:
            found = list_remote(url)
        except RemoteError as exc:
            raise DatasetError(f"{display_name(url)}: {exc}") from exc
        return [(unicodedata.normalize("NFC", path), cls(each)) for path, each in found]

    @property
    def name(self) -> str:
        """The URL without credentials."""
        return display_name(self.url)

    def open(self) -> BinaryIO:
        """Read the file into memory."""
        return io.BytesIO(self._content())

    def stamp(self) -> object:
        """Return size, ETag, time of change and the like, by one request."""
        return _stamp(self.url)

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return hashlib.sha256(self._content()).hexdigest()

    def _content(self) -> bytes:
        try:
            return read_whole(self.url)
        except RemoteError as exc:
            raise DecodeError(f"{self.name}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class ZipSource(AudioSource):
    """A member of a zip archive, unpacked in memory and never on disk."""

    member: ZipMember

    @property
    def name(self) -> str:
        """The archive and the member."""
        return str(self.member)

    def open(self) -> BinaryIO:
        """Unpack the member into memory."""
        return io.BytesIO(self.member.read())

    def stamp(self) -> object:
        """Return size and time of change of the archive."""
        return _stamp(self.member.archive)

    def digest(self) -> str:
        """Return the SHA-256 of the member as it is stored, with its compression method.

        The digest of a deflated member differs from that of the same file on disk: it is made
        without unpacking.
        """
        sha = hashlib.sha256(f"zip:{self.member.method}:".encode())
        sha.update(self.member.stored_bytes())
        return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording with its label.

    Parameters
    ----------
    id : str
        Path inside the dataset, POSIX, NFC; unique.
    label : str
        Name of the class, NFC.
    source : AudioSource
        Where the bytes are.
    group : str, optional
        What the clip must not be separated from: speaker, recording, site.
    fold : str, optional
        Fold that the dataset's authors published.
    """

    id: str
    label: str
    source: AudioSource
    group: str | None = None
    fold: str | None = None


class Dataset:
    """Clips sorted by id, and the classes that they have.

    Parameters
    ----------
    clips : iterable of Clip
        In any order.
    name : str
        What messages call the dataset: usually its path.
    notes : iterable of str
        What the loader wants said, such as the number of files that it passed over.

    Raises
    ------
    DatasetError
        If there is no clip, or two clips have one id.
    """

    def __init__(self, clips: Iterable[Clip], *, name: str, notes: Iterable[str] = ()) -> None:
        self.clips = tuple(sorted(map(_normalised, clips), key=lambda clip: clip.id))
        self.name = name
        self.notes = tuple(notes)
        if not self.clips:
            raise DatasetError(f"{name}: no audio files found")
        twice = [name for name, count in Counter(c.id for c in self.clips).items() if count > 1]
        if twice:
            raise DatasetError(f"{name}: two clips have the id {twice[0]!r}; ids must be unique")

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} clips, {len(self.classes)} classes)"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted by code point."""
        return tuple(sorted({clip.label for clip in self.clips}))

    @cached_property
    def class_counts(self) -> dict[str, int]:
        """Number of clips of each class, in the order of `classes`."""
        counts = Counter(clip.label for clip in self.clips)
        return {name: counts[name] for name in self.classes}

    @property
    def has_groups(self) -> bool:
        """Whether every clip has a group."""
        return all(clip.group is not None for clip in self.clips)

    def encoded_labels(self) -> list[int]:
        """Return the label of each clip as its position in `classes`, `0..k-1`."""
        codes = {name: code for code, name in enumerate(self.classes)}
        return [codes[clip.label] for clip in self.clips]

    def subset(self, ids: Iterable[str]) -> Dataset:
        """Return the dataset of the clips with these ids."""
        wanted = set(ids)
        kept = [clip for clip in self.clips if clip.id in wanted]
        return Dataset(kept, name=self.name, notes=self.notes)

    def fingerprint(self, digests: Mapping[str, str]) -> str:
        """Return the SHA-256 over ids, labels, groups, folds and content of all clips.

        Parameters
        ----------
        digests : mapping of str to str
            For each clip id the digest of its samples or bytes.
        """
        sha = hashlib.sha256()
        for clip in self.clips:
            fields = (clip.id, clip.label, clip.group, clip.fold, digests[clip.id])
            sha.update(repr(fields).encode("utf-8"))
        return sha.hexdigest()


def _normalised(clip: Clip) -> Clip:
    return Clip(
        id=unicodedata.normalize("NFC", clip.id),
        label=unicodedata.normalize("NFC", clip.label),
        source=clip.source,
        group=clip.group,
        fold=clip.fold,
    )
