"""Zip archives that lie, and what is said about them."""

from __future__ import annotations

import dataclasses
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.base.errors import EXIT_DATA, AudioclfError, DatasetError, DecodeError
from audioclf.base.limits import Limits
from audioclf.dataset.archive import ZipMember, open_archive
from tests.hostile.files import Entry, deflated, wav, zip_of
from tests.hostile.fuzzing import fuzz

MIB = 1 << 20
MUTANTS = 20_000
"""How many are tried in every run of the tests; `make fuzz` tries a million."""
Put = Callable[[bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Return a function that writes an archive and returns its path."""

    def write(data: bytes) -> Path:
        path = tmp_path / "data.zip"
        path.write_bytes(data)
        return path

    return write


def refusal(path: Path, limits: Limits | None = None) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        open_archive(path, limits or Limits())
    assert caught.value.exit_code == EXIT_DATA
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value


def damage(member: ZipMember) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        member.read()
    assert caught.value.exit_code == EXIT_DATA
    assert f"data.zip!{member.name}: " in caught.value.message
    return caught.value


NOT_ZIP = {
    "text": (b"hello\n" * 10, "not a readable zip archive (looks like text)"),
    "empty": (b"", "not a readable zip archive (the file is empty)"),
    "truncated": (zip_of(Entry(b"a.wav", wav()))[:-30], "archive (truncated or damaged)"),
    "html": (b"<!doctype html><html>404</html>", "(looks like an HTML page)"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\3", "(looks like a gzip archive)"),
    "noise": (bytes(range(128, 256)), "not a readable zip archive"),
}


@pytest.mark.parametrize(("data", "words"), NOT_ZIP.values(), ids=NOT_ZIP)
def test_what_is_no_zip_is_named(put: Put, data: bytes, words: str) -> None:
    assert words in refusal(put(data)).message


def test_a_git_lfs_pointer_says_how_to_fetch_the_archive(put: Put) -> None:
    error = refusal(put(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"))
    assert "(looks like a Git LFS pointer)" in error.message
    assert error.hint == "Fetch the real file with `git lfs pull`."


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    assert refusal(path).message == f"{path}: No such file or directory"


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(tmp_path).message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no fifos")
def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    os.mkfifo(path)
    assert "not a regular file" in refusal(path).message


def test_a_path_with_a_null_byte_is_refused() -> None:
    with pytest.raises(DatasetError) as caught:
        open_archive(Path("data\0.zip"))
    assert caught.value.message.startswith(r"'data\x00.zip': not a path (")


BAD_NAMES = {
    "leaves": (b"../../x.wav", "!../../x.wav: entry leaves the archive"),
    "leaves inside": (b"a/../../x.wav", "entry leaves the archive"),
    "leaves with backslashes": (rb"..\..\evil.wav", "entry leaves the archive"),
    "absolute": (b"/abs/x.wav", "!/abs/x.wav: entry with an absolute path"),
    "drive": (rb"C:\x.wav", "entry with an absolute path"),
    "share": (rb"\\server\x.wav", "entry with an absolute path"),
    "nul": (b"dog\0.wav", r"!'dog\x00.wav': control character"),
    "newline": (b"dog\n.wav", r"!'dog\n.wav': control character"),
    "escape": (b"\x1b[31mdog.wav", r"'\x1b[31mdog.wav': control character"),
    "empty": (b"", "!'': entry with an empty name"),
    "dot": (b".", "entry with an empty name"),
    "long": (b"x" * 5000, "entry name longer than 1024 bytes"),
    "deep": (b"d/" * 3000 + b"x.wav", "3000 folders deep (limit 32)"),
    "nested": (b"dog/more.ZIP", "zip inside zip is not read"),
}


@pytest.mark.parametrize(("name", "words"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_bad_name_is_refused(put: Put, name: bytes, words: str) -> None:
    message = refusal(put(zip_of(Entry(b"good.wav"), Entry(name)))).message
    assert words in message
    assert len(message) < 300
    assert message.isprintable()


def test_nothing_is_written_outside(put: Put, tmp_path: Path) -> None:
    path = put(zip_of(Entry(b"../x.wav"), Entry(b"/tmp/audioclf-x.wav")))
    before = sorted(tmp_path.parent.rglob("*"))
    refusal(path)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_name_flagged_as_utf8_that_is_not_is_shown_as_bytes(put: Put) -> None:
    message = refusal(put(zip_of(Entry(b"\xff\xfe.wav", flags=0x800)))).message
    assert r"entry name b'\xff\xfe.wav' is not valid UTF-8" in message


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_what_is_not_a_regular_file_is_refused(put: Put, kind: int) -> None:
    entry = Entry(b"x.wav", b"/etc/passwd", attributes=(kind | 0o777) << 16)
    assert "!x.wav: not a regular file" in refusal(put(zip_of(entry))).message


BAD_ENTRIES = {
    "encrypted": (Entry(b"x.wav", flags=1), "encrypted entry; unpack with the password first"),
    "lzma": (Entry(b"x.wav", method=14), "compression method 14 not supported"),
    "method 97": (Entry(b"x.wav", method=97), "compression method 97 not supported"),
    "4 GiB": (Entry(b"x.wav", b"3 KB", method=8, size=2**32 - 2), "4294967294 bytes unpacked ("),
    "huge packed": (Entry(b"x.wav", method=8, packed_size=2**30), "1073741824 bytes unpacked ("),
    "two sizes": (Entry(b"x.wav", b"1234", size=9), "damaged entry: 4 bytes stored, 9 declared"),
    "past the end": (Entry(b"x.wav", method=8, packed_size=9999), "overlaps inside the archive"),
}


@pytest.mark.parametrize(("entry", "words"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_a_bad_entry_is_refused(put: Put, entry: Entry, words: str) -> None:
    message = refusal(put(zip_of(entry))).message
    assert words in message
    assert "!x.wav" in message


def test_a_ratio_bomb_is_refused_before_it_is_read(put: Put) -> None:
    bomb = Entry(b"x.wav", b"\0" * 1000, method=8, size=300 * MIB)
    message = refusal(put(zip_of(bomb))).message
    assert f"bytes would unpack to {300 * MIB} (limit 250:1)" in message


def test_many_small_bombs_count_together(put: Put) -> None:
    bombs = [Entry(b"%d.wav" % n, b"\0" * 1000, method=8, size=200 * MIB) for n in range(2)]
    assert f"would unpack to {400 * MIB} (limit 250:1)" in refusal(put(zip_of(*bombs))).message


def test_the_total_is_limited(put: Put) -> None:
    path = put(zip_of(Entry(b"1.wav", b"x" * 60), Entry(b"2.wav", b"x" * 60)))
    message = refusal(path, Limits(max_total_bytes=100)).message
    assert message == f"{path}: 120 bytes unpacked (limit 100)"


def test_the_number_of_entries_is_limited(put: Put) -> None:
    path = put(zip_of(*(Entry(b"%d.wav" % n) for n in range(11))))
    assert refusal(path, Limits(max_entries=10)).message == f"{path}: 11 entries (limit 10)"


def test_a_very_silent_clip_is_no_bomb(put: Put) -> None:
    silence = wav(b"\0" * 64_000)
    (member,) = open_archive(put(zip_of(Entry(b"x.wav", silence, method=8)))).members
    assert member.size > 250 * member.compressed_size
    assert member.read() == silence


def test_an_overlap_bomb_is_refused(put: Put) -> None:
    body = Entry(b"0.wav", b"\0" * 10_000, method=8)
    others = [dataclasses.replace(body, name=b"%d.wav" % n, offset=0) for n in range(1, 1000)]
    assert "overlaps inside the archive" in refusal(put(zip_of(body, *others))).message


def test_an_entry_before_the_archive_is_refused(put: Put) -> None:
    data = bytearray(zip_of(Entry(b"x.wav")))
    at = data.index(b"PK\5\6") + 16
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") + 10).to_bytes(4, "little")
    refusal(put(bytes(data)))


def test_two_entries_of_one_name_are_refused(put: Put) -> None:
    path = put(zip_of(Entry(b"a.wav", b"1"), Entry(b"a.wav", b"2")))
    assert refusal(path).message == f"{path}!a.wav: two entries with this name"


def test_names_that_only_normalisation_tells_apart_are_one_name(put: Put) -> None:
    composed, decomposed = "caf\u00e9.wav".encode(), "cafe\u0301.wav".encode()
    path = put(zip_of(Entry(composed, flags=0x800), Entry(decomposed, flags=0x800)))
    assert "two entries with this name" in refusal(path).message


def test_names_that_only_case_tells_apart_are_refused(put: Put) -> None:
    path = put(zip_of(Entry(b"A.wav"), Entry(b"a.wav")))
    assert refusal(path).message == f"{path}!a.wav: differs from A.wav only by case"


def one_member(path: Path) -> ZipMember:
    (member,) = open_archive(path).members
    return member


def test_a_bad_checksum_is_found(put: Put) -> None:
    message = damage(one_member(put(zip_of(Entry(b"x.wav", crc=1))))).message
    assert "damaged entry: its CRC-32 does not match" in message


def test_a_size_that_lies_is_found_and_the_rest_never_unpacked(put: Put) -> None:
    path = put(zip_of(Entry(b"x.wav", b"\0" * 50 * MIB, method=8, size=1000)))
    assert "damaged entry: holds 1001 bytes, 1000 declared" in damage(one_member(path)).message


def test_an_entry_shorter_than_declared_is_found(put: Put) -> None:
    path = put(zip_of(Entry(b"x.wav", b"123", method=8, size=1000)))
    assert "damaged entry: holds 3 bytes, 1000 declared" in damage(one_member(path)).message


def test_damaged_compression_is_found(put: Put) -> None:
    data = zip_of(Entry(b"x.wav", wav(), method=8))
    packed = deflated(wav())
    broken = data.replace(packed, b"\xff" * len(packed))
    assert "damaged entry: Error -3" in damage(one_member(put(broken))).message


@pytest.mark.parametrize("local_name", [b"dog.wav", b"catcat.wav"], ids=["other", "longer"])
def test_two_names_of_one_entry_are_found(put: Put, local_name: bytes) -> None:
    path = put(zip_of(Entry(b"cat.wav", local_name=local_name), Entry(b"z", b"x" * 99)))
    member = open_archive(path).members[0]
    assert "damaged entry: its local header is not the one" in damage(member).message


def test_an_archive_that_changed_is_found(put: Put) -> None:
    member = one_member(put(zip_of(Entry(b"cat.wav", b"before"))))
    put(zip_of(Entry(b"dog.wav", b"after!")))
    error = damage(member)
    assert "its local header is not the one" in error.message
    assert error.hint is not None
    assert "changed in the meantime" in error.hint


def test_an_archive_with_new_content_under_the_old_name_is_found(put: Put) -> None:
    member = one_member(put(zip_of(Entry(b"cat.wav", b"before"))))
    put(zip_of(Entry(b"cat.wav", b"after!")))
    assert "its local header is not the one" in damage(member).message


@pytest.mark.parametrize(
    ("left", "words"), [(10, "ends before it"), (38, "truncated after 3 of 7")]
)
def test_an_archive_cut_short_is_found(put: Put, left: int, words: str) -> None:
    data = zip_of(Entry(b"x.wav", b"samples"))
    member = one_member(put(data))
    put(data[:left])
    assert words in damage(member).message


def test_an_archive_removed_in_the_meantime_is_named(put: Put) -> None:
    path = put(zip_of(Entry(b"x.wav")))
    member = one_member(path)
    path.unlink()
    assert damage(member).message == f"{path}!x.wav: No such file or directory"


def test_too_little_memory_to_read_is_named(put: Put) -> None:
    member = one_member(put(zip_of(Entry(b"x.wav"))))
    huge = dataclasses.replace(member, compressed_size=1 << 62, size=1 << 62)
    assert f"not enough memory for {1 << 62} bytes" in damage(huge).message


def test_too_little_memory_to_unpack_is_named(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    member = one_member(put(zip_of(Entry(b"x.wav", method=8))))

    def fail(wbits: int) -> None:
        raise MemoryError

    monkeypatch.setattr(zlib, "decompressobj", fail)
    assert "not enough memory for 4 bytes" in damage(member).message


def test_one_damaged_entry_leaves_the_others(put: Put) -> None:
    path = put(zip_of(Entry(b"1.wav", b"one"), Entry(b"2.wav", crc=1), Entry(b"3.wav", b"three")))
    first, second, third = open_archive(path).members
    damage(second)
    assert (first.read(), third.read()) == (b"one", b"three")


NAMES = st.sampled_from(
    [b"a.wav", b"../x", b"A.WAV", b"", b"/", b".", b"..", b"a\\b", b"\xff", b"\0", b"C:", b"x/"]
)
ENTRIES = st.builds(
    Entry,
    name=NAMES | st.binary(max_size=12),
    data=st.binary(max_size=40),
    method=st.sampled_from([0, 8, 8, 14]),
    flags=st.sampled_from([0, 0, 0x800, 8, 1]),
    size=st.none() | st.sampled_from([0, 1, 50, 2**31, 2**32 - 1]),
    packed_size=st.none() | st.sampled_from([0, 1, 50, 2**31, 2**32 - 1]),
    crc=st.none() | st.just(0),
    offset=st.none() | st.sampled_from([0, 5, 2**32 - 1]),
    attributes=st.sampled_from([0, 0, 0o120777 << 16, 0o100644 << 16]),
)


def read_all(path: Path) -> int:
    """Read every member; return how many were sound."""
    sound = 0
    for member in open_archive(path).members:
        try:
            assert len(member.read()) == member.size
            sound += 1
        except DecodeError as error:
            check_message(error)
    return sound


def check_message(error: AudioclfError) -> None:
    assert "data.zip" in error.message
    assert "\n" not in error.message
    assert len(error.message) < 1000


FLIPS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=4)


@settings(max_examples=400, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=4), junk=st.binary(max_size=30), flips=FLIPS)
def test_any_archive_is_read_or_refused(
    entries: list[Entry],
    junk: bytes,
    flips: list[tuple[int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "data.zip"
    data = bytearray(junk + zip_of(*entries))
    for at, bits in flips:
        data[at % len(data)] ^= bits
    path.write_bytes(data)
    try:
        read_all(path)
    except DatasetError as error:
        check_message(error)


PLAIN_NAMES = st.text("ab\u00e9\u732b .", min_size=1, max_size=6).filter(
    lambda name: name.strip(". ") == name
)


@settings(max_examples=150, deadline=None)
@given(files=st.dictionaries(PLAIN_NAMES, st.binary(max_size=99), max_size=5))
def test_what_is_put_into_an_archive_comes_back(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert {member.name: member.read() for member in open_archive(path).members} == files


def test_mutated_archives_raise_nothing_else() -> None:
    found = fuzz("zip", MUTANTS)
    assert found.findings == ()
    assert found.tried == MUTANTS
    assert min(found.accepted, found.refused) > MUTANTS // 10


@pytest.mark.slow
def test_one_entry_too_many_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(200_001):
            archive.writestr(zipfile.ZipInfo(f"{index}.wav"), b"")
    assert refusal(path).message == f"{path}: 200001 entries (limit 200000)"
