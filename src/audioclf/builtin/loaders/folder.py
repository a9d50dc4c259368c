"""A dataset in a folder, on disk or behind a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.dataset.listing import list_folder
from audioclf.dataset.path_labels import LabelPattern, label_clips
from audioclf.plugin import InputPath, Loader

if TYPE_CHECKING:
    from audioclf.plugin import Dataset


class FolderDataset(Loader):
    """A folder with one folder per class.

    The audio files lie in `<class>/`, or in `train/<class>/` and `test/<class>/`, below any
    number of wrapping folders.
    """

    type: Literal["folder"] = "folder"

    path: InputPath
    """The folder, relative to the config file, or its URL."""

    label_pattern: LabelPattern | None = None
    """Regular expression that is searched for in each clip's id, its path below the folders that
    wrap all audio files. The named group `label` is the class; `group` and `fold` are optional.
    Null takes the class from the folder. Example: `^(?P<label>\\d)_(?P<group>[a-z]+)_`."""

    @override
    def load(self) -> Dataset:
        found = list_folder(self.path)
        return label_clips(
            found.entries,
            name=found.name,
            label_pattern=self.label_pattern,
            notes=found.notes,
        )
