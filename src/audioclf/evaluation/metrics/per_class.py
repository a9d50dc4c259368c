"""Precision, recall and F1 of each class, each with a bootstrap interval.

Repeats and resamples without a test clip of a class are left out for that class. A class that is
tested but not predicted has precision 0, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import AT_ONCE, interval, on_resamples
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.estimate import Estimate, units_of
from audioclf.evaluation.metrics.label_metrics import Tally, tallier
from audioclf.evaluation.metrics.repeats import (
    Floats,
    Repeat,
    effective_count,
    mean_where_defined,
    repeats_of,
)
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
    units = units_of(repeats, targets.unit_codes)
    of_units = _scorer(repeats, n_classes, units)
    ones = [Units(np.arange(len(r.test)), len(r.test), r.weights) for r in repeats]
    each_once = (
        _scorer([repeat], n_classes, [own])(np.ones((1, own.count)))
        for repeat, own in zip(repeats, ones, strict=True)
    )
    values = mean_where_defined(each_once)[0]
    width = max(3 * n_classes, *(len(own.codes) for own in units))
    resampled = on_resamples(of_units, units[0].count, seed=seed, width=width, at_once=AT_ONCE)
    support = np.mean([np.bincount(r.y_true, minlength=n_classes) for r in repeats], axis=0)
    return [
        _class_scores(values, resampled, support, code, _n_units(repeats, targets, code))
        for code in range(n_classes)
    ]


def _scorer(
    repeats: Sequence[Repeat], n_classes: int, units: Sequence[Units]
) -> Callable[[Floats], Floats]:
    """Return the function from counts of units to the scores [shape=(n_rows, 3, n_classes)]."""
    talliers = [
        tallier(repeat.y_true, repeat.y_pred, n_classes, own)
        for repeat, own in zip(repeats, units, strict=True)
    ]

    def score(tally: Tally) -> Floats:
        scores = np.stack([tally.precisions, tally.recalls, tally.f1s], axis=1)
        return np.where(tally.true[:, None, :] > 0, scores, np.nan)

    def mean(counts: Floats) -> Floats:
        draws = Draws(counts)
        return mean_where_defined(score(tally_of(draws)) for tally_of in talliers)

    return mean


def _n_units(repeats: Sequence[Repeat], targets: Targets, code: int) -> int:
    """Return the number of tested units with clips of a class."""
    clips = np.concatenate([repeat.test[repeat.y_true == code] for repeat in repeats])
    return effective_count(targets.unit_codes[clips], targets.weights_of(clips))


def _class_scores(
    values: Floats, resampled: Floats, support: Floats, code: int, n_units: int
) -> ClassScores:
    measures = [(float(values[place, code]), resampled[:, place, code]) for place in range(3)]
    precision, recall, f1 = (
        Estimate(value, *interval(value, rows, n_units)) for value, rows in measures
    )
    return ClassScores(precision, recall, f1, float(support[code]))
