"""Exploration of a dataset before training: levels, formats, duplicates, and a map of the clips.

Features and facts share the cache of a run. Clips that cannot be read are listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audioclf.audit.decoding import audit_decode
from audioclf.audit.findings import Finding
from audioclf.audit.inputs import AuditInput
from audioclf.audit.leakage.groups import Guess, guess_groups
from audioclf.audit.shortcuts.facts import AuditFacts, file_formats
from audioclf.audit.shortcuts.formats import format_finding, formats_by_class
from audioclf.base.progress import Progress, no_progress
from audioclf.dataset.dataset import Dataset
from audioclf.experiment.grid import check_featurizer
from audioclf.experiment.prepared import Prepared
from audioclf.experiment.resources import Resources
from audioclf.features.waveform import own_origin
from audioclf.report.explore.exploration import Exploration, group_names
from audioclf.report.explore.projection import project

_FACTS = "audit facts"
"""Name of a design matrix; no featurizer of a config has a space in its name."""


def explore(
    prepared: Prepared,
    resources: Resources,
    *,
    featurizer: str | None = None,
    progress: Progress = no_progress,
) -> Exploration:
    """Describe the clips of a config, which need not be checked, before any training.

    Features of `featurizer`, by default the first, are mapped. Numbers are described in ranges.
    """
    config = prepared.config
    if prepared.dataset.is_numbers:
        prepared = replace(prepared, dataset=prepared.dataset.in_ranges())
    name = featurizer or next(iter(config.featurizers))
    check_featurizer(config, name)
    with resources.at_work(config) as engine:
        extraction = prepared.extract(
            {name: config.featurizers[name].views()[0], _FACTS: AuditFacts()},
            engine,
            resources.cache_folder,
            origins={_FACTS: own_origin()},
            progress=progress,
        )
    progress("audits", 0, 1)
    dataset, ledger = extraction.dataset, extraction.ledger
    facts, formats = extraction.matrices[_FACTS], file_formats(ledger)
    has_groups = any(clip.group is not None for clip in dataset)
    guess = None if has_groups else guess_groups(dataset)
    findings = (
        format_finding(dataset, formats_by_class(dataset, formats)),
        *_duplicates(dataset, [row.digest for row in ledger if row.status == "ok"]),
        *_possible_group(guess),
        *audit_decode(AuditInput(dataset, ledger, config.audio, facts=facts)).findings,
    )
    return Exploration(
        config,
        dataset,
        ledger,
        facts,
        formats,
        tuple(finding for finding in findings if finding is not None),
        guess,
        name,
        project(extraction.matrices[name], config.seed),
        (*dataset.notes, *extraction.cache.notes()),
    )


def _duplicates(dataset: Dataset, digests: Sequence[str]) -> Iterator[Finding]:
    """Yield the clips with the same bytes as another; the audit of a run finds changed copies."""
    by_digest: dict[str, list[int]] = defaultdict(list)
    for position, digest in enumerate(digests):
        by_digest[digest].append(position)
    sets = [positions for positions in by_digest.values() if len(positions) > 1]
    if not sets:
        return
    clips = dataset.clips
    labels = [{clips[at].label for at in positions} for positions in sets]
    n_torn = sum(len(classes) > 1 for classes in labels)
    differ = "have different labels" if dataset.is_several else "are in more than one class"
    torn = f", and {n_torn} of these sets {differ}" if n_torn else ""
    yield Finding(
        "duplicate-files",
        "finding",
        f"{sum(map(len, sets))} clips have the same bytes as another clip{torn}.",
        "Keep one clip of each set and remove the others.",
        [
            {
                "clip": clips[positions[0]].id,
                "same as": clips[positions[1]].id,
                "copies": len(positions),
                "classes": ", ".join(sorted(classes)),
            }
            for positions, classes in zip(sets, labels, strict=False)
        ],
    )


def _possible_group(guess: Guess | None) -> Iterator[Finding]:
    if guess is None:
        return
    counts = np.bincount(guess.codes).tolist()
    pattern = "'" + guess.label_pattern.replace("'", "''") + "'"  # as YAML quotes it
    some = ", ".join(map(repr, guess.values[:3])) + (", ..." if len(guess.values) > 3 else "")
    yield Finding(
        "possible-groups",
        "info",
        f"The names may hold a group that is not declared: {some} ({len(guess.values)} values in "
        "several classes each).",
        f"If these are speakers, sites or devices, set `label_pattern: {pattern}` and split by "
        "groups.",
        [
            {"group": value, "clips": number}
            for value, number in zip(guess.values, counts, strict=False)
        ],
    )


def to_data(exploration: Exploration) -> dict[str, Any]:
    """Return what was found as plain data for JSON."""
    from dataclasses import asdict

    from audioclf.report.explore.exploration import class_levels, overall

    groups = group_names(exploration)
    labels = exploration.dataset.targets.label_counts
    return {
        "format": 1,
        "dataset": exploration.dataset.name,
        "clips": len(exploration.dataset),
        **overall(exploration),
        **({"labels": labels.to_data()} if labels is not None else {}),
        "classes": [asdict(row) for row in class_levels(exploration)],
        "failed": [{"path": row.clip.id, "message": row.message} for row in exploration.failed],
        "findings": [asdict(finding) for finding in exploration.findings],
        "map": {
            "featurizer": exploration.featurizer,
            "projection": "principal components of standardised columns",
            "variance": list(exploration.plane.variance),
            "groups": groups and groups[0],
            "points": [
                {
                    "id": clip.id,
                    "label": clip.label,
                    "group": groups[1][at] if groups else None,
                    "x": round(float(x), 4),
                    "y": round(float(y), 4),
                }
                for at, (clip, (x, y)) in enumerate(
                    zip(exploration.dataset, exploration.plane.points.tolist(), strict=True)
                )
            ],
        },
        "notes": list(exploration.notes),
    }
