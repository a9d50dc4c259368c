"""Audits of a run as the page shows them: findings first, with their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audioclf.report import words

View = dict[str, Any]

MAX_ROWS = 200


def audit_view(data: Mapping[str, Any] | None) -> View | None:
    """Return the audits of a run, those with a finding first; None where there are none."""
    if not data or not data.get("audits"):
        return None
    allowed = {str(name) for name in data.get("allowed") or []}
    audits = [_audit(audit, allowed) for audit in data["audits"]]
    audits.sort(key=lambda audit: -audit["n_open"])
    return {
        "audits": audits,
        "n_open": sum(audit["n_open"] for audit in audits),
        "open": {
            kind: [
                view["text"]
                for audit in audits
                for view in audit["findings"]
                if view["state"] == "open" and (audit["name"] == "decode") == (kind == "clips")
            ]
            for kind in ("metric", "clips")
        },
        "allowed": sorted(allowed),
    }


def _audit(audit: Mapping[str, Any], allowed: set[str]) -> View:
    findings = [_finding(finding, allowed) for finding in audit.get("findings") or []]
    findings.sort(key=lambda view: ("open", "allowed", "info").index(view["state"]))
    return {
        "name": audit["name"],
        "title": str(audit.get("title") or audit["name"]),
        "summary": str(audit.get("summary") or ""),
        "findings": findings,
        "n_open": sum(view["state"] == "open" for view in findings),
    }


def _finding(finding: Mapping[str, Any], allowed: set[str]) -> View:
    state = "info"
    if finding.get("severity") == "finding":
        state = "allowed" if finding["name"] in allowed else "open"
    rows: Sequence[Mapping[str, Any]] = finding.get("rows") or []
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return {
        "name": str(finding["name"]),
        "state": state,
        "text": str(finding.get("text") or ""),
        "advice": str(finding.get("advice") or ""),
        "keys": [str(key).replace("_", " ") for key in keys],
        "rows": [[words.anything(row.get(key)) for key in keys] for row in rows[:MAX_ROWS]],
        "n_rows": len(rows),
    }
