"""Whatever lies in the place of an entry: it is what was stored, or it is found out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audioclf.features.cache import FeatureCache
from audioclf.features.cache_entry import Entry, pack, unpack

KEY = hashlib.sha256(b"a clip").hexdigest()
OTHER = hashlib.sha256(b"another clip").hexdigest()
STORED = Entry(np.arange(6, dtype=np.float32).reshape(2, 3), {"status": "ok", "seconds": 0.5})
GOOD = pack(KEY, STORED)

# Structure first: an entry built of parts, each of which may be wrong ...
magics = st.sampled_from([b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00", b"PK\x03\x04", b"", b"RIFF"])
kinds = st.sampled_from(["<f4", ">f4", "<f8", "<i4", "|O", "|V4", "|u1", "('<f4', (2,))"])
sides = st.one_of(st.integers(-2, 9), st.sampled_from([2**31, 2**63, 10**18, 10**40]))
shapes = st.lists(sides, max_size=3).map(lambda s: f"({''.join(f'{n}, ' for n in s)})")
odd_shapes = st.sampled_from(["(2, 3)", "(02, 3)", "(2, 3", "2", "(2.0, 3)", "(True, 3)", "[2, 3]"])
samples = st.one_of(
    st.just(STORED.features.tobytes()),
    st.just(np.full((2, 3), np.nan, np.float32).tobytes()),
    st.just(np.full((2, 3), -np.inf, np.float32).tobytes()),
    st.binary(max_size=40),
)
keys = st.sampled_from([KEY, OTHER, KEY.upper(), "", None, 7])
metas = st.one_of(
    st.builds(lambda k, m: json.dumps({"key": k, "meta": m}).encode(), keys, st.just({"a": [1]})),
    st.builds(lambda m: json.dumps({"key": KEY, "meta": m}).encode(), st.sampled_from([0, [], ""])),
    st.sampled_from([b"", b"{}", b"[]", b"null", b"\xff", b"1e999", b"[" * 5000, b"9" * 5000]),
)
lengths = st.one_of(st.none(), st.integers(0, 2**32 - 1))


@st.composite
def built(draw: st.DrawFn) -> bytes:
    shape = draw(st.one_of(shapes, odd_shapes))
    order = draw(st.sampled_from(["False", "True"]))
    head = f"{{'descr': '{draw(kinds)}', 'fortran_order': {order}, 'shape': {shape}, }}"
    padded = head.ljust(draw(st.sampled_from([117, 116, 0]))).encode() + b"\n"
    header = draw(magics) + len(padded).to_bytes(2, "little") + padded
    meta, length = draw(metas), draw(lengths)
    told = (len(meta) if length is None else length).to_bytes(4, "little")
    body = header + draw(samples) + meta + told
    digest = hashlib.sha256(body).digest()
    return body + (digest if draw(st.booleans()) else draw(st.binary(max_size=40)))


# ... then bytes of it flipped, then noise.
@st.composite
def flipped(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(0, 4)) if content else 0):
        content[draw(st.integers(0, len(content) - 1))] ^= draw(st.integers(1, 255))
    cut = draw(st.integers(0, len(content))) if draw(st.booleans()) else len(content)
    return bytes(content[:cut])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return FeatureCache(tmp_path_factory.mktemp("cache"))


def path_of(cache: FeatureCache) -> Path:
    return cache.folder / "v2" / KEY[:2] / f"{KEY}.npy"


@settings(max_examples=400, deadline=None)
@given(content=st.one_of(built(), flipped(built()), flipped(st.just(GOOD)), st.binary()))
@example(content=GOOD)
@example(content=b"")
def test_any_bytes_are_a_sound_entry_of_this_key_or_are_found_out(
    cache: FeatureCache, content: bytes
) -> None:
    cache.put(KEY, STORED)
    path_of(cache).write_bytes(content)
    before = cache.damaged
    found = cache.get(KEY)
    if found is None:
        assert cache.damaged == before + 1
        assert not path_of(cache).exists()
        cache.put(KEY, STORED)
        rebuilt = cache.get(KEY)
        assert rebuilt is not None
        assert (rebuilt.features.tobytes(), rebuilt.meta) == (GOOD[128:152], STORED.meta)
        return
    assert found.features.dtype == np.float32
    assert found.features.ndim == 2
    assert found.features.size > 0
    assert np.isfinite(found.features).all()
    assert content[-32:] == hashlib.sha256(content[:-32]).digest()
    told = json.loads(content[128 + found.features.nbytes : -36])
    assert (told["key"], told["meta"]) == (KEY, found.meta)


@settings(max_examples=300, deadline=None)
@given(content=flipped(st.just(GOOD)))
def test_a_changed_entry_is_never_taken(content: bytes) -> None:
    assert (unpack(KEY, content) is not None) == (content == GOOD)


@settings(max_examples=100, deadline=None)
@given(first=st.integers(0, 5), second=st.integers(0, 5), data=st.data())
def test_each_key_gives_its_own_entry_whatever_else_is_stored(
    cache: FeatureCache, first: int, second: int, data: Any
) -> None:
    """Put is idempotent, and the last one to put under a key wins for that key alone."""
    names = [hashlib.sha256(bytes([n])).hexdigest() for n in (first, second)]
    values = [np.float32(data.draw(st.floats(width=32, allow_nan=False, allow_infinity=False)))]
    values.append(-values[0])
    for name, value in zip(names, values, strict=True):
        cache.put(name, Entry(np.full((1, 2), value, np.float32), {"of": name}))
    for name, value in (dict(zip(names, values, strict=True))).items():
        found = cache.get(name)
        assert found is not None
        assert found.meta == {"of": name}
        assert found.features.tobytes() == np.full((1, 2), value, np.float32).tobytes()
