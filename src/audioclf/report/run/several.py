"""Clips with several labels on the page of a run: outcomes, classes, and mixed-up classes.

The browser of clips shows sets of labels in place of classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.report import words
from audioclf.report.run.outcomes import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.runs.reading import SavedPipeline, SavedRun

View = dict[str, Any]

NO_LABEL = "(none)"
MAX_CONFUSED = 10


class LabelSets:
    """The sets of labels of a run, which get numbers as they occur, and the outcomes in them."""

    def __init__(self, run: SavedRun) -> None:
        self._numbers: dict[str, int] = {}
        self.run = run
        self.labels = np.array([self._number(clip.label) for clip in run.clips], dtype=np.intp)
        self.outcomes = [self._outcome(pipeline) for pipeline in run.pipelines]

    @property
    def names(self) -> list[str]:
        """The name of each set, by its number."""
        return list(self._numbers)

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text or NO_LABEL, len(self._numbers))

    def _outcome(self, pipeline: SavedPipeline) -> Outcome:
        """Return the set that was predicted most often; a right one counts as that of the clip."""
        states = self.run.targets.states
        assert states is not None
        votes: list[Counter[int]] = [Counter() for _ in states]
        wrong = np.zeros(len(states), dtype=np.intp)
        scores = np.zeros(len(states))
        for fold in pipeline.folds:
            test = fold.fold.test
            truth = states[test]
            right = ((truth == fold.y_pred) | (truth < 0)).all(axis=1)
            wrong[test] += ~right
            scores[test] += np.nan if fold.scores is None else _label_scores(truth, fold.scores)
            for clip, row, is_right in zip(test.tolist(), fold.y_pred, right, strict=True):
                text = self.run.clips[clip].label if is_right else self.run.label_of(row)
                votes[clip][self._number(text)] += 1
        tested = np.array([sum(count.values()) for count in votes], dtype=np.intp)
        predicted = [count.most_common(1)[0][0] if count else -1 for count in votes]
        mean = np.divide(scores, tested, out=np.full(len(states), np.nan), where=tested > 0)
        return Outcome(np.array(predicted, dtype=np.intp), tested, wrong, mean)


def _label_scores(truth: Any, scores: Any) -> Any:
    """Return the mean score of the labels of each clip; NaN for none."""
    has = truth > 0
    n = has.sum(axis=1)
    total = np.where(has, scores, 0.0).sum(axis=1)
    return np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)


def class_row(name: str, row: Mapping[str, Any]) -> View:
    """Return the row of a class: metrics, threshold, and numbers of clips."""
    threshold, clips = row.get("threshold") or {}, row.get("clips") or {}
    keys = ("average_precision", "precision", "recall", "f1")
    ends = [words.number(threshold.get(end)) for end in ("low", "high")]
    return {
        "name": name,
        "scores": [words.estimate(row.get(key)) for key in keys],
        "threshold": words.number(threshold.get("mean")),
        "ends": " to ".join(ends) if all(ends) else "",
        "counts": [words.count(clips.get(key)) for key in ("yes", "no", "not_labelled")],
    }


def mixed_up(run: SavedRun, pipeline: SavedPipeline) -> list[View]:
    """Return pairs of a class that was missed and one that was predicted instead of it."""
    states = run.targets.states
    assert states is not None
    counts = np.zeros((len(run.classes), len(run.classes)), dtype=np.int64)
    missed_clips = np.zeros(len(run.classes), dtype=np.int64)
    for fold in pipeline.folds:
        truth = states[fold.fold.test]
        missed = ((truth == 1) & (fold.y_pred == 0)).astype(np.int64)
        extra = ((truth == 0) & (fold.y_pred == 1)).astype(np.int64)
        counts += missed.T @ extra
        missed_clips += missed.sum(axis=0)
    return [
        {
            "missed": run.classes[i],
            "predicted": run.classes[j],
            "count": int(counts[i, j]),
            "of": int(missed_clips[i]),
        }
        for i, j in largest(counts)
    ]


def largest(counts: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Return row and column of the largest counts, without those of 0."""
    order = np.argsort(-counts, axis=None, kind="stable")[:MAX_CONFUSED]
    pairs = [divmod(int(index), counts.shape[1]) for index in order]
    return [(i, j) for i, j in pairs if counts[i, j] > 0]
