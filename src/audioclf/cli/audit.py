"""`audioclf audit CONFIG`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audioclf.cli import options
from audioclf.cli.terminal import complain_each, format_table, json_text, left_out, say, styled

if TYPE_CHECKING:
    from audioclf.audit.findings import Audit, Finding
    from audioclf.experiment.auditing import AuditReport

MAX_ROWS = 10
_HEADERS = {"cells": "pipelines"}
"""Words for keys of rows that keep their first name in files."""


def audit(
    config: options.ConfigArgument,
    overrides: options.SetOption = [],  # noqa: B006  typer copies it
    allow: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Accept a finding, as in --allow recording-habit."),
    ] = [],  # noqa: B006
    quick: Annotated[
        bool, typer.Option("--quick", help="Train nothing, and skip the audit of labels.")
    ] = False,
    jobs: options.JobsOption = None,
    cache_dir: options.CacheDirOption = None,
    no_cache: options.NoCacheOption = False,
    quiet: options.QuietOption = False,
    as_json: options.JsonOption = False,
    strict: options.StrictOption = False,
) -> None:
    """Look for leakage, shortcuts, bad files and wrong labels."""
    with options.progress_on_stderr(quiet=quiet) as progress:
        from audioclf.audit import check_allowed

        check_allowed(allow)
        registry = options.load_registry(strict=strict)
        from audioclf.experiment.auditing import audit_config
        from audioclf.experiment.prepared import prepare

        report = audit_config(
            prepare(config, overrides, registry),
            options.resources_of(jobs, cache_dir, no_cache),
            quick=quick,
            allow=allow,
            progress=progress,
        )
    complain_each("note", report.notes)
    say(json_text(report.to_data()) if as_json else describe(report))
    sys.exit(report.exit_code)


def describe(report: AuditReport) -> str:
    """Return what each audit looked at and found, and the verdict."""
    parts = [_audit_text(audit, report.allowed) for audit in report.audits]
    return "\n\n".join([*parts, _verdict(report)])


def _audit_text(audit: Audit, allowed: Sequence[str]) -> str:
    findings = [_finding_text(finding, finding.name in allowed) for finding in audit.findings]
    lines = [f"{audit.title}: {audit.summary}", *(findings or ["  nothing found"])]
    costs = [fact for fact in audit.facts.values() if isinstance(fact, dict)]
    lines += [f"\n  {fact['sentence']}" for fact in costs if "sentence" in fact]
    return "\n".join(lines)


def _finding_text(finding: Finding, allowed: bool) -> str:
    state = "allowed" if allowed and finding.severity == "finding" else finding.severity
    shown = styled(f"[{state}]", "warning") if state == "finding" else f"[{state}]"
    lines = [f"{shown} {finding.name}: {finding.text}"]
    if finding.advice:
        lines.append(finding.advice)
    lines += _rows_text(finding.rows)
    return "\n".join(["", *(f"  {line}" for line in lines)])


def _rows_text(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    shown = [[_cell_text(value) for value in row.values()] for row in rows[:MAX_ROWS]]
    header = [_HEADERS.get(key) or key.replace("_", " ") for key in rows[0]]
    table = format_table(header, shown, indent=4).split("\n")
    more = len(rows) - MAX_ROWS
    return [f"  {line}" for line in table] + ([f"  and {more} more"] if more > 0 else [])


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return " ".join(str(value).split())


def _verdict(report: AuditReport) -> str:
    names = dict.fromkeys(finding.name for finding in report.blocking)
    if not names:
        sound = f"no finding casts doubt on the numbers of {report.dataset}"
        return sound + left_out(report.n_failed)
    listed = ", ".join(names)
    allow = " ".join(f"--allow {name}" for name in names)
    return f"findings that cast doubt: {listed}\nto accept known findings: {allow}"
