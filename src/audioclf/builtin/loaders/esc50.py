"""ESC-50: 2,000 environmental sounds of 5 s in 50 classes (Piczak 2015).

Its five folds keep the clips of one original recording together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.builtin.loaders.published import load_published
from audioclf.plugin import Columns, InputPath, Loader

if TYPE_CHECKING:
    from audioclf.plugin import Dataset

_COLUMNS = Columns(path="filename", label="category", group="src_file", fold="fold")


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
        return load_published(self.path, "meta/esc50.csv", _COLUMNS, only=only)
