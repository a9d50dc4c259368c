"""Groups that the file names may hold, where nothing declares any."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from audioclf.audit.leakage.guess_groups import Guess, guess_groups
from audioclf.base.errors import DatasetError
from audioclf.dataset.path_labels import shown
from audioclf.starters.first_config.file_names import Choice
from audioclf.starters.first_config.found import Found

MIN_GROUPS = 3
"""Fewer values than this say too little to be taken as speakers or sites."""

_MAX_SHOWN = 8


@dataclass(frozen=True)
class Grouped:
    """A dataset after its names were searched for groups.

    Parameters
    ----------
    found : Found
        With a `label_pattern` that reads the groups, if they were taken.
    guessed : bool
        Whether the groups are a guess from the names.
    remarks : tuple of (str, str)
        What was guessed, or seen and not used; and the `label_pattern` to write instead, or "".
    """

    found: Found
    guessed: bool = False
    remarks: tuple[tuple[str, str], ...] = ()


def with_groups(found: Found) -> Grouped:
    """Look for groups in the names of a dataset that folders or names label.

    Numbers are never taken: they count clips more often than they name speakers.
    """
    has_some = any(clip.group is not None for clip in found.dataset)
    if has_some or found.fields["type"] not in ("folder", "zip"):
        return Grouped(found)
    guess = guess_groups(found.dataset)
    if guess is None:
        return Grouped(found)
    said = f"{len(guess.values)} values: {shown(sorted(guess.values), most=_MAX_SHOWN)}"
    if len(guess.values) < MIN_GROUPS or all(value.isdecimal() for value in guess.values):
        remark = (
            f"A word or number in the names has {said}. Whether it is a speaker or a site, a "
            "version or a count cannot be told. If it is a group, choose stratified_group_kfold "
            "below, and here"
        )
        return Grouped(found, remarks=((remark, guess.label_pattern),))
    try:
        grouped = _apply(found, guess)
    except DatasetError:
        return Grouped(found)
    remark = (
        f"A GUESS: a word in the names has {said}. They are taken as speakers, sites or the like "
        "and kept on one side of each split. If they are not, leave out (?P<group>...) and choose "
        "stratified_kfold below."
    )
    return Grouped(grouped, guessed=True, remarks=((remark, ""),))


def _apply(found: Found, guess: Guess) -> Found:
    from audioclf.builtin.loaders.folder import FolderDataset
    from audioclf.builtin.loaders.zip import ZipDataset

    cls = ZipDataset if found.fields["type"] == "zip" else FolderDataset
    dataset = cls(path=found.path, label_pattern=guess.label_pattern).load()
    fields: dict[str, Any] = {**found.fields, "label_pattern": guess.label_pattern}
    groups = {clip.group for clip in dataset}
    others = tuple(
        replace(each, pattern=_swapped(guess.label_pattern)) if set(each.values) == groups else each
        for each in found.others
    )
    if "(?P<group>[^/]+)/" in guess.label_pattern:  # of two levels of folders each may be the class
        others = (*others, Choice(_swapped(guess.label_pattern), guess.values))
    return replace(found, dataset=dataset, fields=fields, others=others)


def _swapped(pattern: str) -> str:
    """Return a pattern that reads the label where this one reads the group, and the reverse.

    >>> _swapped("(?P<label>a)(?P<group>b)")
    '(?P<group>a)(?P<label>b)'
    """
    names = {"(?P<label>": "(?P<group>", "(?P<group>": "(?P<label>"}
    return re.sub(r"\(\?P<(?:label|group)>", lambda found: names[found[0]], pattern)
