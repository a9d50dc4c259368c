"""Undeclared encodings of the names in zip archives."""

import struct
import zlib
from pathlib import Path

import pytest

from audioclf.dataset.archive import open_archive
from audioclf.dataset.listing import list_archive
from audioclf.dataset.zip_encoding import guess_encoding, unicode_path
from audioclf.dataset.zip_names import read_name
from tests.hostile.files import Entry, zip_of

LEGACY = [
    ("cp932", "Shift-JIS", ["ソプラノ", "ソロ", "アルト"]),
    ("cp932", "Shift-JIS", ["表", "十", "能力"]),
    ("gbk", "GBK", ["猫", "狗", "麻雀", "誠"]),
    ("gbk", "GBK", ["联通", "电信"]),  # the first is valid UTF-8 by accident
    ("cp950", "Big5", ["功", "許", "蓋", "麻雀"]),
    ("cp949", "EUC-KR", ["고양이", "강아지"]),
    ("cp866", "code page 866", ["собака", "кошка"]),
    ("cp437", "code page 437", ["Müller", "España", "pâte"]),
    ("cp1252", "Windows-1252", ["Größe", "Käfer"]),
]


@pytest.mark.parametrize(("encoding", "usual_name", "labels"), LEGACY)
def test_classes_of_undeclared_names_stay_apart(
    tmp_path: Path, encoding: str, usual_name: str, labels: list[str]
) -> None:
    entries = [
        Entry(f"{label}/{n}.wav".encode(encoding), f"{label}{n}".encode())
        for label in labels
        for n in range(2)
    ]
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(*entries))
    archive = open_archive(path)
    expected = {f"{label}/{n}.wav": f"{label}{n}" for label in labels for n in range(2)}
    assert {member.name: member.read().decode() for member in archive.members} == expected
    (note,) = list_archive(path).notes
    assert note.startswith(f"{_not_utf8(entries)} file names are read as {usual_name}, a guess")


def _not_utf8(entries: list[Entry]) -> int:
    return sum("\ufffd" in entry.name.decode(errors="replace") for entry in entries)


def test_names_in_utf_8_stay_so_beside_a_few_in_another_encoding(tmp_path: Path) -> None:
    names = ["été/0.wav".encode(), "été/1.wav".encode(), b"caf\x82/0.wav"]
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(*map(Entry, names)))
    found = [member.name for member in open_archive(path).members]
    assert found == ["été/0.wav", "été/1.wav", "café/0.wav"]


def test_a_backslash_separates_folders_in_a_legacy_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(Entry("ソプラノ\\0.wav".encode("cp932"))))
    assert [member.name for member in open_archive(path).members] == ["ソプラノ/0.wav"]


def _field(raw: bytes, name: bytes, *, version: int = 1) -> bytes:
    data = struct.pack("<BI", version, zlib.crc32(raw)) + name
    return struct.pack("<2H", 0x7075, len(data)) + data


@pytest.mark.parametrize("raw", [b"???/0.wav", "ソプラノ/0.wav".encode("cp932")])
def test_the_unicode_path_field_has_the_name(tmp_path: Path, raw: bytes) -> None:
    extra = struct.pack("<2H", 0x5455, 1) + b"\1" + _field(raw, "ソプラノ/0.wav".encode())
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of(Entry(raw, b"sound", extra=extra)))
    (member,) = open_archive(path).members
    assert (member.name, member.read()) == ("ソプラノ/0.wav", b"sound")
    assert list_archive(path).notes == ()


@pytest.mark.parametrize(
    "field",
    [
        b"",
        _field(b"renamed.wav", b"b.wav"),
        _field(b"a.wav", b"b.wav", version=2),
        _field(b"a.wav", b""),
        _field(b"a.wav", b"\xff.wav"),
        _field(b"a.wav", b"b.wav")[:6],
    ],
)
def test_an_invalid_unicode_path_field_is_ignored(field: bytes) -> None:
    assert unicode_path(field, b"a.wav") is None


def test_a_slash_in_a_legacy_name_keeps_the_backslash_byte() -> None:
    assert read_name(b"\x81\\/0.wav") == "ü\\/0.wav"


def test_no_names_are_utf_8() -> None:
    assert guess_encoding([b"a.wav", "é".encode()]) == "utf-8"
