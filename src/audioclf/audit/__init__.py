"""What casts doubt on a number: leakage, shortcuts, bad files, doubtful labels.

Every audit is a function of what a run has made anyway: the ledger, the folds, the out-of-fold
predictions, and a table of facts that comes with the features. None of them decodes or trains the
classifiers of a run again, but for what a leak is worth, which takes some fits of one pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audioclf.audio.settings import AudioConfig
from audioclf.audit import decoding as decode
from audioclf.audit import labels, leakage, shortcuts
from audioclf.audit.decoding import audit_decode
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.labels import audit_labels
from audioclf.audit.leakage import audit_leakage
from audioclf.audit.leakage.cost import Rescoring
from audioclf.audit.leakage.fingerprint import Fingerprint
from audioclf.audit.shortcuts import audit_shortcuts
from audioclf.audit.shortcuts.facts import AuditFacts, FileFormat, read_formats
from audioclf.base.errors import ConfigError
from audioclf.components.registry import suggest
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.results import PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.features.waveform import Decoder, decoded
from audioclf.features.worker import LedgerRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Audit",
    "AuditFacts",
    "FileFormat",
    "Finding",
    "Fingerprint",
    "Rescoring",
    "audit_data",
    "blocking",
    "check_allowed",
    "finding_names",
    "read_formats",
    "run_audits",
]

FORMAT = 1
"""Number of the format of `audit.json`."""


def run_audits(
    dataset: Dataset,
    ledger: Sequence[LedgerRow],
    facts: NDArray[np.float32],
    prints: NDArray[np.float32],
    formats: Mapping[str, FileFormat],
    splits: Splits,
    results: Sequence[PipelineResult] = (),
    *,
    audio: AudioConfig,
    seed: int,
    rescoring: Rescoring | None = None,
    decoder: Decoder = decoded,
) -> list[Audit]:
    """Look at a run for reasons not to believe its numbers.

    Parameters
    ----------
    dataset : Dataset
        The clips that could be read.
    ledger : sequence of LedgerRow
        What every file did, failed ones included.
    facts : np.ndarray [shape=(n_clips, n_facts)], float32
        What `AuditFacts` extracts, a row per clip of the dataset.
    prints : np.ndarray [shape=(n_clips, width)], float32
        What `Fingerprint` extracts.
    formats : mapping of str to FileFormat
        What `read_formats` says of the files, by id of the clip.
    splits : Splits
    results : sequence of PipelineResult
        Out-of-fold predictions of pipelines on these splits; without any, labels are not audited.
    audio : AudioConfig
    seed : int
    rescoring : Rescoring, optional
        With it, a leak is told what it is worth.
    decoder : callable
        Gives the clips that may be copies of each other.

    Returns
    -------
    audits : list of Audit
        In the order in which they should be read.
    """
    return [
        audit_leakage(
            dataset, ledger, prints, splits, audio=audio, rescoring=rescoring, decoder=decoder
        ),
        audit_shortcuts(dataset, facts, formats, splits, results, seed=seed),
        audit_decode(dataset, ledger, facts, audio=audio),
        audit_labels(dataset, results),
    ]


def finding_names() -> tuple[str, ...]:
    """Return the names of all findings, as `--allow` takes them."""
    return (*leakage.NAMES, *shortcuts.NAMES, *decode.NAMES, *labels.NAMES)


def check_allowed(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of findings that are allowed, once each, sorted.

    Raises
    ------
    ConfigError
        If there is no such finding; names those that there are.
    """
    known = finding_names()
    for name in names:
        if name not in known:
            near = suggest(name, known)
            hint = f"{near} " if near else ""
            raise ConfigError(
                f"--allow: no finding is called {name!r}.",
                hint=f"{hint}There are {', '.join(sorted(known))}.",
            )
    return tuple(sorted(set(names)))


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
