"""Loader of Hugging Face's AudioFolder layout: audio files, and metadata with their labels."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator
from typing_extensions import override

from audioclf.dataset.label_cells import Target, are_several, check_one_kind
from audioclf.dataset.path_labels import count, ignored, shown
from audioclf.plugin import (
    AudioSource,
    ColumnName,
    Columns,
    DatasetError,
    InputPath,
    LabeledRow,
    Labels,
    Listing,
    Loader,
    common_folders,
    is_audio,
    is_published_split,
    label_clips,
    list_files,
    make_dataset,
    read_rows,
    read_table,
)

if TYPE_CHECKING:
    from audioclf.plugin import Dataset

_METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})


_HINTS = {
    **{field: f"Set `{field}: NAME` to the name of the column." for field in ("group", "fold")},
    "label": "Set `label: NAME` to the name of the column, or use `type: folder` for folder names.",
}


class AudioFolder(Loader):
    """Audio files with a metadata.csv or metadata.jsonl beside them, as in Hugging Face datasets.

    The column `file_name` is relative to the metadata file; each folder may have one such file.
    Without metadata, folders are classes, as for `folder`. Folders named `train`, `test` and
    the like are the published folds.
    """

    type: Literal["audiofolder"] = "audiofolder"

    path: InputPath
    """The folder or zip archive, relative to the config file, or its URL."""

    label: ColumnName = "label"
    """Column of the metadata with the class. It takes precedence over the name of a folder."""

    group: ColumnName | None = None
    """Column of the metadata with the group, such as the speaker."""

    fold: ColumnName | None = None
    """Column of the metadata with the published fold. It takes precedence over `train` and `test`
    folders."""

    labels: Labels | None = None
    """`several` for metadata with lists of labels or texts such as `robin;wren`, or `{columns:
    [robin, wren]}` with 1, 0 or blank in the column of each class. Null is `single`, and refuses
    labels that look like several."""

    target: Target | None = None
    """Meaning of a single label in the metadata: `class` (null), `number`, or `{ordered: [none,
    mild, severe]}` for classes in an order, the lowest first."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> AudioFolder:
        check_one_kind(self.labels, self.target)
        return self

    @override
    def load(self) -> Dataset:
        listing = list_files(self.path)
        tables = _metadata(listing)
        if not tables and (self._are_several or self.target not in (None, "class")):
            need = "several labels need" if self._are_several else "`target` needs"
            raise DatasetError(f"{listing.name}: no metadata.csv or metadata.jsonl, which {need}")
        if not tables:
            return label_clips(listing)
        rows = [row for folder, source in tables for row in self._rows(folder, source)]
        audio = [path for path, _ in listing.entries if is_audio(path)]
        base = _base([*audio, *(f"{folder}metadata" for folder, _ in tables)])
        rows = _with_folds([replace(row, path=row.path[len(base) :]) for row in rows])
        files = {path[len(base) :]: file for path, file in listing.entries if is_audio(path)}
        return make_dataset(
            tables[0][1].name,
            rows,
            files.get,
            name=listing.name,
            where=f"{listing.name}/{base}".rstrip("/"),
            notes=[
                *listing.notes,
                *([] if self.target_kind() != "class" else _disagreements(rows)),
                *_unlisted(files, rows),
            ],
            several=self._are_several,
            target=self.target,
        )

    @property
    def _are_several(self) -> bool:
        return are_several(self.labels)

    def _rows(self, folder: str, source: AudioSource) -> list[LabeledRow]:
        columns = Columns(
            path="file_name",
            label=self.label,
            group=self.group,
            fold=self.fold,
            start=None,
            end=None,
            split=None,
            weight=None,
        )
        table = read_table(source, columns.names(self.labels), lists=self._are_several)
        rows = read_rows(table, columns, hints=_HINTS, labels=self.labels, target=self.target)
        return [replace(row, path=posixpath.join(folder, row.path)) for row in rows]


def _metadata(listing: Listing) -> list[tuple[str, AudioSource]]:
    """Return the metadata files, each with its folder, which ends in a slash unless it is empty."""
    by_folder = defaultdict(list)
    for path, source in sorted(listing.entries, key=lambda entry: entry[0]):
        folder, name = posixpath.split(path)
        if name.lower() in _METADATA:
            by_folder[f"{folder}/" if folder else ""].append((name, source))
    for folder, files in by_folder.items():
        if len(files) > 1:
            names = " and ".join(name for name, _ in files)
            raise DatasetError(
                f"{listing.name}: the folder {folder or '.'!r} has two metadata files: {names}",
                hint="Remove one of them.",
            )
    return [(folder, files[0][1]) for folder, files in by_folder.items()]


def _base(paths: Sequence[str]) -> str:
    return "".join(f"{folder}/" for folder in common_folders(paths))


def _with_folds(rows: Sequence[LabeledRow]) -> list[LabeledRow]:
    """Take the fold from the first folder, if those are a published split."""
    if not _are_split(rows):
        return list(rows)
    return [replace(row, fold=row.fold or row.path.partition("/")[0]) for row in rows]


def _are_split(rows: Sequence[LabeledRow]) -> bool:
    return all("/" in row.path for row in rows) and is_published_split(
        {row.path.partition("/")[0] for row in rows}
    )


def _disagreements(rows: Sequence[LabeledRow]) -> list[str]:
    """Return a note on files whose label is not that of their folder."""
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
    return [
        f"{files} another label in the metadata than by the folder; metadata are used: {listed}"
    ]


def _unlisted(files: Mapping[str, AudioSource], rows: Sequence[LabeledRow]) -> list[str]:
    listed = {row.path for row in rows}
    rest = sorted(path for path in files if path not in listed)
    where = "not in the metadata"
    return ignored(rest, f"audio file that is {where}", f"audio files that are {where}")
