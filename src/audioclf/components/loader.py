"""Base class of loaders: where the clips and their labels come from."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from audioclf.components.component import Component, Kind

if TYPE_CHECKING:
    from audioclf.dataset.dataset import Dataset


class Loader(Component):
    """Base of loaders: where the clips and their labels come from."""

    kind: ClassVar[Kind] = "loader"

    @abstractmethod
    def load(self) -> Dataset:
        """Return the clips with their labels, without decoding any audio.

        Raises
        ------
        DatasetError
            If the source is missing, unreadable or holds no audio; the message names the path.
        """
