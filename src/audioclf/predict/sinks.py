"""Outputs of predictions: standard output, one file, or a folder with a file for each recording.

The lines of a recording are written completely or not at all. A file is cut back to its last
complete recording when writing fails or is interrupted; after a kill, `--resume` does the same by
the journal. An output that is a file which the same call reads is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from typing_extensions import override

from audioclf.base.errors import ConfigError, ResultError
from audioclf.base.locks import FileLock, lock_owner, take_lock
from audioclf.base.text import file_name
from audioclf.predict.inputs import Collected, Recording
from audioclf.predict.journal import (
    FOLDER_JOURNAL,
    CutBackFile,
    JournalRow,
    Key,
    encoded,
    header_text,
    in_blocks,
    journal_beside,
    key_of,
    read_journal,
    row_text,
    whole_or_nothing,
    write_aside,
)
from audioclf.predict.settings import Job

Mode = Literal["new", "force", "resume"]
"""Refuse an output that exists, replace it, or continue it."""

_LOCK = ".lock"


class Sink(ABC):
    """Writes the text of one recording after the other."""

    done: list[JournalRow]
    """The recordings that are done already."""

    @abstractmethod
    def put(self, row: JournalRow, text: Iterator[str]) -> None:
        """Write all lines of a recording, then its row in the journal.

        If writing fails, nothing of the recording is left.
        """

    @abstractmethod
    def close(self) -> None:
        """Write what is left to write, and release the lock of the output."""


def open_sink(
    out: Path | None,
    job: Job,
    collected: Collected,
    *,
    mode: Mode = "new",
    write: Callable[[str], object] = print,
) -> Sink:
    """Return the sink for an output.

    `out` is a file or folder; None is standard output, to which `write` writes. The files of
    `collected` must not be overwritten.
    """
    output, recordings = job.settings.output, collected.recordings
    several = output.file_per_recording and len(recordings) > 1
    if several and (out is None or out.suffix):
        raise ConfigError(
            f"a file in the format {output.name} belongs to one recording, and there are "
            f"{len(recordings)}",
            hint="Give a folder with --out, or another --format.",
        )
    header = job.writer().header()
    if out is None:
        return StreamSink(write, header)
    if output.file_per_recording and not out.suffix:
        return FolderSink(out, collected, header, job.digest, mode)
    _check_no_input((out, journal_beside(out)), collected)
    return FileSink(out, header, job.digest, mode)


class StreamSink(Sink):
    """Standard output; there is no journal."""

    def __init__(self, write: Callable[[str], object], header: str) -> None:
        self.done = []
        self._write = write
        self._write(header)

    @override
    def put(self, row: JournalRow, text: Iterator[str]) -> None:
        for part in in_blocks(text):
            self._write(part)

    @override
    def close(self) -> None:
        """Do nothing: standard output stays open."""


class FileSink(Sink):
    """One file, which begins with `header`, with a journal beside it; `job` is a digest."""

    def __init__(self, path: Path, header: str, job: str, mode: Mode = "new") -> None:
        self.path, self.journal_path = path, journal_beside(path)
        with _locked(path, path.parent / f".{path.name}.lock") as self._lock:
            self._begin(header, job, mode)

    def _begin(self, header: str, job: str, mode: Mode) -> None:
        path = self.path
        try:
            exists = mode != "force" and (path.exists() or self.journal_path.exists())
            is_folder = exists and path.is_dir()
        except OSError as exc:
            raise ResultError(f"{path}: {exc.strerror or exc}") from exc
        if is_folder:
            raise ResultError(f"{path}: is a folder, and a file is expected")
        rows = _ok_rows(path, self.journal_path, job, mode) if exists else []
        self.done = _rows_in_output(path, header, rows)
        size = self.done[-1].bytes if self.done else 0
        with _writing(path):
            self._journal = _rewritten_journal(self.journal_path, self.done)
            self._out = CutBackFile(path)
            self._out.cut_back(size)
            if not size:
                self._out.write(header)

    @override
    def put(self, row: JournalRow, text: Iterator[str]) -> None:
        with _writing(self.path), whole_or_nothing(self._journal, self._out):
            for part in in_blocks(text):
                self._out.write(part)
            self._journal.write(row_text(replace(row, bytes=self._out.size)))

    @override
    def close(self) -> None:
        with _writing(self.path):
            try:
                self._out.close()
            finally:
                self._journal.close()
                self._lock.release()


class FolderSink(Sink):
    """A folder with a file for each recording and a journal."""

    def __init__(
        self, path: Path, collected: Collected, header: str, job: str, mode: Mode = "new"
    ) -> None:
        self.path, self.header = path, header
        with _locked(path, path / _LOCK) as self._lock:
            self._begin(collected, job, mode)

    def _begin(self, collected: Collected, job: str, mode: Mode) -> None:
        path, journal = self.path, self.path / FOLDER_JOURNAL
        with _writing(path):
            used = any(entry.name != _LOCK for entry in path.iterdir())
        self.done = _ok_rows(path, journal, job, mode) if used and mode != "force" else []
        self.names = self._names(collected)
        _check_no_input((journal, *(path / name for name in self.names.values())), collected)
        with _writing(path):
            self._journal = _rewritten_journal(journal, self.done)

    def _names(self, collected: Collected) -> dict[Key, str]:
        """Return the file of each recording that is not done; the files of others are kept."""
        done = {row.key for row in self.done}
        taken = {row.file for row in self.done}
        if "" in taken:  # a journal of an older version does not hold them
            taken |= {file.relative_to(self.path).as_posix() for file in self.path.rglob("*")}
        return label_files([r for r in collected.recordings if key_of(r) not in done], taken)

    @override
    def put(self, row: JournalRow, text: Iterator[str]) -> None:
        with _writing(self.path), whole_or_nothing(self._journal):
            if row.status == "ok":
                row = replace(row, file=self.names[row.key])
                write_aside(self.path / row.file, [self.header, *in_blocks(text)])
            self._journal.write(row_text(row))

    @override
    def close(self) -> None:
        with _writing(self.path):
            try:
                self._journal.close()
            finally:
                self._lock.release()


def label_files(recordings: Sequence[Recording], taken: Collection[str] = ()) -> dict[Key, str]:
    """Return the name of each recording's file, POSIX, in the folders of the recording.

    A number is added to a name that is `taken`, or that another recording has.
    """
    names: dict[Key, str] = {}
    used = {FOLDER_JOURNAL, *map(str.casefold, taken)}
    for recording in recordings:
        parts = [part for part in PurePosixPath(recording.place).parts if part not in ("/", "..")]
        whole = PurePosixPath(*parts).with_suffix("") if parts else PurePosixPath("recording")
        stem = "/".join(map(file_name, whole.parts))
        stem += "" if recording.channel is None else f"-channel{recording.channel}"
        name, number = f"{stem}.txt", 1
        while name.casefold() in used:
            number += 1
            name = f"{stem}-{number}.txt"
        used.add(name.casefold())
        names[key_of(recording)] = name
    return names


def _check_no_input(targets: Iterable[Path], collected: Collected) -> None:
    """Refuse an output that is a file which is read, by another name or link too."""
    existing = {identity: path for path in targets if (identity := _identity(path))}
    if not existing:
        return
    for path in collected.files():
        identity = _identity(path)
        if identity in existing:
            target = existing[identity]
            raise ConfigError(
                f"{target}: is an input of this command ({path}), and would be overwritten",
                hint="Choose another --out.",
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an error of the system into one sentence."""
    try:
        yield
    except OSError as exc:
        raise ResultError(
            f"{path}: cannot be written: {exc.strerror or exc}",
            hint="Finished recordings are kept; make room and continue with --resume, "
            "or choose another --out.",
        ) from exc


@contextmanager
def _locked(path: Path, lock: Path) -> Iterator[FileLock]:
    """Keep every other call out of an output; an error releases it, else the sink does."""
    with _writing(path):
        lock.parent.mkdir(parents=True, exist_ok=True)
        taken = take_lock(lock)
    if taken is None:
        raise ResultError(
            f"{path}: another call is writing here ({lock_owner(lock)})",
            hint="Wait until it has ended, or choose another --out.",
        )
    try:
        yield taken
    except BaseException:
        taken.release()
        raise


def _ok_rows(path: Path, journal: Path, job: str, mode: Mode) -> list[JournalRow]:
    """Return the recordings that are done in an output that exists."""
    if mode != "resume":
        raise ResultError(
            f"{path}: exists already",
            hint="Continue it with --resume, replace it with --force, or choose another --out.",
        )
    if not journal.exists():
        raise ResultError(
            f"{path}: cannot be continued: {journal.name}, which lists the finished recordings, "
            "is missing",
            hint="Start anew with --force, or choose another --out.",
        )
    rows = read_journal(journal)
    if any(row.job != job for row in rows):
        raise ResultError(
            f"{path}: was begun with another model or other options, so it cannot be continued",
            hint="Use the same ones, start anew with --force, or choose another --out.",
        )
    return [row for row in rows if row.status == "ok"]


def _rows_in_output(path: Path, header: str, rows: list[JournalRow]) -> list[JournalRow]:
    """Return the rows whose lines the output holds: a power cut may have kept the journal only."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            has_header = stream.read(len(encoded(header))) == encoded(header)
    except OSError:
        return []
    return [row for row in rows if row.bytes <= size] if has_header else []


def _rewritten_journal(path: Path, rows: Sequence[JournalRow]) -> CutBackFile:
    write_aside(path, [header_text(), *map(row_text, rows)])
    return CutBackFile(path)
