"""Undeclared encodings of the names in a zip archive.

A name is UTF-8 if its entry says so, or has a valid Unicode Path field, or if it decodes as UTF-8.
All other names of an archive have one encoding, chosen by the characters that it gives: the second
byte of a character in Shift-JIS, GBK or Big5 can be the byte of a backslash.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

UTF8_FLAG = 0x0800
"""General purpose flag of APPNOTE 4.4.4: the name is UTF-8."""

_UNICODE_PATH = 0x7075
"""APPNOTE 4.6.9: an extra field with the name in UTF-8, and the CRC-32 of the stored name."""

ENCODINGS = {
    "cp437": "code page 437",
    "cp932": "Shift-JIS",
    "gbk": "GBK",
    "cp950": "Big5",
    "cp949": "EUC-KR",
    "cp866": "code page 866",
    "cp1252": "Windows-1252",
}
"""Encodings by Python's name, each with its usual name; the first is that of the zip format."""

_FREQUENT = {
    "cp932": ((0x815B, 0x815B), (0x829F, 0x8396), (0x889F, 0x9872)),
    "gbk": ((0xB0A1, 0xD7F9),),
    "cp950": ((0xA440, 0xC67E),),
    "cp949": ((0xB0A1, 0xC8FE),),
}
"""Codes of the frequent characters: kana and the first levels of the national standards."""

_SYMBOLS = {
    "cp932": (0x8140, 0x829E),
    "gbk": (0xA1A1, 0xA3FE),
    "cp950": (0xA140, 0xA3FE),
    "cp949": (0xA1A1, 0xA3FE),
}
"""Codes of punctuation, digits and letters of full width: no evidence."""

_MOST_PARTS = 2000
_FEW_CHARACTERS = 6
"""Below this number, characters that Korean and Chinese share are read as Chinese."""


def unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in the Unicode Path field of an entry, or None without a valid one.

    The field, one of the extra fields, has to hold the CRC-32 of the stored name.
    """
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        data, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(data) > 5:
            version, crc = struct.unpack_from("<BI", data)
            if version == 1 and crc == zlib.crc32(raw):
                try:
                    return data[5:].decode()
                except UnicodeDecodeError:
                    return None
    return None


def is_utf8(raw: bytes) -> bool:
    """Return whether bytes are valid UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def guess_encoding(names: Sequence[bytes]) -> str:
    """Return the encoding of names without a declared one: "utf-8" or a key of `ENCODINGS`.

    Names in another encoding can be valid UTF-8 by accident, so UTF-8 names are a mixture with
    others only if they are the majority; `decoded` then uses the encoding for the others.

    >>> guess_encoding(["ソプラノ/0.wav".encode("cp932")])
    'cp932'
    """
    names = [name for name in names if not name.isascii()]
    others = [name for name in names if not is_utf8(name)]
    if not others:
        return "utf-8"
    if 2 * len(others) >= len(names):
        others = names
    parts = sorted({part for name in others for part in name.split(b"/") if not part.isascii()})
    scores = {encoding: _score(parts[:_MOST_PARTS], encoding) for encoding in ENCODINGS}
    return max(scores, key=lambda encoding: scores[encoding])  # the first of equal ones


def decoded(raw: bytes, encoding: str, *, utf8_first: bool) -> str:
    """Return a name as text; as UTF-8 if it is that and UTF-8 comes first, never an error."""
    for codec in ("utf-8", encoding) if utf8_first else (encoding,):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437")


def _score(parts: Iterable[bytes], encoding: str) -> float:
    """Return how plausible the characters are, about 1 for each byte that is not ASCII."""
    total, n_characters = 0.0, 0
    for part in parts:
        try:
            text = part.decode(encoding)
        except UnicodeDecodeError:
            return -float("inf")
        n_characters += sum(not char.isascii() for char in text)
        total += _score_of_text(text, encoding)
    if encoding == "cp949":
        total += 0.5 if n_characters >= _FEW_CHARACTERS else -0.5
    return total


def _score_of_text(text: str, encoding: str) -> float:
    total, before = 0.0, ""
    for char, after in zip(text, [*text[1:], ""], strict=True):
        if not char.isascii():
            neighbours = [other for other in (before, after) if other.isalpha()]
            if encoding in _FREQUENT:
                words = sum(other.isascii() for other in neighbours)
                total += _score_of_wide(char, encoding) - 1.5 * words
            elif encoding == "cp866":
                words = sum(other.isascii() for other in neighbours)
                total += (1.0 if _is("CYRILLIC", char) else -1.0) - 1.5 * words
            else:
                total += _score_of_latin(char, neighbours, before)
        before = char
    return total


def _score_of_latin(char: str, neighbours: Sequence[str], before: str) -> float:
    if not _is("LATIN", char):
        return -1.0
    # Words have single letters with accents, between plain ones.
    in_word = 1.0 if any(other.isascii() for other in neighbours) else 0.0
    return in_word + (-1.0 if before and not before.isascii() else 1.0)


@lru_cache(maxsize=1 << 14)
def _score_of_wide(char: str, encoding: str) -> float:
    if _is_frequent(char, encoding):
        return 2.0
    code = _code(char, encoding)
    low, high = _SYMBOLS[encoding]
    if low <= code <= high:
        return 0.0
    if code < 0x100:  # katakana of half width
        return -0.5
    return 1.0 if any(_is_frequent(char, other) for other in _FREQUENT) else -2.0


def _is_frequent(char: str, encoding: str) -> bool:
    code = _code(char, encoding)
    in_range = any(low <= code <= high for low, high in _FREQUENT[encoding])
    return in_range and (encoding not in {"gbk", "cp949"} or code & 0xFF >= 0xA1)


def _code(char: str, encoding: str) -> int:
    return int.from_bytes(char.encode(encoding, "ignore"), "big")


@lru_cache(maxsize=1 << 14)
def _is(script: str, char: str) -> bool:
    return unicodedata.name(char, "").startswith(script)
