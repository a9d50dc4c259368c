"""Zip archives with false headers, beside those of `test_cases.py`: the message for each."""

import dataclasses
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioclf.base.errors import EXIT_DATA, DatasetError, DecodeError
from audioclf.base.limits import Limits
from audioclf.dataset.archive import ZipMember, open_archive
from tests.hostile.files import Entry, deflated, wav, zip_of
from tests.hostile.fuzzing import attempt_zip, fuzz

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


BAD_ENTRIES = {
    "huge packed": (Entry(b"x.wav", method=8, packed_size=2**30), "1073741824 bytes unpacked ("),
    "two sizes": (Entry(b"x.wav", b"1234", size=9), "damaged entry: 4 bytes stored, 9 declared"),
    "past the end": (Entry(b"x.wav", method=8, packed_size=9999), "overlaps inside the archive"),
}


@pytest.mark.parametrize(("entry", "words"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_a_bad_entry_is_refused(put: Put, entry: Entry, words: str) -> None:
    message = refusal(put(zip_of(entry))).message
    assert words in message
    assert "!x.wav" in message


def test_a_very_silent_clip_is_no_bomb(put: Put) -> None:
    silence = wav(b"\0" * 64_000)
    (member,) = open_archive(put(zip_of(Entry(b"x.wav", silence, method=8)))).members
    assert member.size > 250 * member.compressed_size
    assert member.read() == silence


def test_an_entry_before_the_archive_is_refused(put: Put) -> None:
    data = bytearray(zip_of(Entry(b"x.wav")))
    at = data.index(b"PK\5\6") + 16
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") + 10).to_bytes(4, "little")
    refusal(put(bytes(data)))


def test_names_that_only_normalisation_tells_apart_are_one_name(put: Put) -> None:
    composed, decomposed = "caf\u00e9.wav".encode(), "cafe\u0301.wav".encode()
    path = put(zip_of(Entry(composed, flags=0x800), Entry(decomposed, flags=0x800)))
    assert "two entries with this name" in refusal(path).message


def one_member(path: Path) -> ZipMember:
    (member,) = open_archive(path).members
    return member


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


@pytest.mark.parametrize("name", [b"cat.wav", b"dog.wav"])
def test_an_archive_that_changed_is_found(put: Put, name: bytes) -> None:
    member = one_member(put(zip_of(Entry(b"cat.wav", b"before"))))
    put(zip_of(Entry(name, b"after!")))
    error = damage(member)
    assert "its local header is not the one" in error.message
    assert error.hint is not None
    assert "changed in the meantime" in error.hint


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


FLIPS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=4)


@settings(max_examples=250, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=4), junk=st.binary(max_size=30), flips=FLIPS)
def test_any_archive_is_read_or_refused(
    entries: list[Entry],
    junk: bytes,
    flips: list[tuple[int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = bytearray(junk + zip_of(*entries))
    for at, bits in flips:
        data[at % len(data)] ^= bits
    attempt_zip(tmp_path_factory.getbasetemp())(bytes(data))


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


@pytest.mark.slow
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
