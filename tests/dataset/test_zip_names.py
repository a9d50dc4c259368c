"""Names of zip entries: how they are read, and which are refused."""

from zipfile import ZipInfo

import pytest

from audioclf.base.limits import Limits
from audioclf.dataset.zip_names import is_junk, name_problem, raw_name, read_name, shown, tidied

LIMITS = Limits(max_depth=2, max_name_bytes=20)


def info(name: str, flags: int = 0) -> ZipInfo:
    entry = ZipInfo(name)
    entry.flag_bits = flags
    return entry


@pytest.mark.parametrize(
    ("name", "flags", "raw"),
    [
        ("dog.wav", 0, b"dog.wav"),
        ("caf\u00e9.wav", 0x800, b"caf\xc3\xa9.wav"),
        ("caf\u00e9.wav", 0, b"caf\x82.wav"),
        ("caf\u00e9.wav", 0x0008, b"caf\x82.wav"),
        ("dog\0.wav", 0, b"dog\0.wav"),
    ],
)
def test_the_stored_name_is_what_the_directory_holds(name: str, flags: int, raw: bytes) -> None:
    assert raw_name(info(name, flags)) == raw


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"caf\xc3\xa9.wav", "caf\u00e9.wav"),
        (b"cafe\xcc\x81.wav", "caf\u00e9.wav"),
        (b"caf\x82.wav", "caf\u00e9.wav"),
        (b"a\\b\\c.wav", "a/b/c.wav"),
    ],
)
def test_a_name_is_utf_8_where_that_fits_else_code_page_437(raw: bytes, name: str) -> None:
    assert read_name(raw) == name


@pytest.mark.parametrize(
    ("name", "tidy"),
    [
        ("a/b.wav", "a/b.wav"),
        ("./a//b/./c.wav", "a/b/c.wav"),
        ("a/..b/.c", "a/..b/.c"),
        ("a/../b", "a/../b"),
        (".", ""),
        ("/", ""),
    ],
)
def test_a_name_is_rid_of_what_leads_nowhere(name: str, tidy: str) -> None:
    assert tidied(name) == tidy


@pytest.mark.parametrize("name", ["a/b/c.wav", "x" * 20, "a/b/" + "\u00e9" * 8, "a.zip/b.wav"])
def test_a_name_up_to_the_limits_is_no_problem(name: str) -> None:
    assert name_problem(name, LIMITS) is None


@pytest.mark.parametrize(
    ("name", "words", "limit"),
    [
        ("a/b/c/d.wav", "3 folders deep (limit 2)", "max_depth"),
        ("x" * 21, "entry name longer than 20 bytes", "max_name_bytes"),
        ("\u00e9" * 10 + "x", "entry name longer than 20 bytes", "max_name_bytes"),
        ("./", "entry with an empty name", None),
        ("a\x9b.wav", "control character in the entry name", None),
        ("\x7f.wav", "control character in the entry name", None),
        ("c:x.wav", "entry with an absolute path", None),
        ("/x.wav", "entry with an absolute path", None),
        ("a/../x", "entry leaves the archive", None),
        ("..", "entry leaves the archive", None),
        ("a/x.Zip", "zip inside zip is not read; unpack it first", None),
        (".zip", "zip inside zip is not read; unpack it first", None),
    ],
)
def test_a_name_that_is_refused_has_a_reason(name: str, words: str, limit: str | None) -> None:
    assert name_problem(name, LIMITS) == (words, limit)


@pytest.mark.parametrize("name", ["..", "../x", "a/..", "a/b..c", "a/.", "./a"])
def test_dots_that_hide_nothing_are_no_junk(name: str) -> None:
    assert not is_junk(name)


@pytest.mark.parametrize("name", ["a/__macosx/x", "THUMBS.DB", "a/..x", "...", "a/b/"])
def test_what_systems_leave_behind_is_junk(name: str) -> None:
    assert is_junk(name)


def test_a_long_name_is_shown_by_its_beginning_and_its_end() -> None:
    hundred = "a" * 50 + "b" * 50
    assert shown(hundred) == hundred
    assert shown("a" * 60 + "b" * 21 + "c" * 20) == "a" * 60 + "..." + "c" * 20


@pytest.mark.parametrize("name", ["", "a\n", "\u202ea", "\ud800"])
def test_a_name_that_does_not_print_is_quoted(name: str) -> None:
    assert shown(name) == repr(name)
