"""Where predictions go: standard output, one file, or a folder with a file for each recording.

What is written of a recording is written whole. A file is cut back to its last whole recording when
writing fails or is interrupted; after a sudden end, `--resume` does the same by the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Protocol

from audioclf.base.errors import ResultError
from audioclf.base.locks import FileLock, lock_owner, take_lock
from audioclf.base.text import file_name
from audioclf.predict.inputs import Recording
from audioclf.predict.journal import (
    LEDGER,
    LedgerRow,
    header_text,
    key_of,
    ledger_beside,
    read_ledger,
    row_text,
)

_JOINED = 256
"""Lines that are written at once."""

_LOCK = ".lock"

Key = tuple[str, str, str]


class Sink(Protocol):
    """Takes the text of one recording after the other."""

    done: list[LedgerRow]
    """The recordings that are done already."""

    def put(self, recording: Recording, row: LedgerRow, text: Iterator[str]) -> None:
        """Write all lines of a recording, then its row in the ledger.

        Raises
        ------
        ResultError
            If writing fails; nothing of the recording is left.
        """

    def close(self) -> None:
        """Write what is left to write."""


class StreamSink:
    """Standard output; there is no ledger."""

    def __init__(self, write: Callable[[str], object], header: str) -> None:
        self.done: list[LedgerRow] = []
        self._write = write
        self._guarded(header)

    def put(self, recording: Recording, row: LedgerRow, text: Iterator[str]) -> None:
        """Write the lines of a recording."""
        for part in _joined(text):
            self._guarded(part)

    def close(self) -> None:
        """Do nothing: the stream is not ours."""

    def _guarded(self, text: str) -> None:
        try:
            self._write(text)
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise ResultError(f"standard output: cannot be written: {exc.strerror}") from exc


class FileSink:
    """One file with a ledger beside it.

    Parameters
    ----------
    path : Path
    header : str
        First line.
    job : str
        Digest of the model and the options.
    force : bool
        Replace what is there.
    resume : bool
        Go on with what is there.

    Raises
    ------
    ResultError
        If the file is there already and neither is given, if it cannot be written, or if it cannot
        be gone on with.
    """

    def __init__(
        self, path: Path, header: str, job: str, *, force: bool = False, resume: bool = False
    ) -> None:
        self.path, self.ledger_path = path, ledger_beside(path)
        self._held = _held(path, path.parent / f".{path.name}.lock")
        try:
            self._begin(header, job, force=force, resume=resume)
        except BaseException:
            self._held.release()
            raise

    def _begin(self, header: str, job: str, *, force: bool, resume: bool) -> None:
        path = self.path
        kept = None if force else _kept(path, self.ledger_path, job, resume=resume)
        self.done = _fitting(path, header, kept or [])
        size = self.done[-1].bytes if self.done else 0
        with _writable(path):
            self._ledger = _rewritten_ledger(self.ledger_path, self.done)
            self._out = _CutBack(path)
            self._out.cut_back(size)
            if not size:
                self._out.write(header)
                self._out.commit()

    def put(self, recording: Recording, row: LedgerRow, text: Iterator[str]) -> None:
        """Write the lines of a recording and its row, or neither."""
        try:
            with _writable(self.path):
                for part in _joined(text):
                    self._out.write(part)
                self._ledger.write(row_text(replace(row, bytes=self._out.size)))
        except BaseException:
            self._ledger.roll_back()
            self._out.roll_back()
            raise
        self._out.commit()
        self._ledger.commit()

    def close(self) -> None:
        """Let the file reach the disk, and others write to it."""
        with _writable(self.path):
            try:
                self._out.close()
            finally:
                self._ledger.close()
                self._held.release()


class FolderSink:
    """A folder with a file for each recording and a ledger.

    Parameters
    ----------
    path : Path
    recordings : sequence of Recording
        All of them: two with one name get a number.
    header : str
        First line of each file.
    job, force, resume
        As of `FileSink`.

    Raises
    ------
    ResultError
        As `FileSink`.
    """

    def __init__(
        self,
        path: Path,
        recordings: Sequence[Recording],
        header: str,
        job: str,
        *,
        force: bool = False,
        resume: bool = False,
    ) -> None:
        self.path, self.header = path, header
        self.names = label_files(recordings)
        self._held = _held(path, path / _LOCK)
        try:
            self._begin(job, force=force, resume=resume)
        except BaseException:
            self._held.release()
            raise

    def _begin(self, job: str, *, force: bool, resume: bool) -> None:
        path, ledger = self.path, self.path / LEDGER
        with _writable(path):
            used = any(entry.name != _LOCK for entry in path.iterdir())
        if used and not force:
            _check_reusable(path, ledger, resume=resume)
        self.done = _ok_rows(ledger, job, path) if used and not force else []
        with _writable(path):
            self._ledger = _rewritten_ledger(ledger, self.done)

    def put(self, recording: Recording, row: LedgerRow, text: Iterator[str]) -> None:
        """Write the file of a recording aside and rename it, then its row."""
        try:
            with _writable(self.path):
                if row.status == "ok":
                    target = self.path / self.names[key_of(recording)]
                    _write_aside(target, [self.header, *_joined(text)])
                self._ledger.write(row_text(row))
        except BaseException:
            self._ledger.roll_back()
            raise
        self._ledger.commit()

    def close(self) -> None:
        """Let the ledger reach the disk, and others write to the folder."""
        with _writable(self.path):
            try:
                self._ledger.close()
            finally:
                self._held.release()


def label_files(recordings: Sequence[Recording]) -> dict[Key, str]:
    """Return the name of each recording's file, POSIX, in the folders that the recording is in."""
    names: dict[Key, str] = {}
    taken: set[str] = {LEDGER}
    for recording in recordings:
        parts = [part for part in PurePosixPath(recording.place).parts if part not in ("/", "..")]
        whole = PurePosixPath(*parts).with_suffix("") if parts else PurePosixPath("recording")
        stem = "/".join(map(file_name, whole.parts))
        name, number = f"{stem}.txt", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}.txt"
        taken.add(name.casefold())
        names[key_of(recording)] = name
    return names


def _joined(text: Iterable[str]) -> Iterator[str]:
    """Yield a few hundred lines at a time."""
    lines: list[str] = []
    for line in text:
        lines.append(line)
        if len(lines) == _JOINED:
            yield "".join(lines)
            lines = []
    if lines:
        yield "".join(lines)


class _writable:  # noqa: N801  reads as a word
    """Turn what the system says into one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, exc: BaseException | None, where: object) -> None:
        if isinstance(exc, OSError):
            raise ResultError(
                f"{self.path}: cannot be written: {exc.strerror or exc}",
                hint="What is finished stays; make room and go on with --resume, "
                "or choose another --out.",
            ) from exc


def _held(path: Path, lock: Path) -> FileLock:
    """Keep every other call out of an output."""
    with _writable(path):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = take_lock(lock)
    if held is None:
        raise ResultError(
            f"{path}: another call is writing here ({lock_owner(lock)})",
            hint="Wait until it has ended, or choose another --out.",
        )
    return held


def _kept(path: Path, ledger: Path, job: str, *, resume: bool) -> list[LedgerRow] | None:
    """Return the recordings that are done, or None where there is nothing yet."""
    try:
        exists = path.exists() or ledger.exists()
        is_folder = path.is_dir()
    except OSError as exc:
        raise ResultError(f"{path}: {exc.strerror or exc}") from exc
    if is_folder:
        raise ResultError(f"{path}: is a folder, and a file is expected")
    if not exists:
        return None
    _check_reusable(path, ledger, resume=resume)
    return _ok_rows(ledger, job, path)


def _check_reusable(path: Path, ledger: Path, *, resume: bool) -> None:
    if not resume:
        raise ResultError(
            f"{path}: exists already",
            hint="Go on with --resume, replace it with --force, or choose another --out.",
        )
    if not ledger.exists():
        raise ResultError(
            f"{path}: cannot be gone on with: {ledger.name}, which says what is done, is missing",
            hint="Start anew with --force, or choose another --out.",
        )


def _ok_rows(ledger: Path, job: str, path: Path) -> list[LedgerRow]:
    rows = read_ledger(ledger)
    if any(row.job != job for row in rows):
        raise ResultError(
            f"{path}: was begun with another model or other options, so it cannot be gone on with",
            hint="Use the same ones, start anew with --force, or choose another --out.",
        )
    return [row for row in rows if row.status == "ok"]


def _fitting(path: Path, header: str, rows: list[LedgerRow]) -> list[LedgerRow]:
    """Return the rows that the output really holds: a power cut may have kept the ledger only."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            begins = stream.read(len(_encoded(header))) == _encoded(header)
    except OSError:
        return []
    return [row for row in rows if row.bytes <= size] if begins else []


def _rewritten_ledger(path: Path, rows: Sequence[LedgerRow]) -> _CutBack:
    _write_aside(path, [header_text(), *map(row_text, rows)])
    return _CutBack(path)


def _write_aside(target: Path, parts: Iterable[str]) -> None:
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with aside.open("wb") as stream:
            for part in parts:
                stream.write(_encoded(part))
        aside.replace(target)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


class _CutBack:
    """A file that is added to, and can forget what was added since the last commit."""

    def __init__(self, path: Path) -> None:
        # Unbuffered, so that nothing is written after a failure.
        self._file = FileIO(path, "a")
        self.size = self._committed = self._file.seek(0, os.SEEK_END)

    def write(self, text: str) -> None:
        data = memoryview(_encoded(text))
        while data:
            written = self._file.write(data)
            self.size += written
            data = data[written:]

    def commit(self) -> None:
        self._committed = self.size

    def roll_back(self) -> None:
        with suppress(OSError):
            self.cut_back(self._committed)

    def cut_back(self, size: int) -> None:
        self._file.truncate(size)
        self.size = self._committed = size

    def close(self) -> None:
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
