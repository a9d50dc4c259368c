"""Format by class: file formats of one class only, which reveal the label.

The rule is exact, nothing is fitted: a value of a fact of the file, such as two channels, that
occurs in at least `MIN_CLIPS` clips and `MIN_SHARE` of one class, in no clip of any other class,
more often than by chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma
from typing import Any

from audioclf.audit.findings import Finding
from audioclf.audit.inputs import FileFormat
from audioclf.audit.shortcuts.facts import FORMAT_FACTS
from audioclf.dataset.dataset import Dataset

MIN_CLIPS = 5
MIN_SHARE = 0.05
MAX_CHANCE = 0.05
"""Largest probability that labels dealt at random would give all these clips to one class."""

_MAX_CLASSES = 5
_WORDS: dict[tuple[str, object], str] = {
    ("channels", 1): "mono",
    ("channels", 2): "stereo",
    ("subtype", "PCM_U8"): "8-bit",
    ("subtype", "PCM_S8"): "8-bit",
    ("subtype", "PCM_16"): "16-bit",
    ("subtype", "PCM_24"): "24-bit",
    ("subtype", "PCM_32"): "32-bit",
    ("subtype", "FLOAT"): "32-bit float",
    ("subtype", "DOUBLE"): "64-bit float",
}
_PATTERNS = {
    "container": "in a {} file",
    "subtype": "encoded as {}",
    "sr": "at {} Hz",
    "channels": "of {} channels",
    "suffix": "named {!r}",
    "chunks": "files with the chunks {!r}",
}


def words_for(fact: str, value: object) -> str:
    """Return a description of the clips with this value of a fact of the file.

    >>> words_for("channels", 2), words_for("sr", 44100)
    ('stereo', 'at 44100 Hz')
    """
    return _WORDS.get((fact, value)) or _PATTERNS[fact].format(value or "none")


@dataclass(frozen=True)
class ClassFormat:
    """A format that only clips of one class have; several words select the same clips."""

    label: str
    words: tuple[str, ...]
    clips: frozenset[str]

    @property
    def text(self) -> str:
        """The descriptions in one phrase."""
        return " and ".join(self.words)


def formats_by_class(dataset: Dataset, formats: Mapping[str, FileFormat]) -> list[ClassFormat]:
    """Return the formats that only one class has, the most frequent first."""
    by_clips: dict[frozenset[str], list[str]] = defaultdict(list)
    by_format = clips_by_format(dataset, formats)
    for fact in FORMAT_FACTS:
        for value, positions in by_value(by_format, fact).items():
            if len(positions) < len(dataset):
                clips = frozenset(dataset.clips[position].id for position in positions)
                by_clips[clips].append(words_for(fact, value))
    different = frozenset().union(*by_clips)
    labels_of = {clip.id: set(dataset.labels_of(clip)) for clip in dataset if clip.id in different}
    result = []
    for clips, words in by_clips.items():
        common = sorted(set.intersection(*(labels_of[clip] for clip in clips)))
        frequent = [label for label in common if _is_frequent(len(clips), label, dataset)]
        result += [ClassFormat(label, tuple(words), clips) for label in frequent]
    return sorted(result, key=lambda item: (-len(item.clips), item.label, item.words))


def format_finding(dataset: Dataset, exclusive: Sequence[ClassFormat]) -> Finding | None:
    """Return one finding for all formats, with a sentence for each class that has one."""
    if not exclusive:
        return None
    by_label: dict[str, list[ClassFormat]] = defaultdict(list)
    for item in exclusive:
        by_label[item.label].append(item)
    sentences = [_sentence(label, items, dataset) for label, items in by_label.items()]
    more = len(sentences) - _MAX_CLASSES
    rest = f"; likewise {more} more classes" if more > 0 else ""
    return Finding(
        "recording-habit",
        "finding",
        "; ".join(sentences[:_MAX_CLASSES]) + rest + ".",
        "Files that differ in format often come from another device, place or day, and that can "
        "be heard: record all classes alike, or compare with a run that leaves these clips out.",
        list(_rows(exclusive, dataset)),
    )


def clips_by_format(
    dataset: Dataset, formats: Mapping[str, FileFormat]
) -> dict[FileFormat | None, list[int]]:
    """Return the positions of the clips of each format; None for those without one."""
    positions: dict[FileFormat | None, list[int]] = defaultdict(list)
    for position, clip in enumerate(dataset):
        positions[formats.get(clip.id)].append(position)
    return positions


def by_value(
    by_format: Mapping[FileFormat | None, Sequence[int]], fact: str
) -> dict[Any, list[int]]:
    """Return the positions of the clips with each value of a fact of the file, "" for none."""
    positions: dict[Any, list[int]] = defaultdict(list)
    for file_format, clips in by_format.items():
        positions[getattr(file_format, fact, "")] += clips
    return positions


def _is_frequent(count: int, label: str, dataset: Dataset) -> bool:
    in_class = dataset.class_counts[label]
    enough = count >= max(MIN_CLIPS, MIN_SHARE * in_class)
    return enough and _by_chance(count, in_class, len(dataset)) < MAX_CHANCE


def _by_chance(count: int, in_class: int, n_clips: int) -> float:
    """Return how likely `count` clips drawn at random are all of the class (hypergeometric)."""
    return exp(_log_choose(in_class, count) - _log_choose(n_clips, count))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _sentence(label: str, exclusive: Sequence[ClassFormat], dataset: Dataset) -> str:
    clips = frozenset().union(*(item.clips for item in exclusive))
    of = dataset.class_counts[label]
    who = f"all {of}" if len(clips) == of else f"{len(clips)} of {of}"
    counted = len(exclusive) > 1
    kinds = [f"{item.text} ({len(item.clips)})" if counted else item.text for item in exclusive]
    return f"{who} {label!r} clips and no other are {' or '.join(kinds)}"


def _rows(exclusive: Sequence[ClassFormat], dataset: Dataset) -> Iterable[dict[str, Any]]:
    for item in exclusive:
        yield {
            "label": item.label,
            "format": item.text,
            "clips": len(item.clips),
            "of": dataset.class_counts[item.label],
            "example": min(item.clips),
        }
