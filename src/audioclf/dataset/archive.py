"""Untrusted zip archives, read in place: nothing is unpacked to disk.

The central directory is read once, and an archive is refused if its entries lead out of it,
overlap, share a name or exceed a limit. A member reads its own bytes, in any thread or process; one
at a URL by one request. Comments name the sections of PKWARE's APPNOTE.TXT.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from audioclf.base.errors import DatasetError, DecodeError
from audioclf.base.limits import Limits, limits_in_force
from audioclf.dataset.remote import RemoteError, display_name, open_remote, reading
from audioclf.dataset.signatures import HEAD_BYTES, hint_for, looks_like
from audioclf.dataset.zip_names import (
    Refusal,
    is_junk,
    name_problem,
    raw_name,
    read_name,
    read_names,
    shown,
    tidied,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_AHEAD = 1 << 16
"""Bytes per request for the directory of a remote archive."""
_EXTRA = 256
"""Bytes for the extra field of a local header in a request for a remote member."""

_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_LOCAL_HEADER = struct.Struct("<4s2x2H4xI8x2H")
"""APPNOTE 4.3.7: signature, flags, method, CRC-32, length of name, length of extra field."""
_ENCRYPTED, _SIZES_FOLLOW = 0x0001, 0x0008
"""APPNOTE 4.4.4: general purpose flags."""

_FILE_KINDS = frozenset({0, stat.S_IFREG})
"""Kinds in the upper half of the external attributes: not stated, and a regular file."""

_DIRECTORY_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
)
"""Exceptions of the standard library's parser for damaged central directories."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One file of an archive; a string as the archive is a URL.

    - name: path inside the archive, POSIX, NFC, relative, without `.` and `..`
    - offset: position of the member's local header, in bytes from the start of the archive
    - compressed_size, size: bytes as stored and unpacked
    - method: 0 for stored, 8 for deflated
    - crc: CRC-32 of the unpacked bytes
    - raw_name: the name as the archive's directory stores it
    """

    archive: Path | str
    name: str
    offset: int
    compressed_size: int
    size: int
    method: int
    crc: int
    raw_name: bytes = b""

    def read(self) -> bytes:
        """Return the unpacked bytes.

        DecodeError as in `stored_bytes`, and if the size or the CRC-32 is not the declared one.
        """
        data = self.stored_bytes()
        content = data if self.method == _STORED else self._inflated(data)
        if len(content) != self.size:
            raise self._damaged(f"holds {len(content)} bytes, {self.size} declared")
        if zlib.crc32(content) != self.crc:
            raise self._damaged("its CRC-32 does not match")
        return content

    def stored_bytes(self) -> bytes:
        """Return the bytes as the archive stores them: compressed, and not yet checked.

        An archive that cannot be read or has changed, or a member cut short, is a DecodeError.
        """
        try:
            with reading(str(self)), self._open() as stream:
                stream.seek(self.offset)
                self._check_local_header(stream)
                data = stream.read(self.compressed_size)
        except MemoryError as exc:
            raise DecodeError(f"{self}: not enough memory for {self.size} bytes") from exc
        if len(data) < self.compressed_size:
            raise self._damaged(f"truncated after {len(data)} of {self.compressed_size} bytes")
        return data

    def __str__(self) -> str:
        return f"{display_name(self.archive)}!{self.name}"

    def _open(self) -> BinaryIO:
        if isinstance(self.archive, str):
            name_bytes = max(len(self.raw_name), len(self.name.encode()))
            header = _LOCAL_HEADER.size + name_bytes + _EXTRA
            return open_remote(self.archive, header + self.compressed_size)
        return self.archive.open("rb")

    def _check_local_header(self, stream: BinaryIO) -> None:
        header = stream.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            raise self._damaged("the archive ends before it")
        signature, flags, method, crc, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        raw = stream.read(name_length + extra_length)[:name_length]
        same = (
            signature == b"PK\x03\x04"
            and method == self.method
            and (flags & _SIZES_FOLLOW or crc == self.crc)
            and (raw == self.raw_name or tidied(read_name(raw)) == self.name)
        )
        if not same:
            raise self._damaged(
                "its local header is not the one that the archive's directory describes",
                hint="Run the command again if the archive was changed in the meantime.",
            )

    def _inflated(self, data: bytes) -> bytes:
        try:
            # One byte more than declared reveals a wrong size; no more is ever unpacked.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, self.size + 1)
        except zlib.error as exc:
            raise self._damaged(str(exc)) from exc
        except MemoryError as exc:
            raise DecodeError(f"{self}: not enough memory for {self.size} bytes") from exc

    def _damaged(self, reason: str, *, hint: str | None = None) -> DecodeError:
        return DecodeError(f"{self}: damaged entry: {reason}", hint=hint)


@dataclass(frozen=True)
class Archive:
    """The members of an archive, in the order of its directory; a string is a URL.

    `ignored` entries are folders, hidden files and system files, `hidden` the names of these files;
    `encoding_note` is a sentence on a guessed encoding of the names.
    """

    path: Path | str
    members: tuple[ZipMember, ...]
    ignored: int
    hidden: tuple[str, ...] = ()
    encoding_note: str | None = None


def open_archive(path: Path | str, limits: Limits | None = None) -> Archive:
    """Read the directory of a zip archive, and refuse unsafe archives.

    Parameters
    ----------
    path : Path or str
        The archive, a regular file; a string is a URL.
    limits : Limits, optional
        Upper bounds; by default the limits in force, which users can set.

    Returns
    -------
    archive : Archive
        All its files, possibly none.

    Raises
    ------
    DatasetError
        If the file is not a zip archive, or any entry is refused; the message names the archive
        and the entry.
    """
    limits = limits or limits_in_force()
    shown_path = display_name(path)
    infos, end = _directory(path)
    if len(infos) > limits.max_entries:
        many = f"{len(infos)} entries (limit {limits.max_entries})"
        raise _refused(shown_path, Refusal(many, "max_entries"), limits)
    members, hidden = [], []
    names, note = read_names(infos)
    for info, name in zip(infos, names, strict=True):
        if is_junk(name):
            if not name.endswith("/"):
                hidden.append(name)
            continue
        refusal = name_problem(name, limits) or _entry_problem(info, limits)
        if refusal:
            raise _refused(f"{shown_path}!{shown(name)}", refusal, limits)
        members.append(_member(path, tidied(name), info))
    _check_totals(shown_path, members, limits)
    _check_names(shown_path, members)
    _check_spans(members, end)
    ignored = len(infos) - len(members)
    return Archive(path, tuple(members), ignored, tuple(hidden), note)


def _refused(where: str, refusal: Refusal, limits: Limits) -> DatasetError:
    """Return the error; its hint names the exceeded limit, if the user can set it."""
    hint = f"If you trust it, set limits.{refusal.limit} to accept more."
    settable = refusal.limit and limits is limits_in_force()
    return DatasetError(f"{where}: {refusal.words}", hint=hint if settable else None)


def _directory(path: Path | str) -> tuple[list[zipfile.ZipInfo], int]:
    """Return the entries, and the position of the central directory."""
    try:
        with _opened(path) as stream:
            return _parsed(display_name(path), stream)
    except OSError as exc:
        raise DatasetError(f"{path}: {exc.strerror or exc}") from exc
    except RemoteError as exc:
        raise DatasetError(f"{display_name(path)}: {exc}") from exc
    except ValueError as exc:
        raise DatasetError(f"{str(path)!r}: not a path ({exc})") from exc


def _opened(path: Path | str) -> BinaryIO:
    if isinstance(path, str):
        return open_remote(path, _AHEAD, fresh=True)
    if not stat.S_ISREG(path.stat().st_mode):
        raise DatasetError(f"{path}: not a readable zip archive (not a regular file)")
    return path.open("rb")


def _parsed(path: str, stream: BinaryIO) -> tuple[list[zipfile.ZipInfo], int]:
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.infolist(), archive.start_dir
    except UnicodeDecodeError as exc:
        name = bytes(exc.object[:200])
        raise DatasetError(f"{path}: the entry name {name!r} is not valid UTF-8") from exc
    except _DIRECTORY_ERRORS as exc:
        stream.seek(0)
        head = stream.read(HEAD_BYTES)
        reason = f"not a readable zip archive{_kind_of(head)}"
        raise DatasetError(f"{path}: {reason}", hint=hint_for(head)) from exc


def _kind_of(head: bytes) -> str:
    if not head:
        return " (the file is empty)"
    if head.startswith(b"PK\x03\x04"):
        return " (truncated or damaged)"
    kind = looks_like(head)
    return f" (looks like {kind})" if kind else ""


def _entry_problem(info: zipfile.ZipInfo, limits: Limits) -> Refusal | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in _FILE_KINDS:
        return Refusal("not a regular file")
    if info.flag_bits & _ENCRYPTED:
        return Refusal("encrypted entry; unpack with the password first")
    if info.compress_type not in {_STORED, _DEFLATED}:
        method = f"compression method {info.compress_type} not supported (stored and deflate are)"
        return Refusal(method)
    largest = max(info.file_size, info.compress_size)
    if largest > limits.max_entry_bytes:
        large = f"{largest} bytes unpacked (limit {limits.max_entry_bytes})"
        return Refusal(large, "max_entry_bytes")
    if info.compress_type == _STORED and info.file_size != info.compress_size:
        sizes = f"{info.compress_size} bytes stored, {info.file_size} declared"
        return Refusal(f"damaged entry: {sizes}")
    return _ratio_problem(info.file_size, info.compress_size, limits)


def _ratio_problem(size: int, stored: int, limits: Limits) -> Refusal | None:
    if size <= limits.ratio_floor_bytes or size <= limits.max_ratio * stored:
        return None
    bomb = f"{stored} bytes would unpack to {size} (limit {limits.max_ratio}:1)"
    return Refusal(bomb, "max_ratio")


def _member(path: Path | str, name: str, info: zipfile.ZipInfo) -> ZipMember:
    return ZipMember(
        archive=path,
        name=name,
        offset=info.header_offset,
        compressed_size=info.compress_size,
        size=info.file_size,
        method=info.compress_type,
        crc=info.CRC,
        raw_name=raw_name(info),
    )


def _check_totals(path: str, members: Sequence[ZipMember], limits: Limits) -> None:
    total, stored = sum(m.size for m in members), sum(m.compressed_size for m in members)
    if total > limits.max_total_bytes:
        large = f"{total} bytes unpacked (limit {limits.max_total_bytes})"
        raise _refused(path, Refusal(large, "max_total_bytes"), limits)
    refusal = _ratio_problem(total, stored, limits)
    if refusal:
        raise _refused(path, refusal, limits)


def _check_names(path: str, members: Iterable[ZipMember]) -> None:
    seen: dict[str, str] = {}
    for member in members:
        key = member.name.casefold()
        if key in seen:
            problem = "two entries with this name"
            if seen[key] != member.name:
                problem = f"differs from {shown(seen[key])} only by case"
            raise DatasetError(f"{path}!{shown(member.name)}: {problem}")
        seen[key] = member.name


def _check_spans(members: Iterable[ZipMember], end: int) -> None:
    """Refuse entries that share bytes: a small file could unpack to many (CVE-2024-0450)."""
    limit = end
    for member in sorted(members, key=lambda member: member.offset, reverse=True):
        # A lower bound: the stored name may be longer, and an extra field may follow it.
        name_bytes = min(len(member.raw_name), len(member.name))
        least = _LOCAL_HEADER.size + name_bytes + member.compressed_size
        if member.offset < 0 or member.offset + least > limit:
            raise DatasetError(f"{member}: overlaps inside the archive (bytes used twice)")
        limit = member.offset
