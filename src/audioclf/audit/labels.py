"""Audit of labels: labels that clear out-of-fold predictions contradict.

The rule is that of confident learning (Northcutt, Jiang and Chuang, "Confident Learning:
Estimating Uncertainty in Dataset Labels", JAIR 70, 2021): a class is likely for a clip if its score
is at least the mean score that the clips of that class get for their own label. A label is in doubt
if another class is likely and scores highest, and the label itself is not likely.

Scores are out of fold, averaged over the repeats. A weak classifier contradicts correct labels as
well, so this audit informs and casts no doubt on the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput, Codes, Floats
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.results import PipelineResult

NAMES = ("label-doubt",)
"""The findings of this audit."""


def audit_labels(inputs: AuditInput) -> Audit:
    """List the clips whose label most pipelines with scores contradict clearly, clearest first."""
    dataset, targets = inputs.dataset, inputs.dataset.targets
    scored = [
        _mean_scores(result, targets)
        for result in inputs.results
        if not result.pipeline.is_baseline and all(fold.scores is not None for fold in result.folds)
    ]
    if not scored:
        summary = "No pipeline has out-of-fold scores, so no label was checked."
        return Audit("labels", "Labels", summary)
    if targets.states is None:
        rows, tested, right = _of_one_label(dataset, targets, scored)
    else:
        rows, tested, right = _of_several(dataset, targets, scored)
    what = "pairs of clip and class" if dataset.is_several else "clips"
    pipelines = (
        "1 pipeline, which is" if len(scored) == 1 else f"{len(scored)} pipelines, which are"
    )
    return Audit(
        "labels",
        "Labels",
        f"Compared the labels of {tested} {what} with the out-of-fold scores of {pipelines} "
        f"right for {100 * right:.0f} % of them.",
        [finding for finding in (_finding(rows, tested),) if finding is not None],
        {"clips": tested, "cells": len(scored), "right": round(right, 4), "in_doubt": len(rows)},
    )


_Checked = tuple[list[dict[str, Any]], int, float]
"""Rows of doubtful labels, clearest first; labels that were tested; the share that is right."""


def _of_one_label(dataset: Dataset, targets: Targets, scored: Sequence[Floats]) -> _Checked:
    y = targets.codes
    doubts = _agreed([_doubts(scores, y) for scores in scored], scored, y)
    rows = [_row(doubt, dataset, len(scored)) for doubt in doubts]
    tested = int(np.isfinite(scored[0][:, 0]).sum())
    return rows, tested, float(np.mean([_right(scores, y) for scores in scored]))


def _of_several(dataset: Dataset, targets: Targets, scored: Sequence[Floats]) -> _Checked:
    """Check each class by itself, yes against no, on the clips that are labelled for it."""
    assert targets.states is not None
    found: list[tuple[_Doubt, int]] = []
    n_right, tested = 0.0, 0
    for code, state in enumerate(targets.states.T):
        known = np.flatnonzero(state >= 0)
        y = state[known].astype(np.intp)
        pairs = [np.column_stack([1 - s[known, code], s[known, code]]) for s in scored]
        n_tested = int(np.isfinite(pairs[0][:, 0]).sum())
        if not n_tested:
            continue
        tested += n_tested
        n_right += n_tested * float(np.mean([_right(pair, y) for pair in pairs]))
        doubts = _agreed([_doubts(pair, y) for pair in pairs], pairs, y)
        found += [(replace(doubt, clip=int(known[doubt.clip])), code) for doubt in doubts]
    found.sort(key=lambda item: (item[0].score - item[0].suggested_score, item[0].clip))
    rows = []
    for doubt, code in found:
        name = targets.classes[code]
        row = {**_row(replace(doubt, suggested=code), dataset, len(scored))}
        rows.append(row | {"suggested": name if doubt.suggested else f"not {name}"})
    return rows, tested, n_right / max(tested, 1)


def _mean_scores(result: PipelineResult, targets: Targets) -> Floats:
    """Return the mean out-of-fold scores [shape=(n_clips, n_classes)]; NaN where never tested."""
    total = np.zeros((len(targets), targets.n_classes))
    times = np.zeros((len(targets), 1))
    for fold in result.folds:
        assert fold.scores is not None
        total[fold.fold.test] += fold.scores
        times[fold.fold.test] += 1
    return np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0)


def _right(scores: Floats, y: Codes) -> float:
    """Return the share of the tested clips whose own class scores highest."""
    tested = np.isfinite(scores[:, 0])
    return float(np.mean(scores[tested].argmax(axis=1) == y[tested]))


def _doubts(scores: Floats, y: Codes) -> Codes:
    """Return for each clip the class that contradicts its label, or -1 [shape=(n_clips,)]."""
    tested = np.isfinite(scores[:, 0])
    thresholds = _self_scores(scores, y)
    own = np.arange(len(y))
    filled = np.where(tested[:, None], scores, -np.inf)
    highest = filled.argmax(axis=1)
    doubted = tested & (highest != y)
    doubted &= filled[own, highest] >= thresholds[highest]
    doubted &= filled[own, y] < thresholds[y]
    return np.where(doubted, highest, -1)


def _self_scores(scores: Floats, y: Codes) -> Floats:
    """Return the mean score of each class on its own clips; infinite if none was tested."""
    thresholds = np.full(scores.shape[1], np.inf)
    for code in range(len(thresholds)):
        own = scores[y == code, code]
        own = own[np.isfinite(own)]
        if len(own):
            thresholds[code] = own.mean()
    return thresholds


@dataclass(frozen=True)
class _Doubt:
    """A doubtful label: position of the clip, other class, mean scores, number of pipelines."""

    clip: int
    suggested: int
    score: float
    suggested_score: float
    pipelines: int


def _agreed(suggestions: Sequence[Codes], scored: Sequence[Floats], y: Codes) -> list[_Doubt]:
    """Return the clips for which more than half of the pipelines suggest the same class."""
    votes = np.zeros((len(y), scored[0].shape[1]), dtype=np.intp)
    for suggested in suggestions:
        clips = np.flatnonzero(suggested >= 0)
        votes[clips, suggested[clips]] += 1
    mean = np.mean(scored, axis=0)
    doubts = [
        _Doubt(
            int(index),
            code := int(votes[index].argmax()),
            float(mean[index, y[index]]),
            float(mean[index, code]),
            int(votes[index, code]),
        )
        for index in np.flatnonzero(2 * votes.max(axis=1) > len(suggestions))
    ]
    return sorted(doubts, key=lambda doubt: (doubt.score - doubt.suggested_score, doubt.clip))


def _row(doubt: _Doubt, dataset: Dataset, n_pipelines: int) -> dict[str, Any]:
    clip = dataset.clips[doubt.clip]
    return {
        "path": clip.id,
        "label": clip.label,
        "suggested": dataset.classes[doubt.suggested],
        "score": round(doubt.score, 4),
        "suggested_score": round(doubt.suggested_score, 4),
        "cells": doubt.pipelines,
        "of": n_pipelines,
    }


def _finding(rows: Sequence[dict[str, Any]], tested: int) -> Finding | None:
    if not rows:
        return None
    share = 100 * len(rows) / tested
    return Finding(
        "label-doubt",
        "info",
        f"{len(rows)} of {tested} labels ({share:.1f} %) are clearly contradicted by classifiers "
        "that were not trained on the clip; the clearest come first.",
        "Listen to these clips. Either the label is wrong, or the clip is hard; a weak classifier "
        "contradicts correct labels too.",
        rows,
    )
