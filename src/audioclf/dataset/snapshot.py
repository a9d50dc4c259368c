"""The bytes of a small file, read once for its digest and its samples."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from typing import BinaryIO

from typing_extensions import override

from audioclf.base.errors import DecodeError
from audioclf.base.limits import MIB
from audioclf.dataset.remote import reading
from audioclf.dataset.sources import AudioSource, FileSource

SMALL_BYTES = 4 * MIB
"""Size up to which a file is read whole."""


@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot(AudioSource):
    """The content of a file on disk at one time."""

    original: FileSource
    content: bytes

    @property
    @override
    def name(self) -> str:
        return self.original.name

    @override
    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)

    @override
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def snapshot(source: AudioSource) -> AudioSource:
    """Return a small file on disk with its bytes in memory; any other source as it is.

    A file that changes meanwhile is a DecodeError.
    """
    if not isinstance(source, FileSource):
        return source
    with source.open(buffering=0) as stream, reading(source.name):
        before = os.fstat(stream.fileno())
        if before.st_size > SMALL_BYTES:
            return source
        content = stream.read(before.st_size + 1)
        after = os.fstat(stream.fileno())
    if len(content) != after.st_size or after.st_mtime_ns != before.st_mtime_ns:
        raise DecodeError(f"{source.name}: changed while it was read")
    return _Snapshot(source, content)
