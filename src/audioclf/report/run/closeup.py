"""Details of one pipeline: confusion matrix, curves, metrics by class and group, parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.report import words
from audioclf.report.media import mask_of
from audioclf.report.run import curves
from audioclf.report.run.numbers import charts
from audioclf.report.run.overview import metric_name
from audioclf.report.run.several import class_row, largest, mixed_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.report.run.outcomes import Outcome
    from audioclf.runs.reading import SavedPipeline, SavedRun

View = dict[str, Any]

MAX_TABLE = 15
"""Classes up to which the confusion matrix is a table; with more it is a picture."""
MAX_CLASSES = 60
"""Classes in the table of metrics; of more the table has those with the lowest F1."""
MAX_GROUPS = 100

ACCENT = (96, 128, 228)


def panel(run: SavedRun, pipeline: SavedPipeline, outcome: Outcome) -> View:
    """Return the details of a pipeline."""
    written = run.pipeline_metrics[pipeline.name]
    subgroups = written.get("subgroups") or {}
    classes = list((written.get("per_class") or {}).items())
    if len(classes) > MAX_CLASSES:
        classes = sorted(classes, key=lambda row: (row[1].get("f1") or {}).get("value") or 0.0)
    return {
        "name": pipeline.name,
        "confusion": None
        if run.targets.class_codes is None
        else _confusion(outcome.confusion(run.targets), run.classes),
        "mixed_up": mixed_up(run, pipeline) if run.is_several else [],
        "curves": charts(run, pipeline) if run.targets.is_numbers else curves.drawn(run, pipeline),
        "scores": _kind_of_scores(written),
        "classes": [
            class_row(name, row)
            if run.is_several
            else {
                "name": name,
                "support": words.count(row.get("support")),
                "scores": [words.estimate(row.get(key)) for key in ("precision", "recall", "f1")],
            }
            for name, row in classes[:MAX_CLASSES]
        ],
        "n_classes": len(classes),
        "subgroups": [
            {
                "title": str(title),
                "rows": [
                    {"name": str(row["name"]), "n_clips": row.get("n_clips", "")}
                    | words.estimate(row)
                    for row in rows[:MAX_GROUPS]
                ],
                "more": max(0, len(rows) - MAX_GROUPS),
            }
            for title, rows in subgroups.items()
            if rows and (title == "group" or rows != subgroups.get("group"))
        ],
        "by_subgroups": [
            {"title": str(title), "metrics": [metric_name(column["metric"]) for column in columns]}
            | _rows_of(columns)
            for title, columns in (written.get("by_subgroups") or {}).items()
        ],
        "chosen": _chosen(written.get("chosen") or []),
    }


def _rows_of(columns: Sequence[Mapping[str, Any]]) -> View:
    """Return the rows of a table with a column for each metric, and the harmonic means."""
    rows = list(zip(*(column["scores"] for column in columns), strict=True))
    means = [column.get("mean") for column in columns]
    return {
        "rows": [
            {
                "name": str(row[0]["name"]),
                "n_clips": row[0]["n_clips"],
                "scores": [words.estimate(score) for score in row],
            }
            for row in rows[:MAX_GROUPS]
        ],
        "means": [words.estimate(mean) for mean in means] if any(means) else [],
        "more": max(0, len(rows) - MAX_GROUPS),
    }


def _kind_of_scores(written: Mapping[str, Any]) -> str:
    if (written.get("model") or {}).get("calibrated"):
        return "calibrated by the cross-validation of the model"
    return {
        "probability": "as the classifier returns them, not calibrated",
        "decision": "decision values mapped to (0, 1), not calibrated",
    }.get(written["scores"], "")


def _confusion(counts: NDArray[np.intp], classes: Sequence[str]) -> View:
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    wrong = counts - np.diag(np.diag(counts))
    table = len(classes) <= MAX_TABLE
    return {
        "classes": list(classes),
        "counts": counts.tolist() if table else None,
        "shares": share.round(3).tolist() if table else None,
        "picture": None if table else mask_of(np.sqrt(share), ACCENT),
        "pairs": [
            {
                "true": classes[i],
                "predicted": classes[j],
                "count": int(wrong[i, j]),
                "share": f"{100 * share[i, j]:.0f} %",
                "row": i,
                "column": j,
            }
            for i, j in largest(wrong)
        ],
    }


def _chosen(folds: Iterable[Mapping[str, Any]]) -> View | None:
    rows = [row for row in folds if row and row.get("values")]
    keys = list(dict.fromkeys(key for row in rows for key in row["values"]))
    if not rows:
        return None
    columns = ([row.get("repeat"), row.get("fold"), *map(row["values"].get, keys)] for row in rows)
    return {"keys": keys, "rows": [list(map(words.anything, row)) for row in columns]}
