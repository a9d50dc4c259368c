"""Guess of undeclared groups in file names: speakers, sites, devices, recordings.

The ids of clips are taken apart into folders and, in the file name, into words between `_`, `-`,
`.`, spaces and other separators. A word that takes a few values, each with several clips in several
classes, may be a group: `george` in `0_george_12.wav`. It is only a guess.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audioclf.audit.leakage.copies import codes_of
from audioclf.dataset.dataset import Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_CLIPS = 4
"""Clips that a value has on average, and at least as many as values there are on average."""

MAX_SHARE = 0.6
"""Share of all clips that one value may have."""

MIN_REPEATED = 0.8
"""Share of the values that must have clips in more than one class."""

_SEPARATOR = re.compile(r"([\W_]+)")


@dataclass(frozen=True)
class Guess:
    """A part of the ids that may be a group.

    `label_pattern` reads labels, folds as they are, and this part as the group; it fits every id.
    `codes` [shape=(n_clips,)] are positions in `values`.
    """

    label_pattern: str
    values: tuple[str, ...]
    codes: NDArray[np.intp]


@dataclass(frozen=True)
class _Field:
    """One position in the ids: a value per clip, and the separator behind it."""

    values: tuple[str, ...]
    end: str
    is_folder: bool


def guess_groups(dataset: Dataset) -> Guess | None:
    """Return the part of the ids that most likely is a group, or None.

    Of several, the one with the fewest values is taken: the coarsest makes the hardest test.
    """
    fields = _fields([clip.id for clip in dataset])
    labels = tuple(clip.label for clip in dataset)
    known = {labels, tuple(clip.fold or "" for clip in dataset)}
    guesses = []
    for place, field in enumerate(fields):
        last_word = place == len(fields) - 1 or fields[place].end == "."
        if field.values in known or not _may_be_group(field.values, labels, counter=last_word):
            continue
        pattern = _pattern(fields, dataset, place)
        if pattern is not None:
            values = tuple(dict.fromkeys(field.values))
            guesses.append(Guess(pattern, values, codes_of(field.values)))
    return min(guesses, key=lambda guess: len(guess.values), default=None)


def _fields(ids: Sequence[str]) -> list[_Field]:
    """Split the ids into the parts that all of them have, from the left."""
    paths = [clip_id.split("/") for clip_id in ids]
    depth = min(len(path) for path in paths) - 1
    fields = [
        _Field(tuple(path[level] for path in paths), "/", is_folder=True) for level in range(depth)
    ]
    rests = [_SEPARATOR.split("/".join(path[depth:])) for path in paths]
    for at in range(0, min(len(rest) for rest in rests) - 1, 2):
        ends = {rest[at + 1] for rest in rests}
        if len(ends) > 1:
            break
        fields.append(_Field(tuple(rest[at] for rest in rests), ends.pop(), is_folder=False))
    return fields


def _may_be_group(values: Sequence[str], labels: Sequence[str], *, counter: bool) -> bool:
    """Whether values repeat across classes, unlike labels, running numbers and constants."""
    counts = Counter(values)
    if counter and all(value.isdecimal() for value in counts):
        return False  # takes are numbered anew in each class
    if len(counts) < 2 or len(values) < MIN_CLIPS * len(counts):
        return False
    if max(counts.values()) > MAX_SHARE * len(values) or "" in counts:
        return False
    classes = defaultdict(set)
    for value, label in zip(values, labels, strict=True):
        classes[value].add(label)
    repeated = sum(len(labels_of) > 1 for labels_of in classes.values())
    return repeated >= MIN_REPEATED * len(counts)


def _pattern(fields: Sequence[_Field], dataset: Dataset, group: int) -> str | None:
    """Return a `label_pattern` that reads the group, the label and the fold; None if none fits."""
    labels = tuple(clip.label for clip in dataset)
    folds = tuple(clip.fold or "" for clip in dataset)
    roles = {group: "group"}
    for name, wanted in (("label", labels), ("fold", folds)):
        places = [place for place, field in enumerate(fields) if field.values == wanted]
        if places and any(wanted):
            roles[places[0]] = name
    words = [_word(field, roles.get(place)) for place, field in enumerate(fields)]
    pattern = "^" + "".join(words[: max(roles) + 1])
    values = fields[group].values
    return pattern if _fits(pattern, dataset, values) else None


def _word(field: _Field, role: str | None) -> str:
    inside = "[^/]+" if field.is_folder else r"[^\W_]+"
    return (f"(?P<{role}>{inside})" if role else inside) + re.escape(field.end)


def _fits(pattern: str, dataset: Dataset, values: Sequence[str]) -> bool:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return False
    for clip, value in zip(dataset, values, strict=True):
        match = compiled.search(clip.id)
        parts = match.groupdict() if match else {}
        if (parts.get("label"), parts.get("group")) != (clip.label, value):
            return False
        if parts.get("fold") != clip.fold:
            return False
    return True
