"""File types by their first bytes, for messages about files with a wrong name."""

from __future__ import annotations

import codecs

HEAD_BYTES = 512
"""Bytes at the start of a file that are enough to detect its type."""

INSTALL_AV = (
    "install the decoder: in a checkout of audioclf, run `pip install ./plugins/audioclf-av`"
)
"""End of a hint about formats that this plugin decodes."""

ZEROS = "nothing but zero bytes"
_MP4, _MATROSKA, _AVI = "an MP4 or M4A file", "a Matroska or WebM file", "an AVI video"
_PREFIXES = (
    (b"version https://git-lfs", "a Git LFS pointer"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"PK\x07\x08", "a part of a split zip archive"),
    (b"caff", "CAF audio"),
    (b".snd", "AU audio"),
    (b"riff\x2e\x91\xcf\x11", "Wave64 audio"),
    (b"\x30\x26\xb2\x75", "WMA audio"),
    (b"#!AMR", "AMR audio"),
    (b"wvpk", "WavPack audio"),
    (b"MAC ", "Monkey's Audio"),
    (b"\x1a\x45\xdf\xa3", _MATROSKA),
    (b"\xff\xf0", "AAC audio"),
    (b"\xff\xf1", "AAC audio"),
    (b"\xff\xf8", "AAC audio"),
    (b"\xff\xf9", "AAC audio"),
    (b"NIST_1A", "NIST SPHERE audio"),
    (b"TTA1", "True Audio"),
    (b"TTA2", "True Audio"),
    (b"OFR ", "OptimFROG audio"),
    (b"MPCK", "Musepack audio"),
    (b"MP+", "Musepack audio"),
    (b"DSD ", "DSF audio"),
    (b"FRM8", "DSDIFF audio"),
    (b"tBaK", "TAK audio"),
    (b"ajkg", "Shorten audio"),
    (b".ra\xfd", "RealAudio"),
    (b".RMF", "RealMedia"),
    (b"ADIF", "AAC audio"),
    (b"FLV\1", "a Flash video"),
    (b"MThd", "a MIDI file"),
    (b"\0\0\1\xba", "an MPEG program stream"),
    (b"fLaC", "FLAC audio"),
    (b"OggS", "Ogg audio"),
)
_WAV = {b"WAVE": "a WAV file"}
_FORMS = {
    b"RIFF": {**_WAV, b"AVI ": _AVI, b"WEBP": "a WebP image", b"RMID": "a MIDI file"},
    b"RIFX": _WAV,
    b"RF64": _WAV,
    b"BW64": _WAV,
    b"FORM": {b"AIFF": "AIFF audio", b"AIFC": "AIFF audio", b"8SVX": "8SVX audio"},
}
"""Types by the first four bytes and by bytes 8 to 11."""
_BY_AV = frozenset(
    [
        *(_MP4, _MATROSKA, _AVI, "AAC audio", "WMA audio", "AMR audio", "CAF audio"),
        *("WavPack audio", "a Flash video"),
    ]
)
"""Types that the plugin audioclf-av decodes."""
_HINTS = (
    (b"NIST_1A", "Convert it, for example with `sox -t sph in.wav out.flac`."),
    (b"wvpk", "Convert it, for example with `wvunpack in.wv` or `ffmpeg -i in.wv out.flac`."),
)
"""Hints by the first bytes of a file."""
_TEXT_CONTROLS = frozenset(b"\t\n\r\f")


def looks_like(head: bytes) -> str | None:
    """Return the type of a file by its first `HEAD_BYTES` bytes, in words, or None.

    >>> looks_like(b"<!DOCTYPE html><title>404</title>")
    'an HTML page'
    """
    if forms := _FORMS.get(head[:4]):
        form = head[8:12].decode("ascii", "replace")
        return forms.get(head[8:12], f"a {head[:4].decode()} file of type {form!r}")
    for prefix, words in _PREFIXES:
        if head.startswith(prefix):
            return words
    if _is_layer_2(head):
        return "MPEG audio of layer II, MP2"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[4:8] == b"ftyp":
        return _MP4
    if head and not head.strip(b"\0"):
        return ZEROS
    return _text_kind(head)


def hint_for(head: bytes) -> str | None:
    """Return a hint for a file with a wrong name, or None."""
    if head.startswith(b"version https://git-lfs"):
        return "Fetch the real file with `git lfs pull`."
    for magic, hint in _HINTS:
        if head.startswith(magic):
            return hint
    return None


def by_plugin(head: bytes) -> str:
    """Return words about the plugin that decodes a file, if it is of this project."""
    return ", which the plugin audioclf-av decodes" if looks_like(head) in _BY_AV else ""


def conversion_hint(head: bytes) -> str:
    """Return the hint for a file that is no supported audio."""
    if looks_like(head) in _BY_AV:
        return f"Convert it to WAV or FLAC, for example with ffmpeg, or {INSTALL_AV}."
    return "Convert it to WAV or FLAC, or remove it."


def _is_layer_2(head: bytes) -> bool:
    """Return whether a header of MPEG audio, layer II, stands at the start."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bitrate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2
    return version != 1 and layer == 2 and bitrate not in {0, 15} and rate & 3 != 3


def _text_kind(head: bytes) -> str | None:
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if not head or any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None
    return "text"
