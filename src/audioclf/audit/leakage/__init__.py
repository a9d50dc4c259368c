"""Whether what is tested has been met in training: copies, nearly copies, and groups torn apart.

A family is a set of clips that are copies of each other. It leaks in a fold when one of it trains
while another is tested. Copies that always stand on one side are worth knowing, but no number is
wrong for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.audit.findings import Audit, Finding, Severity
from audioclf.audit.leakage.copies import Copies, find_twins, merged
from audioclf.audit.leakage.cost import Rescoring, price_of_leakage
from audioclf.audit.leakage.groups import (
    MAX_ROWS,
    across,
    count,
    group_findings,
    leaking_share,
    percent,
    together,
)
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.splits import Splits
from audioclf.features.waveform import Decoder, decoded
from audioclf.features.worker import LedgerRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]

NAMES = (
    "duplicate-files",
    "duplicate-audio",
    "near-duplicates",
    "duplicate-labels",
    "group-overlap",
    "possible-groups",
)
"""Names of the findings."""

_REMOVE = "Keep one clip of each set and remove the others."
_COPIES = ("with copies on both sides", "with copies kept on one side")
_GROUPS = ("with groups on both sides", "on groups never heard")


def audit_leakage(
    dataset: Dataset,
    ledger: Sequence[LedgerRow],
    prints: NDArray[np.float32],
    splits: Splits,
    *,
    audio: AudioConfig,
    rescoring: Rescoring | None = None,
    decoder: Decoder = decoded,
) -> Audit:
    """Look for clips and groups that stand on both sides of a split.

    Parameters
    ----------
    dataset : Dataset
        The clips that were evaluated.
    ledger : sequence of LedgerRow
        With the digest of each clip's bytes; rows of other clips are passed over.
    prints : np.ndarray [shape=(n_clips, WIDTH)], float32
        The rows of `audioclf.audit.leakage.fingerprint.Fingerprint`.
    splits : Splits
    audio : AudioConfig
        How the run decodes.
    rescoring : Rescoring, optional
        With it, a finding that leaks says what the leak is worth: some fits of one pipeline.
    decoder : callable
        Gives the clips that may be copies of each other.

    Returns
    -------
    audit : Audit
        With findings of `NAMES`, as far as there is reason. Of its facts, `duplicates_price` and
        `groups_price` are as `price_of_leakage` returns them.
    """
    digests = {row.clip.id: row.digest for row in ledger}
    twins = find_twins(dataset, [digests[clip.id] for clip in dataset], prints, audio, decoder)
    findings = [*_copies(dataset, twins, splits), *_contradictions(dataset, splits, twins.sounds)]
    findings += group_findings(dataset, splits)
    facts: dict[str, Any] = {
        "clips": len(dataset),
        "pairs_compared": twins.n_compared,
        "copies": _n_copies(twins.sounds),
        "test_clips_with_copy_in_training": leaking_share(splits, twins.sounds),
    }
    if rescoring is not None:
        facts |= _prices(rescoring, dataset, twins, splits)
        findings = _priced(findings, facts)
    return Audit("leakage", "Leakage", _summary(dataset, twins, splits), findings, facts)


def _summary(dataset: Dataset, twins: Copies, splits: Splits) -> str:
    sides = f"{len(dataset)} clips were compared by their bytes, samples and sound"
    nearest = f" (of those alike in sound, the {twins.n_compared} nearest pairs)"
    search = "" if twins.complete else nearest
    groups = "no groups are declared"
    if any(clip.group is not None for clip in dataset):
        groups = f"{len({clip.group for clip in dataset} - {None})} groups are declared"
    return f"{sides}{search}; {groups}; {splits.description}."


def _copies(dataset: Dataset, twins: Copies, splits: Splits) -> Iterator[Finding]:
    apart = np.arange(len(dataset))
    yield from _level(
        dataset,
        splits,
        "duplicate-files",
        "have the same bytes as another clip",
        apart,
        twins.files,
    )
    yield from _level(
        dataset,
        splits,
        "duplicate-audio",
        "hold the same samples as another clip in a different file",
        twins.files,
        twins.samples,
    )
    yield from _level(
        dataset,
        splits,
        "near-duplicates",
        "are another clip once more, with another gain, encoding or cut",
        twins.samples,
        twins.sounds,
    )


def _level(
    dataset: Dataset, splits: Splits, name: str, what: str, finer: Codes, codes: Codes
) -> Iterator[Finding]:
    """Yield the finding of the families that hold more than one of the finer families."""
    families = [f for f in _families(codes) if len(np.unique(finer[f])) > 1]
    if not families:
        return
    own = _only(codes, families)
    torn = across(splits, own)
    leaks = [int(own[family[0]]) in torn for family in families]
    clips = sum(map(len, families))
    text = f"{clips} of {len(dataset)} clips {what} ({count(len(families), 'set')})"
    rows = _rows(dataset, families, leaks)
    yield _finding(name, text, sum(leaks), leaking_share(splits, own), rows)


def _finding(
    name: str, text: str, n_across: int, share: float, rows: tuple[dict[str, Any], ...]
) -> Finding:
    severity: Severity = "finding" if n_across else "info"
    if not n_across:
        return Finding(name, severity, f"{text}; no split tears them apart.", _REMOVE, rows)
    text += (
        f"; {count(n_across, 'set')} with one clip in training and another on test: "
        f"{percent(share)} of the test clips have been trained on."
    )
    advice = "Keep one clip of each set, or give the clips of a set one group and split by groups."
    return Finding(name, severity, text, advice, rows)


def _families(codes: Codes) -> list[Codes]:
    """Return the positions of the clips of each family of at least two."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order])) + 1
    return sorted((f for f in np.split(order, starts) if len(f) > 1), key=lambda f: int(f[0]))


def _only(codes: Codes, families: Sequence[Codes]) -> Codes:
    """Return the codes with every clip outside of these families alone."""
    own = np.arange(len(codes)) + int(codes.max()) + 1
    for family in families:
        own[family] = codes[family]
    return own


def _n_copies(codes: Codes) -> int:
    return len(codes) - len(np.unique(codes))


def _rows(
    dataset: Dataset, families: Sequence[Codes], leaks: Sequence[bool]
) -> tuple[dict[str, Any], ...]:
    """Return one row per clip, the sets one after the other, the first `MAX_ROWS`."""
    return tuple(
        {
            "set": number,
            "clip": dataset.clips[at].id,
            "label": dataset.clips[at].label,
            "on_both_sides": "yes" if leaking else "no",
        }
        for number, (family, leaking) in enumerate(zip(families, leaks, strict=True), start=1)
        for at in family.tolist()
    )[:MAX_ROWS]


def _contradictions(dataset: Dataset, splits: Splits, sounds: Codes) -> Iterator[Finding]:
    """Yield the finding of copies whose labels differ, on whichever side they stand."""
    labels = dataset.targets.codes
    families = [f for f in _families(sounds) if len(np.unique(labels[f])) > 1]
    if families:
        torn = across(splits, sounds)
        leaks = [int(sounds[family[0]]) in torn for family in families]
        yield Finding(
            "duplicate-labels",
            "finding",
            f"{count(len(families), 'set')} of copies with different labels.",
            "At most one label of each set is right: listen, and mend or remove the others.",
            _rows(dataset, families, leaks),
        )


def _prices(
    rescoring: Rescoring, dataset: Dataset, twins: Copies, splits: Splits
) -> dict[str, Any]:
    """Score again where something leaks; groups that the run keeps together stay together."""
    prices: dict[str, Any] = {}
    groups = together(dataset)
    torn = bool(across(splits, groups))
    if across(splits, twins.sounds):
        units = twins.sounds if torn else merged(twins.sounds, groups)
        prices["duplicates_price"] = price_of_leakage(rescoring, dataset, units, _COPIES)
    if torn:
        prices["groups_price"] = price_of_leakage(rescoring, dataset, groups, _GROUPS)
    return prices


def _priced(findings: Sequence[Finding], facts: dict[str, Any]) -> list[Finding]:
    """Say what a leak is worth in the first finding of its kind."""
    waiting = {
        kind: facts[fact]["sentence"]
        for kind, fact in (("copies", "duplicates_price"), ("groups", "groups_price"))
        if fact in facts
    }
    told = []
    for finding in findings:
        kind = _KINDS.get(finding.name, "") if finding.severity == "finding" else ""
        sentence = waiting.pop(kind, None)
        text = finding.text if sentence is None else f"{finding.text} {sentence}."
        told.append(replace(finding, text=text))
    return told


_KINDS = {
    "duplicate-files": "copies",
    "duplicate-audio": "copies",
    "near-duplicates": "copies",
    "group-overlap": "groups",
}
"""Which price a finding tells."""
