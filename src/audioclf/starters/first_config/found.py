"""What was found of a dataset, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioclf.dataset.dataset import Dataset
from audioclf.starters.first_config.file_names import Choice


@dataclass(frozen=True)
class Found:
    """A dataset with the loader that reads it.

    Parameters
    ----------
    dataset : Dataset
        What the loader returned.
    fields : mapping of str to Any
        The fields of the loader that are to be written, `type` first; paths are `Path`s.
    labels : str
        Where the labels come from, to follow "Classes are read from".
    doubts : tuple of str
        What cannot be known from the data, a sentence or two each.
    others : tuple of Choice
        Other ways to read the labels that could be meant as well.
    """

    dataset: Dataset
    fields: Mapping[str, Any]
    labels: str
    doubts: tuple[str, ...] = ()
    others: tuple[Choice, ...] = ()

    @property
    def path(self) -> Path:
        """Where the dataset is."""
        return Path(self.fields["path"])
