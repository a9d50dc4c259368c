"""Metrics of out-of-fold predictions, each with an interval over its unit of account.

A metric is computed over all test clips of a repeat together and averaged over the repeats. Its
interval is a percentile bootstrap (Efron & Tibshirani 1993, chapter 13) over units: groups where
every clip has one, since the clips of one speaker or site are not independent, and clips otherwise.
A unit that is drawn brings the predictions that it got in every repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audioclf.config import Metric
from audioclf.dataset import Dataset
from audioclf.errors import ConfigError
from audioclf.evaluation.cross_validation import CellResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

N_RESAMPLES = 1000
N_RESAMPLES_OF_SCORES = 200
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
    result: CellResult, metric: Metric, y: Codes, units: Codes, *, seed: int
) -> Estimate | None:
    """Return a metric of one cell with its interval, or None where the cell has no such scores.

    Parameters
    ----------
    result : CellResult
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


def mean_confusion(result: CellResult, y: Codes) -> Floats:
    """Return the confusion matrix averaged over repeats; rows are true, columns predicted.

    Parameters
    ----------
    result : CellResult
    y : np.ndarray [shape=(n_clips,)], int
        True codes.

    Returns
    -------
    confusion : np.ndarray [shape=(n_classes, n_classes)]
        Mean number of clips per repeat.
    """
    n_classes = int(y.max()) + 1
    matrices = [_confusion(repeat, n_classes, None) for repeat in _repeats(result, y)]
    mean: Floats = np.mean(matrices, axis=0)
    return mean


def _has_scores(result: CellResult, metric: Metric) -> bool:
    kinds = {fold.score_kind for fold in result.folds}
    return kinds == {"probability"} or (
        kinds == {"decision"} and metric not in _PROBABILITY_METRICS
    )


def _repeats(result: CellResult, y: Codes) -> list[_Repeat]:
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


def _score(metric: Metric, repeat: _Repeat, n_classes: int, weights: Floats | None = None) -> float:
    if metric in _FROM_CONFUSION:
        confusion = _confusion(repeat, n_classes, weights)
        return float(_FROM_CONFUSION[metric](confusion[np.newaxis])[0])
    return _score_of_scores(metric, repeat, n_classes, weights)


def _confusion(repeat: _Repeat, n_classes: int, weights: Floats | None) -> Floats:
    cells = repeat.y_true * n_classes + repeat.y_pred
    counts = np.bincount(cells, weights=weights, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes).astype(np.float64)


def _score_of_scores(
    metric: Metric, repeat: _Repeat, n_classes: int, weights: Floats | None
) -> float:
    """Score by scikit-learn; NaN where a class that it needs is not among the clips."""
    from sklearn import metrics

    assert repeat.scores is not None
    if metric == "log_loss":
        clipped = np.clip(repeat.scores, np.finfo(np.float64).eps, 1.0)
        normed = clipped / clipped.sum(axis=1, keepdims=True)
        labels = list(range(n_classes))
        return float(metrics.log_loss(repeat.y_true, normed, sample_weight=weights, labels=labels))
    kept = repeat.y_true if weights is None else repeat.y_true[weights > 0]
    if len(np.unique(kept)) < n_classes:
        return float("nan")
    function = {
        "roc_auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
    }[metric]
    columns = [1] if n_classes == 2 else range(n_classes)
    one_vs_rest = [
        function(repeat.y_true == column, repeat.scores[:, column], sample_weight=weights)
        for column in columns
    ]
    return float(np.mean(one_vs_rest))


def _interval(
    metric: Metric, repeats: Sequence[_Repeat], units: Codes, n_classes: int, seed: int
) -> tuple[float, float]:
    tested = np.unique(units[np.concatenate([repeat.test for repeat in repeats])])
    n_units = len(tested)
    fast = metric in _FROM_CONFUSION
    n_resamples = N_RESAMPLES if fast else N_RESAMPLES_OF_SCORES
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_resamples)
    counts = np.zeros((n_resamples, int(units.max()) + 1))
    counts[:, tested] = drawn
    values = np.array([_resampled(metric, r, counts[:, units[r.test]], n_classes) for r in repeats])
    means = values.mean(axis=0)
    means = means[np.isfinite(means)]
    if not len(means):
        return float("nan"), float("nan")
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _resampled(metric: Metric, repeat: _Repeat, weights: Floats, n_classes: int) -> Floats:
    if metric not in _FROM_CONFUSION:
        return np.array([_score_if_any(metric, repeat, n_classes, row) for row in weights])
    cells = repeat.y_true * n_classes + repeat.y_pred
    used, compact = np.unique(cells, return_inverse=True)
    one_hot = np.zeros((len(cells), len(used)))
    one_hot[np.arange(len(cells)), compact] = 1.0
    confusions = np.zeros((len(weights), n_classes**2))
    confusions[:, used] = weights @ one_hot
    return _FROM_CONFUSION[metric](confusions.reshape(-1, n_classes, n_classes))


def _score_if_any(metric: Metric, repeat: _Repeat, n_classes: int, weights: Floats) -> float:
    return _score(metric, repeat, n_classes, weights) if weights.any() else float("nan")


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
