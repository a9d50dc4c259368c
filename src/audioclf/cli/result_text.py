"""How results of pipelines are written on the terminal, by a run and by a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.text import human_bytes
from audioclf.cli.terminal import format_table, styled

if TYPE_CHECKING:
    from audioclf.audit.findings import Finding
    from audioclf.evaluation.comparison.result import Comparison

COSTS_HEADER = ("fit s", "predict ms/clip", "model", "memory")


def cost_columns(
    fit_seconds: float | None,
    predict_seconds_per_clip: float | None,
    model_bytes: float | None,
    peak_memory: float | None,
) -> list[str]:
    """Return what a pipeline costs, below `COSTS_HEADER`; n/a for what is not known."""
    sizes = (model_bytes, peak_memory)
    return [
        _known(fit_seconds, 1.0),
        _known(predict_seconds_per_clip, 1000.0),
        *("n/a" if size is None else human_bytes(size) for size in sizes),
    ]


def _known(seconds: float | None, scale: float) -> str:
    return "n/a" if seconds is None or math.isnan(seconds) else f"{scale * seconds:.3g}"


def with_type(name: str, type_name: str) -> str:
    """Return the name of a pipeline, with the type of its classifier unless the name has it.

    >>> with_type("svm", "xgboost"), with_type("mel/svm", "svm")
    ('svm (xgboost)', 'mel/svm')
    """
    return name if type_name in name else f"{name} ({type_name})"


def curve_text(data: Mapping[str, Any]) -> str:
    """Return the table of `learning_curve.json`, a row for each size."""
    from audioclf.runs.curve_files import curve_table, size_of
    from audioclf.runs.folder import PIPELINES

    sizes, rows = curve_table(data)
    head = (f"{data['metric']} by {size_of(data)}", *data[PIPELINES])
    table = [(size, *map(interval_text, row)) for (size, _), row in zip(sizes, rows, strict=True)]
    draws = "1 random draw" if data["repeats"] == 1 else f"{data['repeats']} random draws"
    how = f"mean of {draws}" if data["repeats"] else "a column for the models of each name"
    return f"{format_table(head, table)}\n\nlearning curve: {how}"


def per_class_text(run: Path, pipeline: str) -> str:
    """Return the table of classes of a pipeline in a finished run, the worst F1 first."""
    from audioclf.runs.folder import METRICS, PIPELINES
    from audioclf.runs.tables import read_json

    classes = read_json(run / METRICS)[PIPELINES][pipeline].get("per_class") or {}
    if not classes:
        return "the labels are numbers, so there are no metrics by class"
    rows = sorted(classes.items(), key=lambda item: (item[1]["f1"] or {}).get("value") or 0.0)
    names = ("precision", "recall", "f1")
    table = [
        (label, f"{row['support']:g}", *(interval_text(row[name] or {}) for name in names))
        for label, row in rows
    ]
    return format_table((f"class, by {pipeline}", "clips", *names), table)


def interval_text(estimate: Mapping[str, Any]) -> str:
    """Return the `value` of an estimate with its interval, `low` and `high`; n/a if undefined."""
    value, low, high = (estimate.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "n/a"
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def verdict_lines(comparison: Comparison) -> Iterator[str]:
    """Yield which pipeline is best and whether it beats the baseline, in sentences."""
    from audioclf.evaluation.comparison.result import baseline_sentence, verdict_sentence

    yield styled(verdict_sentence(comparison), "bold")
    if len(comparison.pipelines) > 2 and comparison.baseline not in (None, comparison.pipelines[0]):
        yield from filter(None, [baseline_sentence(comparison)])


def finding_line(finding: Finding) -> str:
    """Return a finding or a note of an audit on one line."""
    kind = "finding" if finding.severity == "finding" else "note"
    mark = styled(f"{kind} {finding.name}:", "warning" if kind == "finding" else "dim")
    return f"{mark} {finding.text}"
