"""Base class of loaders: sources of clips and their labels."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from audioclf.components.component import Component, Kind

if TYPE_CHECKING:
    from audioclf.dataset.dataset import Dataset


class Loader(Component):
    """Base class of loaders: sources of clips and their labels."""

    kind: ClassVar[Kind] = "loader"

    @abstractmethod
    def load(self) -> Dataset:
        """Return the clips with their labels, without decoding audio.

        Raises
        ------
        DatasetError
            If the source is missing, unreadable or holds no audio; the message names the path.
        """

    def gives_several(self) -> bool:
        """Whether a clip can have several labels: by default, if a field `labels` says so."""
        return getattr(self, "labels", None) not in (None, "single")
