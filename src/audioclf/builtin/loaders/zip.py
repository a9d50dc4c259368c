"""A dataset in a zip archive, read in place: nothing is unpacked to disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.dataset.listing import list_archive
from audioclf.dataset.path_labels import LabelPattern, full_path, label_clips
from audioclf.plugin import DatasetError, InputPath, Loader

if TYPE_CHECKING:
    from audioclf.plugin import Dataset


class ZipDataset(Loader):
    """A zip archive with one folder per class, read in place.

    The audio files lie in `<class>/`, or in `train/<class>/` and `test/<class>/`, below any
    number of wrapping folders.
    """

    type: Literal["zip"] = "zip"

    path: InputPath
    """The zip archive, relative to the config file, or its URL."""

    label_pattern: LabelPattern | None = None
    """Regular expression that is searched for in each clip's id, its path below the folders that
    wrap all audio files. The named group `label` is the class; `group` and `fold` are optional.
    Null takes the class from the folder. Example: `^(?P<label>\\d)_(?P<group>[a-z]+)_`."""

    @override
    def load(self) -> Dataset:
        if isinstance(self.path, Path):
            _check_is_file(self.path)
        found = list_archive(self.path)
        return label_clips(
            found.entries,
            name=found.name,
            label_pattern=self.label_pattern,
            notes=found.notes,
        )


def _check_is_file(path: Path) -> None:
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as exc:
        raise DatasetError(f"{full_path(path)}: {exc.strerror or exc}") from exc
    if is_folder:
        raise DatasetError(
            f"{full_path(path)} is a folder, not a zip archive",
            hint="Use `type: folder` for it.",
        )
    if not exists:
        raise DatasetError(f"no such zip archive: {full_path(path)}")
