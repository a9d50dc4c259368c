"""Results of audits, as plain values for the terminal, `audit.json` and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["finding", "info"]
"""A finding casts doubt on the numbers and ends `audioclf audit` with 3; an info does not."""


@dataclass(frozen=True)
class Finding:
    """One result of an audit, with its evidence as `rows` of equal keys.

    The `name` is stable and unique, as `--allow` takes it. Names of clips in `text` are untrusted.
    """

    name: str
    severity: Severity
    text: str
    advice: str = ""
    rows: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Audit:
    """Result of one audit: a sentence on the examined data, findings, and further plain values."""

    name: str
    title: str
    summary: str
    findings: Sequence[Finding] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)
