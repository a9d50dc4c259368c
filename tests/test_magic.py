"""Names for files that are not what they should be."""

from __future__ import annotations

import pytest

from audioclf.magic import hint_for, looks_like

HEADS = {
    b"version https://git-lfs.github.com/spec/v1\noid": "a Git LFS pointer",
    b"PK\x03\x04\x14\0": "a zip archive",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"\xff\xd8\xff\xe0": "a JPEG image",
    b"\0\0\0\x20ftypM4A ": "an MP4 or M4A file",
    b"\x1aE\xdf\xa3\x01": "a Matroska or WebM file",
    b"\xff\xf1\x50\x80": "AAC audio",
    b"caff\0\x01": "CAF audio",
    b".snd\0\0\0\x18": "AU audio",
    b"RIFF\0\0\0\0AVI LIST": "a RIFF file that is not WAVE",
    b"FORM\0\0\0\x088SVX": "an IFF file that is not AIFF",
    b"\0" * 100: "nothing but zero bytes",
    b"\n <!DOCTYPE HTML><title>Not found</title>": "an HTML page",
    b"<html lang='en'>": "an HTML page",
    b"path,label\na.wav,dog\n": "text",
    b"X" * 20: "text",
    b"PK\x05\x06" + b"\0" * 18: "an empty zip archive",
    b"0" * 257 + b"ustar": "a tar archive",
    "na\u00efve \u732b".encode(): "text",
    "na\u00efve \u732b".encode()[:-1]: "text",
}


@pytest.mark.parametrize(("head", "words"), HEADS.items(), ids=HEADS.values())
def test_a_known_beginning_is_named(head: bytes, words: str) -> None:
    assert looks_like(head) == words


@pytest.mark.parametrize("head", [b"", b"\x01\x02\x03\x04", b"text\0", b"\xe9t\xe9 latin"])
def test_an_unknown_beginning_is_not_guessed(head: bytes) -> None:
    assert looks_like(head) is None


def test_only_a_git_lfs_pointer_has_a_hint() -> None:
    hints = {words: hint_for(head) for head, words in HEADS.items()}
    assert hints.pop("a Git LFS pointer") == "Fetch the real file with `git lfs pull`."
    assert set(hints.values()) == {None}
