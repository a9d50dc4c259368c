"""Bias of averages over many classes with few test clips each.

F1 and precision of a class are ratios of counts. Of few clips, such a ratio is biased, and the
average of many classes keeps the bias while its standard error becomes small: an interval around
the value then seldom holds the true value. `benchmarks/error_rates.py` measures the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS, Tally
from audioclf.evaluation.metrics.repeats import Repeat

CROWDED = 12
"""Ratio of classes to test clips of a class above which the bias matters."""

FEWEST = 3
"""Test clips of a class that an estimate of the bias needs."""

_BLOCK = 1 << 20


class Correction(NamedTuple):
    """Bias and standard error of a metric; NaN where they cannot be estimated."""

    bias: float
    error: float


def correction_of(metric: Metric, repeats: Sequence[Repeat], targets: Targets) -> Correction | None:
    """Return bias and standard error of a metric; None where the bias is negligible."""
    if metric not in ("f1_macro", "f1_weighted", "precision_macro"):
        return None
    averaged = repeats[0].averaged
    n_classes = targets.n_classes if averaged is None else len(averaged)
    per_class = clips_per_class(repeats, n_classes)
    if n_classes <= CROWDED * per_class:
        return None
    alike = targets.weights is None and averaged is None
    whole = targets.unit == "clip" and not targets.is_several and alike
    if metric == "precision_macro" or per_class < FEWEST or not whole:
        return Correction(float("nan"), float("nan"))
    of_repeats = [_jackknife(metric, repeat, targets.n_classes) for repeat in repeats]
    return Correction(*np.mean(of_repeats, axis=0).tolist())


def clips_per_class(repeats: Sequence[Repeat], n_classes: int) -> float:
    """Return the mean number of test clips of a class in a repeat; of several labels, with it."""
    if repeats[0].is_several:
        return float(np.mean([(repeat.y_true > 0).sum() for repeat in repeats])) / n_classes
    return float(np.mean([len(repeat.test) for repeat in repeats])) / n_classes


def _jackknife(metric: Metric, repeat: Repeat, n_classes: int) -> Correction:
    """Return bias and error by leaving out one clip at a time (Efron & Tibshirani 1993, ch. 11).

    The other clips of its class count more instead, since the numbers of clips of the classes are
    fixed. Clips with equal label and prediction have one value.
    """
    pairs, counts = np.unique(repeat.y_true * n_classes + repeat.y_pred, return_counts=True)
    confusion = np.zeros((n_classes, n_classes))
    confusion.ravel()[pairs] = counts
    of_class, hits, predicted = confusion.sum(axis=1), confusion.diagonal(), confusion.sum(axis=0)
    kept = of_class[pairs // n_classes] > 1
    pairs, counts = pairs[kept], counts[kept]
    value = LABEL_METRICS[metric]
    whole = value(Tally(hits[None], of_class[None], predicted[None]))[0]
    values = np.empty(len(pairs))
    for start in range(0, len(pairs), max(1, _BLOCK // n_classes)):
        block = slice(start, start + max(1, _BLOCK // n_classes))
        true, said = np.divmod(pairs[block], n_classes)
        rows, n = np.arange(len(true)), of_class[true]
        change = confusion[true]
        change[rows, said] -= 1.0
        change = change * (n / (n - 1.0))[:, None] - confusion[true]
        changed_hits = np.tile(hits, (len(rows), 1))
        changed_hits[rows, true] += change[rows, true]
        tally = Tally(changed_hits, np.tile(of_class, (len(rows), 1)), predicted + change)
        values[block] = value(tally)
    true = pairs // n_classes
    n = of_class[true]
    means = (np.bincount(true, counts * values, n_classes) / np.maximum(of_class, 1.0))[true]
    bias = ((n - 1.0) / n * counts * (values - whole)).sum()
    variance = ((n - 1.0) / n * counts * (values - means) ** 2).sum()
    return Correction(float(bias), float(np.sqrt(variance)))
