"""Published datasets in the layout of their download: a table of labels, and a folder `audio`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.plugin import (
    Columns,
    DatasetError,
    LabeledRow,
    Listing,
    Table,
    list_files,
    make_dataset,
    missing_column,
    read_rows,
    read_table,
)

if TYPE_CHECKING:
    from audioclf.plugin import Dataset


def load_published(
    path: Path | str,
    table_path: str,
    columns: Columns,
    *,
    place: Callable[[LabeledRow], str] = lambda row: row.path,
    only: str | None = None,
) -> Dataset:
    """Return the clips of a dataset in its published layout, below any wrapping folders.

    Parameters
    ----------
    path : Path or str
        Folder, zip archive or URL.
    table_path : str
        Path of the table, such as `meta/esc50.csv`; `audio` lies beside its folder.
    columns : Columns
    place : callable
        Returns the path of a row's file below `audio`.
    only : str, optional
        Column that holds `True` for the clips to keep.

    Raises
    ------
    DatasetError
        If the table or a file is missing, or the table has other columns.
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
