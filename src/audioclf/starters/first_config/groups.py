"""Groups in file names, for datasets that declare none."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from audioclf.audit.leakage.groups import Guess, guess_groups, guess_groups_of_recordings
from audioclf.base.errors import DatasetError
from audioclf.builtin.loaders.annotations import Annotations
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.dataset.path_labels import shown
from audioclf.starters.first_config.columns import MIN_GROUPS
from audioclf.starters.first_config.results import LabelPattern, Layout

_MAX_SHOWN = 8
_INNER_CLASSES = "If they are the classes, and the folders speakers, sites or machines, use"


def with_groups(layout: Layout) -> Layout:
    """Return the layout with groups from the names, if folders, names or annotations hold labels.

    Numbers are not used: they count clips more often than they denote speakers.
    """
    if layout.fields["type"] == "annotations":
        return _with_groups_of_recordings(layout)
    has_groups = any(clip.group is not None for clip in layout.dataset)
    if has_groups or layout.fields["type"] not in ("folder", "zip"):
        return layout
    guess = guess_groups(layout.dataset)
    if guess is None:
        return layout
    values = f"{len(guess.values)} values: {shown(sorted(guess.values), most=_MAX_SHOWN)}"
    if len(guess.values) < MIN_GROUPS or guess.is_number:
        note = (
            f"A word or number in the names has {values}. The names do not decide whether it is a "
            "speaker, a site, a version or a counter. If it is a group, choose "
            "stratified_group_kfold below, and here"
        )
        notes = [(note, guess.label_pattern)]
        if "(?P<group>[^/]+)/" in guess.label_pattern:  # either level of folders may be the class
            notes.append((_INNER_CLASSES, _swapped(guess.label_pattern)))
        return replace(layout, group_notes=tuple(notes))
    try:
        return _with_guess(layout, guess, values)
    except DatasetError:
        return layout


def _with_groups_of_recordings(layout: Layout) -> Layout:
    """Return the layout with sites from the names; without, each recording is a group."""
    dataset = layout.dataset
    guess = guess_groups_of_recordings(dataset)
    if guess is None or any(clip.fold is not None for clip in dataset):
        return layout
    values = f"{len(guess.values)} values: {shown(sorted(guess.values), most=_MAX_SHOWN)}"
    groups_of = defaultdict(set)
    for clip, code in zip(dataset, guess.codes, strict=True):
        for label in dataset.labels_of(clip):
            groups_of[label].add(code)
    in_one = [label for label, groups in groups_of.items() if len(groups) < 2]
    if len(guess.values) < MIN_GROUPS or guess.is_number or in_one:
        alone = f" {shown(sorted(in_one))} would be in one group only." if in_one else ""
        note = (
            f"Each recording is a group. A word or number in the names has {values}. The names do "
            "not decide whether it is a site, a day or the like, which would be on both sides of "
            f"the split.{alone} If it is, keep its recordings together with"
        )
        return replace(layout, group_notes=((note, guess.label_pattern),))
    fields = {**layout.fields, "group_pattern": guess.label_pattern}
    note = (
        f"A GUESS: a word in the names has {values}. They are used as sites or the like: all "
        "recordings of one are on one side of each split. If they are not, leave out "
        "group_pattern; each recording is then a group."
    )
    dataset = Annotations.model_validate(fields).load()
    return replace(
        layout, dataset=dataset, fields=fields, guessed_groups=True, group_notes=((note, ""),)
    )


def _with_guess(layout: Layout, guess: Guess, values: str) -> Layout:
    kind = ZipDataset if layout.fields["type"] == "zip" else FolderDataset
    fields = {"label_pattern": guess.label_pattern}
    found = Layout.of(kind, layout.path, fields, layout.labels, notes=layout.notes)
    groups = {clip.group for clip in found.dataset}
    swapped = _swapped(guess.label_pattern)
    others = tuple(
        replace(other, pattern=swapped) if set(other.values) == groups else other
        for other in layout.others
    )
    if "(?P<group>[^/]+)/" in guess.label_pattern:  # either level of folders may be the class
        others = (*others, LabelPattern(swapped, guess.values))
    note = (
        f"A GUESS: a word in the names has {values}. They are used as speakers, sites or the like "
        "and kept on one side of each split. If they are not, leave out (?P<group>...) and choose "
        "stratified_kfold below."
    )
    notes = [(note, "")]
    if all(other.pattern != swapped for other in others):
        notes.append((_INNER_CLASSES, swapped))
    return replace(found, others=others, guessed_groups=True, group_notes=tuple(notes))


def _swapped(pattern: str) -> str:
    """Return a pattern that reads the label where this one reads the group, and the reverse.

    >>> _swapped("(?P<label>a)(?P<group>b)")
    '(?P<group>a)(?P<label>b)'
    """
    names = {"(?P<label>": "(?P<group>", "(?P<group>": "(?P<label>"}
    return re.sub(r"\(\?P<(?:label|group)>", lambda match: names[match[0]], pattern)
