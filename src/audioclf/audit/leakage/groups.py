"""Groups and recordings with clips on both sides of a split, declared or guessed.

To guess, the ids of clips are taken apart into folders and, in the file name, into words between
`_`, `-`, `.`, spaces and other separators. A word that takes a few values, each with several clips
in several classes, may be a group: `george` in `0_george_12.wav`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioclf.audit.findings import Finding
from audioclf.audit.inputs import Codes
from audioclf.audit.leakage.copies import codes_of, merged
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import recording_of
from audioclf.evaluation.splits import Splits

MIN_CLIPS = 4
"""Clips that a value has on average, and at least as many as values there are on average."""

MAX_SHARE = 0.6
"""Share of all clips that one value may have."""

MIN_REPEATED = 0.8
"""Share of the values that must have clips in more than one class."""

_SEPARATOR = re.compile(r"([\W_]+)")


def on_both_sides(splits: Splits, codes: Codes) -> set[int]:
    """Return the codes with one clip in training while another is tested."""
    codes_on_both: set[int] = set()
    for fold in splits.folds:
        codes_on_both.update(np.intersect1d(codes[fold.train], codes[fold.test]).tolist())
    return codes_on_both


def leaking_share(splits: Splits, codes: Codes) -> float:
    """Return the share of test clips, over all folds, with a clip of the same code in training."""
    hits = [np.isin(codes[fold.test], codes[fold.train]) for fold in splits.folds]
    return float(np.concatenate(hits).mean())


def count(number: int, singular: str) -> str:
    """Return the number with the word, as in `2 sets`."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"


def percent(share: float) -> str:
    """Return a share in [0, 1] as percent."""
    return f"{100 * share:.1f} %"


def group_findings(dataset: Dataset, splits: Splits) -> Iterator[Finding]:
    """Yield the findings of groups and recordings on both sides, and of undeclared groups."""
    owners = [_owner(clip) for clip in dataset]
    if all(clip.group is None for clip in dataset):
        yield from _possible_groups(dataset, splits)
    codes = group_or_recording(dataset)
    leaking = on_both_sides(splits, codes)
    if not leaking:
        return
    owned = np.array([owner is not None for owner in owners])
    word = "group" if any(clip.group is not None for clip in dataset) else "recording"
    share = leaking_share(splits, codes)
    yield Finding(
        "group-overlap",
        "finding",
        f"{len(leaking)} of {count(len(np.unique(codes[owned])), word)} are on both sides of the "
        f"split: {percent(share)} of the test clips are of a {word} that is also in training.",
        _ADVICE[word],
        _group_rows(codes, owners, leaking, word),
    )


_ADVICE = {
    "group": "Split by groups, as with `split: {type: stratified_group_kfold}` or "
    "`leave_one_group_out`, to measure the score on new groups.",
    "recording": "Give all parts of a recording one group, and split by groups, as with `split: "
    "{type: stratified_group_kfold}`.",
}


def _owner(clip: Clip) -> str | None:
    """Return the group of a clip, or the name of the recording that it is a part of."""
    if clip.group is not None:
        return clip.group
    recording = recording_of(clip.source)
    return None if recording is clip.source else recording.name


def group_or_recording(dataset: Dataset) -> Codes:
    """Return equal codes for clips that share a group or a recording; other clips are alone."""
    groups = codes_of([clip.group or at for at, clip in enumerate(dataset)])
    files = [recording_of(clip.source) for clip in dataset]
    recordings = codes_of(
        [
            at if file is clip.source else file
            for at, (clip, file) in enumerate(zip(dataset, files, strict=True))
        ]
    )
    return merged(groups, recordings)


def _group_rows(
    codes: Codes, owners: Sequence[str | None], leaking: set[int], word: str
) -> tuple[dict[str, Any], ...]:
    counts = np.bincount(codes)
    named: dict[int, str] = {}
    for code, owner in zip(codes.tolist(), owners, strict=True):
        if owner is not None:
            named.setdefault(code, owner)
    rows = sorted((name, code) for code, name in named.items())
    return tuple(
        {
            word: name,
            "clips": int(counts[code]),
            "on_both_sides": "yes" if code in leaking else "no",
        }
        for name, code in rows
    )


def _possible_groups(dataset: Dataset, splits: Splits) -> Iterator[Finding]:
    guess = guess_groups(dataset)
    if guess is None:
        return
    shown = ", ".join(map(repr, guess.values[:3])) + (", ..." if len(guess.values) > 3 else "")
    share = leaking_share(splits, guess.codes)
    counts = np.bincount(guess.codes)
    pattern = "'" + guess.label_pattern.replace("'", "''") + "'"  # as YAML quotes it
    yield Finding(
        "possible-groups",
        "info",
        f"The names may hold a group that is not declared: {shown} ({len(guess.values)} values in "
        f"several classes each); {percent(share)} of the test clips share theirs with a clip in "
        "training.",
        f"If these are speakers, sites or devices, set `label_pattern: {pattern}` "
        "and split by groups.",
        tuple(
            {"group": value, "clips": int(number)}
            for value, number in zip(guess.values, counts, strict=False)
        ),
    )


@dataclass(frozen=True)
class Guess:
    """A part of the ids that may be a group.

    `label_pattern` reads labels, folds as they are, and this part as the group; it fits every id.
    `codes` [shape=(n_clips,)] are positions in `values`.
    """

    label_pattern: str
    values: tuple[str, ...]
    codes: Codes

    @property
    def is_number(self) -> bool:
        """Whether all values are numbers, which denote dates and takes more often than groups."""
        return all(value.isdecimal() for value in self.values)


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


def guess_groups_of_recordings(dataset: Dataset) -> Guess | None:
    """Return the part of the names of recordings that most likely is a group, as a site, or None.

    The group of each clip is its recording. `label_pattern` reads this part alone, as
    `group_pattern` of the loader `annotations` does. Numbers, such as dates, come last.
    """
    recordings = [clip.group or "" for clip in dataset]
    labels = tuple(clip.label for clip in dataset)
    most = len(set(recordings)) // 2
    fields = _fields(recordings)
    guesses = []
    for place, field in enumerate(fields):
        values = tuple(dict.fromkeys(field.values))
        if len(values) <= most and _may_be_group(field.values, labels, counter=False):
            words = [_word(each, None) for each in fields[:place]]
            pattern = "^" + "".join([*words, _word(field, "group")])
            guesses.append(Guess(pattern, values, codes_of(field.values)))
    return min(guesses, key=lambda guess: (guess.is_number, len(guess.values)), default=None)


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
