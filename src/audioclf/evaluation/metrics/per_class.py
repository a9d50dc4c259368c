"""Precision, recall and F1 of each class, each with a bootstrap interval.

Repeats and resamples without a test clip of a class are left out for that class. A class that is
tested but not predicted has precision 0, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import interval, on_resamples
from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.evaluation.metrics.label_metrics import tallier
from audioclf.evaluation.metrics.repeats import Floats, Repeat, mean_where_defined, repeats_of
from audioclf.evaluation.results import Predicted


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of a pipeline on a class (NaN if it is not tested), and its mean clips per repeat."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: float


def per_class(result: Predicted, targets: Targets, *, seed: int) -> list[ClassScores]:
    """Return precision, recall and F1 of every class, in the order of the codes.

    `seed`: seed of the resampling; the resamples are those of `estimate`.
    """
    n_classes, repeats = targets.n_classes, repeats_of(result, targets)
    scorers = [_scorer(repeat, n_classes) for repeat in repeats]
    ones = (score(np.ones((1, len(r.test)))) for score, r in zip(scorers, repeats, strict=True))
    values = mean_where_defined(ones)[0]
    resampled = _on_resamples(repeats, scorers, targets, seed)
    support = np.mean([np.bincount(r.y_true, minlength=n_classes) for r in repeats], axis=0)
    return [
        _class_scores(values, resampled, support, code, _n_units(repeats, targets, code))
        for code in range(n_classes)
    ]


def _scorer(repeat: Repeat, n_classes: int) -> Callable[[Floats], Floats]:
    """Return the function from weights to the scores [shape=(n_rows, 3, n_classes)]."""
    tally_of = tallier(repeat, n_classes)

    def score(weights: Floats) -> Floats:
        tally = tally_of(weights)
        scores = np.stack([tally.precisions, tally.recalls, tally.f1s], axis=1)
        return np.where(tally.true[:, None, :] > 0, scores, np.nan)

    return score


def _on_resamples(
    repeats: Sequence[Repeat],
    scorers: Sequence[Callable[[Floats], Floats]],
    targets: Targets,
    seed: int,
) -> Floats:
    units = targets.unit_codes
    tested = np.unique(np.concatenate([units[repeat.test] for repeat in repeats]))
    columns = [np.searchsorted(tested, units[repeat.test]) for repeat in repeats]

    def of_units(counts: Floats) -> Floats:
        return mean_where_defined(
            score(np.take(counts, column, axis=1))
            for score, column in zip(scorers, columns, strict=True)
        )

    width = max(*map(len, columns), 3 * targets.n_classes)
    return on_resamples(of_units, len(tested), seed=seed, width=width)


def _n_units(repeats: Sequence[Repeat], targets: Targets, code: int) -> int:
    """Return the number of tested units with clips of a class."""
    clips = np.concatenate([repeat.test[repeat.y_true == code] for repeat in repeats])
    return len(np.unique(targets.unit_codes[clips]))


def _class_scores(
    values: Floats, resampled: Floats, support: Floats, code: int, n_units: int
) -> ClassScores:
    measures = [(float(values[place, code]), resampled[:, place, code]) for place in range(3)]
    precision, recall, f1 = (
        Estimate(value, *interval(value, rows, n_units)) for value, rows in measures
    )
    return ClassScores(precision, recall, f1, float(support[code]))
