"""Loaders of one folder per class: on disk, behind a URL, or in a zip archive read in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.plugin import InputPath, LabelPattern, Loader, label_clips, list_archive, list_folder

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

    label_pattern: LabelPattern = None

    @override
    def load(self) -> Dataset:
        return label_clips(list_folder(self.path), self.label_pattern)


class ZipDataset(Loader):
    """A zip archive with one folder per class, read in place.

    The audio files lie in `<class>/`, or in `train/<class>/` and `test/<class>/`, below any
    number of wrapping folders.
    """

    type: Literal["zip"] = "zip"

    path: InputPath
    """The zip archive, relative to the config file, or its URL."""

    label_pattern: LabelPattern = None

    @override
    def load(self) -> Dataset:
        return label_clips(list_archive(self.path), self.label_pattern)
