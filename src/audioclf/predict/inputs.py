"""Inputs of a prediction: files, folders, zip archives, globs, lists and tables.

Arguments keep their order; the files of a folder or an archive are sorted by path. Hidden and
system files and files without the suffix of an audio format are ignored in a folder, an archive and
a glob; a file that is named itself is used whatever its name. A recording that is named twice is
used once.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from audioclf.audio.headers import channels_of
from audioclf.base.errors import DatasetError
from audioclf.dataset.listing import find_file, list_archive, list_folder
from audioclf.dataset.path_labels import count, full_path, is_audio, shown
from audioclf.dataset.remote import is_url
from audioclf.dataset.sources import (
    AudioSource,
    FileSource,
    Listing,
    PartSource,
    RemoteSource,
    Span,
    ZipSource,
    recording_of,
)
from audioclf.dataset.table_rows import read_number
from audioclf.dataset.tables import Cells, missing_column, read_table

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"))
STDIN = "-"

_COLUMNS = ("path", "start", "end")
_HIDDEN = "__MACOSX"


@dataclass(frozen=True, slots=True)
class Recording:
    """A file, or a part or channel of one, that is to be predicted.

    `place` is its path below the folder or archive that was named, POSIX; else its file name.
    """

    place: str
    source: AudioSource

    @property
    def name(self) -> str:
        """The path in all outputs: as it was given, or `archive.zip!member`."""
        return self.source.file.name

    @property
    def span(self) -> Span | None:
        """The part of the file; None if it is all of it."""
        return self.source.span

    @property
    def channel(self) -> int | None:
        """The channel of the file, from 1; None if the model's settings choose it."""
        return self.source.channel

    @property
    def n_bytes(self) -> int:
        """Size in bytes, as far as it is known without reading; else 0."""
        source = recording_of(self.source)
        if isinstance(source, ZipSource):
            return source.member.size
        try:
            return source.path.stat().st_size if isinstance(source, FileSource) else 0
        except (OSError, ValueError):
            return 0


@dataclass(frozen=True)
class Collected:
    """The recordings that arguments name.

    `tables` are tables and other files that were read beside the recordings.
    """

    recordings: tuple[Recording, ...]
    notes: tuple[str, ...] = ()
    tables: tuple[Path, ...] = ()

    def files(self) -> Iterator[Path]:
        """Yield the files on this machine that are read: recordings, archives, tables."""
        yield from self.tables
        for recording in self.recordings:
            source = recording_of(recording.source)
            if isinstance(source, FileSource):
                yield source.path
            elif isinstance(source, ZipSource) and isinstance(source.member.archive, Path):
                yield source.member.archive


def collect(arguments: Sequence[str], listed: Iterable[str] = ()) -> Collected:
    """Find the recordings that arguments name.

    Arguments are paths of files, folders, zip archives and tables, globs, URLs, and `-` for the
    listed paths from standard input. A missing file among these is a recording that fails; a
    missing argument is an error.
    """
    finder = _Finder()
    for argument in arguments:
        if argument == STDIN:
            for path in listed:
                finder.add_listed(path)
        else:
            finder.add_argument(argument)
    if not finder.recordings:
        where = shown([name for name in arguments if name != STDIN] or ["the list"])
        links = "".join(f"; {text}" for text in finder.links)
        raise DatasetError(
            f"no audio files found in {where}{links}",
            hint="Files that end in .wav, .flac, .ogg, .opus, .mp3 or .aiff are expected.",
        )
    return Collected(
        tuple(finder.recordings.values()), tuple(finder.all_notes()), tuple(finder.tables)
    )


def each_channel(collected: Collected, *, isolate: bool = False) -> Collected:
    """Return the inputs with a recording for each channel of a file, for `audio.channel: each`."""
    recordings = collected.recordings
    channels = channels_of([recording.source for recording in recordings], isolate=isolate)
    return replace(
        collected,
        recordings=tuple(
            replace(recording, source=source)
            for recording, sources in zip(recordings, channels, strict=True)
            for source in sources or (recording.source,)
        ),
    )


def split_list(text: str, *, nul: bool = False) -> list[str]:
    r"""Return the paths in a list: one per line, or ended by NUL as `find -print0` writes them.

    A byte order mark at the beginning is ignored.

    >>> split_list("a.wav\r\nb c.wav\n\n"), split_list("a.wav\0b\n.wav\0", nul=True)
    (['a.wav', 'b c.wav'], ['a.wav', 'b\n.wav'])
    """
    text = text.removeprefix("\ufeff")
    if nul:
        return [path for path in text.split("\0") if path]
    return [path for line in text.split("\n") if (path := line.removesuffix("\r"))]


class _Finder:
    """Collects recordings, each once, and notes."""

    def __init__(self) -> None:
        self.recordings: dict[object, Recording] = {}
        self.tables: list[Path] = []
        self.notes: list[str] = []
        self.ignored: list[str] = []
        self.twice: list[str] = []
        self.links: list[str] = []

    def all_notes(self) -> Iterator[str]:
        yield from self.notes
        if self.ignored:
            files = count(len(self.ignored), "file", "files")
            yield f"ignored {files} without the suffix of an audio format: {shown(self.ignored)}"
        if self.twice:
            yield (
                f"{count(len(self.twice), 'recording', 'recordings')} named twice, "
                f"predicted once: {shown(self.twice)}"
            )

    def add_argument(self, argument: str) -> None:
        if is_url(argument):
            self._add_url(argument)
            return
        path = Path(argument)
        if _exists(path):
            self._add_path(path)
        elif glob.has_magic(argument):
            self._add_glob(argument)
        else:
            raise DatasetError(f"no such file or folder: {full_path(path)}")

    def add_listed(self, line: str) -> None:
        if is_url(line):
            self._add_url(line)
        elif _exists(Path(line)):
            self._add_path(Path(line))
        else:
            self._add(PurePosixPath(line).name, FileSource(Path(line)))

    def _add_path(self, path: Path) -> None:
        suffix = path.suffix.lower()
        if path.is_dir():
            self._add_listing(list_folder(path, any_names=True))
        elif suffix == ".zip":
            self._add_listing(list_archive(path))
        elif suffix in TABLE_SUFFIXES:
            self._add_table(path)
        else:
            self._add(path.name, FileSource(path))

    def _add_url(self, url: str) -> None:
        path = PurePosixPath(urlsplit(url).path)
        if path.suffix.lower() == ".zip":
            self._add_listing(list_archive(url))
        elif is_audio(path.name):
            self._add(path.name, RemoteSource(url))
        else:
            self._add_listing(list_folder(url))

    def _add_glob(self, pattern: str) -> None:
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  takes absolute patterns
        if not matches:
            raise DatasetError(f"no file fits the pattern {pattern!r}")
        for match in matches:
            path = Path(match)
            if _HIDDEN in path.parts or (path.is_dir() and "**" in pattern):
                continue
            if is_audio(match) or path.suffix.lower() == ".zip" or path.is_dir():
                self._add_path(path)
            else:
                self.ignored.append(match)

    def _add_listing(self, listing: Listing) -> None:
        self.notes += listing.notes
        self.links += filter(None, [listing.links])
        for place, source in sorted(listing.entries, key=lambda entry: entry[0]):
            if is_audio(place):
                self._add(place, source)
            else:
                self.ignored.append(place)

    def _add_table(self, path: Path) -> None:
        self.tables.append(path)
        table = read_table(FileSource(path), _COLUMNS)
        if "path" not in table.columns:
            raise missing_column(table, "path", "A table names the recordings in that column.")
        rows = table.each(_row)
        table.problems.check()
        for name, span in rows:
            source = FileSource(_table_path(path.parent, name))
            self._add(source.path.name, source if span is None else PartSource(source, span))

    def _add(self, place: str, source: AudioSource) -> None:
        key = _key(source)
        if key in self.recordings:
            self.twice.append(source.name)
        else:
            self.recordings[key] = Recording(place, source)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _table_path(folder: Path, name: str) -> Path:
    """Return the path in a table; one of Windows is read as the loader of manifests reads it."""
    path = folder / name
    if not _exists(path) and "\\" in name:
        name = name.replace("\\", "/")
        path = folder / name
    return find_file(folder, name) or path


def _key(source: AudioSource) -> object:
    """Return a key that is equal for two names of one recording."""
    file = recording_of(source)
    if isinstance(file, FileSource):
        return os.path.realpath(file.path), source.span
    if isinstance(file, ZipSource):
        return os.path.realpath(file.member.archive), file.member.name, source.span
    return file, source.span


def _row(line: int, cells: Cells) -> tuple[str, Span | None]:
    path = cells.get("path")
    if not path or "\0" in path:
        raise ValueError("no path")
    start, end = (_seconds(cells, name) for name in ("start", "end"))
    if start is None and end is None:
        return path, None
    return path, Span(start or 0.0, end)


def _seconds(cells: Cells, name: str) -> float | None:
    text = cells.get(name, "")
    if text == "":
        return None
    seconds = None if text is None else read_number(text)
    if seconds is None:
        raise ValueError(f"{name} is {text!r}, not a number of seconds")
    return seconds
