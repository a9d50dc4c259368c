"""Formats that only one class has: a device, a program or a session that gives the label away.

The rule is exact, nothing is fitted: a value of a fact of the file, such as two channels, that
occurs in at least `MIN_CLIPS` clips and `MIN_SHARE` of one class, in no clip of any other, and
that chance would not put there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma
from typing import Any

from audioclf.audit.findings import Finding
from audioclf.audit.shortcuts.facts import FORMAT_FACTS, FileFormat
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
    "chunks": "made of chunks {!r}",
}


def words_for(fact: str, value: object) -> str:
    """Return what clips are that have a value of a fact of the file.

    >>> words_for("channels", 2), words_for("sr", 44100)
    ('stereo', 'at 44100 Hz')
    """
    return _WORDS.get((fact, value)) or _PATTERNS[fact].format(value or "none")


@dataclass(frozen=True)
class Habit:
    """Clips of one class that share a format which no other class has.

    Parameters
    ----------
    label : str
    words : tuple of str
        What the clips are: `("stereo",)`. Several where they select the same clips.
    clips : frozenset of str
        Ids.
    """

    label: str
    words: tuple[str, ...]
    clips: frozenset[str]

    @property
    def text(self) -> str:
        """What the clips are, in words."""
        return " and ".join(self.words)


def find_habits(dataset: Dataset, formats: Mapping[str, FileFormat]) -> list[Habit]:
    """Return the formats that one class alone has, the most frequent first.

    Parameters
    ----------
    dataset : Dataset
    formats : mapping of str to FileFormat
        By id of the clip.
    """
    by_clips: dict[frozenset[str], list[str]] = defaultdict(list)
    for fact in FORMAT_FACTS:
        for value, clips in _clips_by_value(dataset, formats, fact).items():
            by_clips[clips].append(words_for(fact, value))
    label_of = {clip.id: clip.label for clip in dataset}
    found = []
    for clips, words in by_clips.items():
        label, *others = sorted({label_of[clip] for clip in clips})
        if not others and _telling(len(clips), label, dataset):
            found.append(Habit(label, tuple(words), clips))
    return sorted(found, key=lambda habit: (-len(habit.clips), habit.label, habit.words))


def habit_finding(dataset: Dataset, habits: Sequence[Habit]) -> Finding | None:
    """Return one finding for all habits, with a sentence for each class that has one."""
    if not habits:
        return None
    by_label: dict[str, list[Habit]] = defaultdict(list)
    for habit in habits:
        by_label[habit.label].append(habit)
    sentences = [_sentence(label, found, dataset) for label, found in by_label.items()]
    more = len(sentences) - _MAX_CLASSES
    rest = f"; likewise {more} more classes" if more > 0 else ""
    return Finding(
        "recording-habit",
        "finding",
        "; ".join(sentences[:_MAX_CLASSES]) + rest + ".",
        "Files that differ in format often come from another device, place or day, and that can "
        "be heard: record all classes alike, or compare with a run that leaves these clips out.",
        list(_rows(habits, dataset)),
    )


def _clips_by_value(
    dataset: Dataset, formats: Mapping[str, FileFormat], fact: str
) -> dict[Any, frozenset[str]]:
    clips: dict[Any, set[str]] = defaultdict(set)
    for clip in dataset:
        clips[getattr(formats.get(clip.id), fact, "")].add(clip.id)
    return {value: frozenset(ids) for value, ids in clips.items()}


def _telling(count: int, label: str, dataset: Dataset) -> bool:
    in_class = dataset.class_counts[label]
    enough = count >= max(MIN_CLIPS, MIN_SHARE * in_class)
    return enough and _by_chance(count, in_class, len(dataset)) < MAX_CHANCE


def _by_chance(count: int, in_class: int, n_clips: int) -> float:
    """Return how likely `count` clips drawn at random are all of the class (hypergeometric)."""
    return exp(_log_choose(in_class, count) - _log_choose(n_clips, count))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _sentence(label: str, habits: Sequence[Habit], dataset: Dataset) -> str:
    clips = frozenset().union(*(habit.clips for habit in habits))
    of = dataset.class_counts[label]
    who = f"all {of}" if len(clips) == of else f"{len(clips)} of {of}"
    counted = len(habits) > 1
    kinds = [f"{h.text} ({len(h.clips)})" if counted else h.text for h in habits]
    return f"{who} {label!r} clips and no other are {' or '.join(kinds)}"


def _rows(habits: Sequence[Habit], dataset: Dataset) -> Iterable[dict[str, Any]]:
    for habit in habits:
        yield {
            "label": habit.label,
            "format": habit.text,
            "clips": len(habit.clips),
            "of": dataset.class_counts[habit.label],
            "example": min(habit.clips),
        }
