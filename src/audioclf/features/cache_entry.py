"""The bytes of one cache entry: a `.npy`, what is known of the clip, and a digest of both."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.code_digest import canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What is known of one clip without decoding it.

    Parameters
    ----------
    features : np.ndarray [shape=(n_bins, n_frames)], float32
        Finite, neither side 0; read-only when it comes from the cache.
    meta : dict of str to JSON
        What the ledger says of the clip; tuples come back as lists.
    """

    features: NDArray[np.float32]
    meta: dict[str, Any]


# The header that `numpy.save` writes for a float32 matrix. It is compared instead of parsed: that
# of a damaged or forged file can then neither raise anything nor claim what is not there.
_HEADER = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }"
_HEADER_BYTES = 128
_HEADER_PATTERN = re.compile(re.escape(_HEADER).replace(b"%d", b"([1-9][0-9]{0,17})") + b" *\n")
DIGEST_BYTES = 32
_TAIL_BYTES = 4 + DIGEST_BYTES


def pack(key: str, entry: Entry) -> bytes:
    """Return the bytes of an entry.

    Raises
    ------
    ValueError
        If the features are not a finite float32 matrix, or the meta is not finite JSON.
    """
    features = entry.features
    if features.dtype != np.float32 or features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features of shape {features.shape}, {features.dtype} cannot be cached")
    if not np.isfinite(features).all():
        raise ValueError("features with NaN or inf cannot be cached")
    header = (_HEADER % features.shape).ljust(_HEADER_BYTES - 1) + b"\n"
    meta = canonical({"key": key, "meta": entry.meta}, allow_nan=False)
    samples = features.astype("<f4", copy=False).tobytes()
    body = b"".join((header, samples, meta, len(meta).to_bytes(4, "little")))
    return body + hashlib.sha256(body).digest()


def unpack(key: str, content: bytes) -> Entry | None:
    """Return the entry, or None if these bytes are not what `_pack` makes for the key."""
    digest = hashlib.sha256(memoryview(content)[:-DIGEST_BYTES]).digest()
    header = _HEADER_PATTERN.fullmatch(content[:_HEADER_BYTES])
    if header is None or digest != content[-DIGEST_BYTES:]:
        return None
    n_bins, n_frames = int(header[1]), int(header[2])
    start, stop = _HEADER_BYTES + 4 * n_bins * n_frames, len(content) - _TAIL_BYTES
    if start + int.from_bytes(content[stop : stop + 4], "little") != stop:
        return None
    meta = _meta(key, content[start:stop])
    features = np.frombuffer(content, "<f4", count=n_bins * n_frames, offset=_HEADER_BYTES)
    if meta is None or not np.isfinite(features).all():
        return None
    return Entry(features.astype(np.float32, copy=False).reshape(n_bins, n_frames), meta)


def _meta(key: str, text: bytes) -> dict[str, Any] | None:
    """Return what was stored for this key, or None if it was stored for another."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(told, dict) and told.get("key") == key and isinstance(told.get("meta"), dict):
        return dict(told["meta"])
    return None
