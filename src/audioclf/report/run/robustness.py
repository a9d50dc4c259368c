"""Stress test of a run as the page shows it: a table with a bar for each change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audioclf.report import svg, words
from audioclf.report.run.overview import bar, extent_of, metric_name

View = dict[str, Any]


def robustness_view(data: Mapping[str, Any] | None) -> View | None:
    """Return the content of `stress.json` for the page; None without one."""
    if not data or not data.get("changes"):
        return None
    metric = str(data["metric"])
    rows = [{"name": "as it is", **data["clean"]}, *data["changes"]]
    extent = extent_of(rows, metric)
    return {
        "metric": metric_name(metric),
        "subject": data["subject"],
        "sample": data["sample"],
        "sentence": data["sentence"],
        "axis": svg.axis_below(extent),
        "rows": [
            {
                "name": row["name"],
                "plot": bar(row, extent),
                "value": words.estimate(row),
                "difference": _signed(row["difference"]) if n else None,
            }
            for n, row in enumerate(rows)
        ],
        "notes": [str(note) for note in data.get("notes") or []],
    }


def _signed(difference: Mapping[str, Any]) -> View:
    value = difference.get("value")
    return {**words.estimate(difference), "text": words.signed(value)}
