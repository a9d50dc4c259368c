"""A dataset as Hugging Face's AudioFolder lays it out: files, and metadata that label them."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.dataset.listing import Listing, list_files
from audioclf.dataset.path_labels import (
    common_folders,
    count,
    is_audio,
    label_clips,
    published_split,
    shown,
)
from audioclf.dataset.table_rows import Columns, Labeled, Name, make_dataset, read_rows
from audioclf.dataset.tables import read_table
from audioclf.plugin import AudioSource, DatasetError, InputPath, Loader

if TYPE_CHECKING:
    from audioclf.plugin import Dataset

_METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})


_HINTS = {
    **{field: f"Say which column it is with `{field}: NAME`." for field in ("group", "fold")},
    "label": "Say which column it is with `label: NAME`; `type: folder` takes the folders' names.",
}


class AudioFolder(Loader):
    """Audio files with a metadata.csv or metadata.jsonl beside them, as Hugging Face has them.

    The column `file_name` is relative to the metadata file, of which each folder may have one.
    Where there is none, folders are classes, as for `folder`. Folders named `train`, `test` and
    the like are the published folds.
    """

    type: Literal["audiofolder"] = "audiofolder"

    path: InputPath
    """The folder or zip archive, relative to the config file, or its URL."""

    label: Name = "label"
    """Column of the metadata with the class. It wins over the name of a folder."""

    group: Name | None = None
    """Column of the metadata with what must not be separated, such as the speaker."""

    fold: Name | None = None
    """Column of the metadata with the published fold. It wins over `train` and `test` folders."""

    @override
    def load(self) -> Dataset:
        found = list_files(self.path)
        tables = _metadata(found)
        if not tables:
            return label_clips(found.entries, name=found.name, notes=found.notes)
        rows = [row for folder, source in tables for row in self._rows(folder, source)]
        audio = [path for path, _ in found.entries if is_audio(path)]
        base = _base([*audio, *(f"{folder}metadata" for folder, _ in tables)])
        rows = _with_folds([replace(row, path=row.path[len(base) :]) for row in rows])
        files = {path[len(base) :]: each for path, each in found.entries if is_audio(path)}
        return make_dataset(
            tables[0][1].name,
            rows,
            files.get,
            name=found.name,
            where=f"{found.name}/{base}".rstrip("/"),
            notes=[*found.notes, *_disagreements(rows), *_unlisted(files, rows)],
        )

    def _rows(self, folder: str, source: AudioSource) -> list[Labeled]:
        unread = dict.fromkeys(("start", "end", "split", "weight"))
        columns = Columns.model_validate(
            {
                "path": "file_name",
                "label": self.label,
                "group": self.group,
                "fold": self.fold,
                **unread,
            }
        )
        rows = read_rows(read_table(source, columns.names()), columns, hints=_HINTS)
        return [replace(row, path=posixpath.join(folder, row.path)) for row in rows]


def _metadata(found: Listing) -> list[tuple[str, AudioSource]]:
    """Return the metadata files, each with its folder, which ends in a slash unless it is empty."""
    by_folder = defaultdict(list)
    for path, source in sorted(found.entries, key=lambda entry: entry[0]):
        folder, name = posixpath.split(path)
        if name.lower() in _METADATA:
            by_folder[f"{folder}/" if folder else ""].append((name, source))
    for folder, files in by_folder.items():
        if len(files) > 1:
            names = " and ".join(name for name, _ in files)
            raise DatasetError(
                f"{found.name}: both {names} are in the folder {folder or '.'!r}",
                hint="Leave one of them there.",
            )
    return [(folder, files[0][1]) for folder, files in by_folder.items()]


def _base(paths: Sequence[str]) -> str:
    return "".join(f"{folder}/" for folder in common_folders(paths))


def _with_folds(rows: Sequence[Labeled]) -> list[Labeled]:
    """Take the fold from the first folder, if those are a published split."""
    if not _are_split(rows):
        return list(rows)
    return [replace(row, fold=row.fold or row.path.partition("/")[0]) for row in rows]


def _are_split(rows: Sequence[Labeled]) -> bool:
    return all("/" in row.path for row in rows) and published_split(
        {row.path.partition("/")[0] for row in rows}
    )


def _disagreements(rows: Sequence[Labeled]) -> list[str]:
    """Say where folders that are named as classes hold files of another class."""
    depth = 1 if _are_split(rows) else 0
    folders = [row.path.split("/")[:-1] for row in rows]
    named = [parts[depth] if len(parts) > depth else None for parts in folders]
    labels = {row.label.casefold() for row in rows}
    if not any(name is not None and name.casefold() in labels for name in named):
        return []
    other = [
        row for row, name in zip(rows, named, strict=True) if name is not None and name != row.label
    ]
    if not other:
        return []
    files = count(len(other), "file has", "files have")
    listed = shown([f"{row.path} is {row.label!r}" for row in other])
    return [f"{files} another label in the metadata, which holds, than by the folder: {listed}"]


def _unlisted(files: Mapping[str, AudioSource], rows: Sequence[Labeled]) -> list[str]:
    listed = {row.path for row in rows}
    rest = sorted(path for path in files if path not in listed)
    if not rest:
        return []
    number = count(len(rest), "audio file is", "audio files are")
    return [f"{number} not in the metadata, passed over: {shown(rest)}"]
