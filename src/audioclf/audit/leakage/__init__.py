"""Audit of data leakage: exact copies, near-duplicates, and groups on both sides of a split.

A set of copies leaks in a fold when one of its clips is in training while another is tested.
Copies that are on one side in every fold are reported too, but do not make a number wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.inputs import AuditInput, Codes
from audioclf.audit.leakage.copies import Copies, find_copies, merged
from audioclf.audit.leakage.cost import cost_of_leakage
from audioclf.audit.leakage.groups import (
    count,
    group_findings,
    group_or_recording,
    leaking_share,
    on_both_sides,
    percent,
)
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.splits import Splits

NAMES = (
    "duplicate-files",
    "duplicate-audio",
    "near-duplicates",
    "duplicate-labels",
    "group-overlap",
    "possible-groups",
)
"""Names of the findings."""

_COPIES = ("with copies on both sides", "with copies kept on one side", "set of copies")
_GROUPS = ("with groups on both sides", "on groups that are not in training", "group or recording")

_COST_OF = {
    "duplicate-files": "duplicates_price",
    "duplicate-audio": "duplicates_price",
    "near-duplicates": "duplicates_price",
    "group-overlap": "groups_price",
}
"""Key of the cost, among the facts of the audit, that belongs to a finding."""


def audit_leakage(inputs: AuditInput) -> Audit:
    """Look for clips and groups that are on both sides of a split, and measure their cost."""
    dataset, splits = inputs.dataset, inputs.splits
    digests = {row.clip.id: row.digest for row in inputs.ledger}
    copies = find_copies(
        dataset,
        [digests[clip.id] for clip in dataset],
        inputs.prints,
        inputs.audio,
        inputs.decoder,
        inputs.remember,
    )
    findings = [
        *_copies(dataset, copies, splits),
        *_contradictions(dataset, splits, copies.sounds),
        *group_findings(dataset, splits),
    ]
    facts: dict[str, Any] = {
        "clips": len(dataset),
        "pairs_compared": copies.n_compared,
        "copies": len(dataset) - len(np.unique(copies.sounds)),
        "test_clips_with_copy_in_training": leaking_share(splits, copies.sounds),
    }
    costs = _costs(inputs, copies)
    findings = _with_costs(findings, {key: cost["sentence"] for key, cost in costs.items()})
    return Audit("leakage", "Leakage", _summary(dataset, copies, splits), findings, facts | costs)


def _summary(dataset: Dataset, copies: Copies, splits: Splits) -> str:
    clips = f"{len(dataset)} clips were compared by their bytes, samples and sound"
    nearest = f" (of the pairs with similar spectra, the {copies.n_compared} most similar)"
    names = {clip.group for clip in dataset} - {None}
    groups = f"{len(names)} groups are declared" if names else "no groups are declared"
    return f"{clips}{'' if copies.complete else nearest}; {groups}; {splits.description}."


def _copies(dataset: Dataset, copies: Copies, splits: Splits) -> Iterator[Finding]:
    """Yield a finding for each kind of copies, leaving out those of the kinds before."""
    levels = (
        ("duplicate-files", "have the same bytes as another clip", copies.files),
        (
            "duplicate-audio",
            "hold the same samples as another clip in a different file",
            copies.samples,
        ),
        (
            "near-duplicates",
            "are copies of another clip with a different gain, encoding or cut",
            copies.sounds,
        ),
    )
    finer = np.arange(len(dataset))
    for name, what, codes in levels:
        sets = [clips for clips in _sets(codes) if len(np.unique(finer[clips])) > 1]
        if sets:
            own = _only(codes, sets)
            n_clips = sum(map(len, sets))
            text = f"{n_clips} of {len(dataset)} clips {what} ({count(len(sets), 'set')})"
            leaks = _leaks(splits, own, sets)
            rows = _rows(dataset, sets, leaks)
            yield _finding(name, text, sum(leaks), leaking_share(splits, own), rows)
        finer = codes


def _finding(
    name: str, text: str, n_leaking: int, share: float, rows: tuple[dict[str, Any], ...]
) -> Finding:
    severity: Severity = "finding" if n_leaking else "info"
    if not n_leaking:
        advice = "Keep one clip of each set and remove the others."
        return Finding(
            name, severity, f"{text}; no set is in training and test at once.", advice, rows
        )
    text += (
        f"; {count(n_leaking, 'set')} with one clip in training and another on test: "
        f"{percent(share)} of the test clips have a copy in training."
    )
    advice = "Keep one clip of each set, or give the clips of a set one group and split by groups."
    return Finding(name, severity, text, advice, rows)


def _sets(codes: Codes) -> list[Codes]:
    """Return the positions of the clips of each set of at least two with equal codes."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order])) + 1
    return sorted((s for s in np.split(order, starts) if len(s) > 1), key=lambda s: int(s[0]))


def _only(codes: Codes, sets: Sequence[Codes]) -> Codes:
    """Return codes in which each clip outside of these sets has a code of its own."""
    own = np.arange(len(codes)) + int(codes.max()) + 1
    for clips in sets:
        own[clips] = codes[clips]
    return own


def _leaks(splits: Splits, codes: Codes, sets: Sequence[Codes]) -> list[bool]:
    leaking = on_both_sides(splits, codes)
    return [int(codes[clips[0]]) in leaking for clips in sets]


def _rows(
    dataset: Dataset, sets: Sequence[Codes], leaks: Sequence[bool]
) -> tuple[dict[str, Any], ...]:
    """Return one row per clip, set after set."""
    return tuple(
        {
            "set": number,
            "clip": dataset.clips[index].id,
            "label": dataset.clips[index].label,
            "on_both_sides": "yes" if leaking else "no",
        }
        for number, (clips, leaking) in enumerate(zip(sets, leaks, strict=True), start=1)
        for index in clips.tolist()
    )


def _contradictions(dataset: Dataset, splits: Splits, sounds: Codes) -> Iterator[Finding]:
    """Yield the finding of copies with different labels, on whichever side they are."""
    targets = dataset.targets
    labels = targets.truth if targets.is_several else targets.truth[:, None]
    sets = [clips for clips in _sets(sounds) if _differ(labels[clips])]
    if sets:
        yield Finding(
            "duplicate-labels",
            "finding",
            f"{count(len(sets), 'set')} of copies with different labels.",
            "At most one label of each set is right: listen, and correct or remove the others.",
            _rows(dataset, sets, _leaks(splits, sounds, sets)),
        )


def _differ(labels: NDArray[Any]) -> bool:
    """Return whether clips have different labels, where they are labelled (not -1)."""
    if labels.dtype.kind == "f":  # numbers
        return bool(np.ptp(labels) > 0)
    known = labels >= 0
    lowest = np.where(known, labels, np.iinfo(labels.dtype).max).min(axis=0)
    return bool((known.any(axis=0) & (labels.max(axis=0) > lowest)).any())


def _costs(inputs: AuditInput, copies: Copies) -> dict[str, Any]:
    """Score again if something leaks; groups that the run keeps together stay together."""
    costs: dict[str, Any] = {}
    if inputs.rescoring is None:
        return costs
    dataset, splits = inputs.dataset, inputs.splits
    groups = group_or_recording(dataset)
    groups_leak = bool(on_both_sides(splits, groups))
    if on_both_sides(splits, copies.sounds):
        units = copies.sounds if groups_leak else merged(copies.sounds, groups)
        costs["duplicates_price"] = cost_of_leakage(inputs.rescoring, dataset, units, _COPIES)
    if groups_leak:
        costs["groups_price"] = cost_of_leakage(inputs.rescoring, dataset, groups, _GROUPS)
    return costs


def _with_costs(findings: Sequence[Finding], sentences: dict[str, str]) -> list[Finding]:
    """Add the sentence of each cost to the first finding that it belongs to."""
    waiting = dict(sentences)
    result = []
    for finding in findings:
        key = _COST_OF.get(finding.name, "") if finding.severity == "finding" else ""
        sentence = waiting.pop(key, None)
        text = finding.text if sentence is None else f"{finding.text} {sentence}."
        result.append(replace(finding, text=text))
    return result
