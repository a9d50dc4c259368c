"""Published datasets as they are downloaded: a table of labels, and a folder `audio` near it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from audioclf.dataset.listing import Listing, list_files
from audioclf.dataset.table_rows import Columns, Labeled, make_dataset, read_rows
from audioclf.dataset.tables import Table, missing_column, read_table
from audioclf.plugin import DatasetError

if TYPE_CHECKING:
    from audioclf.plugin import Dataset


def load_published(
    path: Path | str,
    table_path: str,
    columns: Columns,
    *,
    place: Callable[[Labeled], str],
    only: str | None = None,
) -> Dataset:
    """Return the clips of a dataset in its published layout, below any wrapping folders.

    Parameters
    ----------
    path : Path or str
        Folder, zip archive or URL.
    table_path : str
        Where the table is, such as `meta/esc50.csv`; `audio` lies beside its folder.
    columns : Columns
    place : callable
        Returns the path of a row's file below `audio`.
    only : str, optional
        Column that says `True` of the clips to keep.

    Raises
    ------
    DatasetError
        If the table or a file is not there, or the table is another one.
    """
    found = list_files(path)
    base = _base(found, table_path)
    files = dict(found.entries)
    table = read_table(files[base + table_path], {*columns.names(), *filter(None, [only])})
    rows = read_rows(
        table if only is None else _kept(table, only), columns, needed=("group", "fold")
    )
    return make_dataset(
        table.name,
        [replace(row, path=place(row)) for row in rows],
        lambda path: files.get(f"{base}audio/{path}"),
        name=found.name,
        where=f"{found.name}/{base}audio",
        notes=found.notes,
    )


def _base(found: Listing, table_path: str) -> str:
    """Return the folders above the one of the table."""
    paths = sorted(path for path, _ in found.entries if f"/{path}".endswith(f"/{table_path}"))
    if len(paths) != 1:
        what = f"{len(paths)} of them" if paths else "it is not there"
        raise DatasetError(
            f"{found.name}: one {table_path} is expected at some depth, and {what}",
            hint="Give the folder or the zip archive as it was downloaded.",
        )
    return paths[0].removesuffix(table_path)


def _kept(table: Table, column: str) -> Table:
    if column not in table.columns:
        raise missing_column(table, column, None)
    rows = [row for row in table.rows if (row.cells.get(column) or "").lower() == "true"]
    return replace(table, rows=tuple(rows))
