"""Names of zip entries: decoding, system files, and refused names.

Archives come from every system: with backslashes, undeclared encodings, and files of Finder and
Explorer. An accepted name is a relative POSIX path in NFC; a name that could lead out of the
archive is refused, never repaired.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple
from zipfile import ZipInfo

from audioclf.base.limits import Limits
from audioclf.dataset.zip_encoding import (
    ENCODINGS,
    UTF8_FLAG,
    decoded,
    guess_encoding,
    is_utf8,
    unicode_path,
)

_JUNK = re.compile(
    r"""/$                                # a folder
    | (?:^|/) __MACOSX (?:/|$)
    | (?:^|/) \. (?! \.?(?:/|$) )         # hidden file or folder, but neither "." nor ".."
    | (?:^|/) (?:thumbs\.db|desktop\.ini) $
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ABSOLUTE = re.compile(r"/|[A-Za-z]:")
_UNTIDY = re.compile(r"(?:^|/)\.?(?:/|$)")


class Refusal(NamedTuple):
    """Reason why an entry is refused, and the name of the exceeded limit, if any."""

    words: str
    limit: str | None = None


def raw_name(info: ZipInfo) -> bytes:
    """Return the name of an entry as stored in the directory of the archive."""
    # `filename` is already cut at a NUL and changed by the platform; `orig_filename` is not.
    name = info.orig_filename
    return name.encode("utf-8" if info.flag_bits & UTF8_FLAG or name.isascii() else "cp437")


def read_names(infos: Sequence[ZipInfo]) -> tuple[list[str], str | None]:
    """Return the names of entries with forward slashes, NFC, and a note on a guessed encoding."""
    raws = [raw_name(info) for info in infos]
    declared = [_declared(info, raw) for info, raw in zip(infos, raws, strict=True)]
    unknown = [raw for raw, name in zip(raws, declared, strict=True) if name is None]
    encoding = guess_encoding(unknown)
    others = [raw for raw in unknown if not is_utf8(raw)]
    utf8_first = 2 * len(others) < sum(not raw.isascii() for raw in unknown)
    names = [
        _read(raw, encoding, utf8_first=utf8_first) if name is None else _normal(name)
        for raw, name in zip(raws, declared, strict=True)
    ]
    return names, _encoding_note(others, encoding)


def _declared(info: ZipInfo, raw: bytes) -> str | None:
    if raw.isascii() or info.flag_bits & UTF8_FLAG:
        return unicode_path(info.extra, raw) or raw.decode()
    return unicode_path(info.extra, raw)


def _encoding_note(names: Sequence[bytes], encoding: str) -> str | None:
    if not names:
        return None
    files = "1 file name is read" if len(names) == 1 else f"{len(names):,} file names are read"
    return (
        f"{files} as {ENCODINGS[encoding]}, a guess, since the archive declares no encoding; if "
        "they look wrong, pack it again with names in UTF-8"
    )


def read_name(raw: bytes) -> str:
    """Return a stored name as text with forward slashes, NFC.

    Names are UTF-8 if they decode as such, with or without the flag; else code page 437.
    """
    return _read(raw, "cp437", utf8_first=True)


def _read(raw: bytes, encoding: str, *, utf8_first: bool) -> str:
    name = decoded(raw, encoding, utf8_first=utf8_first)
    if b"/" in raw and not is_utf8(raw):
        # Its separator is the slash; a backslash can be part of a character.
        return unicodedata.normalize("NFC", name)
    return _normal(name)


def _normal(name: str) -> str:
    name = name.replace("\\", "/")
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def tidied(name: str) -> str:
    """Return a name without empty parts and parts that are a single dot."""
    if not _UNTIDY.search(name):
        return name
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def is_junk(name: str) -> bool:
    """Return whether an entry is a folder, a hidden file or a system file."""
    return _JUNK.search(name) is not None


def name_problem(name: str, limits: Limits) -> Refusal | None:
    """Return the reason to refuse an entry of this name, or None."""
    depth = name.count("/")
    if not tidied(name):
        return Refusal("entry with an empty name")
    if depth > limits.max_depth:
        return Refusal(f"{depth} folders deep (limit {limits.max_depth})", "max_depth")
    if len(name.encode()) > limits.max_name_bytes:
        longer = f"entry name longer than {limits.max_name_bytes} bytes"
        return Refusal(longer, "max_name_bytes")
    if _CONTROL.search(name):
        return Refusal("control character in the entry name")
    if _ABSOLUTE.match(name):
        return Refusal("entry with an absolute path")
    if ".." in name and ".." in name.split("/"):
        return Refusal("entry leaves the archive")
    if name[-4:].lower() == ".zip":
        return Refusal("zip inside zip is not read; unpack it first")
    return None


def shown(name: str) -> str:
    """Return a name for a message: shortened, and quoted if it is not printable."""
    short = name if len(name) <= 100 else f"{name[:60]}...{name[-20:]}"
    return short if name and short.isprintable() else repr(short)
