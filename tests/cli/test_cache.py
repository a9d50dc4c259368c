"""`audioclf cache`: what it says, what it removes, what it refuses."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.features.cache import FeatureCache
from audioclf.features.cache_entry import Entry
from tests.conftest import run_cli

KEYS = [f"{number:02x}" * 32 for number in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a cache of four entries of the same size, used 1, 11, 21 and 31 days ago."""
    cache = FeatureCache(tmp_path / "cache")
    for number, key in enumerate(KEYS):
        cache.put(key, Entry(np.ones((25, 100), dtype=np.float32), {}))
        cache.flush()
        then = time.time() - (1 + 10 * number) * 86_400
        os.utime(path_of(cache.folder, number), (then, then))
    return cache.folder


def path_of(folder: Path, number: int) -> Path:
    """Return the pack of an entry."""
    packs = sorted((folder / "v3").glob("*.pack"))
    return next(path for path in packs if KEYS[number].encode() in path.read_bytes())


def size_of_one(folder: Path) -> int:
    return path_of(folder, 0).stat().st_size


def left_in(folder: Path) -> list[int]:
    return [number for number, key in enumerate(KEYS) if FeatureCache(folder).has(key)]


def damage(folder: Path, number: int) -> Path:
    """Change a byte of an entry."""
    path = path_of(folder, number)
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    return path


def in_json(*args: str | Path) -> Any:
    done = run_cli("cache", *args, "--json", code=0)
    return json.loads(done.stdout)


def test_stats_say_where_the_cache_is_and_what_it_holds(folder: Path) -> None:
    done = run_cli("cache", "stats", "--cache-dir", folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:3] == [f"cache {folder}", "entries 4", "size 39.9 KiB"]
    assert [line.rpartition(" ")[0] for line in lines[3:]] == ["oldest use", "newest use"]


def test_stats_in_json(folder: Path) -> None:
    data = in_json("stats", "--cache-dir", folder)
    assert data["folder"] == str(folder)
    assert (data["entries"], data["bytes"]) == (4, 4 * size_of_one(folder))
    assert data["outdated"] == 0
    day = time.strftime("%Y-%m-%d", time.gmtime(path_of(folder, 3).stat().st_mtime))
    assert data["oldest_use"].startswith(f"{day}T")
    assert data["oldest_use"].endswith("+00:00")


def test_stats_name_entries_of_an_earlier_format(folder: Path) -> None:
    old = folder / "v2" / "ab" / f"{'ab' * 32}.npy"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    words = " ".join(run_cli("cache", "stats", "--cache-dir", folder).stdout.split())
    assert words.endswith("outdated 1 of an earlier format")


def test_a_time_beyond_all_calendars_is_no_error(folder: Path) -> None:
    os.utime(path_of(folder, 0), (2**33, 2**33))
    assert in_json("stats", "--cache-dir", folder)["newest_use"] > "2200"


def test_a_cache_that_does_not_exist_is_empty_and_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert run_cli("cache", "stats", "--cache-dir", missing).stdout == f"{missing}: empty\n"
    data = in_json("stats", "--cache-dir", missing)
    assert (data["entries"], data["oldest_use"]) == (0, None)
    done = run_cli("cache", "verify", "--cache-dir", missing)
    assert done.stdout == "0 entries checked, none damaged\n"
    done = run_cli("cache", "prune", "--cache-dir", missing)
    assert done.stdout == "0 entries removed (0 B), 0 entries left (0 B)\n"
    assert not missing.exists()


def test_the_environment_names_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOCLF_CACHE_DIR", str(folder))
    assert in_json("stats")["entries"] == 4


def test_verify_counts_and_removes_the_damaged(folder: Path) -> None:
    sound, damaged = "none damaged", "1 damaged and removed; the next run computes what is missing"
    for said in (sound, damaged):
        done = run_cli("cache", "verify", "--cache-dir", folder, code=0)
        assert done.stdout == f"4 entries checked, {said}\n"
        if said == sound:
            damage(folder, 2)
    damage(folder, 1)
    assert in_json("verify", "--cache-dir", folder)["damaged"] == [KEYS[1][:16]]
    assert left_in(folder) == [0, 3]


def test_prune_by_size_removes_what_was_used_longest_ago(folder: Path) -> None:
    done = run_cli("cache", "prune", "--cache-dir", folder, "--max-size", "25kB", code=0)
    assert done.stdout == "2 entries removed (19.9 KiB), 2 entries left (19.9 KiB)\n"
    assert left_in(folder) == [0, 1]


@pytest.mark.parametrize(
    ("age", "left"), [("30d", [0, 1, 2]), ("4w", [0, 1, 2]), ("1.5d", [0]), ("36 h", [0])]
)
def test_prune_by_age(folder: Path, age: str, left: list[int]) -> None:
    run_cli("cache", "prune", "--cache-dir", folder, "--older-than", age, code=0)
    assert left_in(folder) == left


@pytest.mark.parametrize(
    ("size", "left"),
    [("0", 0), ("11000", 1), ("11000b", 1), ("0.025 MB", 2), ("24KiB", 2), ("1TiB", 4)],
)
def test_sizes_have_units(folder: Path, size: str, left: int) -> None:
    one = size_of_one(folder)
    data = in_json("prune", "--cache-dir", folder, "--max-size", size)
    assert (data["removed"], data["entries"]) == (4 - left, left)
    assert data["removed_bytes"] + data["bytes"] == 4 * one


def test_prune_without_a_limit_holds_the_default_one(folder: Path) -> None:
    run_cli("cache", "prune", "--cache-dir", folder, code=0)
    assert left_in(folder) == [0, 1, 2, 3]
    newest = path_of(folder, 0)
    os.truncate(newest, 11 * 2**30)
    os.utime(newest)
    run_cli("cache", "prune", "--cache-dir", folder, code=0)
    assert left_in(folder) == []


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--max-size", "2XB", "'2XB' is not a size such as 500MB, 2GB or 1.5GiB."),
        ("--older-than", "30", "'30' is not an age such as 12h, 30d or 8w."),
        ("--older-than", "30m", "'30m' is not an age such as 12h, 30d or 8w."),
    ],
)
def test_a_limit_that_makes_no_sense_is_a_usage_error(
    folder: Path, option: str, value: str, expected: str
) -> None:
    done = run_cli("cache", "prune", "--cache-dir", folder, option, value, code=2)
    assert f"Invalid value for '{option}': {expected}" in done.stderr
    assert left_in(folder) == [0, 1, 2, 3]


@pytest.mark.parametrize("command", [["prune", "--max-size", "0"], ["verify"]])
def test_a_cache_that_cannot_be_changed_is_an_error_of_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system", str(path))

    path = damage(folder, 3)
    os.utime(path, (0, 0))
    monkeypatch.setattr(Path, "unlink", read_only)
    done = run_cli("cache", *command, "--cache-dir", folder, code=6)
    assert done.stderr == (
        f"audioclf: error: {path}: the cache cannot be read or changed: Read-only file system\n"
        "  Correct its permissions, or choose another folder with --cache-dir.\n"
    )


def test_a_file_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_cli("cache", "stats", "--cache-dir", tmp_path / "file", code=6)
    assert f"{tmp_path / 'file'}: the cache cannot be read or changed: Not a dir" in done.stderr
