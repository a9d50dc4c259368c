"""Values, resamples and test statistics of the pairs of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.comparison.guesses import Guess, guess_of, weighted_classes
from audioclf.evaluation.comparison.significance import (
    Spread,
    bootstrap_spread,
    corrected_spread,
    mcnemar,
)
from audioclf.evaluation.folds import Fold, distinct_numbers
from audioclf.evaluation.metrics.bootstrap import N_RESAMPLES, on_resamples
from audioclf.evaluation.metrics.estimate import bootstrap_values, metric_value
from audioclf.evaluation.metrics.repeats import (
    Codes,
    Floats,
    distinct,
    effective_count,
    mean_where_defined,
)
from audioclf.evaluation.results import Predicted, SomeFolds


@dataclass(frozen=True)
class PairedMeasures:
    """Values and resamples of the pipelines that have the metric, best first; NaN if undefined.

    - `values` [(n_pipelines,)]: with the sign that makes greater values better.
    - `resampled` [(n_repeats, n_pipelines, n_resamples)]: without the effect of the class counts
      where a unit is a clip; `n_fixed` is the number of those classes, or 1.
    - `per_fold` [(n_pipelines, n_folds)], `right` [(n_pipelines, n_test)]: of the first repeat.
    - `guess` stands for the baseline; `not_compared`: why the baseline is not among the names.
    """

    names: tuple[str, ...]
    values: Floats
    resampled: Floats
    n_fixed: int
    per_fold: Floats
    right: NDArray[np.bool_]
    test_ratio: float
    n_units: int
    n_clips: int
    n_units_per_repeat: int
    folds_per_repeat: float
    baseline: int | None = None
    guess: str | None = None
    not_compared: str | None = None


def measure_all(
    results: Mapping[str, Predicted],
    metric: Metric,
    targets: Targets,
    seed: int,
    baseline: str | None = None,
) -> PairedMeasures:
    """Evaluate the pipelines on the same resamples and folds; the baseline is the best guess."""
    _check_same_folds(list(results.values()))
    units = targets.unit_codes
    y = targets.truth
    info = METRICS[metric]
    sign = -1.0 if info.lower_is_better else 1.0
    values = {
        name: sign * metric_value(result, metric, targets) for name, result in results.items()
    }
    folds = [result.fold for result in next(iter(results.values())).folds]
    numbers = distinct_numbers(folds)
    tested = [
        distinct(np.concatenate([fold.test for fold in folds if fold.repeat == number]))
        for number in numbers
    ]
    guesses: list[Guess] = []
    not_compared = None
    if baseline in values:
        guesses = [guess_of(targets, test, metric) for test in tested]
        guessed = (
            guess.score(np.ones((1, len(test))))
            for guess, test in zip(guesses, tested, strict=True)
        )
        values[baseline] = sign * float(mean_where_defined(guessed)[0])
        if values[baseline] >= sign * (info.low if info.lower_is_better else info.high) - 1e-12:
            not_compared = (
                f"{metric}: no comparison with {baseline}, since a guess without any information "
                f"({guesses[0].words(targets.classes)}) has the best value that there is"
            )
            values[baseline] = float("nan")
    defined = [name for name, value in values.items() if np.isfinite(value)]
    names = sorted(defined, key=lambda name: -values[name])
    pipelines = [results[name] for name in names]
    per_repeat = [[_repeat(pipeline, number) for pipeline in pipelines] for number in numbers]
    resampled = [bootstrap_values(part, metric, targets, seed=seed) for part in per_repeat]
    per_fold = np.array([_per_fold(pipeline, metric, targets) for pipeline in pipelines])
    if baseline in names:
        place = names.index(baseline)
        per_fold[place] = np.nan
        for rows, guess, test in zip(resampled, guesses, tested, strict=True):
            rows[place] = guess.on_resamples(units[test], seed)
    n_fixed = (
        1
        if targets.class_codes is None
        else _classes_to_fix([y[test] for test in tested], [units[test] for test in tested])
    )
    if n_fixed > 1:
        resampled = [
            _within_classes(rows, y[test], seed, targets.weights_of(test))
            for rows, test in zip(resampled, tested, strict=True)
        ]
    return PairedMeasures(
        names=tuple(names),
        values=np.array([values[name] for name in names]),
        resampled=np.array(resampled),
        n_fixed=n_fixed,
        per_fold=per_fold,
        right=np.array([_right(pipeline, y) for pipeline in per_repeat[0]]),
        test_ratio=_test_ratio(folds),
        n_units=len(distinct(units[np.concatenate(tested)])),
        n_clips=len(distinct(np.concatenate(tested))),
        n_units_per_repeat=min(
            effective_count(units[test], targets.weights_of(test)) for test in tested
        ),
        folds_per_repeat=sum(fold.repeat in numbers for fold in folds) / len(numbers),
        baseline=names.index(baseline) if baseline in names else None,
        guess=guesses[0].words(targets.classes) if baseline in names else None,
        not_compared=not_compared,
    )


def _test_ratio(folds: Sequence[Fold]) -> float:
    """Return the mean ratio of test to training clips; 0 of finished models, which do not vary."""
    ratios = [len(fold.test) / len(fold.train) for fold in folds if len(fold.train)]
    return float(np.mean(ratios)) if ratios else 0.0


def _classes_to_fix(truths: Sequence[Codes], units: Sequence[Codes]) -> int:
    """Return the number of class counts to hold fixed, 1 for none.

    It requires that each unit is a clip, and two clips per class on average in every repeat.
    """
    n_classes = max(len(distinct(truth)) for truth in truths)
    of_clips = all(len(distinct(each)) == len(each) for each in units)
    enough = min(map(len, truths)) >= 2 * n_classes and 10 * n_classes <= N_RESAMPLES
    return n_classes if of_clips and enough else 1


def _within_classes(
    resampled: Floats, truth: Codes, seed: int, weights: Floats | None = None
) -> Floats:
    """Remove the effect of the class counts from values on resamples.

    The class counts are fixed when clips are collected, and stratified folds keep them; random
    counts would blur the difference to a classifier that favors one class. The effect is removed
    by regression on the class counts (Cochran 1977, *Sampling Techniques*, chapter 7), which leaves
    the spread of a bootstrap within each class.

    - `resampled` ([shape=(n_pipelines, n_resamples)])
    - `truth` ([shape=(n_test,)], int): codes of the classes, in the order of the units.
    """
    _, compact = np.unique(truth, return_inverse=True)
    belongs = weighted_classes(compact, int(compact.max()) + 1, weights)
    counts = on_resamples(lambda drawn: drawn @ belongs, len(truth), seed=seed)
    result = np.full_like(resampled, np.nan)
    defined = np.isfinite(resampled).all(axis=0)
    n_defined, n_classes = int(defined.sum()), belongs.shape[1]
    if n_defined > n_classes:
        counts = counts[defined] - counts[defined].mean(axis=0)
        values = (resampled[:, defined] - resampled[:, defined].mean(axis=1, keepdims=True)).T
        explained = counts @ np.linalg.lstsq(counts, values)[0]
        lost = np.sqrt((n_defined - 1) / (n_defined - n_classes))
        result[:, defined] = (values - explained).T * lost
    return result


def _check_same_folds(results: Sequence[Predicted]) -> None:
    sides = [[(r.fold.repeat, r.fold.test.tobytes()) for r in one.folds] for one in results]
    if any(side != sides[0] for side in sides):
        raise ValueError("compared pipelines need the same folds in the same order")


def _repeat(pipeline: Predicted, number: int) -> SomeFolds:
    return SomeFolds(tuple(r for r in pipeline.folds if r.fold.repeat == number))


def _per_fold(pipeline: Predicted, metric: Metric, targets: Targets) -> list[float]:
    return [metric_value(SomeFolds((result,)), metric, targets) for result in pipeline.folds]


def _right(pipeline: Predicted, y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which clips are right; with several labels, those with all that are labelled."""
    equal = [(r.y_pred == y[r.fold.test]) | (y[r.fold.test] < 0) for r in pipeline.folds]
    return np.concatenate([part if part.ndim == 1 else part.all(axis=1) for part in equal])


@dataclass(frozen=True, slots=True)
class PairMeasure:
    """The difference between two pipelines, at least 0, before any verdict.

    `p_permutation` is that of independence of predictions and labels, in pairs with the baseline.
    """

    better: str
    worse: str
    difference: float
    spread: Spread | None
    p_mcnemar: float | None
    p_corrected_t: float | None
    p_permutation: float | None = None

    @property
    def p(self) -> float | None:
        """The decisive p, before any correction for many pairs."""
        if self.spread is None:
            return None
        return max(self.spread.p(self.difference), self.p_permutation or 0.0)

    def half_width(self, alpha: float) -> float:
        """Return half the length of the interval; NaN where there is none."""
        return self.spread.half_width(alpha) if self.spread else float("nan")


def measure(measures: PairedMeasures, first: int, second: int, *, independent: bool) -> PairMeasure:
    """Return the difference between two pipelines by their positions, the better first."""
    independent = independent and measures.baseline not in (first, second)
    of_folds = measures.per_fold[first] - measures.per_fold[second]
    by_folds = corrected_spread(of_folds, measures.test_ratio)
    return PairMeasure(
        better=measures.names[first],
        worse=measures.names[second],
        difference=float(measures.values[first] - measures.values[second]),
        spread=bootstrap_spread(
            measures.resampled[:, first] - measures.resampled[:, second],
            measures.n_units_per_repeat,
            n_fixed=measures.n_fixed,
            folds_per_repeat=measures.folds_per_repeat,
            test_ratio=measures.test_ratio,
        ),
        p_mcnemar=mcnemar(*measures.right[[first, second]]) if independent else None,
        p_corrected_t=by_folds.p(float(of_folds.mean())) if by_folds else None,
    )
