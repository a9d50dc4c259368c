"""The feature cache on disk: an entry is read as it was stored, or it is missing."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from audioclf.base.errors import ResultError
from audioclf.features import cache as module
from audioclf.features.cache import (
    CacheStats,
    FeatureCache,
    PruneResult,
    VerifyResult,
    default_folder,
)
from audioclf.features.cache_entry import Entry

META = {"status": "ok", "seconds": 0.5, "info": {"sr": 8000, "warnings": ["cut short"]}}
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


def test_numpy_reads_an_entry(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    np.testing.assert_array_equal(np.load(path_of(cache)), entry_of(0).features)
    entry = cache.get(KEY)
    assert entry is not None
    assert not entry.features.flags.writeable


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


def test_a_tag_lets_backup_tools_skip_our_folder_and_no_other(cache: FeatureCache) -> None:
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


def changed_copies(whole: bytes) -> Iterator[bytes]:
    """Yield copies with one flipped bit, copies that end too early, and one with a byte more."""
    rng = np.random.default_rng(0)
    for position in rng.choice(len(whole), 60):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rng.integers(8)
        yield bytes(damaged)
    yield from (whole[:length] for length in (0, 1, 31, 32, 36, 127, 128, 1000, len(whole) - 1))
    yield whole + b"\0"


def test_every_damage_is_found(cache: FeatureCache) -> None:
    cache.put(KEY, entry_of(0))
    copies = list(changed_copies(path_of(cache).read_bytes()))
    for content in copies:
        path_of(cache).write_bytes(content)
        assert cache.get(KEY) is None
        assert not path_of(cache).exists()
    cache.put(KEY, entry_of(0))
    assert_same(cache.get(KEY), entry_of(0))
    assert (cache.damaged, cache.misses, cache.hits) == (len(copies), len(copies), 1)


def test_the_entry_of_another_clip_is_not_taken(cache: FeatureCache) -> None:
    other = key_of(1)
    cache.put(other, entry_of(1))
    path_of(cache).parent.mkdir(exist_ok=True)
    path_of(cache, other).rename(path_of(cache))
    assert cache.get(KEY) is None
    assert cache.damaged == 1


@pytest.mark.slow
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


def test_the_entries_used_longest_ago_go_first(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert_same(cache.get(KEY), entry_of(0))  # the oldest becomes the newest
    assert cache.prune(max_bytes=3 * size) == PruneResult(2, 2 * size)
    left = [number for number in range(5) if path_of(cache, key_of(number)).exists()]
    assert left == [0, 3, 4]


def test_size_and_age_hold_together(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert cache.prune(max_bytes=size, older_than_days=4.5 / 24) == PruneResult(4, 4 * size)


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


def test_a_run_that_stored_nothing_prunes_nothing(cache: FeatureCache) -> None:
    fill(cache, 3)
    reader = FeatureCache(cache.folder, max_bytes=0)
    reader.get(KEY)
    reader.close()
    assert reader.stats().entries == 3


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


def test_an_entry_that_another_process_removes_first_is_no_error(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = fill(cache, 3)
    first = module._first

    def race(*args: Any) -> Iterator[Any]:
        for file in first(*args):
            file.path.unlink()
            yield file

    monkeypatch.setattr(module, "_first", race)
    assert cache.prune(max_bytes=size).entries == 2


def test_verify_removes_the_damaged_and_nothing_else(cache: FeatureCache) -> None:
    fill(cache, 5)
    for number in (1, 3):
        path_of(cache, key_of(number)).write_bytes(b"damaged")
    calls: list[tuple[int, int]] = []
    found = cache.verify(lambda done, total: calls.append((done, total)))
    assert found.checked == 5
    assert set(found.damaged) == {key_of(1), key_of(3)}
    assert calls == [(done, 5) for done in range(1, 6)]
    assert cache.verify() == VerifyResult(3, ())
    assert_same(cache.get(KEY), entry_of(0))


def test_verify_names_what_it_cannot_read(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(KEY, entry_of(0))
    monkeypatch.setattr(Path, "open", fail(errno.EACCES))
    with pytest.raises(ResultError, match="cannot be read or changed: Permission denied") as caught:
        cache.verify()
    assert caught.value.exit_code == 6


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
