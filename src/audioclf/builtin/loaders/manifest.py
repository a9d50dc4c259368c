"""Loader of a table of clips: CSV, JSON Lines or Parquet."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from pydantic import model_validator
from typing_extensions import override

from audioclf.dataset.label_cells import SeveralLabels, Target, are_several, check_one_kind
from audioclf.dataset.label_sets import class_names
from audioclf.dataset.listing import find_file
from audioclf.dataset.path_labels import full_path, shown
from audioclf.dataset.table_rows import weight_note
from audioclf.plugin import (
    AudioSource,
    Columns,
    DatasetError,
    FileSource,
    InputPath,
    LabeledRow,
    Labels,
    Listing,
    Loader,
    RemoteSource,
    common_folders,
    display_name,
    is_archive,
    is_audio,
    list_archive,
    list_folder,
    make_dataset,
    read_rows,
    read_table,
    unused_columns,
)

if TYPE_CHECKING:
    from audioclf.plugin import Dataset

    _Find = Callable[[str], AudioSource | None]


_HINTS = {
    **{
        field: f"Set `columns: {{{field}: NAME}}` to the name of the column."
        for field in Columns.model_fields
    },
    "outside": "Set `root` to the folder of the files, or `allow_outside` if you trust it.",
}


class Manifest(Loader):
    """A table with a row for each clip: CSV, JSON Lines or Parquet.

    The columns `path` and `label` are required; `start`, `end`, `group`, `fold`, `split` and
    `weight` are optional. Parquet needs pyarrow.
    """

    type: Literal["manifest"] = "manifest"

    path: InputPath
    """The table, relative to the config file, or its URL. Its name ends in .csv, .tsv, .jsonl,
    .ndjson or .parquet."""

    root: InputPath | None = None
    """Base of the paths in the table: a folder or a zip archive, relative to the config file, or
    its URL. Null is the folder of the table."""

    columns: Columns = Columns()
    """Names of the columns, by role: path, label, start, end, group, fold, split, weight. Example:
    `{path: filename, label: category, start: null}`. Results are also listed by the values of the
    columns `subgroups`, such as `[machine, domain]`."""

    labels: Labels | None = None
    """`single` for one label per clip, `several` for cells such as `robin;wren`, where a blank cell
    is no label and `?wren` one that is not sure; or `{columns: [robin, wren]}` with 1, 0 or blank
    in the column of each class. Null is `single`, and refuses labels that look like several."""

    target: Target | None = None
    """Meaning of a single label: `class` (null), `number` for one to be predicted by regression, or
    `{ordered: [none, mild, severe]}` for classes in an order, the lowest first."""

    allow_outside: bool = False
    """Whether paths in the table may be absolute, URLs, or lead out of `root` by `..`; only for
    tables that you trust."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Manifest:
        check_one_kind(self.labels, self.target)
        return self

    @override
    def load(self) -> Dataset:
        remote = isinstance(self.path, str)
        source = RemoteSource(str(self.path)) if remote else FileSource(Path(self.path))
        several = are_several(self.labels)
        table = read_table(source, self.columns.names(self.labels), lists=several)
        rows = read_rows(
            table,
            self.columns,
            may_lead_out=self.allow_outside,
            hints=_HINTS,
            labels=self.labels,
            target=self.target,
        )
        root = _parent(self.path) if self.root is None else self.root
        return make_dataset(
            table.name,
            rows,
            _finder(root, [row.path for row in rows]),
            name=display_name(self.path),
            where=display_name(root) if isinstance(root, str) else str(full_path(root)),
            notes=[
                *unused_columns(table, self.columns, self.labels),
                *self._no_classes(rows),
                *weight_note(rows, self.columns),
            ],
            several=several,
            target=self.target,
        )

    def _no_classes(self, rows: list[LabeledRow]) -> list[str]:
        """Return a note on columns of classes that no clip has."""
        if not isinstance(self.labels, SeveralLabels):
            return []
        classes = class_names(row.label for row in rows)
        absent = [name for name in self.labels.columns or () if name not in classes]
        return [f"columns of 0 alone, which are no classes: {shown(absent)}"] if absent else []


def _parent(path: Path | str) -> Path | str:
    return path.partition("?")[0].rpartition("/")[0] if isinstance(path, str) else path.parent


def _finder(root: Path | str, paths: list[str]) -> _Find:
    if is_archive(root):
        return _find_in(list_archive(root), paths)
    if isinstance(root, Path):
        if not root.exists():
            raise DatasetError(f"no such folder or zip archive: {full_path(root)}")
        return lambda path: _find_outside(path) or _find_on_disk(root, path)
    if root.startswith(("http://", "https://")):  # few servers list what they have
        base = root.rstrip("/")
        return lambda path: _find_outside(path) or RemoteSource(f"{base}/{quote(path)}")
    return _find_in(list_folder(root), paths)


def _find_in(listing: Listing, paths: list[str]) -> _Find:
    """Find files in a listing, below the folders that wrap all audio if no path fits otherwise."""
    files = dict(listing.entries)
    audio = [path for path in files if is_audio(path)]
    wrapping = common_folders(audio) if audio else []
    starts = ["".join(f"{folder}/" for folder in wrapping[:n]) for n in range(len(wrapping) + 1)]
    known = (files, {posixpath.splitext(path)[0] for path in audio})  # for the hint on suffixes
    stems = {posixpath.splitext(path)[0] for path in paths}
    fitting = (
        start
        for names, wanted in zip(known, (paths, {*paths, *stems}), strict=True)
        for start in starts
        if any(start + path in names for path in wanted)
    )
    prefix = next(fitting, "")
    return lambda path: _find_outside(path) or files.get(prefix + path)


def _find_on_disk(root: Path, path: str) -> AudioSource | None:
    file = find_file(root, path)
    return None if file is None else FileSource(file)


def _find_outside(path: str) -> AudioSource | None:
    return RemoteSource(path) if "://" in path else None
