"""Bytes of one cache entry: its key, the facts about the clip, the features, a checksum of all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.code_digest import canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Features of one clip, and its facts, which are otherwise known only after decoding.

    `features` ([shape=(n_bins, n_frames)], float32): finite, neither side 0; read-only when it
    comes from the cache. Entries may share their `meta`.
    """

    features: NDArray[np.float32]
    meta: dict[str, Any]


_DIGEST_BYTES = 32
_LENGTH_BYTES = 4
_FLOAT = np.dtype("<f4")


def pack(key: str, entry: Entry) -> bytes:
    """Return the bytes of an entry: length of the JSON, JSON, samples, SHA-256 of all before it."""
    features = entry.features
    if features.dtype != np.float32 or features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features of shape {features.shape}, {features.dtype} cannot be cached")
    if not np.isfinite(features).all():
        raise ValueError("features with NaN or inf cannot be cached")
    head = canonical({"key": key, "shape": features.shape, "meta": entry.meta}, allow_nan=False)
    length = len(head).to_bytes(_LENGTH_BYTES, "little")
    body = b"".join((length, head, features.astype(_FLOAT, copy=False).tobytes()))
    return body + hashlib.sha256(body).digest()


def unpack(key: str, content: bytes) -> Entry | None:
    """Return the entry, or None if these bytes are damaged or belong to another key."""
    if not is_whole(content):
        return None
    stop = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    head = content[_LENGTH_BYTES:stop]
    start = b'{"key":"%s","meta":' % key.encode()
    if not head.startswith(start):
        return None
    meta, shape = head[len(start) : -1].rsplit(b',"shape":', 1)
    rows, columns = _parsed(shape)
    count = rows * columns
    features = np.frombuffer(content, _FLOAT, count, stop).astype(np.float32, copy=False)
    return Entry(features.reshape(rows, columns), _parsed(meta))


@lru_cache(maxsize=64)
def _parsed(text: bytes) -> Any:
    """Parse JSON that several entries share: the facts of a clip, and a shape."""
    return json.loads(text)


def is_whole(content: bytes) -> bool:
    """Return whether the bytes of an entry are those that `pack` made."""
    body, digest = memoryview(content)[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    return hashlib.sha256(body).digest() == digest
