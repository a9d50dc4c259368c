"""Bytes of one cache entry: a `.npy`, the facts about the clip, and a checksum of both."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.code_digest import canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """Features of one clip, and its facts, which are otherwise known only after decoding.

    `features` ([shape=(n_bins, n_frames)], float32): finite, neither side 0; read-only when it
    comes from the cache.
    """

    features: NDArray[np.float32]
    meta: dict[str, Any]


_DIGEST_BYTES = 32
_LENGTH_BYTES = 4


def pack(key: str, entry: Entry) -> bytes:
    """Return the bytes of an entry: `.npy`, JSON, length of the JSON, SHA-256 of all before it."""
    features = entry.features
    if features.dtype != np.float32 or features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features of shape {features.shape}, {features.dtype} cannot be cached")
    if not np.isfinite(features).all():
        raise ValueError("features with NaN or inf cannot be cached")
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(features), allow_pickle=False)
    meta = canonical({"key": key, "meta": entry.meta}, allow_nan=False)
    body = stream.getvalue() + meta + len(meta).to_bytes(_LENGTH_BYTES, "little")
    return body + hashlib.sha256(body).digest()


def unpack(key: str, content: bytes) -> Entry | None:
    """Return the entry, or None if these bytes are damaged or belong to another key."""
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    stop = len(body) - _LENGTH_BYTES
    start = stop - int.from_bytes(body[stop:], "little")
    stored = json.loads(body[start:stop])
    if stored["key"] != key:
        return None
    features = np.load(io.BytesIO(body), allow_pickle=False)
    features.flags.writeable = False
    return Entry(features, stored["meta"])
