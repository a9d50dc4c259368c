"""Results of looking at a dataset, and the draft of a config made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audioclf.components.loader import Loader
from audioclf.dataset.dataset import Dataset


@dataclass(frozen=True)
class LabelPattern:
    """One way to read the labels from paths.

    `values` are the classes that it gives, the most frequent first.
    """

    pattern: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A dataset with the loader that reads it.

    `fields` are those of the loader for the config, `type` first. `labels` is the origin of the
    labels, to follow "Classes are read from"; `others` are other ways to read them. `notes` are
    guesses and open questions; `guessed_groups` are guessed from the names. Each of `group_notes`
    has the pattern to use instead, or "", for the field `pattern_key`.
    """

    dataset: Dataset
    fields: Mapping[str, Any]
    labels: str
    notes: tuple[str, ...] = ()
    others: tuple[LabelPattern, ...] = ()
    guessed_groups: bool = False
    group_notes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, kind: type[Loader], path: Path, fields: Mapping[str, Any], labels: str, **more: Any
    ) -> Layout:
        """Return the dataset that a loader reads with these fields."""
        loader = kind.model_validate({"path": path, **fields})
        written = {"type": loader.type_name(), "path": path, **fields}
        return cls(loader.load(), written, labels, **more)

    @property
    def path(self) -> Path:
        """Path of the dataset."""
        return Path(self.fields["path"])

    @property
    def pattern_key(self) -> str:
        """Name of the field with a pattern for groups."""
        return "group_pattern" if self.fields["type"] == "annotations" else "label_pattern"


@dataclass(frozen=True)
class Headers:
    """The headers of a dataset, or of a sample of it.

    `rates`, `channels` and `formats` count clips; lengths are in s, ascending; `unreadable` has the
    message by the id of each clip that is refused.
    """

    n_clips: int
    n_read: int
    rates: Counter[int]
    channels: Counter[int]
    formats: Counter[str]
    seconds: tuple[float, ...]
    unreadable: Mapping[str, str]

    @property
    def total_seconds(self) -> float:
        """Length of all clips in s, extrapolated from the sample."""
        return sum(self.seconds) * self.n_clips / self.n_read


@dataclass(frozen=True)
class Choice:
    """Plain data for one key of a config, the reasons for it, and a warning on its cost."""

    data: Any
    reasons: tuple[str, ...]
    warning: str = ""


@dataclass(frozen=True)
class ConfigDraft:
    """A config and the results that it is made from.

    `proposed` are the types of featurizers beside MFCC, each with its reason.
    """

    name: str
    layout: Layout
    headers: Headers
    split: Choice
    split_description: str
    proposed: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
