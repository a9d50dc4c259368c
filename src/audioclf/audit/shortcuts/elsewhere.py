"""Accuracy of the pipelines on the clips for which a shortcut points to another class.

A pipeline that follows the shortcut is wrong on most of these clips. The most predictive fact
points to its class for clips on that class's side of the middle between both medians or shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.audit.inputs import Floats
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.subgroups import by_subgroup
from audioclf.evaluation.results import PipelineResult

Flags = NDArray[np.bool_]

MIN_CLIPS = 5
"""Clips on each side below which nothing is said."""

_MAX_NAMED = 4


def accuracy_elsewhere(
    row: Mapping[str, Any], values: Floats, results: Sequence[PipelineResult], targets: Targets
) -> dict[str, Any] | None:
    """Return the accuracies of the learned pipelines; None if there are too few clips.

    `row` is that of the fact in the finding, `values` [shape=(n_clips,)] are the fact.
    """
    against = points_elsewhere(row, values, targets)
    learned = [result for result in results if not result.pipeline.is_baseline]
    if not learned or min(np.count_nonzero(against), np.count_nonzero(~against)) < MIN_CLIPS:
        return None
    pipelines = {}
    for result in learned:
        there, others = by_subgroup(
            result, "accuracy", targets, (~against).astype(np.intp), ("elsewhere", "others")
        )
        if there.n_clips < MIN_CLIPS:
            return None
        pipelines[result.pipeline.name] = {
            "clips": there.n_clips,
            "accuracy": there.value,
            "low": there.low,
            "high": there.high,
            "others": others.value,
        }
    return {"fact": row["fact"], "cells": pipelines}


def points_elsewhere(row: Mapping[str, Any], values: Floats, targets: Targets) -> Flags:
    """Return for which clips the fact points to another class than theirs."""
    middle = (row["in_class"] + row["elsewhere"]) / 2
    points = (values > middle) == (row["in_class"] > row["elsewhere"])
    own = targets.codes == targets.classes.index(row["label"])
    different: Flags = points != own
    return different


def sentence(elsewhere: Mapping[str, Any]) -> str:
    """Return the accuracies as a sentence; of many pipelines the best ones."""
    cells = sorted(elsewhere["cells"].items(), key=lambda item: -item[1]["accuracy"])
    shown = [
        f"{name} {cell['accuracy']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}] "
        f"(on the others {cell['others']:.3f})"
        for name, cell in cells[:_MAX_NAMED]
    ]
    more = f", and {len(cells) - _MAX_NAMED} more pipelines" if len(cells) > _MAX_NAMED else ""
    return (
        f" Accuracy on the {cells[0][1]['clips']} clips where the first of these facts points to "
        f"another class: {', '.join(shown)}{more}."
    )
