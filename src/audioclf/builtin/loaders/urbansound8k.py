"""UrbanSound8K: 8,732 urban sounds of at most 4 s in 10 classes (Salamon et al. 2014).

Its ten folds keep the slices of one original recording together. Figures are comparable only as
the average over these folds, never on others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.builtin.loaders.published import load_published
from audioclf.plugin import Columns, InputPath, Loader

if TYPE_CHECKING:
    from audioclf.plugin import Dataset

# The table's `start` and `end` lie in the recording that a slice was cut from, not in its file.
_COLUMNS = Columns(
    path="slice_file_name", label="class", group="fsID", fold="fold", start=None, end=None
)


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
            _COLUMNS,
            place=lambda row: f"fold{row.fold}/{row.path}",
        )
