"""Labels in file names, for datasets without class folders and tables.

Names are split into words, at separators and between letters and digits. A word with a few values,
each in several clips, may be the class. Names alone cannot decide which one: where several are
possible, the result is no choice, but the patterns to choose from.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from audioclf.starters.first_config.results import LabelPattern

MIN_CLIPS = 2
"""Clips of each value of a word that may be the class."""

MEAN_CLIPS = 3.0
"""Clips that a value has on average at least."""

_PARTS = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
_TRAILING_NUMBER = re.compile(r"[\W_]*\d+[\W_]*$")

_GROUP = re.compile(
    r"(?:speaker|spkr?|subject|subj?|sub|actor|person|patient|pat|site|loc|location|station|plot|"
    r"device|dev|mic|recorder|machine|motor|pump|unit|room|farm|hive|nest|animal|individual|"
    r"session|sess|ses|tape|day|night|id|s|p|m|f|"
    r"take|trial|rep|rec|recording|clip|file|version|ver|v)[ _-]?\d+|\d{4,}",
    re.IGNORECASE,
)
_FOLD = re.compile(r"(?:fold|cv|part|split)[ _-]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class NameConvention:
    """File names of a published dataset.

    `fits` is a regular expression that matches the end of every id, `pattern` the `label_pattern`.
    """

    name: str
    fits: str
    pattern: str


CONVENTIONS = (
    # Piczak 2015, README of ESC-50: {FOLD}-{CLIP_ID}-{TAKE}-{TARGET}.wav
    NameConvention(
        "ESC-50 ({fold}-{source}-{take}-{target})",
        r"(^|/)[1-5]-\d+-[A-Z]-\d{1,2}\.\w+$",
        r"(?P<fold>[1-5])-(?P<group>\d+)-[A-Z]-(?P<label>\d+)\.\w+$",
    ),
    # Salamon et al. 2014, README of UrbanSound8K: [fsID]-[classID]-[occurrenceID]-[sliceID].wav
    NameConvention(
        "UrbanSound8K (fold{n}/{fsID}-{classID}-{occurrence}-{slice})",
        r"(^|/)fold\d+/\d+-\d-\d+-\d+\.\w+$",
        r"fold(?P<fold>\d+)/(?P<group>\d+)-(?P<label>\d)-\d+-\d+\.\w+$",
    ),
    # Livingstone and Russo 2018: modality-channel-emotion-intensity-statement-repetition-actor
    NameConvention(
        "RAVDESS (the third number is the emotion, the seventh the actor)",
        r"(^|/)0[1-3]-0[12]-0[1-8]-0[12]-0[12]-0[12]-\d\d\.\w+$",
        r"\d\d-\d\d-(?P<label>\d\d)-\d\d-\d\d-\d\d-(?P<group>\d\d)\.\w+$",
    ),
    # Warden 2018, Speech Commands: {word}/{speaker hash}_nohash_{n}.wav
    NameConvention(
        "Speech Commands ({word}/{speaker}_nohash_{n})",
        r"(^|/)[^/]+/[0-9a-f]{8}_nohash_\d+\.\w+$",
        r"(?P<label>[^/]+)/(?P<group>[0-9a-f]{8})_nohash_",
    ),
)


@dataclass(frozen=True)
class Reading:
    """The result of reading names.

    `choice` is None if the names do not decide between it and `others`.
    """

    choice: LabelPattern | None
    others: tuple[LabelPattern, ...] = ()


def find_convention(ids: Sequence[str]) -> NameConvention | None:
    """Return the published convention that all ids follow, or None."""
    return next((c for c in CONVENTIONS if all(re.search(c.fits, path) for path in ids)), None)


def are_folds(folders: Sequence[str]) -> bool:
    """Return whether folders are numbered folds, such as `fold1` and `fold2`."""
    return all(_FOLD.fullmatch(folder) for folder in folders)


def are_groups(names: Sequence[str]) -> bool:
    """Return whether names denote speakers, sites, machines or dates: `s01`, `site_2`, `2023`."""
    return all(_GROUP.fullmatch(name) for name in names)


def read_names(ids: Sequence[str]) -> Reading:
    """Return the label patterns that file names allow.

    The class is the first word that repeats and does not denote a speaker, a site, a date or a
    fold. A running number, which is last or differs in each name, is no class. With three possible
    words or more, or if one subdivides another, there is no choice.
    """
    names = [posixpath.basename(path) for path in ids]
    parts = [_PARTS.findall(posixpath.splitext(name)[0]) for name in names]
    if len({tuple(map(_kind, name_parts)) for name_parts in parts}) != 1:
        return _by_stem(names)
    words = _repeated_words(parts)
    words = [word for word in words if _reads(_pattern(parts[0], word), names, word.values)]
    choices = [LabelPattern(_pattern(parts[0], word), word.distinct) for word in words]
    classes = [word for word in words if not are_groups(word.distinct)]
    if not classes:
        return Reading(None, tuple(choices))
    best = choices[words.index(classes[0])]
    others = tuple(c for c in choices if c is not best)
    nested = any(_divides(a, b) for a in classes for b in classes if a is not b)
    unclear = len(classes) > 2 or nested or _only_numbers(classes, words, parts)
    return Reading(None, tuple(choices)) if unclear else Reading(best, others)


def _kind(part: str) -> str:
    """Return the kind of a part: a number, letters, or the separator itself."""
    if part.isdecimal():
        return "0"
    return "a" if part[0].isalpha() else part


@dataclass(frozen=True)
class _Word:
    """A word, or adjacent words that always change together, with a value for each name."""

    first: int
    last: int
    values: tuple[str, ...]

    @property
    def distinct(self) -> tuple[str, ...]:
        """The values, the most frequent first."""
        return tuple(value for value, _ in Counter(self.values).most_common())


def _repeated_words(parts: Sequence[Sequence[str]]) -> list[_Word]:
    """Return the words that may be the class or a group, from the left."""
    places = [place for place in range(len(parts[0])) if parts[0][place][0].isalnum()]
    words: list[_Word] = []
    for place in places:
        values = tuple(name[place] for name in parts)
        is_last_number = place == places[-1] and values[0].isdecimal()
        if is_last_number or not _repeats(values):
            continue
        first = _start_of_word(parts, place)
        if first < place:
            values = tuple("".join(name[first : place + 1]) for name in parts)
        same = next((word for word in words if _codes(word.values) == _codes(values)), None)
        if same is None:
            words.append(_Word(first, place, values))
        elif same.last == place - 2:
            merged = tuple("".join(name[same.first : place + 1]) for name in parts)
            words[words.index(same)] = _Word(same.first, place, merged)
    return words


def _start_of_word(parts: Sequence[Sequence[str]], place: int) -> int:
    """Return the start of a word such as `s1`, whose letters are the same in all names."""
    before = place - 1
    if before < 0 or not parts[0][place].isdecimal() or not parts[0][before][0].isalpha():
        return place
    return before if len({name[before] for name in parts}) == 1 else place


def _repeats(values: Sequence[str]) -> bool:
    counts = Counter(values)
    enough = min(counts.values()) >= MIN_CLIPS and len(values) >= MEAN_CLIPS * len(counts)
    return len(counts) > 1 and enough


def _codes(values: Sequence[str]) -> tuple[int, ...]:
    codes: dict[str, int] = {}
    return tuple(codes.setdefault(value, len(codes)) for value in values)


def _divides(coarse: _Word, fine: _Word) -> bool:
    """Return whether each value of `fine` occurs with a single value of `coarse`."""
    partners = defaultdict(set)
    for a, b in zip(coarse.values, fine.values, strict=True):
        partners[b].add(a)
    return all(len(values) == 1 for values in partners.values())


def _only_numbers(
    classes: Sequence[_Word], words: Sequence[_Word], parts: Sequence[Sequence[str]]
) -> bool:
    """Return whether names are like `0001_3_7`, where each number may be a counter."""
    numbers = all(part.isdecimal() for part in parts[0] if part[0].isalnum())
    return numbers and not (len(classes) == len(words) == 1 and classes[0].first == 0)


def _pattern(parts: Sequence[str], word: _Word) -> str:
    """Return a `label_pattern` for a word by its place in the name, in any folder."""
    written = []
    for place, part in enumerate(parts):
        if place == word.first:
            written.append("(?P<label>")
        if part.isdecimal():
            written.append(r"\d+")
        elif part[0].isalpha():
            written.append(r"[^\W\d_]+")
        else:
            written.append(re.escape(part))
        if place == word.last:
            written.append(")")
            break
    return "(?:^|/)" + "".join(written) + _end(parts, word)


def _reads(pattern: str, names: Sequence[str], values: Sequence[str]) -> bool:
    """Return whether a pattern finds the value of a word in each name."""
    matches = [re.search(pattern, name) for name in names]
    return all(m is not None and m["label"] == v for m, v in zip(matches, values, strict=True))


def _end(parts: Sequence[str], word: _Word) -> str:
    """Return the pattern behind the word, so that all of the word is read."""
    if word.last + 1 == len(parts):
        return r"\.\w+$"
    following = parts[word.last + 1]
    if following.isdecimal():
        return r"\d[^/]*$"
    return re.escape(following) + r"[^/]*$"


def _by_stem(names: Sequence[str]) -> Reading:
    """Use the name before its running number as the class: `Great Horned Owl 12`."""
    stems = [_TRAILING_NUMBER.sub("", posixpath.splitext(name)[0]) for name in names]
    if not all(any(c.isalpha() for c in stem) for stem in stems) or not _repeats(stems):
        return Reading(None)
    values = tuple(value for value, _ in Counter(stems).most_common())
    if are_groups(values):
        return Reading(None)
    return Reading(LabelPattern(r"(?:^|/)(?P<label>[^/]*?)[\W_]*\d+[\W_]*\.\w+$", values))
