"""Metrics of out-of-fold predictions, each with a bootstrap interval.

A metric is computed over all test clips of a repeat together and averaged over the repeats in which
it is defined. Its interval is a bootstrap over the resampling units of `Targets`. A drawn unit
contributes its predictions in every repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audioclf.base.errors import ConfigError
from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bootstrap import N_RESAMPLES, interval, on_resamples
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS, tallier
from audioclf.evaluation.metrics.repeats import (
    Codes,
    Floats,
    Repeat,
    mean_where_defined,
    repeat_of,
    repeats_of,
)
from audioclf.evaluation.metrics.score_metrics import SCORE_METRICS, OfWeights
from audioclf.evaluation.results import Predicted


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its 95 % interval, and on each fold alone (NaN where it is not defined)."""

    value: float
    low: float
    high: float
    per_fold: tuple[float, ...] = ()

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "n/a"
        if not np.isfinite([self.low, self.high]).all():
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def check_metrics(metrics: Sequence[str], classes: Sequence[str], where: str = "") -> None:
    """Raise an error for metrics of two classes on a dataset of more."""
    only_two = {name for name, info in METRICS.items() if info.two_classes_only}
    for metric in metrics:
        if metric in only_two and len(classes) > 2:
            raise ConfigError(
                f"{where}metric {metric!r} is defined for two classes, and there are "
                f"{len(classes)}",
                hint=f"Use {metric}_macro instead.",
            )


def estimate(result: Predicted, metric: Metric, targets: Targets, *, seed: int) -> Estimate | None:
    """Return a metric of one pipeline with its interval, or None if it needs other scores."""
    if not is_available(result, metric):
        return None
    value = metric_value(result, metric, targets)
    info, values = METRICS[metric], bootstrap_values([result], metric, targets, seed=seed)[0]
    clips = np.concatenate([fold.fold.test for fold in result.folds])
    if info.two_classes_only:
        clips = clips[targets.codes[clips] == targets.n_classes - 1]
    n_units = len(np.unique(targets.unit_codes[clips]))
    low, high = interval(value, values, n_units, low=info.low, high=info.high)
    folds = [repeat_of([fold], targets) for fold in result.folds]
    per_fold = tuple(value_of([fold], metric, targets.n_classes) for fold in folds)
    return Estimate(value, low, high, per_fold)


def metric_value(result: Predicted, metric: Metric, targets: Targets) -> float:
    """Return a metric of one pipeline, averaged over the repeats; NaN if it is not defined."""
    if not is_available(result, metric):
        return float("nan")
    return value_of(repeats_of(result, targets), metric, targets.n_classes)


def bootstrap_values(
    results: Sequence[Predicted], metric: Metric, targets: Targets, *, seed: int
) -> Floats:
    """Return a metric of pipelines on the same resamples [shape=(len(results), N_RESAMPLES)].

    It is averaged over the repeats in which it is defined; NaN where it is not.
    """
    pipelines = [repeats_of(result, targets) for result in results]
    available = [is_available(result, metric) for result in results]
    values = np.full((len(pipelines), N_RESAMPLES), np.nan)
    if any(available):
        usable = [pipeline for pipeline, usable in zip(pipelines, available, strict=True) if usable]
        values[available] = values_on_resamples(
            usable, metric, targets.unit_codes, n_classes=targets.n_classes, seed=seed
        )
    return values


def mean_confusion(result: Predicted, targets: Targets) -> Floats:
    """Return the confusion matrix, averaged over repeats; rows are true, columns predicted."""
    repeats = repeats_of(result, targets)
    confusion = np.zeros((targets.n_classes, targets.n_classes))
    for repeat in repeats:
        np.add.at(confusion, (repeat.y_true, repeat.y_pred), 1.0)
    return confusion / len(repeats)


def is_available(result: Predicted, metric: Metric) -> bool:
    """Whether a pipeline has the scores that a metric needs."""
    needs, kinds = METRICS[metric].needs, {fold.score_kind for fold in result.folds}
    return (
        needs == "labels"
        or kinds == {"probability"}
        or (needs == "scores" and kinds == {"decision"})
    )


def value_of(repeats: Sequence[Repeat], metric: Metric, n_classes: int) -> float:
    """Return a metric averaged over the repeats in which it is defined."""
    values = (scorer(r, metric, n_classes)(np.ones((1, len(r.test)))) for r in repeats)
    return float(mean_where_defined(values)[0])


def values_on_resamples(
    pipelines: Sequence[Sequence[Repeat]],
    metric: Metric,
    units: Codes,
    *,
    n_classes: int,
    seed: int,
) -> Floats:
    """Return a metric of several pipelines, given as their repeats, on the same resamples."""
    tested = np.unique(np.concatenate([units[r.test] for pipeline in pipelines for r in pipeline]))
    prepared = [
        [of_units(r, metric, units, tested, n_classes) for r in pipeline] for pipeline in pipelines
    ]

    def of_pipelines(counts: Floats) -> Floats:
        rows = [mean_where_defined(score(counts) for score in scorers) for scorers in prepared]
        return np.column_stack(rows)

    widest = max(max(len(r.test) for r in pipeline) for pipeline in pipelines)
    return on_resamples(of_pipelines, len(tested), seed=seed, width=max(widest, n_classes)).T


def of_units(
    repeat: Repeat, metric: Metric, units: Codes, tested: Codes, n_classes: int
) -> Callable[[Floats], Floats]:
    """Return the function from counts of the tested units to the metric."""
    score = scorer(repeat, metric, n_classes)
    columns = np.searchsorted(tested, units[repeat.test])
    return lambda counts: score(np.take(counts, columns, axis=1))


def scorer(repeat: Repeat, metric: Metric, n_classes: int) -> OfWeights:
    """Return the metric as a function of weights [shape=(n_rows, n_test)]; NaN if not defined."""
    score = _unguarded(repeat, metric, n_classes)
    return lambda weights: np.where(weights.any(axis=1), score(weights), np.nan)


def _unguarded(repeat: Repeat, metric: Metric, n_classes: int) -> OfWeights:
    needs = METRICS[metric].needs
    if needs != "labels":
        scores = repeat.ranks if needs == "scores" else repeat.scores
        assert scores is not None
        return SCORE_METRICS[metric](repeat.y_true, scores)
    tally, of_tally = tallier(repeat, n_classes), LABEL_METRICS[metric]
    return lambda weights: of_tally(tally(weights))
