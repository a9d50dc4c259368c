"""ROC curves, precision-recall curves and reliability diagrams.

The test predictions of all repeats are pooled. Curves that have more than `MAX_POINTS` points are
simplified (Douglas & Peucker 1973).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.repeats import Floats, repeat_of
from audioclf.evaluation.metrics.score_metrics import N_BINS, bins_of
from audioclf.evaluation.results import Predicted

MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class RocCurve:
    """False and true positive rate at falling thresholds, from (0, 0) to (1, 1), and the area."""

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    area: float


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """Precision against recall at falling thresholds, from recall 0, precision 1, to recall 1.

    `share` is that of the class among the clips: the precision of random guesses.
    """

    recall: tuple[float, ...]
    precision: tuple[float, ...]
    average_precision: float
    share: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The predictions whose top score is in (low, high], of which there is at least one."""

    low: float
    high: float
    mean_score: float
    share_right: float
    count: int


def roc_curve(result: Predicted, targets: Targets, class_code: int) -> RocCurve | None:
    """Return the ROC curve of one class against the rest (Fawcett 2006).

    Returns None if the pipeline has no scores, or all test clips or none are of the class.
    """
    from sklearn import metrics

    pair = _truth_and_scores(result, targets, class_code)
    if pair is None:
        return None
    fpr, tpr, _ = metrics.roc_curve(*pair[:2], sample_weight=pair[2])
    area = float(metrics.auc(fpr, tpr))
    return RocCurve(*_points(fpr, tpr), area)


def precision_recall_curve(
    result: Predicted, targets: Targets, class_code: int
) -> PrecisionRecallCurve | None:
    """Return precision against recall of one class against the rest; None as for `roc_curve`."""
    from sklearn import metrics

    pair = _truth_and_scores(result, targets, class_code)
    if pair is None:
        return None
    truth, ranks, weights = pair
    precision, recall, _ = metrics.precision_recall_curve(
        truth, ranks, drop_intermediate=True, sample_weight=weights
    )
    recall, precision = _points(recall[::-1], precision[::-1])
    average = float(metrics.average_precision_score(truth, ranks, sample_weight=weights))
    share = float(np.average(truth, weights=weights))
    return PrecisionRecallCurve(recall, precision, average, share)


def reliability(result: Predicted, targets: Targets) -> tuple[ReliabilityBin, ...] | None:
    """Return the reliability diagram of the top score (DeGroot & Fienberg 1983), in equal bins.

    Only bins that hold a prediction are returned; None if the scores are not probabilities.
    """
    pooled = repeat_of(result.folds, targets)
    if pooled.scores is None or {fold.score_kind for fold in result.folds} != {"probability"}:
        return None
    top = pooled.scores.max(axis=1)
    right = pooled.scores.argmax(axis=1) == pooled.y_true
    bins = bins_of(top, N_BINS)
    if pooled.weights is not None:
        bins[pooled.weights == 0] = -1
    return tuple(
        _bin(code, top[rows], right[rows], pooled.at(rows).weights)
        for code in np.unique(bins).tolist()
        for rows in (bins == code,)
        if code >= 0
    )


def _bin(
    code: int, top: Floats, right: NDArray[np.bool_], weights: Floats | None
) -> ReliabilityBin:
    low, high = code / N_BINS, (code + 1) / N_BINS
    mean_score, share_right = (float(np.average(part, weights=weights)) for part in (top, right))
    return ReliabilityBin(low, high, mean_score, share_right, len(top))


def _truth_and_scores(
    result: Predicted, targets: Targets, class_code: int
) -> tuple[NDArray[np.bool_], Floats, Floats | None] | None:
    """Return whether each clip is of a class, the values that rank the clips, and weights."""
    pooled = repeat_of(result.folds, targets)
    if pooled.ranks is None:
        return None
    ranks = pooled.ranks[:, class_code]
    if pooled.is_several:
        states = pooled.y_true[:, class_code]
        known = states >= 0
        truth, ranks, weights = states[known] > 0, ranks[known], pooled.at(known).weights
    else:
        truth, weights = pooled.y_true == class_code, pooled.weights
    if weights is not None:
        counted = weights > 0
        truth, ranks, weights = truth[counted], ranks[counted], weights[counted]
    if truth.all() or not truth.any():
        return None
    return truth, ranks, weights


def _points(x: Floats, y: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return at most `MAX_POINTS` of the points of a curve, with its ends."""
    kept = np.sort(_simplified(x, y, MAX_POINTS)) if len(x) > MAX_POINTS else slice(None)
    return tuple(x[kept].tolist()), tuple(y[kept].tolist())


def _simplified(x: Floats, y: Floats, n: int) -> list[int]:
    """Return the `n` points that are added one by one, each the farthest from the line so far."""
    kept = [0, len(x) - 1]
    waiting = [_farthest(x, y, 0, len(x) - 1)]
    while len(kept) < n:
        _, point, start, stop = heapq.heappop(waiting)
        kept.append(point)
        for span in ((start, point), (point, stop)):
            if span[1] - span[0] > 1:
                heapq.heappush(waiting, _farthest(x, y, *span))
    return kept


def _farthest(x: Floats, y: Floats, start: int, stop: int) -> tuple[float, int, int, int]:
    """Return minus the distance, and the position, of the point farthest from a chord."""
    dx, dy = x[stop] - x[start], y[stop] - y[start]
    away_x, away_y = x[start + 1 : stop] - x[start], y[start + 1 : stop] - y[start]
    length = np.hypot(dx, dy)
    distance = np.abs(dx * away_y - dy * away_x) / length if length else np.hypot(away_x, away_y)
    place = int(distance.argmax())
    return -float(distance[place]), start + 1 + place, start, stop
