"""Groups and recordings with clips on both sides of a split, declared or guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from audioclf.audit.findings import Finding
from audioclf.audit.inputs import Codes
from audioclf.audit.leakage.copies import codes_of, merged
from audioclf.audit.leakage.guess_groups import guess_groups
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import PartSource
from audioclf.evaluation.splits import Splits


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
    return clip.source.recording.name if isinstance(clip.source, PartSource) else None


def group_or_recording(dataset: Dataset) -> Codes:
    """Return equal codes for clips that share a group or a recording; other clips are alone."""
    groups = codes_of([clip.group or at for at, clip in enumerate(dataset)])
    sources = [clip.source for clip in dataset]
    recordings = codes_of(
        [s.recording if isinstance(s, PartSource) else at for at, s in enumerate(sources)]
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
