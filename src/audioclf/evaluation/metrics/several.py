"""Metrics of several labels per clip, on many resamples at once.

A pair of clip and class that is not labelled is left out of every sum. A class without a positive
clip has no average precision, and one without positive and negative clips no ROC AUC; such classes
are left out of the averages over classes. F1, precision and recall are averaged over the classes
with a positive clip or a prediction, as for single labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS, Tally
from audioclf.evaluation.metrics.repeats import Floats, Repeat, States, divided
from audioclf.evaluation.metrics.score_metrics import RANK_METRICS, AtHits, ranking

_BLOCK = 1 << 20

RANKED: dict[Metric, Metric] = {
    "average_precision_macro": "average_precision",
    "roc_auc_macro": "roc_auc",
}
"""The metric of each class that is averaged."""

TALLIED: dict[Metric, Callable[[Tally], Floats]] = {
    **{name: LABEL_METRICS[name] for name in ("f1_macro", "precision_macro", "recall_macro")},
    "f1_micro": lambda t: divided(2 * _sum(t.hits), _sum(t.true) + _sum(t.predicted)),
    "precision_micro": lambda t: divided(_sum(t.hits), _sum(t.predicted)),
    "recall_micro": lambda t: divided(_sum(t.hits), _sum(t.true)),
}
"""Functions of the counts of each class."""


def _sum(counts: Floats) -> Floats:
    total: Floats = counts.sum(axis=1)
    return total


def several_scorer(
    repeat: Repeat, metrics: Sequence[Metric], units: Units
) -> Callable[[Draws], Floats]:
    """Return the function from draws to metrics of a repeat [shape=(n_rows, n_metrics)].

    NaN for a row without a labelled pair, or where a metric is not defined.
    """
    states, predicted = repeat.y_true, repeat.y_pred
    tally_of = tallier_of_states(states, predicted, units)
    ranked = [metric for metric in metrics if metric in RANKED]
    ranks = [] if not ranked or repeat.ranks is None else rankings_of_states(repeat, units)
    known = states >= 0
    wrong = known & (states != predicted)
    shares: dict[Metric, tuple[Floats, Floats]] = {}
    n_known = known.sum(axis=1, dtype=np.float64)
    if "subset_accuracy" in metrics:
        some = (n_known > 0).astype(np.float64)
        shares["subset_accuracy"] = (some * ~wrong.any(axis=1), some)
    if "hamming_loss" in metrics:
        shares["hamming_loss"] = (wrong.sum(axis=1, dtype=np.float64), n_known)
    if "lwlrap" in metrics and repeat.ranks is not None:
        shares["lwlrap"] = label_ranking_precisions(states, repeat.ranks)
    of_units = {name: [_by_unit(part, units) for part in pair] for name, pair in shares.items()}
    labelled = _by_unit(n_known, units)

    def score(draws: Draws) -> Floats:
        values: dict[Metric, Floats] = {}
        if any(metric in TALLIED for metric in metrics):
            tally = tally_of(draws)
            values |= {name: TALLIED[name](tally) for name in metrics if name in TALLIED}
        values |= _class_means(ranks, ranked, draws)
        for name, (part, whole) in of_units.items():
            # Row by row, so that the last bits do not depend on the number of rows.
            values[name] = divided(_sum(draws.counts * part), _sum(draws.counts * whole), np.nan)
        rows = np.column_stack([np.empty((len(draws.counts), 0)), *(values[m] for m in metrics)])
        return np.where(_sum(draws.counts * labelled)[:, None] > 0, rows, np.nan)

    return score


def _by_unit(of_clips: Floats, units: Units) -> Floats:
    weighted = units.weighted(of_clips)
    sums: Floats = np.bincount(units.codes, weighted, units.count).astype(np.float64)
    return sums


def _class_means(
    ranks: Sequence[Callable[[Draws], AtHits]], metrics: Sequence[Metric], draws: Draws
) -> dict[Metric, Floats]:
    """Return means over the classes in which each metric is defined; NaN where none is."""
    n_rows = len(draws.counts)
    totals = {metric: np.zeros(n_rows) for metric in metrics}
    counts = {metric: np.zeros(n_rows) for metric in metrics}
    for rank in ranks:
        at = rank(draws)
        for metric in metrics:
            values = RANK_METRICS[RANKED[metric]](at)
            defined = np.isfinite(values)
            totals[metric] += np.where(defined, values, 0.0)
            counts[metric] += defined
    return {metric: divided(totals[metric], counts[metric], np.nan) for metric in metrics}


def tallier_of_states(states: States, predicted: States, units: Units) -> Callable[[Draws], Tally]:
    """Return the function that counts the labelled pairs of the drawn units for each class."""
    says = (predicted > 0) & (states >= 0)
    sums = [_class_sums(mask, units) for mask in (says & (states > 0), states > 0, says)]

    def tally(draws: Draws) -> Tally:
        return Tally(*(np.ascontiguousarray((part @ draws.by_unit).T) for part in sums))

    return tally


def _class_sums(mask: Any, units: Units) -> Any:
    """Return the matrix [shape=(n_classes, n_units)] of the clips in each unit."""
    from scipy.sparse import csr_array

    clips, classes = np.nonzero(mask)
    shape = (mask.shape[1], units.count)
    of_clips = units.weighted(np.ones(len(mask)))
    return csr_array((of_clips[clips], (classes, units.codes[clips])), shape=shape)


def rankings_of_states(repeat: Repeat, units: Units) -> list[Callable[[Draws], AtHits]]:
    """Return the ranking of each class among the clips that are labelled for it."""
    assert repeat.ranks is not None
    return [
        class_ranking(repeat.y_true[:, code], repeat.ranks[:, code], units)
        for code in range(repeat.y_true.shape[1])
    ]


def class_ranking(states: States, ranks: Floats, units: Units) -> Callable[[Draws], AtHits]:
    """Return the ranking of one class [shape=(n_clips,)]."""
    known = states >= 0
    return ranking(states[known] > 0, ranks[known], units.part(known))


def label_ranking_precisions(states: States, ranks: Floats) -> tuple[Floats, Floats]:
    """Return for each clip the sum of precisions over its labels, and their number.

    The precision of a label is the share of true labels among the labelled classes that are ranked
    as high (Howard et al. 2019, label-weighted label-ranking average precision).
    """
    sums, n_rows = np.zeros(len(states)), max(1, _BLOCK // states.shape[1])
    for start in range(0, len(states), n_rows):
        rows = slice(start, start + n_rows)
        order = np.argsort(-ranks[rows], axis=1, kind="stable")
        falling, ordered = (np.take_along_axis(a[rows], order, 1) for a in (ranks, states))
        last = np.full(falling.shape, states.shape[1] - 1)
        changes = falling[:, 1:] != falling[:, :-1]
        last[:, :-1] = np.where(changes, np.arange(states.shape[1] - 1), states.shape[1] - 1)
        last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
        hits, known = ((np.cumsum(ordered > low, axis=1, dtype=float)) for low in (0, -1))
        precision = divided(np.take_along_axis(hits, last, 1), np.take_along_axis(known, last, 1))
        sums[rows] = (precision * (ordered > 0)).sum(axis=1)
    return sums, (states > 0).sum(axis=1, dtype=np.float64)
