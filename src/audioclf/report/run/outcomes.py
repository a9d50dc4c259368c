"""Predictions of each pipeline by clip, as the browser of clips shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.report.words import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import Targets
    from audioclf.evaluation.results import Predicted
    from audioclf.runs.reading import SavedRun

FEW_RIGHT = 3
"""Clips per class that come early although no pipeline misclassifies them."""
_FIRST = 200


@dataclass(frozen=True)
class Outcome:
    """The out-of-fold predictions of one pipeline, clip by clip, over all repeats.

    `predicted` [shape=(n_clips,)] is the class that was predicted most often, the first of several,
    -1 where none was; `true_score` the mean score of the true class in [0, 1], NaN without scores.
    """

    predicted: NDArray[np.intp]
    tested: NDArray[np.intp]
    wrong: NDArray[np.intp]
    true_score: NDArray[np.float64]

    def confusion(self, targets: Targets) -> NDArray[np.intp]:
        """Return the number of clips by true and predicted class [shape=(n_classes, n_classes)]."""
        counts = np.zeros((targets.n_classes, targets.n_classes), dtype=np.intp)
        tested = self.tested > 0
        np.add.at(counts, (targets.codes[tested], self.predicted[tested]), 1)
        return counts


def outcome_of(pipeline: Predicted, targets: Targets) -> Outcome:
    """Return the predictions of all folds of a pipeline by clip."""
    y = targets.codes
    votes = np.zeros((len(y), targets.n_classes), dtype=np.intp)
    scores = np.zeros(len(y))
    for fold in pipeline.folds:
        test = fold.fold.test
        votes[test, fold.y_pred] += 1
        scores[test] += (
            np.nan if fold.scores is None else fold.scores[np.arange(len(test)), y[test]]
        )
    tested = votes.sum(axis=1)
    wrong = tested - votes[np.arange(len(y)), y]
    mean = np.divide(scores, tested, out=np.full(len(y), np.nan), where=tested > 0)
    return Outcome(np.where(tested > 0, votes.argmax(axis=1), -1), tested, wrong, mean)


def review_order(outcomes: Sequence[Outcome], y: NDArray[np.intp]) -> list[int]:
    """Return the positions of all clips, those with most errors first.

    Equal shares of errors are sorted by the score of the true class, lowest first. A few clips of
    each class without errors come early, clips that were never tested come last.
    """
    tested = np.sum([outcome.tested for outcome in outcomes], axis=0)
    wrong = np.sum([outcome.wrong for outcome in outcomes], axis=0)
    share = np.divide(wrong, tested, out=np.zeros(len(y)), where=tested > 0)
    scores = np.array([outcome.true_score for outcome in outcomes])
    known = np.isfinite(scores)
    low = np.where(known, scores, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    order = np.lexsort((low, -share))
    hard = order[share[order] > 0]
    easy = order[(share[order] == 0) & (tested[order] > 0)]
    clearest = easy[::-1][np.argsort(y[easy[::-1]], kind="stable")]
    few = clearest[np.arange(len(easy)) - np.searchsorted(y[clearest], y[clearest]) < FEW_RIGHT]
    in_turn = np.concatenate([hard[:_FIRST], few, hard[_FIRST:], easy, np.arange(len(y))])
    first = np.sort(np.unique(in_turn, return_index=True)[1])
    positions: list[int] = in_turn[first].tolist()
    return positions


def browser_data(
    run: SavedRun,
    names: Sequence[str],
    labels: NDArray[np.intp],
    outcomes: Sequence[Outcome],
    order: Sequence[int],
    listed: Sequence[int],
) -> dict[str, Any]:
    """Return the columns that the browser filters and sorts by, of the clips that it lists.

    `names` are those of the classes, or of sets of labels; `labels` [shape=(n_clips,)] and the
    predictions are positions in them. `scores` are those of the true class in thousandths, -1
    where there is none.
    """
    clips = [run.clips[at] for at in listed]
    groups = [clip.group for clip in clips]
    place = {at: position for position, at in enumerate(listed)}
    return {
        "classes": [shown(name) for name in names],
        "pipelines": [shown(pipeline.name) for pipeline in run.pipelines],
        "baselines": [at for at, item in enumerate(run.pipelines) if run.is_baseline(item)],
        "ids": [shown(clip.id) for clip in clips],
        "labels": labels[listed].tolist(),
        "groups": None if None in groups else [shown(group) for group in groups],
        "predicted": [outcome.predicted[listed].tolist() for outcome in outcomes],
        "tested": outcomes[0].tested[listed].tolist(),
        "scores": [_thousandths(outcome.true_score[listed]) for outcome in outcomes],
        "order": [place[at] for at in order if at in place],
    }


def _thousandths(scores: NDArray[np.float64]) -> list[int] | None:
    if not np.isfinite(scores).any():
        return None
    thousandths: list[int] = np.round(1000 * np.nan_to_num(scores, nan=-0.001)).astype(int).tolist()
    return thousandths
