"""Scores of each class where clips have several labels, each with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import interval, on_resamples
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.estimate import Estimate, units_of
from audioclf.evaluation.metrics.repeats import (
    Floats,
    Repeat,
    effective_count,
    mean_where_defined,
    repeats_of,
)
from audioclf.evaluation.metrics.score_metrics import RANK_METRICS
from audioclf.evaluation.metrics.several import class_ranking, tallier_of_states
from audioclf.evaluation.results import Predicted

NAMES: tuple[Metric, ...] = ("average_precision", "roc_auc", "precision", "recall", "f1")
"""The metrics of a class."""


@dataclass(frozen=True, slots=True)
class StateScores:
    """Metrics of a class, with the labelled clips of a repeat on average.

    A metric without a value is NaN. `without` is the number of resamples that have no clip with the
    class; they are left out of its intervals.
    """

    metrics: dict[Metric, Estimate]
    yes: float
    no: float
    unlabelled: float
    without: int


def per_class_of_states(result: Predicted, targets: Targets, *, seed: int) -> list[StateScores]:
    """Return metrics of every class, in the order of the columns."""
    repeats = repeats_of(result, targets)
    units = units_of(repeats, targets.unit_codes)
    return [_class_scores(repeats, units, code, seed) for code in range(targets.n_classes)]


def _class_scores(
    repeats: Sequence[Repeat], units: Sequence[Units], code: int, seed: int
) -> StateScores:
    of_class = [_of_class(repeat, code) for repeat in repeats]
    scorers = [_scorer(*pair) for pair in zip(of_class, units, strict=True)]
    n_units, width = units[0].count, max(len(own.codes) for own in units)
    each_once = (
        _scorer(repeat, own)(Draws(np.ones((1, own.count))))
        for repeat, own in zip(
            of_class,
            (Units(np.arange(len(r.test)), len(r.test), r.weights) for r in repeats),
            strict=True,
        )
    )
    values = mean_where_defined(each_once)[0]

    def mean(counts: Floats) -> Floats:
        draws = Draws(counts)
        return mean_where_defined(score(draws) for score in scorers)

    rows = on_resamples(mean, n_units, seed=seed, width=width)
    states = [repeat.y_true[:, 0] for repeat in of_class]
    with_class = [own.part(state > 0) for own, state in zip(units, states, strict=True)]
    weights = [own.weights for own in with_class if own.weights is not None]
    n_positive = effective_count(
        np.concatenate([own.codes for own in with_class]),
        np.concatenate(weights) if weights else None,
    )
    estimates = {
        name: Estimate(float(value), *interval(float(value), rows[:, place], n_positive))
        for place, (name, value) in enumerate(zip(NAMES, values, strict=True))
    }
    yes, no, unlabelled = (
        float(np.mean([(state == value).sum() for state in states])) for value in (1, 0, -1)
    )
    # Recall is defined wherever a clip has the class.
    without = int(np.isnan(rows[:, NAMES.index("recall")]).sum()) if n_units > 1 else 0
    return StateScores(estimates, yes, no, unlabelled, without)


def _of_class(repeat: Repeat, code: int) -> Repeat:
    column = slice(code, code + 1)
    ranks = None if repeat.ranks is None else repeat.ranks[:, column]
    return Repeat(repeat.test, repeat.y_true[:, column], repeat.y_pred[:, column], ranks)


def _scorer(repeat: Repeat, units: Units) -> Callable[[Draws], Floats]:
    """Return the function from draws to `NAMES` of a class; NaN without a clip that has it."""
    tally_of = tallier_of_states(repeat.y_true, repeat.y_pred, units)
    ranking = None
    if repeat.scores is not None:
        ranking = class_ranking(repeat.y_true[:, 0], repeat.scores[:, 0], units)

    def score(draws: Draws) -> Floats:
        ranked = [np.full(len(draws.counts), np.nan)] * 2
        if ranking is not None:
            at = ranking(draws)
            ranked = [RANK_METRICS[name](at) for name in NAMES[:2]]
        tally = tally_of(draws)
        labels = (tally.precisions, tally.recalls, tally.f1s)
        columns = [*ranked, *(np.where(tally.true > 0, part, np.nan)[:, 0] for part in labels)]
        return np.column_stack(columns)

    return score
