"""Files at URLs, read through fsspec: `s3://`, `gs://`, `https://`, `memory://`, ...

Each read is one request for a range of bytes without an open file, so threads and processes share
nothing. fsspec is imported for the first URL. All exceptions of its file systems become a
`RemoteError` whose message holds no credentials; callers add the name of the file.
"""

from __future__ import annotations

import errno
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from audioclf.base.errors import AudioclfError, DecodeError, EnvironmentMissingError
from audioclf.base.limits import MIB, limits_in_force

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_URL_IN_TEXT = re.compile(_SCHEME.pattern + r"[^\s'\"<>]*")
_CREDENTIALS = re.compile(
    r"""(?<=://) [^/?#]* : [^/?#]* @  # user:password
    | (?:(?<=http://)|(?<=https://)) [^/?#]* @  # a token; abfs has a container there
    """,
    re.VERBOSE,
)
_WORDS = {
    "ClientConnectorDNSError": "no host has this name",
    "ClientConnectorError": "the host cannot be reached",
    "ClientPayloadError": "the connection ended early",
    "InvalidUrlClientError": "not a valid URL",
    "MemoryError": "not enough memory for it",
    "ServerDisconnectedError": "the server closed the connection",
    "TooManyRedirects": "too many redirects",
}
"""Messages of exceptions with unclear texts, by name."""

_VERSION_MARK = re.compile(
    r"etag|.*md5.*|crc32c|digest|generation|created|updated|mtime|last[-_]?modified|version_?id",
    re.IGNORECASE,
)
"""Keys of file systems that identify the version of a file."""

_BLOCK = MIB


class RemoteError(Exception):
    """Reason why a remote file cannot be read; the caller adds its name."""


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Raise what prevents the reading of a file, on disk or at a URL, as a DecodeError."""
    try:
        yield
    except OSError as exc:
        raise DecodeError(f"{name}: {exc.strerror or exc}") from exc
    except RemoteError as exc:
        raise DecodeError(f"{name}: {exc}") from exc


def is_url(value: object) -> bool:
    """Return whether a path is a URL; `C://` is a drive.

    >>> is_url("s3://bucket/set.zip"), is_url("data/set.zip"), is_url("C://set.zip")
    (True, False, False)
    """
    return isinstance(value, str) and _SCHEME.match(value) is not None


def display_name(path: Path | str) -> str:
    """Return a path, or a URL without credentials and signatures.

    Examples
    --------
    >>> display_name("https://me:secret@host/set.zip?signature=abc")
    'https://host/set.zip?...'
    """
    if not is_url(path):
        return str(path)
    bare, query, _ = _CREDENTIALS.sub("", str(path), count=1).partition("?")
    return f"{bare}?..." if query else bare


def read_whole(url: str) -> bytes:
    """Return the bytes of a file, by one request.

    A RemoteError if it cannot be read, or a web server sends more than the limit `max_entry_bytes`.
    """
    with _translated(url):
        if not _is_http(url):
            fs, path = _filesystem(url)
            return cast("bytes", fs.cat_file(path))
        most = limits_in_force().max_entry_bytes
        data = _http_range(url, 0, most + 1)
    if len(data) > most:
        raise RemoteError(f"the server sends more than {most} bytes at once")
    return data


def open_remote(url: str, ahead: int, *, fresh: bool = False) -> BinaryIO:
    """Return a seekable stream that requests ranges of at least `ahead` bytes of a file.

    If a web server does not support ranges, the file is read once, kept in memory until another one
    is, and shared by all streams of this process; `fresh` reads it again. A RemoteError comes here,
    or as the stream is read.
    """
    if fresh:
        _kept.pop(url, None)
    return cast("BinaryIO", io.BufferedReader(_Ranges(url), ahead))


def stamp_remote(url: str) -> object:
    """Return size, ETag, modification time and the like; None if the file system has none.

    A missing file, or a file system that does not answer, is a RemoteError.
    """
    info = _info(url)
    known = sorted(key for key, value in info.items() if value and _VERSION_MARK.fullmatch(key))
    marks = [(key, str(info[key])) for key in known]
    return (info.get("size"), *marks) if marks else None


def list_remote(url: str) -> list[tuple[str, str]]:
    """Return the files below a folder: path relative to it, and URL.

    A RemoteError if there are none, or any folder cannot be listed.
    """
    base = re.sub(r"(?<![:/])/+$", "", url)
    with _translated(url):
        if _is_http(url) and "?" in url:
            raise RemoteError("a folder cannot be listed by a URL with a query")
        fs, root = _filesystem(base)
        fs.invalidate_cache()
        names = fs.find(root) if _finds_at_once(fs) else _walked(fs, root)
    prefix = root.rstrip("/") + "/"
    tails = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    if _is_http(url):  # a link with a query is a way to sort the listing
        tails = [tail for tail in tails if not re.search("[?#]", tail)]
    if not tails:
        raise RemoteError("no such folder, or no files in it")
    decoded = map(unquote, tails) if _is_http(url) else tails
    tidy = ("/".join(filter(None, name.split("/"))) for name in decoded)
    return [(name, f"{base}/{tail}") for name, tail in zip(tidy, tails, strict=True)]


_kept: dict[str, bytes] = {}
_keeping = threading.Lock()


class _Ranges(io.RawIOBase):
    """A remote file with one request per read; its size is requested when needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._at = 0
        self._size: int | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._end() if whence == io.SEEK_END else 0)[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "Invalid argument")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._read(self._at + len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(self._end())

    def _read(self, stop: int) -> bytes:
        stop = stop if self._size is None else min(stop, self._size)
        data = _range(self._url, self._at, stop) if stop > self._at else b""
        self._at += len(data)
        return data

    def _end(self) -> int:
        if self._size is None:
            self._size = _size(self._url)
        return self._size


def _size(url: str) -> int:
    info = _info(url)
    if info.get("type") == "directory":
        raise RemoteError("a folder, not a file")
    return len(_keep(url)) if info.get("size") is None else int(info["size"])


def _info(url: str) -> dict[str, Any]:
    with _translated(url):
        fs, path = _filesystem(url)
        fs.invalidate_cache(path)
        return cast("dict[str, Any]", fs.info(path))


def _range(url: str, start: int, stop: int) -> bytes:
    """Return bytes `start` to `stop`; there are fewer if the file ends early."""
    data = _kept.get(url)
    if data is None:
        try:
            return _requested(url, start, stop)
        except _NoRangesError:
            data = _keep(url)
    return data[start:stop]


def _requested(url: str, start: int, stop: int) -> bytes:
    with _translated(url):
        if _is_http(url):
            return _http_range(url, start, stop)
        fs, path = _filesystem(url)
        return cast("bytes", fs.cat_file(path, start=start, end=stop))


def _keep(url: str) -> bytes:
    with _keeping:
        if url not in _kept:
            _kept.clear()
            _kept[url] = read_whole(url)
        return _kept[url]


class _NoRangesError(RemoteError):
    """A web server answers with the whole file."""


def _http_range(url: str, start: int, stop: int) -> bytes:
    # `cat_file` would take a whole file for the range if a server ignores the range.
    fs, path = _filesystem(url)
    headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    try:
        stream = fs.open(
            path, block_size=0, size=stop, headers={**fs.kwargs.get("headers", {}), **headers}
        )
    except Exception as exc:
        if getattr(exc, "status", None) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return b""
        raise
    with stream:
        if stream.r.status >= HTTPStatus.MULTIPLE_CHOICES:  # a redirect to nowhere
            raise RemoteError(f"the server answers with HTTP status {stream.r.status}")
        if start and stream.r.status != HTTPStatus.PARTIAL_CONTENT:
            raise _NoRangesError("the server does not support ranges")
        return _up_to(stream, stop - start)


def _up_to(stream: BinaryIO, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (block := stream.read(min(_BLOCK, count - len(data)))):
        data += block
    return bytes(data)


def _finds_at_once(fs: Any) -> bool:
    """Return whether a store lists all its keys; fsspec's own `find` ignores unreadable folders."""
    find = getattr(type(fs), "_find", None) or type(fs).find
    return find.__module__ not in {"fsspec.asyn", "fsspec.spec"}


def _walked(fs: Any, root: str) -> list[str]:
    """Return the files below a folder, listing each folder once."""
    files: list[str] = []
    limits = limits_in_force()
    seen, waiting = {root}, [root]
    while waiting:
        for entry in fs.ls(waiting.pop(), detail=True):
            name = entry["name"].rstrip("/")
            if entry["type"] in {"file", "link"}:
                files.append(name)
            elif entry["type"] == "directory" and name not in seen:
                seen.add(name)
                waiting.append(name)
            depth, count = name.removeprefix(root).count("/") - 1, len(files) + len(seen)
            if depth > limits.max_depth or count > limits.max_entries:
                raise RemoteError(
                    f"more than {limits.max_depth} folders deep, or {limits.max_entries} entries"
                )
    return files


def _filesystem(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, one per thread, and the path in it."""
    try:
        import fsspec
    except ImportError as exc:
        raise EnvironmentMissingError(
            f"{display_name(url)}: reading URLs needs fsspec", hint="Run: pip install fsspec"
        ) from exc
    protocol = url.partition("://")[0]
    if "::" in url:
        raise RemoteError("URLs with `::` are not supported")
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as exc:
        raise EnvironmentMissingError(
            f"{display_name(url)}: protocol {protocol!r} needs another package: {exc}",
            hint="Install it in the environment of audioclf.",
        ) from exc
    except ValueError as exc:
        raise RemoteError(f"unknown protocol {protocol!r}") from exc
    fs, path = fsspec.url_to_fs(url)
    return fs, path


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (AudioclfError, RemoteError):
        raise
    except Exception as exc:
        raise RemoteError(_reason(exc, url)) from exc


def _reason(exc: BaseException, url: str) -> str:
    if _is_http(url) and isinstance(exc, FileNotFoundError):
        exc = exc.__cause__ or exc  # `info` reports every failure as a missing file
    status = getattr(exc, "status", 0)
    if isinstance(exc, PermissionError) or status in {401, 403}:
        return "no permission to read it"
    if isinstance(exc, FileNotFoundError) or status in {404, 410}:
        return "no such file or folder"
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if status:
        return f"the server answers with HTTP status {status}"
    name = type(exc).__name__
    words = _WORDS.get(name) or " ".join(str(exc).split()) or name
    return _URL_IN_TEXT.sub(lambda match: display_name(match[0]), words)


def _is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))
