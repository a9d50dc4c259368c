"""Loader of reviewed windows as a dataset of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from audioclf.dataset.reviewed import reviewed_windows
from audioclf.plugin import InputPath, Loader

if TYPE_CHECKING:
    from audioclf.plugin import Dataset


class Reviewed(Loader):
    """Windows of recordings that were labelled with `audioclf review`.

    The windows of a recording are one group. Those that were not drawn at random only train.
    """

    type: Literal["reviewed"] = "reviewed"

    path: InputPath
    """The table of answers, relative to the config file."""

    labels: Literal["single", "several"] = "single"
    """Number of labels per clip."""

    weighted: bool = False
    """Weight the windows of a random list by the inverse probability of their choice, which a limit
    per recording makes unequal."""

    @override
    def load(self) -> Dataset:
        return reviewed_windows(self.path, several=self.labels == "several", weighted=self.weighted)
