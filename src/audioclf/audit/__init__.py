"""Audits of a run: data leakage, shortcuts, bad files, doubtful labels.

An audit is a function from an `AuditInput` to an `Audit`, and a row in `AUDITS`. It reads what a
run has made anyway: ledger, folds, out-of-fold predictions, and a table that is extracted
together with the features. Only the cost of leakage takes further fits, of one pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from audioclf.audit import decoding, labels, leakage, shortcuts
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput
from audioclf.audit.table import AuditTable
from audioclf.base.errors import ConfigError
from audioclf.components.featurizer import Featurizer
from audioclf.components.metrics import TargetKind
from audioclf.components.registry import Origins, suggest
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.splits import Splits
from audioclf.features.waveform import own_origin

FORMAT = 1
"""Number of the format of `audit.json`."""

TABLE = "audit table"
"""Name of the audits' own design matrix; no featurizer of a config has a space in its name."""


@dataclass(frozen=True)
class AuditEntry:
    """A row of the registry: name, function, and the names of the findings that it may report.

    `targets`: kinds of targets that it is made for; `fits`: whether it fits on the training sides,
    which an evaluation of finished models does not have.
    """

    name: str
    run: Callable[[AuditInput], Audit]
    findings: tuple[str, ...]
    targets: tuple[TargetKind, ...] = ("class", "several", "number", "ordered")
    fits: bool = False


AUDITS: list[AuditEntry] = [
    AuditEntry("leakage", leakage.audit_leakage, leakage.NAMES),
    AuditEntry("shortcuts", shortcuts.audit_shortcuts, shortcuts.NAMES, fits=True),
    AuditEntry("decode", decoding.audit_decode, decoding.NAMES),
    AuditEntry("labels", labels.audit_labels, labels.NAMES, ("class", "several", "ordered")),
]
"""All audits, in the order in which their results should be read."""


def audits_for(dataset: Dataset, splits: Splits) -> list[AuditEntry]:
    """Return the audits that are made for labels and folds like these, in the order of `AUDITS`."""
    fitted = all(len(fold.train) for fold in splits.folds)
    entries = [entry for entry in AUDITS if dataset.targets.kind in entry.targets]
    return [entry for entry in entries if fitted or not entry.fits]


def not_audited(dataset: Dataset) -> tuple[str, ...]:
    """Return a note on the audits that are not made for the labels of a dataset."""
    left_out = [entry.name for entry in AUDITS if dataset.targets.kind not in entry.targets]
    if not left_out:
        return ()
    have = "numbers" if dataset.is_numbers else "several labels"
    return (f"no audit of {', '.join(left_out)}, since clips have {have}",)


def finding_names() -> tuple[str, ...]:
    """Return the names of all findings, as `--allow` takes them."""
    return tuple(name for entry in AUDITS for name in entry.findings)


def check_allowed(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of findings that are allowed, once each, sorted."""
    names, known = sorted(set(names)), finding_names()
    for name in names:
        if name not in known:
            hint = f"{suggest(name, known)} There are {', '.join(sorted(known))}.".lstrip()
            raise ConfigError(f"--allow: no finding is called {name!r}.", hint=hint)
    return tuple(names)


def blocking(audits: Iterable[Audit], allowed: Iterable[str] = ()) -> list[Finding]:
    """Return the findings that cast doubt on the numbers and are not allowed."""
    accepted = set(allowed)
    return [
        finding
        for audit in audits
        for finding in audit.findings
        if finding.severity == "finding" and finding.name not in accepted
    ]


def audit_data(audits: Iterable[Audit], allowed: Iterable[str] = ()) -> dict[str, Any]:
    """Return the content of `audit.json`."""
    return {
        "format": FORMAT,
        "audits": [audit.to_data() for audit in audits],
        "allowed": sorted(allowed),
    }


def with_table(
    featurizers: Mapping[str, Featurizer], origins: Mapping[str, Origins]
) -> tuple[dict[str, Featurizer], dict[str, Origins]]:
    """Return featurizers and their origins with that of the audits, `TABLE`, for `extract`."""
    return {**featurizers, TABLE: AuditTable()}, {**origins, TABLE: own_origin()}
