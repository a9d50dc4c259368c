"""What file names say where no folder and no table does: labels, speakers, running numbers.

Names are taken apart into words, between separators and where letters meet digits. A word that
takes a few values, each in several clips, may be the class. Which one it is nobody can know from
names alone: the rules are few, each has its reason, and where two of them could be meant the answer
is no reading at all, but the readings to choose from.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

MIN_CLIPS = 2
"""Clips of each value of a word that may be the class."""

MEAN_CLIPS = 3.0
"""Clips that a value has on average at least."""

_PARTS = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
_TRAILING_NUMBER = re.compile(r"[\W_]*\d+[\W_]*$")

_GROUP = re.compile(
    r"(?:speaker|spkr?|subject|subj?|sub|actor|person|patient|pat|site|loc|location|station|plot|"
    r"device|dev|mic|recorder|session|sess|ses|tape|day|night|id|s|p|m|f|"
    r"take|trial|rep|rec|recording|clip|file|version|ver|v)[ _-]?\d+|\d{4,}",
    re.IGNORECASE,
)
_FOLD = re.compile(r"(?:fold|cv|part|split)[ _-]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Known:
    """Names that a published dataset gives its files, and how they are read.

    Parameters
    ----------
    name : str
    fits : str
        Regular expression that every id matches at its end.
    pattern : str
        The `label_pattern`.
    """

    name: str
    fits: str
    pattern: str


KNOWN = (
    # Piczak 2015, README of ESC-50: {FOLD}-{CLIP_ID}-{TAKE}-{TARGET}.wav
    Known(
        "ESC-50 ({fold}-{source}-{take}-{target})",
        r"(^|/)[1-5]-\d+-[A-Z]-\d{1,2}\.\w+$",
        r"(?P<fold>[1-5])-(?P<group>\d+)-[A-Z]-(?P<label>\d+)\.\w+$",
    ),
    # Salamon et al. 2014, README of UrbanSound8K: [fsID]-[classID]-[occurrenceID]-[sliceID].wav
    Known(
        "UrbanSound8K (fold{n}/{fsID}-{classID}-{occurrence}-{slice})",
        r"(^|/)fold\d+/\d+-\d-\d+-\d+\.\w+$",
        r"fold(?P<fold>\d+)/(?P<group>\d+)-(?P<label>\d)-\d+-\d+\.\w+$",
    ),
    # Livingstone and Russo 2018: modality-channel-emotion-intensity-statement-repetition-actor
    Known(
        "RAVDESS (the third number is the emotion, the seventh the actor)",
        r"(^|/)0[1-3]-0[12]-0[1-8]-0[12]-0[12]-0[12]-\d\d\.\w+$",
        r"\d\d-\d\d-(?P<label>\d\d)-\d\d-\d\d-\d\d-(?P<group>\d\d)\.\w+$",
    ),
    # Warden 2018, Speech Commands: {word}/{speaker hash}_nohash_{n}.wav
    Known(
        "Speech Commands ({word}/{speaker}_nohash_{n})",
        r"(^|/)[^/]+/[0-9a-f]{8}_nohash_\d+\.\w+$",
        r"(?P<label>[^/]+)/(?P<group>[0-9a-f]{8})_nohash_",
    ),
)


@dataclass(frozen=True)
class Choice:
    """One way to read the labels.

    Parameters
    ----------
    pattern : str
        The `label_pattern`.
    values : tuple of str
        The classes that it gives, the most frequent first.
    """

    pattern: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How names were read.

    Parameters
    ----------
    choice : Choice, optional
        The reading to use; None if names do not say which.
    others : tuple of Choice
        What could be meant as well.
    """

    choice: Choice | None
    others: tuple[Choice, ...] = ()


def known_names(ids: Sequence[str]) -> Known | None:
    """Return the published convention that all ids follow, if there is one."""
    return next((k for k in KNOWN if all(re.search(k.fits, each) for each in ids)), None)


def are_folds(folders: Sequence[str]) -> bool:
    """Tell whether folders are numbered folds, as `fold1` and `fold2` are."""
    return all(_FOLD.fullmatch(folder) for folder in folders)


def are_groups(names: Sequence[str]) -> bool:
    """Tell whether names are those of speakers, sites or dates: `s01`, `speaker_2`, `20230501`."""
    return all(_GROUP.fullmatch(name) for name in names)


def read_names(ids: Sequence[str]) -> Reading:
    """Find the labels in file names, as far as names can say.

    Parameters
    ----------
    ids : sequence of str
        Paths; only the names of the files are read.

    Returns
    -------
    reading : Reading
        The class is the first word that repeats and is not named as a speaker, a site, a date or a
        fold. A running number, which is last or is a word of its own in each name, is no class.
        Where three words or more could be meant, or one divides another, there is no choice.
    """
    names = [posixpath.basename(each) for each in ids]
    parts = [_PARTS.findall(posixpath.splitext(name)[0]) for name in names]
    if len({tuple(map(_kind, each)) for each in parts}) != 1:
        return _by_stem(names)
    units = _units(parts)
    units = [unit for unit in units if _reads(_pattern(parts[0], unit), names, unit.values)]
    choices = [Choice(_pattern(parts[0], unit), unit.distinct) for unit in units]
    classes = [unit for unit in units if not are_groups(unit.distinct)]
    if not classes:
        return Reading(None, tuple(choices))
    best = choices[units.index(classes[0])]
    others = tuple(c for c in choices if c is not best)
    nested = any(_divides(a, b) for a in classes for b in classes if a is not b)
    unclear = len(classes) > 2 or nested or _only_numbers_behind_a_number(classes, units, parts)
    return Reading(None, tuple(choices)) if unclear else Reading(best, others)


def _kind(part: str) -> str:
    """Return what all names have in common at a place: the kind of word, or the separator."""
    if part.isdecimal():
        return "0"
    return "a" if part[0].isalpha() else part


@dataclass(frozen=True)
class _Unit:
    """A word, or neighbouring words that always change together, with a value for each name."""

    first: int
    last: int
    values: tuple[str, ...]
    distinct: tuple[str, ...] = field(default=())


def _units(parts: Sequence[Sequence[str]]) -> list[_Unit]:
    """Return the words that may be the class or a group, from the left."""
    words = [place for place in range(len(parts[0])) if parts[0][place][0].isalnum()]
    found: list[_Unit] = []
    for place in words:
        values = tuple(each[place] for each in parts)
        is_last_number = place == words[-1] and values[0].isdecimal()
        if is_last_number or not _repeats(values):
            continue
        first = _start_of_word(parts, place)
        if first < place:
            values = tuple("".join(each[first : place + 1]) for each in parts)
        same = next((u for u in found if _codes(u.values) == _codes(values)), None)
        if same is None:
            found.append(_Unit(first, place, values))
        elif same.last == place - 2:
            merged = tuple("".join(each[same.first : place + 1]) for each in parts)
            found[found.index(same)] = _Unit(same.first, place, merged)
    return [_with_distinct(unit) for unit in found]


def _start_of_word(parts: Sequence[Sequence[str]], place: int) -> int:
    """Return where the word of a number begins whose letters are the same in all names: `s1`."""
    before = place - 1
    if before < 0 or not parts[0][place].isdecimal() or not parts[0][before][0].isalpha():
        return place
    return before if len({each[before] for each in parts}) == 1 else place


def _with_distinct(unit: _Unit) -> _Unit:
    distinct = tuple(value for value, _ in Counter(unit.values).most_common())
    return _Unit(unit.first, unit.last, unit.values, distinct)


def _repeats(values: Sequence[str]) -> bool:
    counts = Counter(values)
    enough = min(counts.values()) >= MIN_CLIPS and len(values) >= MEAN_CLIPS * len(counts)
    return len(counts) > 1 and enough


def _codes(values: Sequence[str]) -> tuple[int, ...]:
    known: dict[str, int] = {}
    return tuple(known.setdefault(value, len(known)) for value in values)


def _divides(coarse: _Unit, fine: _Unit) -> bool:
    """Tell whether each value of one word goes with a single value of the other."""
    partners = defaultdict(set)
    for a, b in zip(coarse.values, fine.values, strict=True):
        partners[b].add(a)
    return all(len(each) == 1 for each in partners.values())


def _only_numbers_behind_a_number(
    classes: Sequence[_Unit], units: Sequence[_Unit], parts: Sequence[Sequence[str]]
) -> bool:
    """Tell names like `0001_3_7`: numbers alone, of which each may count something."""
    numbers = all(part.isdecimal() for part in parts[0] if part[0].isalnum())
    return numbers and not (len(classes) == len(units) == 1 and classes[0].first == 0)


def _pattern(parts: Sequence[str], unit: _Unit) -> str:
    """Return a `label_pattern` for a word by its place in the name, whatever the folders are."""
    written = []
    for place, part in enumerate(parts):
        if place == unit.first:
            written.append("(?P<label>")
        if part.isdecimal():
            written.append(r"\d+")
        elif part[0].isalpha():
            written.append(r"[^\W\d_]+")
        else:
            written.append(re.escape(part))
        if place == unit.last:
            written.append(")")
            break
    return "(?:^|/)" + "".join(written) + _end(parts, unit)


def _reads(pattern: str, names: Sequence[str], values: Sequence[str]) -> bool:
    """Tell whether a pattern finds the value of a word in each name."""
    found = [re.search(pattern, name) for name in names]
    return all(m is not None and m["label"] == v for m, v in zip(found, values, strict=True))


def _end(parts: Sequence[str], unit: _Unit) -> str:
    """Return what follows the word, so that the pattern reads it to its end."""
    if unit.last + 1 == len(parts):
        return r"\.\w+$"
    following = parts[unit.last + 1]
    if following.isdecimal():
        return r"\d[^/]*$"
    return re.escape(following) + r"[^/]*$"


def _by_stem(names: Sequence[str]) -> Reading:
    """Take the class as the whole name before its running number: `Great Horned Owl 12`."""
    stems = [_TRAILING_NUMBER.sub("", posixpath.splitext(name)[0]) for name in names]
    if not all(any(c.isalpha() for c in stem) for stem in stems) or not _repeats(stems):
        return Reading(None)
    values = tuple(value for value, _ in Counter(stems).most_common())
    if are_groups(values):
        return Reading(None)
    return Reading(Choice(r"(?:^|/)(?P<label>[^/]*?)[\W_]*\d+[\W_]*\.\w+$", values))
