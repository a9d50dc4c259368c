"""Metrics of out-of-fold predictions, each with an interval over its unit of account.

A metric is computed over all test clips of a repeat together and averaged over the repeats. Its
interval is a percentile bootstrap (Efron & Tibshirani 1993, chapter 13) over units: groups where
every clip has one, since the clips of one speaker or site are not independent, and clips otherwise.
A unit that is drawn brings the predictions that it got in every repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclf.config import Metric
from audioclf.dataset import Dataset
from audioclf.errors import ConfigError
from audioclf.evaluation.cross_validation import Predicted

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

N_RESAMPLES = 1000
CONFIDENCE_LEVEL = 0.95

BINARY_METRICS: frozenset[Metric] = frozenset({"f1", "precision", "recall"})
LOWER_IS_BETTER: frozenset[Metric] = frozenset({"log_loss"})
_PROBABILITY_METRICS: frozenset[Metric] = frozenset({"log_loss"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its interval.

    Parameters
    ----------
    value : float
        Mean over the repeats of the metric on all test clips of the repeat.
    low, high : float
        Ends of the 95 % interval.
    per_fold : tuple of float
        The metric on the test clips of each fold alone; NaN where it is not defined there.
    """

    value: float
    low: float
    high: float
    per_fold: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class _Repeat:
    """The test predictions of one repeat: positions of clips, truth, prediction, scores."""

    test: Codes
    y_true: Codes
    y_pred: Codes
    scores: Floats | None


def check_metrics(metrics: Sequence[Metric], classes: Sequence[str]) -> None:
    """Refuse metrics of two classes on a dataset of more.

    Raises
    ------
    ConfigError
        Naming the metric and what to use instead.
    """
    for metric in metrics:
        if metric in BINARY_METRICS and len(classes) > 2:
            raise ConfigError(
                f"metric {metric!r} is defined for two classes, and there are {len(classes)}",
                hint=f"Use {metric}_macro instead.",
            )


def unit_of(dataset: Dataset) -> tuple[str, Codes]:
    """Return the unit of account, "group" or "clip", and the number of each clip's unit."""
    if not dataset.has_groups:
        return "clip", np.arange(len(dataset))
    _, codes = np.unique([str(clip.group) for clip in dataset], return_inverse=True)
    return "group", codes.astype(np.intp)


def estimate(
    result: Predicted, metric: Metric, y: Codes, units: Codes, *, seed: int
) -> Estimate | None:
    """Return a metric of one cell with its interval, or None where the cell has no such scores.

    Parameters
    ----------
    result : Predicted
    metric : Metric
        Name as in scikit-learn; the two-class ones are of the class that sorts last.
    y : np.ndarray [shape=(n_clips,)], int
        True codes.
    units : np.ndarray [shape=(n_clips,)], int
        Number of the unit that each clip belongs to.
    seed : int
        Seed of the resampling.
    """
    needs_scores = metric not in _FROM_CONFUSION
    if needs_scores and not _has_scores(result, metric):
        return None
    n_classes = int(y.max()) + 1
    repeats = _repeats(result, y)
    low, high = _interval(metric, repeats, units, n_classes, seed)
    per_fold = tuple(
        _score(metric, _Repeat(f.fold.test, y[f.fold.test], f.y_pred, f.scores), n_classes)
        for f in result.folds
    )
    value = float(np.mean([_score(metric, repeat, n_classes) for repeat in repeats]))
    return Estimate(value, low, high, per_fold)


def mean_confusion(result: Predicted, y: Codes) -> Floats:
    """Return the confusion matrix averaged over repeats; rows are true, columns predicted.

    Parameters
    ----------
    result : Predicted
    y : np.ndarray [shape=(n_clips,)], int
        True codes.

    Returns
    -------
    confusion : np.ndarray [shape=(n_classes, n_classes)]
        Mean number of clips per repeat.
    """
    n_classes = int(y.max()) + 1
    repeats = _repeats(result, y)
    matrices = [_confusions(r, np.ones((1, len(r.test))), n_classes)[0] for r in repeats]
    mean: Floats = np.mean(matrices, axis=0)
    return mean


def _has_scores(result: Predicted, metric: Metric) -> bool:
    kinds = {fold.score_kind for fold in result.folds}
    return kinds == {"probability"} or (
        kinds == {"decision"} and metric not in _PROBABILITY_METRICS
    )


def _repeats(result: Predicted, y: Codes) -> list[_Repeat]:
    repeats = []
    for number in sorted({fold.fold.repeat for fold in result.folds}):
        folds = [fold for fold in result.folds if fold.fold.repeat == number]
        test = np.concatenate([fold.fold.test for fold in folds])
        scores = [fold.scores for fold in folds if fold.scores is not None]
        repeats.append(
            _Repeat(
                test,
                y[test],
                np.concatenate([fold.y_pred for fold in folds]),
                np.concatenate(scores) if len(scores) == len(folds) else None,
            )
        )
    return repeats


def _score(metric: Metric, repeat: _Repeat, n_classes: int) -> float:
    return float(_weighted(metric, repeat, np.ones((1, len(repeat.test))), n_classes)[0])


def _weighted(metric: Metric, repeat: _Repeat, weights: Floats, n_classes: int) -> Floats:
    """Return the metric for each row of weights [shape=(n_rows, n_clips)].

    NaN where a row draws no clip at all, or none of a class that the metric needs.
    """
    if metric in _FROM_CONFUSION:
        scored = _FROM_CONFUSION[metric](_confusions(repeat, weights, n_classes))
    else:
        assert repeat.scores is not None
        scored = _FROM_SCORES[metric](repeat.y_true, repeat.scores, weights)
    return np.where(weights.any(axis=1), scored, np.nan)


def _confusions(repeat: _Repeat, weights: Floats, n_classes: int) -> Floats:
    """Return weighted confusion matrices [shape=(n_rows, n_classes, n_classes)]."""
    used, compact = np.unique(repeat.y_true * n_classes + repeat.y_pred, return_inverse=True)
    confusions = np.zeros((len(weights), n_classes**2))
    confusions[:, used] = weights @ _one_hot(compact)
    return confusions.reshape(-1, n_classes, n_classes)


def _one_hot(codes: Codes) -> Floats:
    return np.eye(int(codes.max()) + 1)[codes]


def _log_loss(y_true: Codes, scores: Floats, weights: Floats) -> Floats:
    clipped = np.clip(scores, np.finfo(np.float64).eps, 1.0)
    chosen = clipped[np.arange(len(y_true)), y_true] / clipped.sum(axis=1)
    return _ratio(weights @ -np.log(chosen), weights.sum(axis=1))


_Ranking = Callable[[Floats, Floats], Floats]
"""From weights of hits and misses at falling scores [shape=(n_rows, n_scores)] to a metric."""


def _one_vs_rest(of_ranking: _Ranking) -> Callable[[Codes, Floats, Floats], Floats]:
    """Average a ranking metric over the classes; of two, the last speaks for both."""

    def average(y_true: Codes, scores: Floats, weights: Floats) -> Floats:
        n_classes = scores.shape[1]
        columns = [1] if n_classes == 2 else range(n_classes)
        found = [of_ranking(*_ranked(y_true == c, scores[:, c], weights)) for c in columns]
        mean: Floats = np.mean(found, axis=0)
        return mean

    return average


def _ranked(truth: Any, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weights of hits and of misses at each different score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], falling[1:] != falling[:-1]]))
    ordered, is_hit = weights[:, order], truth[order]
    hits = np.add.reduceat(ordered * is_hit, starts, axis=1)
    return hits, np.add.reduceat(ordered, starts, axis=1) - hits


def _roc_auc(hits: Floats, misses: Floats) -> Floats:
    """Share of pairs in which the hit has the higher score, ties counted half (Fawcett 2006)."""
    below = misses.sum(axis=1, keepdims=True) - np.cumsum(misses, axis=1)
    won = (hits * (below + misses / 2)).sum(axis=1)
    return _defined(won, hits.sum(axis=1) * misses.sum(axis=1))


def _average_precision(hits: Floats, misses: Floats) -> Floats:
    """Precision at each score, weighted by the recall that it adds, as in scikit-learn."""
    found = np.cumsum(hits, axis=1)
    precision = _ratio(found, found + np.cumsum(misses, axis=1))
    return _defined((hits * precision).sum(axis=1), hits.sum(axis=1))


def _defined(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where there is nothing to divide by."""
    undefined = np.full_like(numerator, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator != 0)


def _interval(
    metric: Metric, repeats: Sequence[_Repeat], units: Codes, n_classes: int, seed: int
) -> tuple[float, float]:
    tested = np.unique(units[np.concatenate([repeat.test for repeat in repeats])])
    n_units = len(tested)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=N_RESAMPLES)
    counts = np.zeros((N_RESAMPLES, int(units.max()) + 1))
    counts[:, tested] = drawn
    values = np.array([_weighted(metric, r, counts[:, units[r.test]], n_classes) for r in repeats])
    means = values.mean(axis=0)
    means = means[np.isfinite(means)]
    if not len(means):
        return float("nan"), float("nan")
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; 0 where there is nothing to divide by, as scikit-learn's `zero_division=0`."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _parts(confusions: Floats) -> tuple[Floats, Floats, Floats]:
    """Return hits, true counts and predicted counts, each [shape=(n_matrices, n_classes)]."""
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    return hits, confusions.sum(axis=2), confusions.sum(axis=1)


def _accuracy(confusions: Floats) -> Floats:
    hits, true, _ = _parts(confusions)
    return _ratio(hits.sum(axis=1), true.sum(axis=1))


def _recalls(confusions: Floats) -> Floats:
    hits, true, _ = _parts(confusions)
    return _ratio(hits, true)


def _precisions(confusions: Floats) -> Floats:
    hits, _, predicted = _parts(confusions)
    return _ratio(hits, predicted)


def _f1s(confusions: Floats) -> Floats:
    hits, true, predicted = _parts(confusions)
    return _ratio(2 * hits, true + predicted)


def _balanced_accuracy(confusions: Floats) -> Floats:
    """Average recall over the classes that occur (Brodersen et al. 2010)."""
    present = _parts(confusions)[1] > 0
    return _ratio((_recalls(confusions) * present).sum(axis=1), present.sum(axis=1) * 1.0)


def _macro(per_class: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Average over the classes that are true or predicted somewhere, as scikit-learn does."""

    def macro(confusions: Floats) -> Floats:
        _, true, predicted = _parts(confusions)
        seen = (true + predicted) > 0
        return _ratio((per_class(confusions) * seen).sum(axis=1), seen.sum(axis=1) * 1.0)

    return macro


def _of_last(per_class: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    return lambda confusions: per_class(confusions)[:, -1]


def _f1_weighted(confusions: Floats) -> Floats:
    true = _parts(confusions)[1]
    return _ratio((_f1s(confusions) * true).sum(axis=1), true.sum(axis=1))


def _matthews(confusions: Floats) -> Floats:
    """Correlate truth and prediction over k classes (Gorodkin 2004)."""
    hits, true, predicted = _parts(confusions)
    total = true.sum(axis=1)
    covariance = hits.sum(axis=1) * total - (true * predicted).sum(axis=1)
    spread = np.sqrt(total**2 - (predicted**2).sum(axis=1)) * np.sqrt(
        total**2 - (true**2).sum(axis=1)
    )
    return _ratio(covariance, spread)


_FROM_CONFUSION: dict[Metric, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _of_last(_f1s),
    "f1_macro": _macro(_f1s),
    "f1_weighted": _f1_weighted,
    "precision": _of_last(_precisions),
    "precision_macro": _macro(_precisions),
    "recall": _of_last(_recalls),
    "recall_macro": _macro(_recalls),
    "matthews_corrcoef": _matthews,
}
"""Label metrics as functions of stacked confusion matrices [shape=(n, k, k)], rows are true."""

_FROM_SCORES: dict[Metric, Callable[[Codes, Floats, Floats], Floats]] = {
    "roc_auc": _one_vs_rest(_roc_auc),
    "average_precision": _one_vs_rest(_average_precision),
    "log_loss": _log_loss,
}
"""Score metrics as functions of true codes, scores and rows of weights."""
