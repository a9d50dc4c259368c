"""Names for files that are not what they should be."""

import pytest

from audioclf.dataset.signatures import hint_for, looks_like

HEADS = {
    b"version https://git-lfs.github.com/spec/v1\noid": "a Git LFS pointer",
    b"PK\x03\x04\x14\0": "a zip archive",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"\xff\xd8\xff\xe0": "a JPEG image",
    b"\0\0\0\x20ftypM4A ": "an MP4 or M4A file",
    b"\x1aE\xdf\xa3\x01": "a Matroska or WebM file",
    b"\xff\xf1\x50\x80": "AAC audio",
    b"\xff\xf9\x50\x80": "AAC audio",
    b"GIF89a\1\0": "a GIF image",
    b"%PDF-1.7\n": "a PDF document",
    b"\x1f\x8b\x08\0": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c\0\4": "a 7z archive",
    b"Rar!\x1a\x07\1\0": "a RAR archive",
    b"BZh91AY&SY": "a bzip2 archive",
    b"\xfd7zXZ\0\0\4": "an xz archive",
    b"PK\x07\x08PK\x03\x04": "a part of a split zip archive",
    bytes.fromhex("726966662e91cf11a5d628db04c10000"): "Wave64 audio",
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"): "WMA audio",
    b"#!AMR\n": "AMR audio",
    b"wvpk\x20\0\0\0": "WavPack audio",
    b"NIST_1A\n   1024\nchannel_count": "NIST SPHERE audio",
    b"\xff\xfd\x90\x04": "MPEG audio of layer II, MP2",
    b"MAC \x96\x0f": "Monkey's Audio",
    b"caff\0\x01": "CAF audio",
    b".snd\0\0\0\x18": "AU audio",
    b"RIFF\0\0\0\0AVI LIST": "an AVI video",
    b"RIFF\0\0\0\0sfbkLIST": "a RIFF file of type 'sfbk'",
    b"FORM\0\0\0\x088SVX": "8SVX audio",
    b"RIFF\0\0\0\0WAVEfmt ": "a WAV file",
    b"BW64\xff\xff\xff\xffWAVEds64": "a WAV file",
    b"FORM\0\0\0\x08AIFC": "AIFF audio",
    b"fLaC\0\0\0\x22": "FLAC audio",
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


def test_a_git_lfs_pointer_and_formats_to_convert_have_a_hint() -> None:
    hints = {words: hint_for(head) for head, words in HEADS.items()}
    assert hints.pop("a Git LFS pointer") == "Fetch the real file with `git lfs pull`."
    for words in ("NIST SPHERE audio", "WavPack audio"):
        assert str(hints.pop(words)).startswith("Convert it, for example with `")
    assert set(hints.values()) == {None}
