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

    `name` is stable, in kebab-case and unique among all audits, as `--allow` takes it. Names of
    clips and classes in `text` are untrusted. `rows` are the evidence as a table: equal keys in all
    rows.
    """

    name: str
    severity: Severity
    text: str
    advice: str = ""
    rows: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Audit:
    """Result of one audit.

    `summary` is one sentence about the data that was examined, also without findings; `facts` are
    further plain values, such as the accuracy of the shortcut classifier with its interval.
    """

    name: str
    title: str
    summary: str
    findings: Sequence[Finding] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)
