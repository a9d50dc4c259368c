"""The cache of features: what is read is what was stored, or it is not there."""

from __future__ import annotations

import errno
import hashlib
import importlib
import io
import json
import os
import signal
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel

from audioclf.audio.decode import AudioConfig
from audioclf.base.errors import ResultError
from audioclf.base.limits import Limits, use_limits
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.stft import Stft
from audioclf.components import code_digest
from audioclf.components.registry import Origin
from audioclf.features import cache as module
from audioclf.features import cache_key as keys
from audioclf.features.cache import (
    DEFAULT_MAX_BYTES,
    CacheStats,
    FeatureCache,
    PruneResult,
    VerifyResult,
    default_folder,
)
from audioclf.features.cache_entry import Entry
from audioclf.features.cache_key import KeyMaker, feature_key
from audioclf.plugin import AnyFeaturizer, Featurizer, Flatten, Stats

ORIGIN = Origin("audioclf", "0.1.0", "builtin")
FOREIGN = Origin("audioclf-x", "1.0", "x")
META = {"status": "ok", "seconds": 0.5, "info": {"sr": 8000, "warnings": ["cut short"]}}
HEADER = 128
DAY = 86_400.0


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


KEY = key_of(0)


def entry_of(number: int, shape: tuple[int, int] = (16, 40)) -> Entry:
    rng = np.random.default_rng(number)
    return Entry(rng.normal(size=shape).astype(np.float32), {**META, "number": number})


def assert_same(found: Entry | None, expected: Entry) -> None:
    assert found is not None
    assert found.features.dtype == np.float32
    assert found.features.shape == expected.features.shape
    assert found.features.tobytes() == expected.features.tobytes()
    assert found.meta == expected.meta


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


def path_of(cache: FeatureCache, key: str = KEY) -> Path:
    return cache.folder / "v2" / key[:2] / f"{key}.npy"


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def fill(cache: FeatureCache, count: int) -> int:
    """Store entries, the first used longest ago, an hour apart; return the bytes of one."""
    for number in range(count):
        cache.put(key_of(number), entry_of(number))
        used_days_ago(path_of(cache, key_of(number)), (count - number) / 24)
    return path_of(cache).stat().st_size


def used_days_ago(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def fail(number: int) -> Callable[..., Any]:
    def raising(*args: Any, **kwargs: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return raising


# --- what is stored comes back


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False).filter(lambda value: abs(value) != float("inf")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
matrices = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@settings(max_examples=80, deadline=None)
@given(features=matrices, meta=st.dictionaries(st.text(), json_values, max_size=4))
@example(features=np.zeros((1, 1), np.float32), meta={})
@example(features=np.array([[-0.0, 1e-45]], np.float32), meta={"name": "Ölçü 犬 🐕 \udcff"})
def test_what_is_stored_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, features: Any, meta: Any
) -> None:
    cache = FeatureCache(tmp_path_factory.getbasetemp() / "round_trip")
    cache.put(KEY, Entry(features, meta))
    assert_same(cache.get(KEY), Entry(features, meta))


def test_a_matrix_in_column_order_comes_back(cache: FeatureCache) -> None:
    features = np.asfortranarray(entry_of(0).features)
    cache.put(KEY, Entry(features, {}))
    assert_same(cache.get(KEY), Entry(features, {}))


def test_features_from_the_cache_are_read_only(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    found = cache.get(KEY)
    assert found is not None
    assert not found.features.flags.writeable


def test_numpy_reads_an_entry(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    np.testing.assert_array_equal(np.load(path_of(cache)), entry_of(0).features)
    np.testing.assert_array_equal(np.load(path_of(cache), mmap_mode="r"), entry_of(0).features)


@pytest.mark.parametrize("shape", [(1, 1), (128, 130), (1025, 1292), (1, 99_999)])
def test_the_header_is_the_one_that_numpy_writes(
    cache: FeatureCache, shape: tuple[int, int]
) -> None:
    features = np.ones(shape, dtype=np.float32)
    cache.put(KEY, Entry(features, {}))
    stream = io.BytesIO()
    np.save(stream, features)
    assert path_of(cache).read_bytes()[:HEADER] == stream.getvalue()[:HEADER]


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.ones((2, 3)), r"shape \(2, 3\), float64 cannot be cached"),
        (np.ones(3, np.float32), r"shape \(3,\), float32 cannot be cached"),
        (np.ones((2, 0), np.float32), r"shape \(2, 0\)"),
        (np.full((2, 3), np.nan, np.float32), "NaN or inf"),
    ],
)
def test_what_is_no_feature_matrix_is_refused(
    cache: FeatureCache, features: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        cache.put(KEY, Entry(features, {}))
    assert not cache.folder.exists()


def test_meta_that_is_not_json_is_refused(cache: FeatureCache) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        cache.put(KEY, Entry(entry_of(0).features, {"seconds": float("nan")}))


def test_features_that_are_too_large_for_an_entry_are_not_stored(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ENTRY_BYTES", 1000)
    cache.put(KEY, entry_of(0))
    assert (cache.written, cache.warning, cache.get(KEY)) == (0, None, None)


def test_uses_are_counted(cache: FeatureCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, entry_of(0))
    cache.get(KEY)
    cache.get(KEY)
    assert (cache.hits, cache.misses, cache.damaged, cache.written) == (2, 1, 0, 1)
    assert cache.summary() is None


def test_backup_tools_are_told_to_skip_our_folder_and_no_other(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    tag = (cache.folder / "v2" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert files_in(cache.folder) == {"v2/CACHEDIR.TAG", f"v2/{KEY[:2]}/{KEY}.npy"}


def test_nothing_is_made_before_something_is_stored(cache: FeatureCache) -> None:
    cache.get(KEY)
    cache.prune(max_bytes=0)
    cache.close()
    assert cache.stats() == CacheStats(0, 0, None, None, 0)
    assert cache.verify() == VerifyResult(0, ())
    assert not cache.folder.exists()


# --- damage


REGIONS = {
    "header": slice(0, HEADER),
    "data": slice(HEADER, HEADER + 4 * 16 * 40),
    "meta": slice(HEADER + 4 * 16 * 40, -36),
    "length": slice(-36, -32),
    "digest": slice(-32, None),
}


@pytest.mark.parametrize("region", REGIONS)
def test_every_flipped_bit_is_found(cache: FeatureCache, region: str) -> None:
    cache.put(KEY, entry_of(0))
    whole = path_of(cache).read_bytes()
    rng = np.random.default_rng(len(region))
    for position in rng.choice(range(len(whole))[REGIONS[region]], 20):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rng.integers(8)
        path_of(cache).write_bytes(damaged)
        assert cache.get(KEY) is None
        assert not path_of(cache).exists()
    assert (cache.damaged, cache.misses, cache.hits) == (20, 20, 0)
    assert cache.summary() == "20 damaged cache entries rebuilt"


def test_every_truncation_is_found(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    whole = path_of(cache).read_bytes()
    size = len(whole)
    lengths = {0, 1, 31, 32, 33, 127, 128, 129, 163, 164, *range(200, size, size // 8), size - 37}
    for length in {*lengths, size - 36, size - 33, size - 32, size - 1}:
        path_of(cache).write_bytes(whole[:length])
        assert cache.get(KEY) is None
    assert cache.damaged >= 20
    assert cache.hits == 0


def test_bytes_behind_the_end_are_found(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    with path_of(cache).open("ab") as stream:
        stream.write(b"\0")
    assert cache.get(KEY) is None
    assert cache.summary() == "1 damaged cache entry rebuilt"


def test_a_damaged_entry_is_rebuilt_by_the_next_put(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    path_of(cache).write_bytes(b"something else")
    assert cache.get(KEY) is None
    cache.put(KEY, entry_of(0))
    assert_same(cache.get(KEY), entry_of(0))


def test_the_entry_of_another_clip_is_not_taken(cache: FeatureCache) -> None:
    other = key_of(1)
    cache.put(other, entry_of(1))
    path_of(cache).parent.mkdir(exist_ok=True)
    path_of(cache, other).rename(path_of(cache))
    assert cache.get(KEY) is None
    assert cache.damaged == 1


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def claiming(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00v\x00" + text.ljust(117).encode() + b"\n" + bytes(24)


GOOD = npy(np.ones((2, 3), np.float32))
GOOD_META = json.dumps({"key": KEY, "meta": {}}).encode()
FORGED = {
    "float64": (npy(np.ones((2, 3))), GOOD_META),
    "integers": (npy(np.ones((2, 3), np.int32)), GOOD_META),
    "big-endian": (npy(np.ones((2, 3), ">f4")), GOOD_META),
    "one dimension": (npy(np.ones(6, np.float32)), GOOD_META),
    "three dimensions": (npy(np.ones((1, 2, 3), np.float32)), GOOD_META),
    "column order": (npy(np.asfortranarray(np.ones((2, 3), np.float32))), GOOD_META),
    "no frame": (npy(np.ones((2, 0), np.float32)), GOOD_META),
    "NaN": (npy(np.full((2, 3), np.nan, np.float32)), GOOD_META),
    "huge": (claiming("(1099511627776, 1048576)"), GOOD_META),
    "more digits than any number": (claiming("(1" + "0" * 40 + ", 1)"), GOOD_META),
    "negative": (claiming("(-2, -3)"), GOOD_META),
    "code for a shape": (claiming("(2, __import__('os'))"), GOOD_META),
    "smaller than its data": (claiming("(1, 3)"), GOOD_META),
    "no npy": (b"RIFF" + bytes(200), GOOD_META),
    "nothing": (b"", b""),
    "meta is no JSON": (GOOD, b"{"),
    "meta is no text": (GOOD, b"\xff"),
    "meta is a list": (GOOD, b"[]"),
    "meta is nested too deep": (GOOD, b"[" * 200_000),
    "meta lacks the clip": (GOOD, json.dumps({"key": KEY}).encode()),
    "meta is of another key": (GOOD, json.dumps({"key": key_of(1), "meta": {}}).encode()),
}


def forged(body: bytes, meta: bytes) -> bytes:
    whole = body + meta + len(meta).to_bytes(4, "little")
    return whole + hashlib.sha256(whole).digest()


def plant(cache: FeatureCache, content: bytes) -> None:
    path_of(cache).parent.mkdir(parents=True)
    path_of(cache).write_bytes(content)


def test_what_the_forger_makes_would_be_read_if_it_were_right(cache: FeatureCache) -> None:
    plant(cache, forged(GOOD, GOOD_META))
    assert_same(cache.get(KEY), Entry(np.ones((2, 3), np.float32), {}))


@pytest.mark.parametrize("what", FORGED)
def test_a_right_digest_does_not_save_wrong_content(cache: FeatureCache, what: str) -> None:
    plant(cache, forged(*FORGED[what]))
    assert cache.get(KEY) is None
    assert (cache.damaged, path_of(cache).exists()) == (1, False)


def test_a_wrong_length_of_the_meta_is_found(cache: FeatureCache) -> None:
    body = GOOD + GOOD_META + (2**32 - 1).to_bytes(4, "little")
    plant(cache, body + hashlib.sha256(body).digest())
    assert cache.get(KEY) is None
    assert cache.damaged == 1


@pytest.mark.parametrize("sign", [True, False])
def test_a_pickle_is_never_opened(cache: FeatureCache, tmp_path: Path, sign: bool) -> None:
    pickled = npy(np.array([[Evil(tmp_path / "mark")]], dtype=object))
    plant(cache, forged(pickled, GOOD_META) if sign else pickled)
    assert cache.get(KEY) is None
    assert cache.damaged == 1
    assert not (tmp_path / "mark").exists()


def test_a_huge_claim_allocates_nothing(cache: FeatureCache) -> None:
    plant(cache, forged(*FORGED["huge"]))
    assert peak_of(lambda: cache.get(KEY)) < 100_000
    assert cache.damaged == 1


def test_a_file_too_large_for_an_entry_is_not_read(cache: FeatureCache) -> None:
    plant(cache, b"")
    os.truncate(path_of(cache), 1 << 36)
    assert peak_of(lambda: cache.get(KEY)) < 100_000
    assert cache.damaged == 1


def peak_of(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_does_not_make_us_wait(cache: FeatureCache) -> None:
    path_of(cache).parent.mkdir(parents=True)
    os.mkfifo(path_of(cache))
    assert cache.get(KEY) is None
    assert not path_of(cache).exists()


def test_a_folder_in_the_place_of_an_entry_is_passed_over(cache: FeatureCache) -> None:
    path_of(cache).mkdir(parents=True)
    assert cache.get(KEY) is None
    assert path_of(cache).is_dir()


# --- several at once, and a kill


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_9_at_any_moment_leaves_no_damage(cache: FeatureCache) -> None:
    entries = {key_of(number): entry_of(number, (64, 400)) for number in range(4)}
    rng = np.random.default_rng(9)
    hits_in_a_write = rounds = 0
    while rounds < 25 or (not hits_in_a_write and rounds < 400):
        victim = start_writing(cache.folder, entries)
        meet(cache, entries)
        time.sleep(rng.uniform(0.0, 0.03))
        meet(cache, entries)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        meet(cache, entries)
        rounds += 1
        hits_in_a_write = sum(name.endswith(".tmp") for name in files_in(cache.folder))
    assert hits_in_a_write
    assert cache.hits >= rounds * 2 * 4
    assert FeatureCache(cache.folder).verify() == VerifyResult(4, ())
    assert (cache.damaged, cache.warning) == (0, None)


def start_writing(folder: Path, entries: dict[str, Entry]) -> int:
    """Return the id of a process that stores entries for ever, as soon as it has stored one."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside the threads of BLAS
        child = os.fork()
    if child:
        os.close(writer)
        with open(reader, "rb") as stream:  # noqa: PTH123
            assert stream.read(1) == b"1"
        return child
    try:
        cache = FeatureCache(folder)
        cache.put(*next(iter(entries.items())))
        os.write(writer, b"1")
        while True:
            for key, entry in entries.items():
                cache.put(key, entry)
    finally:
        os._exit(1)


def meet(cache: FeatureCache, entries: dict[str, Entry]) -> None:
    for key, entry in entries.items():
        if (found := cache.get(key)) is not None:
            assert_same(found, entry)
        cache.put(key, entry)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_share_a_cache(cache: FeatureCache) -> None:
    entries = {key_of(number): entry_of(number) for number in range(5)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: meet(cache, entries), range(20)))
        assert (cache.hits + cache.misses, cache.written, cache.damaged) == (100, 100, 0)
        list(pool.map(lambda _: cache.get("none"), range(5000)))
    assert cache.hits + cache.misses == 5100
    assert cache.stats().entries == 5


# --- a disk that does not play along


def why_not(folder: Path, reason: str) -> str:
    hint = "choose another folder with --cache-dir"
    return f"{folder}: features are not cached: {reason}; {hint}"


def test_a_full_disk_warns_once_and_leaves_what_was_there(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(KEY, entry_of(0))
    before = files_in(cache.folder)
    tries = []

    def full(path: Path, target: Path) -> None:
        tries.append(target)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    for number in range(1, 4):
        cache.put(key_of(number), entry_of(number))
    assert len(tries) == 1
    assert cache.warning == why_not(cache.folder, "No space left on device")
    assert files_in(cache.folder) == before
    assert_same(cache.get(KEY), entry_of(0))
    assert cache.written == 1


def test_a_write_that_stops_halfway_leaves_nothing(cache: FeatureCache) -> None:
    resource = pytest.importorskip("resource", reason="no limits on this system")
    cache.put(KEY, entry_of(0))
    before = files_in(cache.folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        cache.put(key_of(1), entry_of(1, (128, 400)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cache.warning == why_not(cache.folder, "File too large")
    assert files_in(cache.folder) - {f"v2/{key_of(1)[:2]}"} == before
    assert_same(cache.get(KEY), entry_of(0))


def test_a_read_only_file_system_serves_what_it_has(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, 1)
    used_days_ago(path_of(cache), 3)
    monkeypatch.setattr(Path, "open", fail(errno.EROFS))
    monkeypatch.setattr(os, "utime", fail(errno.EROFS))
    cache.put(key_of(1), entry_of(1))
    assert cache.warning == why_not(cache.folder, "Read-only file system")
    assert_same(cache.get(KEY), entry_of(0))


def test_a_damaged_entry_that_cannot_be_removed_is_still_not_taken(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(cache, b"damaged")
    monkeypatch.setattr(Path, "unlink", fail(errno.EROFS))
    assert cache.get(KEY) is None
    assert cache.damaged == 1


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write to any folder"
)
def test_a_read_only_folder_serves_what_it_has(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    folders = [cache.folder, cache.folder / "v2", path_of(cache).parent]
    for folder in folders:
        folder.chmod(0o500)
    try:
        cache.put(key_of(1), entry_of(1))
        assert cache.warning == why_not(cache.folder, "Permission denied")
        assert_same(cache.get(KEY), entry_of(0))
    finally:
        for folder in folders:
            folder.chmod(0o700)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file")
    assert cache.get(KEY) is None
    cache.put(KEY, entry_of(0))
    assert cache.warning == why_not(tmp_path / "file", "Not a directory")
    with pytest.raises(ResultError, match="the cache cannot be read or changed: Not a directory"):
        cache.stats()


def test_ctrl_c_during_a_write_leaves_nothing(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.put(KEY, entry_of(0))
    assert files_in(cache.folder) == {"v2/CACHEDIR.TAG"}


# --- size


def test_the_entries_used_longest_ago_go_first(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert_same(cache.get(KEY), entry_of(0))  # the oldest becomes the newest
    assert cache.prune(max_bytes=3 * size) == PruneResult(2, 2 * size)
    left = [number for number in range(5) if path_of(cache, key_of(number)).exists()]
    assert left == [0, 3, 4]


def test_a_second_use_within_an_hour_is_not_noted(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    used_days_ago(path_of(cache), 0.5 / 24)
    before = path_of(cache).stat().st_mtime
    cache.get(KEY)
    assert path_of(cache).stat().st_mtime == before


def test_entries_go_by_age(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert cache.prune(older_than_days=2.5 / 24) == PruneResult(3, 3 * size)
    assert cache.prune(older_than_days=2.5 / 24) == PruneResult(0, 0)


def test_size_and_age_hold_together(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert cache.prune(max_bytes=size, older_than_days=4.5 / 24) == PruneResult(4, 4 * size)


def test_prune_without_a_limit_removes_no_entry(cache: FeatureCache) -> None:
    fill(cache, 2)
    assert cache.prune() == PruneResult(0, 0)
    assert cache.stats().entries == 2


def test_prune_leaves_what_is_no_entry(cache: FeatureCache) -> None:
    fill(cache, 1)
    shard, stem = path_of(cache).parent, path_of(cache).stem
    other = "00" if KEY[:2] != "00" else "11"
    strangers = [
        cache.folder / "thesis.tex",
        cache.folder / "v3",
        cache.folder / f"{stem}.npy",
        cache.folder / "v2" / f"{stem}.npy",
        cache.folder / "v2" / other / f"{stem}.npy",
        cache.folder / "v2" / "other" / f"{stem}.npy",
        cache.folder / "v1x" / KEY[:2] / f"{stem}.npy",
        shard / "features.npy",
        shard / f"{stem}.npy.bak",
        shard / f"{stem.upper()}.npy",
        shard / f".{stem}.tmp",
        shard / "deeper" / f"{stem}.npy",
        shard / f"{KEY[:2]}{'0' * 62}.npy" / "a folder with the name of an entry",
    ]
    for path in strangers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        used_days_ago(path, 1000)
    link = shard / f"{KEY[:2]}{'1' * 62}.npy"
    link.symlink_to(cache.folder / "thesis.tex")
    (cache.folder / "v4").symlink_to(cache.folder / "v2")
    assert cache.prune(max_bytes=0, older_than_days=0).entries == 1
    assert [path for path in strangers if not path.exists()] == []
    assert link.is_symlink()


def test_files_half_written_a_day_ago_go(cache: FeatureCache) -> None:
    def abandon() -> list[Path]:
        names = [f".{KEY}.{pid}.{'0' * 32}.tmp" for pid in (1, 2)]
        paths = [path_of(cache).with_name(name) for name in names]
        for path, days in zip(paths, (1.1, 0.9), strict=True):
            path.write_bytes(b"half")
            used_days_ago(path, days)
        return paths

    cache.put(KEY, entry_of(0))
    for clean in (cache.prune, cache.close):
        old, young = abandon()
        clean()
        assert (old.exists(), young.exists()) == (False, True)
    assert cache.stats().entries == 1


def test_close_prunes_to_nine_tenths_of_the_limit(cache: FeatureCache) -> None:
    size = fill(cache, 20)
    cache.max_bytes = 20 * size - 1
    cache.close()
    assert cache.stats().entries == 17
    assert not path_of(cache, key_of(2)).exists()


def test_close_keeps_what_fills_the_limit_to_the_byte(cache: FeatureCache) -> None:
    cache.max_bytes = 3 * fill(cache, 3)
    cache.close()
    assert cache.stats().entries == 3


@pytest.mark.parametrize("limit", [None, DEFAULT_MAX_BYTES])
def test_close_keeps_what_is_within_the_limit(cache: FeatureCache, limit: int | None) -> None:
    cache.max_bytes = limit
    fill(cache, 3)
    cache.close()
    assert cache.stats().entries == 3


def test_a_run_that_stored_nothing_prunes_nothing(cache: FeatureCache) -> None:
    fill(cache, 3)
    reader = FeatureCache(cache.folder, max_bytes=0)
    reader.get(KEY)
    reader.close()
    assert reader.stats().entries == 3


def test_close_warns_of_a_folder_that_it_cannot_read(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, 1)
    monkeypatch.setattr(os, "scandir", fail(errno.EACCES))
    cache.close()
    assert cache.warning is not None
    assert "the cache cannot be read or changed: Permission denied" in cache.warning


def test_stats_count_entries_bytes_and_times(cache: FeatureCache) -> None:
    size = fill(cache, 3)
    now = time.time()
    found = cache.stats()
    assert (found.entries, found.bytes, found.outdated) == (3, 3 * size, 0)
    assert found.oldest == pytest.approx(now - 3 * 3600, abs=60)
    assert found.newest == pytest.approx(now - 3600, abs=60)


def test_entries_of_another_format_count_and_can_be_pruned(cache: FeatureCache) -> None:
    size = fill(cache, 2)
    (cache.folder / "v2").rename(cache.folder / "v3")
    assert cache.get(KEY) is None
    cache.put(KEY, entry_of(0))
    found = cache.stats()
    assert (found.entries, found.outdated) == (3, 2)
    assert cache.verify().checked == 1
    assert cache.prune(max_bytes=size) == PruneResult(2, 2 * size)


def test_entries_that_vanish_meanwhile_are_no_error(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, 3)
    matching = module._matching

    def vanish(folder: str, name: Any) -> Any:
        found = matching(folder, name)
        for entry, _ in found if name is module._ENTRY else []:
            Path(entry.path).unlink()
        return found

    monkeypatch.setattr(module, "_matching", vanish)
    assert cache.stats().entries == 0


def test_an_entry_that_another_process_removes_first_is_no_error(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = fill(cache, 3)
    first = module._first

    def race(*args: Any) -> Iterator[Any]:
        for file in first(*args):
            Path(file.path).unlink()
            yield file

    monkeypatch.setattr(module, "_first", race)
    assert cache.prune(max_bytes=size).entries == 2


# --- verify


def test_verify_removes_the_damaged_and_nothing_else(cache: FeatureCache) -> None:
    fill(cache, 5)
    for number in (1, 3):
        path_of(cache, key_of(number)).write_bytes(b"damaged")
    told: list[tuple[int, int]] = []
    found = cache.verify(lambda done, total: told.append((done, total)))
    assert found.checked == 5
    assert set(found.damaged) == {key_of(1), key_of(3)}
    assert told == [(done, 5) for done in range(1, 6)]
    assert cache.verify() == VerifyResult(3, ())
    assert_same(cache.get(KEY), entry_of(0))


def test_verify_passes_over_an_entry_that_has_just_gone(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, 1)
    monkeypatch.setattr(os, "open", fail(errno.ENOENT))
    assert cache.verify() == VerifyResult(1, ())


@pytest.mark.parametrize(("where", "name"), [(os, "open"), (Path, "unlink")])
def test_verify_names_what_it_cannot_read_or_remove(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    plant(cache, b"damaged")
    monkeypatch.setattr(where, name, fail(errno.EACCES))
    with pytest.raises(ResultError, match="cannot be read or changed: Permission denied") as caught:
        cache.verify()
    assert caught.value.exit_code == 6
    assert caught.value.hint == ("Mend its permissions, or choose another folder with --cache-dir.")


# --- keys


class Wrapper(Featurizer):
    """Holds another featurizer."""

    type: Literal["wrapper"] = "wrapper"
    inner: AnyFeaturizer

    def extract(self, y: Any, sr: int) -> Any:
        return self.inner.extract(y, sr)


class Careless(Featurizer):
    """Holds another featurizer by an annotation that would serialize only the base's fields."""

    type: Literal["careless"] = "careless"
    inner: dict[str, Featurizer]

    def extract(self, y: Any, sr: int) -> Any:
        return self.inner["a"].extract(y, sr)


class Window(BaseModel):
    """Options of a featurizer."""


class Kaiser(Window):
    """Has one option more than the annotation says."""

    beta: float


class Windowed(Featurizer):
    """Has options that are a model of their own."""

    type: Literal["windowed"] = "windowed"
    windows: list[Window]

    def extract(self, y: Any, sr: int) -> Any:
        return y


class Weighted(Featurizer):
    """Reads a file."""

    type: Literal["weighted"] = "weighted"
    weights: tuple[Path, ...]

    def extract(self, y: Any, sr: int) -> Any:
        return y


class Again(MelSpectrogram):
    """The same configuration, another class."""


class Once(MelSpectrogram):
    """And another of the same module."""


def key(**changes: Any) -> str | None:
    arguments: dict[str, Any] = {
        "source_digest": "0" * 64,
        "audio": AudioConfig(sr=8000, duration=1.0),
        "featurizer": MelSpectrogram(n_mels=16),
        "origin": ORIGIN,
    }
    return feature_key(**{**arguments, **changes})


def real_key(**changes: Any) -> str:
    found = key(**changes)
    assert found is not None
    assert len(found) == 64
    return found


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let versions be read again for every key."""
    for name in ("_libraries", "_requirements"):
        monkeypatch.setattr(code_digest, name, getattr(code_digest, name).__wrapped__)
    return monkeypatch


@pytest.mark.parametrize(
    "changes",
    [
        {"source_digest": "1" * 64},
        {"audio": AudioConfig(sr=8001, duration=1.0)},
        {"audio": AudioConfig(sr=8000)},
        {"audio": AudioConfig(sr=8000, duration=1.0, offset=0.1)},
        {"featurizer": MelSpectrogram(n_mels=17)},
        {"featurizer": MelSpectrogram(n_mels=16, db=None)},
        {"featurizer": Again(n_mels=16)},
        {"featurizer": Stft()},
        {"origin": Origin("audioclf", "0.1.1", "builtin")},
        {"origin": FOREIGN},
    ],
    ids=str,
)
def test_the_key_follows_every_argument(changes: Any) -> None:
    assert real_key(**changes) != real_key()


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (keys, "FORMAT", 3),
        (code_digest, "__version__", "99"),
        (soundfile, "__libsndfile_version__", "99"),
        (sys, "byteorder", "middle"),
        (code_digest, "_code", lambda package: "other code"),
    ],
)
def test_the_key_follows_what_computes(
    fresh: pytest.MonkeyPatch, where: Any, name: str, value: Any
) -> None:
    before = real_key()
    fresh.setattr(where, name, value)
    assert real_key() != before


@pytest.mark.parametrize("library", ["numpy", "scipy", "soxr", "soundfile", "librosa"])
def test_the_key_follows_the_full_version_of_each_library(
    fresh: pytest.MonkeyPatch, library: str
) -> None:
    version = metadata.version
    before = real_key()
    fresh.setattr(
        metadata,
        "version",
        lambda name: version(name) + (".post1" if name == library else ""),
    )
    assert real_key() != before


def test_the_key_follows_what_a_foreign_plugin_requires(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(code_digest, "versions_behind", lambda names: {"torch": "2.0", "for": str(names)})
    before = real_key(origin=FOREIGN), real_key()
    fresh.setattr(code_digest, "versions_behind", lambda names: {"torch": "2.1", "for": str(names)})
    assert real_key(origin=FOREIGN) != before[0]
    assert real_key() == before[1]


@pytest.mark.parametrize("pooling", [Flatten(), Flatten(pad=-80.0), Stats(segments=0)])
def test_the_key_does_not_follow_the_pooling(pooling: Any) -> None:
    assert real_key(featurizer=MelSpectrogram(n_mels=16, pooling=pooling)) == real_key()


def test_the_key_follows_the_limits_that_a_clip_had_to_keep() -> None:
    with use_limits(Limits(max_channels=128)):
        wider = real_key()
    assert wider != real_key()


def test_the_key_follows_class_and_module_of_a_featurizer() -> None:
    elsewhere = type("MelSpectrogram", (MelSpectrogram,), {"__module__": __name__})
    made = [MelSpectrogram(), Again(), Once(), elsewhere()]
    assert len({real_key(featurizer=each) for each in made}) == 4


def test_the_key_follows_the_pooling_of_a_featurizer_inside() -> None:
    keys = {
        real_key(featurizer=Wrapper(inner=MelSpectrogram(pooling=pooling)))
        for pooling in (Flatten(), Stats())
    }
    assert len(keys) == 2


def test_the_key_does_not_follow_the_entry_point() -> None:
    assert real_key(origin=Origin("audioclf", "0.1.0", "renamed")) == real_key()


def test_the_key_does_not_follow_name_or_time_of_the_file(tmp_path: Path) -> None:
    from audioclf.dataset.sources import FileSource

    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path, days in zip(paths, (1, 100), strict=True):
        path.write_bytes(b"RIFF")
        used_days_ago(path, days)
    keys = {real_key(source_digest=FileSource(path).digest()) for path in paths}
    assert len(keys) == 1


def test_a_key_maker_makes_the_same_keys() -> None:
    arguments = {"audio": AudioConfig(), "featurizer": MelSpectrogram(), "origin": ORIGIN}
    maker = KeyMaker.make(**arguments)  # type: ignore[arg-type]
    assert maker is not None
    for digest in ("0" * 64, "f" * 64):
        assert maker.key(digest) == real_key(source_digest=digest, **arguments)


def test_only_the_libraries_that_a_component_computes_with_count(fresh: pytest.MonkeyPatch) -> None:
    def ingredients(*names: str) -> Any:
        return code_digest.made_by(MelSpectrogram(), ORIGIN, libraries=names)

    before = ingredients("numpy")
    assert {"numpy": metadata.version("numpy")} in before
    fresh.setattr(soundfile, "__libsndfile_version__", "99")
    assert ingredients("numpy") == before
    versions = {"soundfile": metadata.version("soundfile"), "libsndfile": "99"}
    assert versions in ingredients("soundfile")


def test_a_key_does_not_follow_the_order_of_names() -> None:
    assert code_digest.canonical({"a": 1, "b": [2, 3]}) == b'{"a":1,"b":[2,3]}'
    assert code_digest.canonical({"b": [2, 3], "a": 1}) == b'{"a":1,"b":[2,3]}'
    assert code_digest.canonical([float("nan")]) == b"[NaN]"


def test_a_class_made_by_hand_has_no_key() -> None:
    assert key(origin=None) is None
    assert KeyMaker.make(audio=AudioConfig(), featurizer=Again(), origin=None) is None


@pytest.mark.parametrize("wrap", [lambda f: Wrapper(inner=f), lambda f: Careless(inner={"a": f})])
def test_the_key_follows_a_featurizer_inside(wrap: Any) -> None:
    inner = [MelSpectrogram(n_mels=16), MelSpectrogram(n_mels=17), Again(n_mels=16), Stft()]
    assert len({real_key(featurizer=wrap(each)) for each in inner}) == 4


def test_the_key_follows_options_that_the_annotation_does_not_name() -> None:
    windows: list[list[Window]] = [[], [Window()], [Kaiser(beta=1.0)], [Kaiser(beta=2.0)]]
    assert len({real_key(featurizer=Windowed(windows=each)) for each in windows}) == 4


def test_the_key_follows_the_content_of_a_file_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"1")
    before = real_key(featurizer=Weighted(weights=(path,)))
    assert real_key(featurizer=Weighted(weights=(path,))) == before
    path.write_bytes(b"2")
    assert real_key(featurizer=Weighted(weights=(path,))) != before


def test_a_file_that_cannot_be_read_gives_no_key(tmp_path: Path) -> None:
    assert key(featurizer=Weighted(weights=(tmp_path / "none",))) is None


BASE = """
from typing import Literal
from audioclf.plugin import Featurizer
class Base(Featurizer):
    type: Literal["base"] = "base"
    def extract(self, y, sr):
        return y[None, :] * {factor}
"""
LEVEL = """
from typing import Literal
from {module} import Base
class Level(Base):
    type: Literal["level"] = "level"
"""


@pytest.fixture
def key_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Return a function that writes a plugin, imports it afresh, and returns a key with it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - before:
            if name.startswith("audioclf_"):
                del sys.modules[name]

    def make(files: dict[str, str], folder: str = "site") -> str:
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with monkeypatch.context() as context:
            context.syspath_prepend(str(tmp_path / folder))
            forget()
            level = importlib.import_module("audioclf_x").Level()
            return real_key(featurizer=level, origin=FOREIGN)

    yield make
    forget()


def one_module(factor: int) -> dict[str, str]:
    level = LEVEL.format(module="audioclf_x").replace("from audioclf_x import Base\n", "")
    return {"audioclf_x.py": BASE.format(factor=factor) + level}


def package(factor: int) -> dict[str, str]:
    base = BASE.format(factor=factor)
    level = LEVEL.format(module="audioclf_x.deep.base")
    return {"audioclf_x/__init__.py": level, "audioclf_x/deep/base.py": base}


def beside(factor: int) -> dict[str, str]:
    base = BASE.format(factor="FACTOR").replace(
        "class Base", "from .factor import FACTOR\nclass Base"
    )
    level = LEVEL.format(module="audioclf_x.base")
    return {
        "audioclf_x/__init__.py": level,
        "audioclf_x/base.py": base,
        "audioclf_x/factor.py": f"FACTOR = {factor}",
    }


def two_distributions(factor: int) -> dict[str, str]:
    base = BASE.format(factor=factor)
    return {"audioclf_x.py": LEVEL.format(module="audioclf_y"), "audioclf_y.py": base}


@pytest.mark.parametrize("layout", [one_module, package, beside, two_distributions])
def test_the_key_follows_code_whose_version_stays(key_with: Any, layout: Any) -> None:
    first = key_with(layout(1))
    assert key_with(layout(2)) != first
    assert key_with(layout(1)) == first


def test_the_key_does_not_follow_where_the_code_is_installed(key_with: Any) -> None:
    assert key_with(package(1), "here") == key_with(package(1), "there")


def test_a_file_that_an_editor_leaves_beside_the_code_is_no_error(
    key_with: Any, tmp_path: Path
) -> None:
    first = key_with(package(1))
    (tmp_path / "site" / "audioclf_x" / ".#base.py").symlink_to("user@host.1234")
    assert key_with(package(1)) == first


@pytest.mark.parametrize("name", ["__main__", "audioclf_nowhere", "audioclf_frozen"])
def test_code_without_source_gives_no_key(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "audioclf_frozen", ModuleType("audioclf_frozen"))

    class Unseen(MelSpectrogram):
        """Comes from a module that has no file."""

    Unseen.__module__ = f"{name}.part"
    assert key(featurizer=Unseen()) is None


# --- where it is


def test_the_folder_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOCLF_CACHE_DIR", "~/features")
    assert default_folder() == Path.home() / "features"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_the_folder_is_where_the_system_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUDIOCLF_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "audioclf"
    assert not default_folder().exists()
