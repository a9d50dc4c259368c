"""The feature cache on disk: an entry is read as it was stored, or it is missing."""

import errno
import hashlib
import itertools
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
from audioclf.base.locks import take_lock
from audioclf.features import cache as module
from audioclf.features import cache_pack as pack_module
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


def store(cache: FeatureCache, *numbers: int) -> Path:
    """Store entries in one pack; return its path."""
    before = set(packs(cache))
    for number in numbers:
        cache.put(key_of(number), entry_of(number))
    cache.flush()
    (path,) = set(packs(cache)) - before
    return path


def packs(cache: FeatureCache) -> list[Path]:
    """Return the packs in the order in which they were made."""
    return sorted((cache.folder / "v3").glob("*.pack"))


def held(cache: FeatureCache, count: int) -> list[int]:
    return [number for number in range(count) if FeatureCache(cache.folder).has(key_of(number))]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def fill(cache: FeatureCache, count: int) -> int:
    """Store entries in a pack each, the first used longest ago, an hour apart; return its bytes."""
    for number in range(count):
        used_days_ago(store(cache, number), (count - number) / 24)
    return packs(cache)[0].stat().st_size


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
    cache.flush()
    assert_same(cache.get(KEY), Entry(features, meta))


@pytest.mark.parametrize("is_flushed", [False, True])
def test_entries_are_found_before_and_after_they_are_written(
    cache: FeatureCache, is_flushed: bool
) -> None:
    for number in range(3):
        cache.put(key_of(number), entry_of(number))
    if is_flushed:
        cache.flush()
        assert len(packs(cache)) == 1
    found = cache.get_many([key_of(2), key_of(7), key_of(0)])
    assert found.keys() == {key_of(2), key_of(0)}
    assert_same(found[key_of(2)], entry_of(2))
    assert not found[key_of(0)].features.flags.writeable
    assert (cache.hits, cache.misses) == (2, 1)


def test_little_is_lost_when_a_process_ends(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(key_of(0), entry_of(0, (1024, 2048)))
    assert len(packs(cache)) == 1
    now = time.monotonic()
    cache.put(key_of(1), entry_of(1))
    assert len(packs(cache)) == 1
    monkeypatch.setattr(time, "monotonic", lambda: now + 2)
    cache.put(key_of(2), entry_of(2))
    assert held(cache, 3) == [0, 1, 2]


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
    path = store(cache, 0)
    tag = (cache.folder / "v3" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert files_in(cache.folder) == {"v3/CACHEDIR.TAG", f"v3/{path.name}"}


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


def test_every_damage_is_found(tmp_path: Path) -> None:
    whole = store(FeatureCache(tmp_path / "whole"), 0, 1).read_bytes()
    for number, content in enumerate(changed_copies(whole)):
        cache = FeatureCache(tmp_path / str(number))
        store(cache, 0, 1).write_bytes(content)
        module._index_of.cache_clear()  # as in another process
        cache = FeatureCache(tmp_path / str(number))
        found = cache.get_many([key_of(0), key_of(1)])
        assert len(found) < 2
        assert cache.damaged == 1
        for key, entry in found.items():
            assert_same(entry, entry_of([key_of(0), key_of(1)].index(key)))
        store(cache, 0, 1)
        assert len(cache.get_many([key_of(0), key_of(1)])) == 2


def test_the_entry_of_another_clip_is_not_taken(cache: FeatureCache) -> None:
    alike = KEY[:16] + key_of(1)[16:]  # tables of packs hold the first digits
    cache.put(alike, entry_of(1))
    cache.flush()
    assert cache.get(KEY) is None
    store(cache, 0)
    assert_same(cache.get(KEY), entry_of(0))


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
    assert FeatureCache(cache.folder).verify().damaged == ()
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
        meet(cache, entries)
        os.write(writer, b"1")
        while True:
            for key, entry in entries.items():
                cache.put(key, entry)
            cache.flush()
    finally:
        os._exit(1)


def meet(cache: FeatureCache, entries: dict[str, Entry]) -> None:
    for key, entry in entries.items():
        if (found := cache.get(key)) is not None:
            assert_same(found, entry)
        cache.put(key, entry)
    cache.flush()


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
        assert (cache.hits + cache.misses, cache.damaged) == (100, 0)
        list(pool.map(lambda _: cache.get(key_of(9)), range(5000)))
    assert cache.hits + cache.misses == 5100
    assert held(cache, 5) == [0, 1, 2, 3, 4]


def why_not(folder: Path, reason: str) -> str:
    hint = "choose another folder with --cache-dir"
    return f"{folder}: features are not cached: {reason}; {hint}"


def test_a_full_disk_warns_once_and_leaves_what_was_there(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(cache, 0)
    before = files_in(cache.folder)
    tries = []

    def full(path: Path, target: Path) -> None:
        tries.append(target)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    for number in range(1, 4):
        cache.put(key_of(number), entry_of(number))
        cache.flush()
    assert len(tries) == 1
    assert cache.warning == why_not(cache.folder, "No space left on device")
    assert files_in(cache.folder) == before
    assert_same(cache.get(KEY), entry_of(0))
    assert cache.written == 1


def test_a_write_that_stops_halfway_leaves_nothing(cache: FeatureCache) -> None:
    resource = pytest.importorskip("resource", reason="no limits on this system")
    store(cache, 0)
    before = files_in(cache.folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        cache.put(key_of(1), entry_of(1, (128, 400)))
        cache.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cache.warning == why_not(cache.folder, "File too large")
    assert files_in(cache.folder) == before
    assert_same(cache.get(KEY), entry_of(0))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file")
    assert cache.get(KEY) is None
    cache.put(KEY, entry_of(0))
    cache.flush()
    assert cache.warning == why_not(tmp_path / "file", "Not a directory")
    with pytest.raises(ResultError, match="the cache cannot be read or changed: Not a directory"):
        cache.stats()


def test_ctrl_c_during_a_write_leaves_nothing(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    cache.put(KEY, entry_of(0))
    with pytest.raises(KeyboardInterrupt):
        cache.flush()
    assert files_in(cache.folder) == {"v3/CACHEDIR.TAG"}


def test_the_packs_used_longest_ago_go_first(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert_same(cache.get(KEY), entry_of(0))  # the oldest becomes the newest
    assert cache.prune(max_bytes=3 * size) == PruneResult(2, 2 * size)
    assert held(cache, 5) == [0, 3, 4]


def test_size_and_age_hold_together(cache: FeatureCache) -> None:
    size = fill(cache, 5)
    assert cache.prune(max_bytes=size, older_than_days=4.5 / 24) == PruneResult(4, 4 * size)


def old_entry(folder: Path, number: int = 0) -> Path:
    """Write a file of an earlier format, used a year ago."""
    key = key_of(number)
    path = folder / "v2" / key[:2] / f"{key}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"of an earlier format")
    used_days_ago(path, 365)
    return path


def test_prune_leaves_what_is_no_entry(cache: FeatureCache) -> None:
    fill(cache, 1)
    name, old = packs(cache)[0].name, old_entry(cache.folder)
    other = "00" if KEY[:2] != "00" else "11"
    strangers = [
        cache.folder / "thesis.tex",
        cache.folder / "v4" / name,
        cache.folder / name,
        cache.folder / "v3" / "features.pack",
        cache.folder / "v3" / f"{name}.bak",
        cache.folder / "v3" / name.upper(),
        cache.folder / "v3" / f".{name}.tmp",
        cache.folder / "v3" / "deeper" / name,
        cache.folder / "v3" / f"{'0' * 16}-{'0' * 32}.pack" / "a folder with the name of a pack",
        cache.folder / "v2" / old.name,
        cache.folder / "v2" / other / old.name,
        old.with_suffix(".bak"),
    ]
    for path in strangers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        used_days_ago(path, 1000)
    link = cache.folder / "v3" / f"{'1' * 16}-{'1' * 32}.pack"
    link.symlink_to(cache.folder / "thesis.tex")
    (cache.folder / "v1").symlink_to(cache.folder / "v2")
    assert cache.prune(max_bytes=0, older_than_days=0).entries == 2
    assert [path for path in strangers if not path.exists()] == []
    assert link.is_symlink()


def test_files_half_written_a_day_ago_go(cache: FeatureCache) -> None:
    def abandon() -> list[Path]:
        pack = packs(cache)[0]
        paths = [pack.with_name(f".{pack.name}.{pid}.tmp") for pid in (1, 2)]
        for path, days in zip(paths, (1.1, 0.9), strict=True):
            path.write_bytes(b"half")
            used_days_ago(path, days)
        return paths

    store(cache, 0)
    for clean in (cache.prune, cache.close):
        old, young = abandon()
        clean()
        assert (old.exists(), young.exists()) == (False, True)
    assert held(cache, 1) == [0]


def test_close_prunes_to_nine_tenths_of_the_limit(cache: FeatureCache) -> None:
    size = fill(cache, 20)
    cache.max_bytes = 20 * size - 1
    cache.close()
    assert held(cache, 20) == list(range(3, 20))


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


def test_entries_of_an_earlier_format_count_and_can_be_pruned(cache: FeatureCache) -> None:
    size = fill(cache, 1)
    old_entry(cache.folder, 0)
    old_entry(cache.folder, 1)
    found = cache.stats()
    assert (found.entries, found.outdated) == (3, 2)
    assert cache.verify().checked == 1
    assert cache.prune(max_bytes=size).entries == 2
    assert held(cache, 1) == [0]


def test_a_pack_that_another_process_removes_first_is_no_error(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = fill(cache, 3)
    first = module._first

    def race(*args: Any) -> Iterator[Any]:
        for file in first(*args):
            file.path.unlink()
            yield file

    monkeypatch.setattr(module, "_first", race)
    assert cache.prune(max_bytes=size).bytes == 2 * size


def test_many_small_packs_become_few(cache: FeatureCache) -> None:
    reader = FeatureCache(cache.folder)
    for number in range(70):
        store(cache, number)
    used_days_ago(packs(cache)[3], 3)
    assert reader.has(key_of(5))
    store(cache, 5)  # of two entries with one key the later one counts, also when they are merged
    cache.close()
    (pack,) = packs(cache)
    assert cache.stats().entries == 70
    assert time.time() - pack.stat().st_mtime < DAY
    entries = reader.get_many([key_of(number) for number in range(70)])
    for number in range(70):
        assert_same(entries[key_of(number)], entry_of(number))
    assert (reader.hits, reader.damaged) == (70, 0)


@pytest.mark.parametrize(("pace", "most"), [(0.0, 6), (1.0, 12)])
def test_a_folder_of_many_packs_is_seldom_listed(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch, pace: float, most: int
) -> None:
    clock, names_in = itertools.count(), pack_module._names_in
    listed: list[Path] = []

    def list_names(folder: Path) -> set[str]:
        listed.append(folder)
        return names_in(folder)

    monkeypatch.setattr(pack_module, "_MANY", 4)
    monkeypatch.setattr(pack_module, "monotonic", lambda: pace * next(clock))
    monkeypatch.setattr(pack_module, "_names_in", list_names)
    for number in range(60):
        assert not cache.has(key_of(number))
        store(cache, number)
        assert cache.has(key_of(number))
    assert len(listed) <= most


def test_a_group_of_one_pack_is_left_as_it_is(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(65):
        store(cache, number)
    size = packs(cache)[0].stat().st_size
    monkeypatch.setattr("audioclf.features.cache._MERGED_BYTES", 64 * size + size // 2)
    before = packs(cache)
    cache.close()
    assert (len(packs(cache)), len({*packs(cache)} & {*before})) == (2, 1)


def test_only_one_process_merges(cache: FeatureCache) -> None:
    for number in range(70):
        store(cache, number)
    lock = take_lock(cache.folder / "v3" / ".lock")
    assert lock is not None
    cache.close()
    assert len(packs(cache)) == 70
    lock.release()


def test_verify_removes_the_damaged_and_nothing_else(cache: FeatureCache) -> None:
    store(cache, 0, 1, 2)
    flip(packs(cache)[0], 100)
    store(cache, 3)
    flip(packs(cache)[1], -3)
    calls: list[tuple[int, int]] = []
    found = cache.verify(lambda done, total: calls.append((done, total)))
    assert found.checked == 4
    assert [name[:16] for name in found.damaged][:1] == [KEY[:16]]
    assert found.damaged[1].endswith(".pack")
    assert calls == [(1, 2), (2, 2)]
    assert cache.verify() == VerifyResult(2, ())
    assert held(cache, 4) == [1, 2]


def flip(path: Path, position: int) -> None:
    """Change a byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= 255
    path.write_bytes(content)


def test_verify_names_what_it_cannot_read(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(cache, 0)
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
