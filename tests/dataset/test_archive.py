"""Zip archives: which files they hold, and their bytes."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from audioclf.base.errors import DatasetError
from audioclf.base.limits import Limits, use_limits
from audioclf.dataset.archive import Archive, open_archive
from tests.hostile.files import Entry, deflated, zip_of


def archive_of(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Archive:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return open_archive(path)


def contents(archive: Archive) -> dict[str, bytes]:
    return {member.name: member.read() for member in archive.members}


FILES = {"a/0.wav": b"zero" * 100, "a/1.wav": b"", "b/2.wav": bytes(range(256))}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_hold_the_bytes_of_the_files(tmp_path: Path, method: int) -> None:
    assert contents(archive_of(tmp_path / "x.zip", FILES, method)) == FILES


class _Pipe(io.BytesIO):
    """A stream that cannot go back: sizes and checksums follow the data."""

    def tell(self) -> int:
        raise OSError("this is a pipe")


def test_an_archive_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    pipe, path = _Pipe(), tmp_path / "x.zip"
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    path.write_bytes(pipe.getvalue())
    assert contents(open_archive(path)) == FILES


def test_entries_with_64_bit_sizes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", 8) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(data)
    assert contents(open_archive(path)) == FILES


def test_an_archive_behind_other_data_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    archive_of(path, FILES)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert contents(open_archive(path)) == FILES


def test_stored_bytes_are_the_compressed_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(Entry(b"x.wav", b"sound" * 50, method=8)))
    (member,) = open_archive(path).members
    assert member.stored_bytes() == deflated(b"sound" * 50)


def test_a_member_survives_pickling(tmp_path: Path) -> None:
    (member, *_) = archive_of(tmp_path / "x.zip", FILES).members
    twin = pickle.loads(pickle.dumps(member))
    assert twin == member
    assert twin.read() == FILES["a/0.wav"]


@pytest.mark.parametrize(
    "junk",
    [
        "__MACOSX/a/._0.wav",
        "a/._0.wav",
        ".DS_Store",
        "a/.DS_Store",
        "a/Thumbs.db",
        "desktop.ini",
        "a/.gitkeep",
        ".git/config",
        ".../x.wav",
        "a/",
        "./",
    ],
)
def test_junk_is_passed_over_and_counted(tmp_path: Path, junk: str) -> None:
    archive = archive_of(tmp_path / "x.zip", {"a/0.wav": b"0", junk: b""})
    assert [member.name for member in archive.members] == ["a/0.wav"]
    assert archive.ignored == 1


def test_what_stands_behind_junk_is_read(tmp_path: Path) -> None:
    files = {".DS_Store": b"", "a/0.wav": b"0", "a/": b"", "a/1.wav": b"1", "__MACOSX/x": b""}
    archive = archive_of(tmp_path / "x.zip", files)
    assert contents(archive) == {"a/0.wav": b"0", "a/1.wav": b"1"}
    assert archive.ignored == 3


def test_what_only_resembles_junk_is_kept(tmp_path: Path) -> None:
    names = ["a.b/c.wav", "my__MACOSX/c.wav", "Thumbs.db.wav", "a/xdesktop.ini", "_.wav"]
    archive = archive_of(tmp_path / "x.zip", dict.fromkeys(names, b""))
    assert [member.name for member in archive.members] == names


def names_of(path: Path, *entries: Entry) -> list[str]:
    path.write_bytes(zip_of(*entries))
    archive = open_archive(path)
    assert all(member.read() for member in archive.members)
    return [member.name for member in archive.members]


CAFE = "caf\u00e9"


@pytest.mark.parametrize(
    ("raw", "flags", "name"),
    [
        (rb"dog\0.wav", 0, "dog/0.wav"),
        (b"./dog//0.wav", 0, "dog/0.wav"),
        ("cafe\u0301/0.wav".encode(), 0x800, f"{CAFE}/0.wav"),
        (f"{CAFE}/0.wav".encode(), 0, f"{CAFE}/0.wav"),
        (f"{CAFE}/0.wav".encode("cp437"), 0, f"{CAFE}/0.wav"),
        ("\u732b/0.wav".encode(), 0x800, "\u732b/0.wav"),
        (b" dog/0.wav", 0, " dog/0.wav"),
        (b"a..b/0.wav", 0, "a..b/0.wav"),
    ],
)
def test_a_name_becomes_a_clean_path(tmp_path: Path, raw: bytes, flags: int, name: str) -> None:
    assert names_of(tmp_path / "x.zip", Entry(raw, flags=flags)) == [name]


def deflated_to_a_tenth(name: bytes) -> Entry:
    stored = len(deflated(b"sound" * 20))
    return Entry(name, b"sound" * 20, method=8, size=10 * stored)


TWO = [Entry(b"a.wav", b"sound" * 20, method=8), Entry(b"b.wav", b"sound" * 20, method=8)]
TENTHS = [deflated_to_a_tenth(b"a.wav"), deflated_to_a_tenth(b"b.wav")]
SIZE = TENTHS[0].fields[2]
AT_THE_LIMIT: dict[str, tuple[list[Entry], int, dict[str, int], str]] = {
    "max_entries": (TWO, 2, {}, ": 2 entries (limit 1)"),
    "max_entry_bytes": (TWO, 100, {}, "!a.wav: 100 bytes unpacked (limit 99)"),
    "max_total_bytes": (TWO, 200, {}, ": 200 bytes unpacked (limit 199)"),
    "max_ratio": (
        TENTHS,
        10,
        {"ratio_floor_bytes": 1},
        f"!a.wav: {SIZE // 10} bytes would unpack to {SIZE} (limit 9:1)",
    ),
    "ratio_floor_bytes": (
        TENTHS[:1],
        SIZE,
        {"max_ratio": 1},
        f"!a.wav: {SIZE // 10} bytes would unpack to {SIZE} (limit 1:1)",
    ),
    "max_name_bytes": (TWO, 5, {}, "!a.wav: entry name longer than 4 bytes"),
    "max_depth": ([Entry(b"a/b/c.wav")], 2, {}, "!a/b/c.wav: 2 folders deep (limit 1)"),
}


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_an_archive_at_a_limit_is_accepted_and_one_beyond_it_names_it(
    name: str, tmp_path: Path
) -> None:
    entries, most, others, words = AT_THE_LIMIT[name]
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(*entries))
    with use_limits(Limits(**{name: most}, **others)):
        assert len(open_archive(path).members) == len(entries)
    with use_limits(Limits(**{name: most - 1}, **others)), pytest.raises(DatasetError) as caught:
        open_archive(path)
    assert caught.value.message == f"{path}{words}"
    blamed = "max_ratio" if name == "ratio_floor_bytes" else name
    assert caught.value.hint == f"If you trust it, set limits.{blamed} to accept more."


def test_the_ratio_of_all_entries_together_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(*TENTHS))
    total = f"{2 * SIZE // 10} bytes would unpack to {2 * SIZE} "
    with use_limits(Limits(max_ratio=9, ratio_floor_bytes=SIZE)):
        with pytest.raises(DatasetError) as caught:
            open_archive(path)
        assert caught.value.message == f"{path}: {total}(limit 9:1)"
        assert caught.value.hint == "If you trust it, set limits.max_ratio to accept more."


@pytest.mark.parametrize("last", [True, False], ids=["the directory", "the next entry"])
def test_an_entry_may_reach_up_to_what_follows_and_no_further(tmp_path: Path, last: bool) -> None:
    path = tmp_path / "x.zip"
    stored = len(deflated(b"sound"))

    def opened(more: int) -> Archive:
        entry = Entry(b"long_name.wav", b"sound", method=8, packed_size=stored + more)
        others = [] if last else [Entry(b"z.wav", b"")]
        path.write_bytes(zip_of(entry, *others))
        return open_archive(path)

    assert len(opened(0).members) == (1 if last else 2)
    with pytest.raises(DatasetError) as caught:
        opened(1)
    expected = f"{path}!long_name.wav: overlaps inside the archive (bytes used twice)"
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("name", "count"), [("barbie_vs_puppy.zip", 98), ("free_spoken_digits.zip", 3000)]
)
def test_real_archives_hold_all_recordings(
    real_data: Callable[[str], Path], name: str, count: int
) -> None:
    archive = open_archive(real_data(name))
    assert len(archive.members) == count
    assert all(member.name.endswith(".wav") for member in archive.members)
