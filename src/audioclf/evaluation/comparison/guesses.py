"""Reference of a comparison with the baseline: the best guess from the class frequencies alone.

The baseline of a run is fitted on the training side of each fold, like any classifier. As a
reference it would be unfair: with leave-one-out the most frequent class of a training side is the
one that is not tested, and always naming one class has an F1 of 0 for the other. The reference is
therefore the best of these guesses, evaluated on the test clips: always one class, and each class
as often as it occurs. No classifier without information about the labels is better on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.metrics import METRICS, Metric
from audioclf.evaluation.metrics.bootstrap import on_resamples
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.estimate import scorer, values_of
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS, Tally
from audioclf.evaluation.metrics.numbers import NUMBER_METRICS
from audioclf.evaluation.metrics.repeats import (
    Codes,
    Floats,
    Repeat,
    States,
    distinct,
    divided,
    mean_where_defined,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.dataset.targets import Targets

N_PERMUTATIONS = 999

FEW_UNITS = 50
"""Test units of a repeat below which a permutation test joins the bootstrap."""


@dataclass(frozen=True)
class Guess:
    """A guess by the class frequencies: always `code`, or each class as often as it occurs (None).

    `score` maps counts of the test clips [shape=(n_rows, n_test)] to values of the metric;
    `several` are the words of a guess of several labels per clip, or of a number.
    """

    code: int | None
    score: Callable[[Floats], Floats]
    several: str = ""

    def words(self, classes: Sequence[str]) -> str:
        """Return the guess in words."""
        if self.several:
            return self.several
        if self.code is None:
            return "each class as often as it occurs"
        return f"always {classes[self.code]!r}"

    def on_resamples(self, units: Codes, seed: int) -> Floats:
        """Return the metric of the guess on each resample of the units of the test clips."""
        tested, columns = np.unique(units, return_inverse=True)

        def of_units(counts: Floats) -> Floats:
            return self.score(np.take(counts, columns, axis=1))

        return on_resamples(of_units, len(tested), seed=seed, width=len(units))


def guess_of(targets: Targets, test: Codes, metric: Metric) -> Guess:
    """Return the best guess for the targets of the test clips."""
    truth, weights = targets.truth[test], targets.weights_of(test)
    if targets.is_several:
        return best_guess_of_states(truth, metric, weights)
    if targets.is_numbers or metric in NUMBER_METRICS:
        return best_constant(truth, metric, targets, weights)
    return best_guess(truth, metric, targets.n_classes, weights)


def best_constant(
    truth: NDArray[Any], metric: Metric, targets: Targets, weights: Floats | None = None
) -> Guess:
    """Return the best guess of one number, or one ordered class, for all clips.

    The mean number has the least squared error, the median the least absolute error.
    """
    clips = np.arange(len(truth))
    units = Units(clips, len(clips), weights)

    def guess(number: Any, words: str) -> Guess:
        said = np.full(len(truth), number, dtype=truth.dtype)
        repeat = Repeat(clips, truth, said, None, weights=weights)
        of_draws = scorer(repeat, [metric], targets.n_classes, units)
        return Guess(None, lambda counts: of_draws(Draws(counts))[:, 0], words)

    if targets.is_numbers:
        numbers = {"mean": np.average(truth, weights=weights), "median": _median(truth, weights)}
        guesses = [guess(n, f"always the {name}, {n:.4g}") for name, n in numbers.items()]
    else:
        guesses = [guess(code, f"always {name!r}") for code, name in enumerate(targets.classes)]
    return _best(guesses, metric, len(truth))


def _median(numbers: Floats, weights: Floats | None) -> float:
    """Return the median; with weights, the lowest number up to which half of them lie."""
    if weights is None:
        return float(np.median(numbers))
    order = np.argsort(numbers, kind="stable")
    reached = np.cumsum(weights[order])
    return float(numbers[order][np.searchsorted(reached, reached[-1] / 2)])


def _sign(metric: Metric) -> float:
    return -1.0 if METRICS[metric].lower_is_better else 1.0


def _best(guesses: Sequence[Guess], metric: Metric, n_test: int) -> Guess:
    whole, sign = np.ones((1, n_test)), _sign(metric)
    return max(guesses, key=lambda each: np.nan_to_num(sign * each.score(whole)[0], nan=-np.inf))


def best_guess(
    truth: Codes, metric: Metric, n_classes: int, weights: Floats | None = None
) -> Guess:
    """Return the guess with the best value of a metric on test clips of these true codes."""
    shares = np.bincount(truth, weights, n_classes) / _total(truth, weights)
    if METRICS[metric].needs != "labels":
        clips = np.arange(len(truth))
        repeat = Repeat(clips, truth, np.zeros_like(truth), np.tile(shares, (len(truth), 1)))
        of_draws = scorer(repeat, [metric], n_classes, Units(clips, len(clips), weights))
        return Guess(None, lambda counts: of_draws(Draws(counts))[:, 0])
    belongs = weighted_classes(truth, n_classes, weights)

    def guess(code: int | None) -> Guess:
        predicted = shares if code is None else np.eye(n_classes)[code]

        def score(counts: Floats) -> Floats:
            true = counts @ belongs
            totals = true.sum(axis=1, keepdims=True)
            return LABEL_METRICS[metric](Tally(true * predicted, true, totals * predicted))

        return Guess(code, score)

    guesses = [guess(code) for code in (*range(n_classes), None)]
    whole = np.ones((1, len(truth)))
    return max(guesses, key=lambda each: np.nan_to_num(each.score(whole)[0], nan=-np.inf))


def weighted_classes(truth: Codes, n_classes: int, weights: Floats | None) -> Floats:
    """Return the weight of each clip in the column of its class [shape=(n_clips, n_classes)]."""
    belongs = np.eye(n_classes)[truth]
    return belongs if weights is None else belongs * weights[:, None]


def _total(clips: NDArray[Any], weights: Floats | None) -> float:
    return float(len(clips)) if weights is None else float(weights.sum())


def best_guess_of_states(truth: States, metric: Metric, weights: Floats | None = None) -> Guess:
    """Return the guess with the best value on clips of these states [(n_test, n_classes)].

    For metrics of scores it gives each class its base rate; else it predicts the same labels for
    each clip: none, all, those of more than half the clips, or the most frequent set.
    """
    each = np.ones(len(truth)) if weights is None else weights
    rates = divided(each @ (truth > 0), each @ (truth >= 0))
    clips = np.arange(len(truth))
    units = Units(clips, len(clips), weights)

    def guess(said: NDArray[Any], words: str) -> Guess:
        repeat = Repeat(
            clips, truth, np.tile(said, (len(truth), 1)), np.tile(rates, (len(truth), 1))
        )
        of_draws = scorer(repeat, [metric], truth.shape[1], units)
        return Guess(None, lambda counts: of_draws(Draws(counts))[:, 0], words)

    none = np.zeros(truth.shape[1], dtype=np.int8)
    if METRICS[metric].needs != "labels":
        return guess(none, "each class with its base rate as score")
    sets, places = np.unique(truth > 0, axis=0, return_inverse=True)
    counts = np.bincount(places.ravel(), weights)
    guesses = [
        guess(none, "no label for any clip"),
        guess(none + np.int8(1), "all labels for each clip"),
        guess((rates > 0.5).astype(np.int8), "the labels of more than half the clips"),
        guess(sets[counts.argmax()].astype(np.int8), "the most frequent set of labels"),
    ]
    return _best(guesses, metric, len(truth))


def permutation_p(
    pipelines: Sequence[Sequence[Repeat]],
    metric: Metric,
    units: Codes,
    n_classes: int,
    *,
    seed: int,
) -> list[float]:
    """Return the one-sided p of the hypothesis that the predictions do not depend on the labels.

    There is one for each pipeline; their repeats have the same clips, and the same permutations.

    The true labels are permuted among the test clips; where clips belong to groups, within each
    group, and among groups that are of one class each (Good 2005, *Permutation, Parametric, and
    Bootstrap Tests of Hypotheses*, chapter 3).
    """
    repeats = pipelines[0]
    tested = distinct(np.concatenate([repeat.test for repeat in repeats]))
    truth = np.zeros(len(units), dtype=np.intp)
    # The labels of a clip are permuted together, as one code.
    every, codes = np.unique(
        np.concatenate([repeat.y_true for repeat in repeats]), axis=0, return_inverse=True
    )
    at = np.cumsum([0, *(len(repeat.test) for repeat in repeats)])
    for repeat, start in zip(repeats, at[:-1], strict=True):
        truth[repeat.test] = codes.ravel()[start : start + len(repeat.test)]
    rng = np.random.default_rng(seed)
    permute = _permuter(truth[tested], units[tested])

    def labelings() -> Iterator[NDArray[Any]]:
        yield every[truth]
        for _ in range(N_PERMUTATIONS):
            labels = truth.copy()
            labels[tested] = permute(rng)
            yield every[labels]

    by_counts = metric in LABEL_METRICS and not repeats[0].is_several
    values_on = _label_values if by_counts else _score_values
    values = values_on(pipelines, metric, n_classes, labelings())
    return [_share_reached(of_one) for of_one in values * _sign(metric)]


def _share_reached(values: Floats) -> float:
    """Return how often a permutation, or the first value itself, reaches the first value."""
    observed, *permuted = values
    # A value that is not defined counts against the pipeline.
    reached = sum(not value < observed - 1e-12 for value in permuted)
    return (1 + reached) / len(values)


def _score_values(
    pipelines: Sequence[Sequence[Repeat]],
    metric: Metric,
    n_classes: int,
    labelings: Iterable[NDArray[Any]],
) -> Floats:
    """Return the metric of each pipeline for each labeling of all clips."""
    values = [
        [
            values_of([replace(r, y_true=labels[r.test]) for r in repeats], [metric], n_classes)[0]
            for repeats in pipelines
        ]
        for labels in labelings
    ]
    return np.array(values).T


def _label_values(
    pipelines: Sequence[Sequence[Repeat]],
    metric: Metric,
    n_classes: int,
    labelings: Iterable[NDArray[Any]],
) -> Floats:
    """Return a metric of predicted labels for each labeling, from counts of the classes alone."""
    repeats = [repeat for pipeline in pipelines for repeat in pipeline]
    n_tested = len(distinct(np.concatenate([repeat.test for repeat in repeats])))
    # A permutation of exactly these clips does not change how many a class has.
    fixed = [
        np.bincount(r.y_true, minlength=n_classes)
        if r.weights is None and len(r.test) == n_tested
        else None
        for r in repeats
    ]

    def counts_of(labels: NDArray[Any], repeat: Repeat, of_classes: Codes | None) -> list[Any]:
        """Return the weights of the correct predictions and of the clips of each class."""
        true, weights = labels[repeat.test], repeat.weights
        hit = np.flatnonzero(true == repeat.y_pred)
        if of_classes is None:
            of_classes = np.bincount(true, weights, n_classes)
        hits = np.bincount(true[hit], None if weights is None else weights[hit], n_classes)
        return [hits, of_classes]

    counts = np.array(
        [
            [counts_of(labels, *each) for each in zip(repeats, fixed, strict=True)]
            for labels in labelings
        ],
        dtype=np.float64,
    )
    values = []
    for repeat, column in zip(repeats, counts.swapaxes(0, 1), strict=True):
        hits, true = (np.ascontiguousarray(column[:, place]) for place in (0, 1))
        predicted = np.bincount(repeat.y_pred, repeat.weights, n_classes).astype(np.float64)
        values.append(LABEL_METRICS[metric](Tally(hits, true, np.tile(predicted, (len(true), 1)))))
    left = iter(values)
    return np.array([mean_where_defined([next(left) for _ in each]) for each in pipelines])


def _permuter(truth: Codes, units: Codes) -> Callable[[np.random.Generator], Codes]:
    """Return the function that draws permuted labels of the tested clips."""
    members = [np.flatnonzero(units == unit) for unit in np.unique(units)]
    of_one_class = [rows for rows in members if len(np.unique(truth[rows])) == 1]
    mixed = [rows for rows in members if len(np.unique(truth[rows])) > 1]
    names = np.array([truth[rows[0]] for rows in of_one_class], dtype=np.intp)

    def permuted(rng: np.random.Generator) -> Codes:
        labels = truth.copy()
        for rows, name in zip(of_one_class, rng.permutation(names), strict=True):
            labels[rows] = name
        for rows in mixed:
            labels[rows] = rng.permutation(truth[rows])
        return labels

    return permuted
