"""Bits that flip and ends that are missing, in each kind of file that is read back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from table import Row, Size

Read = Callable[[bytes], object | None]


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    yield _row("cache entries", *_cache_entry(), flips=size.pick(500, 20_000), cuts=200)
    yield _row("kept fits", *_kept_fit(), flips=size.pick(500, 20_000), cuts=200)
    yield _bundles(scratch, size.pick(40, 400))


def _row(what: str, content: bytes, read: Read, *, flips: int, cuts: int) -> Row:
    rng = random.Random(6)
    if read(content) is None:
        raise RuntimeError("the undamaged file is not read")
    bits = rng.sample(range(8 * len(content)), min(flips, 8 * len(content)))
    found = sum(read(_flipped(content, bit)) is None for bit in bits)
    ends = rng.sample(range(len(content)), min(cuts, len(content)))
    cut = sum(read(content[:end]) is None for end in ends)
    return Row(
        f"damage in {what}",
        f"{found:,} of {len(bits):,} bit flips and {cut} of {len(ends)} truncations found",
        "all",
        found == len(bits) and cut == len(ends),
    )


def _flipped(content: bytes, bit: int) -> bytes:
    out = bytearray(content)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def _cache_entry() -> tuple[bytes, Read]:
    from audioclf.features.cache_entry import Entry, pack, unpack

    key = "0" * 64
    features = np.random.default_rng(0).normal(size=(16, 30)).astype(np.float32)
    return pack(key, Entry(features, {"sr": 8000})), lambda content: unpack(key, content)


def _kept_fit() -> tuple[bytes, Read]:
    from audioclf.evaluation.fit_cache import pack, unpack
    from audioclf.evaluation.results import FoldResult
    from audioclf.evaluation.splits import Fold

    fold = Fold(0, "1", np.arange(20, 60), np.arange(20))
    scores = np.random.default_rng(0).dirichlet(np.ones(4), 20)
    result = FoldResult(fold, scores.argmax(axis=1), scores, "probability", 0.1, 0.2)
    return pack("k", result), lambda content: unpack("k", fold, content)


def _bundles(scratch: Path, flips: int) -> Row:
    """Flip bits of a model: it is refused, or gives the very scores of the undamaged one."""
    from audioclf.base.errors import ModelError
    from audioclf.models.bundle.reading import read_bundle
    from tests.models.making import made, registry

    path = made(scratch / "m.audioclf", "logistic_regression")
    content = path.read_bytes()
    x = np.random.default_rng(1).normal(size=4000).astype(np.float32)
    wanted = read_bundle(path, registry()).model.predict_proba(x, sr=8000)
    rng = random.Random(7)
    refused = unchanged = wrong = 0
    for bit in rng.sample(range(8 * len(content)), flips):
        path.write_bytes(_flipped(content, bit))
        try:
            scores = read_bundle(path, registry()).model.predict_proba(x, sr=8000)
        except ModelError:
            refused += 1
            continue
        unchanged += bool(np.array_equal(scores, wanted))
        wrong += not np.array_equal(scores, wanted)
    cut = 0
    ends = rng.sample(range(len(content)), 40)
    for end in ends:
        path.write_bytes(content[:end])
        try:
            read_bundle(path, registry())
        except ModelError:
            cut += 1
    return Row(
        "damage in model files",
        f"{refused} of {flips} bit flips refused, {unchanged} in bytes that decide nothing (time "
        f"stamps, attributes) gave the same scores, {wrong} other scores; {cut} of {len(ends)} "
        "truncations refused",
        "no other scores",
        wrong == 0 and cut == len(ends),
    )
