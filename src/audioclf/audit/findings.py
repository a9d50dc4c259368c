"""Results of audits, as plain values for the terminal, `audit.json` and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["finding", "info"]
"""A finding casts doubt on the numbers and ends `audioclf audit` with 3; an info does not."""


@dataclass(frozen=True)
class Finding:
    """One result of an audit.

    Parameters
    ----------
    name : str
        Stable name in kebab-case, unique among all audits, as `--allow` takes it:
        `duplicate-audio`, `shortcut`.
    severity : {"finding", "info"}
    text : str
        One plain sentence with the numbers in it; names of clips and classes are untrusted text.
    advice : str
        Recommended action, one sentence.
    rows : sequence of dict
        The evidence as a table: one dict of plain values per row, equal keys in all rows.
    """

    name: str
    severity: Severity
    text: str
    advice: str = ""
    rows: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Audit:
    """Result of one audit.

    Parameters
    ----------
    name : str
        `leakage`, `shortcuts`, `decode` or `labels`.
    title : str
        Title in the report.
    summary : str
        One sentence about the data that was examined; also without findings.
    findings : sequence of Finding
    facts : dict
        Further plain values, such as the accuracy of the shortcut classifier with its interval.
    """

    name: str
    title: str
    summary: str
    findings: Sequence[Finding] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)
