"""Published datasets in the layout of their download: a table of labels, and a folder `audio`.

ESC-50 has 2,000 environmental sounds of 5 s in 50 classes (Piczak 2015), UrbanSound8K 8,732 urban
sounds of at most 4 s in 10 classes (Salamon et al. 2014). Their folds keep the clips of one
original recording together; those of UrbanSound8K are comparable only as the average over all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.plugin import (
    Columns,
    DatasetError,
    InputPath,
    LabeledRow,
    Listing,
    Loader,
    Table,
    list_files,
    make_dataset,
    missing_column,
    read_rows,
    read_table,
)

if TYPE_CHECKING:
    from audioclf.plugin import Dataset


_ESC50 = Columns(path="filename", label="category", group="src_file", fold="fold")

# The table's `start` and `end` lie in the recording that a slice was cut from, not in its file.
_URBANSOUND8K = Columns(
    path="slice_file_name", label="class", group="fsID", fold="fold", start=None, end=None
)


class Esc50(Loader):
    """ESC-50 or ESC-10 as downloaded: `meta/esc50.csv` and `audio/`, also zipped.

    The class is `category`, the group the original recording (`src_file`), the fold one of the
    five published ones, so that `split: {type: predefined}` gives comparable figures.
    """

    type: Literal["esc50"] = "esc50"

    path: InputPath
    """The folder or the zip archive, relative to the config file, or its URL. Wrapping folders
    such as `ESC-50-master` do not matter."""

    esc10: bool = False
    """Whether to take only the 400 clips of ESC-10, in 10 classes."""

    @override
    def load(self) -> Dataset:
        only = "esc10" if self.esc10 else None
        return load_published(self.path, "meta/esc50.csv", _ESC50, only=only)


class UrbanSound8K(Loader):
    """UrbanSound8K as downloaded: `metadata/UrbanSound8K.csv` and `audio/fold1/` to `fold10/`.

    The class is `class`, the group the original recording (`fsID`), the fold one of the ten
    published ones, so that `split: {type: predefined}` gives comparable figures.
    """

    type: Literal["urbansound8k"] = "urbansound8k"

    path: InputPath
    """The folder or a zip archive of it, relative to the config file, or its URL. Wrapping
    folders such as `UrbanSound8K` do not matter."""

    @override
    def load(self) -> Dataset:
        return load_published(
            self.path,
            "metadata/UrbanSound8K.csv",
            _URBANSOUND8K,
            place=lambda row: f"fold{row.fold}/{row.path}",
        )


def load_published(
    path: Path | str,
    table_path: str,
    columns: Columns,
    *,
    place: Callable[[LabeledRow], str] = lambda row: row.path,
    only: str | None = None,
) -> Dataset:
    """Return the clips of a dataset in its published layout, below any wrapping folders.

    `audio` lies beside the folder of the table, such as `meta/esc50.csv`; `place` returns the path
    of a row's file in it. `only` is a column that holds `True` for the clips to keep.
    """
    listing = list_files(path)
    base = _base(listing, table_path)
    files = dict(listing.entries)
    table = read_table(files[base + table_path], {*columns.names(), *filter(None, [only])})
    if only is not None:
        table = _kept(table, only)
    rows = read_rows(table, columns, needed=("group", "fold"))
    return make_dataset(
        table.name,
        [replace(row, path=place(row)) for row in rows],
        lambda path: files.get(f"{base}audio/{path}"),
        name=listing.name,
        where=f"{listing.name}/{base}audio",
        notes=listing.notes,
    )


def _base(listing: Listing, table_path: str) -> str:
    """Return the folders above the one of the table."""
    paths = sorted(path for path, _ in listing.entries if f"/{path}".endswith(f"/{table_path}"))
    if len(paths) != 1:
        raise DatasetError(
            f"{listing.name}: expected one file {table_path} at any depth, found {len(paths)}",
            hint="Set `path` to the folder or the zip archive as it was downloaded.",
        )
    return paths[0].removesuffix(table_path)


def _kept(table: Table, column: str) -> Table:
    if column not in table.columns:
        raise missing_column(table, column)
    rows = [row for row in table.rows if (row.cells.get(column) or "").lower() == "true"]
    return replace(table, rows=tuple(rows))
