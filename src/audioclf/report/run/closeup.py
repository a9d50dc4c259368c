"""Details of one pipeline: confusion matrix, curves, metrics by class and group, parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.report import words
from audioclf.report.media import mask_of
from audioclf.report.run import curves

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedPipeline, SavedRun

View = dict[str, Any]

MAX_TABLE = 15
"""Classes up to which the confusion matrix is a table; with more it is a picture."""
MAX_CONFUSED = 10
MAX_GROUPS = 100

ACCENT = (79, 110, 200)


def panel(run: SavedRun, pipeline: SavedPipeline) -> View:
    """Return the details of a pipeline."""
    written = run.pipeline_metrics[pipeline.name]
    return {
        "name": pipeline.name,
        "confusion": _confusion(np.asarray(written["confusion"], dtype=np.float64), run.classes),
        "curves": curves.drawn(run, pipeline),
        "scores": {
            "probability": "as the classifier returns them, not calibrated",
            "decision": "decision values mapped to (0, 1), not calibrated",
        }.get(written["scores"], ""),
        "classes": [
            {
                "name": name,
                "support": words.count(row.get("support")),
                "scores": [words.estimate(row.get(key)) for key in ("precision", "recall", "f1")],
            }
            for name, row in (written.get("per_class") or {}).items()
        ],
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
            for title, rows in (written.get("subgroups") or {}).items()
            if rows
        ],
        "chosen": _chosen(written.get("chosen") or []),
    }


def _confusion(confusion: Any, classes: Sequence[str]) -> View:
    totals = confusion.sum(axis=1, keepdims=True)
    share = np.divide(confusion, totals, out=np.zeros_like(confusion), where=totals > 0)
    wrong = confusion - np.diag(np.diag(confusion))
    worst = np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSED]
    pairs = [divmod(int(index), len(classes)) for index in worst]
    table = len(classes) <= MAX_TABLE
    return {
        "classes": list(classes),
        "counts": confusion.tolist() if table else None,
        "shares": share.round(3).tolist(),
        "picture": None if table else mask_of(share, ACCENT),
        "pairs": [
            {
                "true": classes[i],
                "predicted": classes[j],
                "count": words.count(wrong[i, j]),
                "share": f"{100 * share[i, j]:.0f} %",
                "row": i,
                "column": j,
            }
            for i, j in pairs
            if wrong[i, j] > 0
        ],
    }


def _chosen(folds: Iterable[Mapping[str, Any]]) -> View | None:
    rows = [row for row in folds if row and row.get("values")]
    keys = list(dict.fromkeys(key for row in rows for key in row["values"]))
    return (
        None
        if not rows
        else {
            "keys": keys,
            "rows": [
                [words.anything(value) for value in (row.get("repeat"), row.get("fold"), *values)]
                for row in rows
                for values in [map(row["values"].get, keys)]
            ],
        }
    )
