"""Data of the clip browser as columns, which are small as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.report.run.outcomes import Outcome
from audioclf.report.words import shown

if TYPE_CHECKING:
    from audioclf.runs.reading import SavedRun


def browser_data(
    run: SavedRun, outcomes: Sequence[Outcome], order: Sequence[int]
) -> dict[str, Any]:
    """Return the columns that the browser filters and sorts by.

    `scores` are those of the true class in thousandths, -1 where there is none.
    """
    groups = [clip.group for clip in run.clips]
    return {
        "classes": [shown(name) for name in run.classes],
        "pipelines": [shown(pipeline.name) for pipeline in run.pipelines],
        "ids": [shown(clip.id) for clip in run.clips],
        "labels": run.targets.codes.tolist(),
        "groups": None if None in groups else [shown(group) for group in groups],
        "predicted": [outcome.predicted.tolist() for outcome in outcomes],
        "tested": outcomes[0].tested.tolist(),
        "scores": [_thousandths(outcome) for outcome in outcomes],
        "order": list(order),
    }


def _thousandths(outcome: Outcome) -> list[int] | None:
    known = np.isfinite(outcome.true_score)
    if not known.any():
        return None
    filled = np.where(known, outcome.true_score, -0.001)
    return [int(value) for value in np.round(1000 * filled)]
