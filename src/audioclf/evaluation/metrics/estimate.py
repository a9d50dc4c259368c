"""Metrics of out-of-fold predictions, each with a bootstrap interval.

A metric is computed over all test clips of a repeat together and averaged over the repeats in which
it is defined. Its interval is a bootstrap over the resampling units of `Targets`. A drawn unit
contributes its predictions in every repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from audioclf.base.errors import ConfigError
from audioclf.components.metrics import METRICS, Metric, TargetKind
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bias import correction_of
from audioclf.evaluation.metrics.bootstrap import AT_ONCE, N_RESAMPLES, interval, on_resamples
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS, tallier
from audioclf.evaluation.metrics.numbers import NUMBER_METRICS, number_scorer
from audioclf.evaluation.metrics.repeats import (
    Codes,
    Floats,
    Repeat,
    distinct,
    effective_count,
    mean_where_defined,
    repeat_of,
    repeats_of,
)
from audioclf.evaluation.metrics.score_metrics import LOSSES, RANK_METRICS, AtHits, rankings
from audioclf.evaluation.metrics.several import several_scorer
from audioclf.evaluation.results import Predicted

Scorer = Callable[[Draws], Floats]

_CLIPS: dict[TargetKind, str] = {
    "class": "one label per clip",
    "several": "several labels per clip",
    "number": "numbers",
    "ordered": "ordered classes",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric with its 95 % interval, and on each fold alone (NaN where it is not defined)."""

    value: float
    low: float
    high: float
    per_fold: tuple[float, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return "n/a"
        if not np.isfinite([self.low, self.high]).all():
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_data(self) -> dict[str, float]:
        """Return value and interval as plain data."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def defined(self) -> dict[str, float | None]:
        """Return value and interval as plain data; None for what is not finite."""
        return {key: v if math.isfinite(v) else None for key, v in self.to_data().items()}


def check_metrics(
    metrics: Sequence[str], classes: Sequence[str], where: str = "", *, kind: TargetKind = "class"
) -> None:
    """Raise an error for metrics of two classes on a dataset of more, or of other labels."""
    unsuited = {name: info for name, info in METRICS.items() if kind not in info.targets}
    suited = ", ".join(name for name in METRICS if name not in unsuited)
    for metric in metrics:
        if metric in unsuited:
            own = unsuited[metric].targets
            own = own[:1] if "class" in own else own  # ordered classes are one label, too
            raise ConfigError(
                f"{where}metric {metric!r} is defined for {' and '.join(_CLIPS[k] for k in own)}, "
                f"and the clips have {_CLIPS[kind]}",
                hint=f"Use one or more of {suited}.",
            )
    only_two = {name for name, info in METRICS.items() if info.two_classes_only}
    for metric in metrics:
        if metric in only_two and len(classes) > 2:
            averaged = f"{metric}_macro"
            raise ConfigError(
                f"{where}metric {metric!r} is defined for two classes, and there are "
                f"{len(classes)}",
                hint=f"Use {averaged if averaged in METRICS else 'roc_auc'} instead.",
            )


def estimate(result: Predicted, metric: Metric, targets: Targets, *, seed: int) -> Estimate | None:
    """Return a metric of one pipeline with its interval, or None if it needs other scores."""
    return estimates([result], [metric], targets, seed=seed)[0][metric]


def estimates(
    results: Sequence[Predicted], metrics: Sequence[Metric], targets: Targets, *, seed: int
) -> list[dict[Metric, Estimate | None]]:
    """Return metrics of pipelines with the same folds; None where one needs other scores."""
    available = [[m for m in metrics if is_available(result, m)] for result in results]
    repeats = [repeats_of(result, targets) for result in results]
    resampled = resampled_values(
        repeats, available, targets.unit_codes, targets.n_classes, seed=seed
    )
    return [
        dict.fromkeys(metrics) | _estimates(result, names, values, targets)
        for result, names, values in zip(results, available, resampled, strict=True)
    ]


def _estimates(
    result: Predicted, metrics: Sequence[Metric], resampled: Floats, targets: Targets
) -> dict[Metric, Estimate | None]:
    repeats = repeats_of(result, targets)
    values = values_of(repeats, metrics, targets.n_classes)
    folds = [repeat_of([fold], targets) for fold in result.folds]
    per_fold = np.array([values_of([fold], metrics, targets.n_classes) for fold in folds])
    clips = np.concatenate([fold.fold.test for fold in result.folds])
    n_units = [effective_count(targets.unit_codes[clips], targets.weights_of(clips))]
    if targets.class_codes is not None:
        of_last = clips[targets.codes[clips] == targets.n_classes - 1]
        n_units.append(effective_count(targets.unit_codes[of_last], targets.weights_of(of_last)))
    found: dict[Metric, Estimate | None] = {}
    for place, metric in enumerate(metrics):
        info, value = METRICS[metric], float(values[place])
        n, rows = n_units[info.two_classes_only], resampled[:, place]
        correction = correction_of(metric, repeats, targets)
        low, high = interval(value, rows, n, low=info.low, high=info.high, correction=correction)
        found[metric] = Estimate(value, low, high, tuple(per_fold[:, place].tolist()))
    return found


def metric_value(result: Predicted, metric: Metric, targets: Targets) -> float:
    """Return a metric of one pipeline, averaged over the repeats; NaN if it is not defined."""
    if not is_available(result, metric):
        return float("nan")
    return float(values_of(repeats_of(result, targets), [metric], targets.n_classes)[0])


def bootstrap_values(
    results: Sequence[Predicted], metric: Metric, targets: Targets, *, seed: int
) -> Floats:
    """Return a metric of pipelines on the same resamples [shape=(len(results), N_RESAMPLES)].

    It is averaged over the repeats in which it is defined; NaN where it is not.
    """
    available = [[metric] if is_available(result, metric) else [] for result in results]
    repeats = [repeats_of(result, targets) for result in results]
    rows = resampled_values(repeats, available, targets.unit_codes, targets.n_classes, seed=seed)
    values = np.full((len(results), N_RESAMPLES), np.nan)
    for place, row in enumerate(rows):
        values[place] = row[:, 0] if row.size else np.nan
    return values


def mean_confusion(result: Predicted, targets: Targets) -> Floats:
    """Return the confusion matrix, averaged over repeats; rows are true, columns predicted."""
    repeats = repeats_of(result, targets)
    confusion = np.zeros((targets.n_classes, targets.n_classes))
    for repeat in repeats:
        weights = 1.0 if repeat.weights is None else repeat.weights
        np.add.at(confusion, (repeat.y_true, repeat.y_pred), weights)
    return confusion / len(repeats)


def is_available(result: Predicted, metric: Metric) -> bool:
    """Whether a pipeline has the scores that a metric needs."""
    needs, kinds = METRICS[metric].needs, {fold.score_kind for fold in result.folds}
    return (
        needs == "labels"
        or kinds == {"probability"}
        or (needs == "scores" and kinds == {"decision"})
    )


def values_of(repeats: Sequence[Repeat], metrics: Sequence[Metric], n_classes: int) -> Floats:
    """Return metrics [shape=(n_metrics,)], averaged over the repeats in which each is defined."""
    scores = (
        scorer(r, metrics, n_classes, units)(Draws(np.ones((1, units.count))))
        for r in repeats
        for units in units_of([r], np.arange(int(r.test.max(initial=0)) + 1))
    )
    values: Floats = mean_where_defined(scores)[0]
    return values


def resampled_values(
    pipelines: Sequence[Sequence[Repeat]],
    metrics: Sequence[Sequence[Metric]],
    unit_codes: Codes,
    n_classes: int,
    *,
    seed: int,
) -> list[Floats]:
    """Return for each pipeline its metrics on the same resamples [(N_RESAMPLES, n_metrics)]."""
    if not any(metrics):
        return [np.empty((N_RESAMPLES, 0)) for _ in pipelines]
    scorers, n_units, width = scorers_of(pipelines, metrics, unit_codes, n_classes)

    def of_counts(counts: Floats) -> Floats:
        draws = Draws(counts)
        return np.hstack([averaged(own, draws) for own in scorers])

    values = on_resamples(of_counts, n_units, seed=seed, width=width, at_once=AT_ONCE)
    return np.split(values, np.cumsum([len(names) for names in metrics])[:-1], axis=1)


def scorers_of(
    pipelines: Sequence[Sequence[Repeat]],
    metrics: Sequence[Sequence[Metric]],
    unit_codes: Codes,
    n_classes: int,
) -> tuple[list[list[Scorer]], int, int]:
    """Return the scorers of the repeats of each pipeline, and the numbers of units and columns."""
    units = units_of([repeat for pipeline in pipelines for repeat in pipeline], unit_codes)
    left = iter(units)
    scorers = [
        [scorer(repeat, names, n_classes, next(left)) for repeat in pipeline]
        for pipeline, names in zip(pipelines, metrics, strict=True)
    ]
    return scorers, units[0].count, max(n_classes, *(len(each.codes) for each in units))


def units_of(repeats: Sequence[Repeat], unit_codes: Codes) -> list[Units]:
    """Return the units of the clips of each repeat, among all that are tested."""
    tested = distinct(np.concatenate([unit_codes[repeat.test] for repeat in repeats]))
    made: dict[bytes, Units] = {}  # pipelines with the same folds share them
    for repeat in repeats:
        codes = np.searchsorted(tested, unit_codes[repeat.test])
        made.setdefault(repeat.test.tobytes(), Units(codes, len(tested), repeat.weights))
    return [made[repeat.test.tobytes()] for repeat in repeats]


def averaged(scorers: Sequence[Scorer], draws: Draws) -> Floats:
    """Return the mean over repeats [shape=(n_rows, n_metrics)] where each metric is defined."""
    return mean_where_defined(score(draws) for score in scorers)


def scorer(repeat: Repeat, metrics: Sequence[Metric], n_classes: int, units: Units) -> Scorer:
    """Return the function from draws to metrics of a repeat [shape=(n_rows, n_metrics)].

    NaN for a row without a clip, or without one of a class that the metric needs.
    """
    if repeat.is_several:
        return several_scorer(repeat, metrics, units)
    if repeat.is_numbers:
        return number_scorer(repeat.y_true, repeat.y_pred, metrics, units)
    of_ranks = [metric for metric in metrics if metric in NUMBER_METRICS]
    ranks_scorer = number_scorer(repeat.y_true, repeat.y_pred, of_ranks, units)
    tally_of = tallier(repeat.y_true, repeat.y_pred, n_classes, units)
    ranked = [metric for metric in metrics if metric in RANK_METRICS]
    ranks: list[Callable[[Draws], AtHits]] = []
    if ranked and repeat.ranks is not None:
        ranks = rankings(repeat.y_true, repeat.ranks, units, repeat.averaged)
    losses = {
        metric: LOSSES[metric](repeat.y_true, repeat.scores, units)
        for metric in metrics
        if metric in LOSSES and repeat.scores is not None
    }

    def score(draws: Draws) -> Floats:
        tally = tally_of(draws)
        sums = {metric: np.zeros(len(draws.counts)) for metric in ranked}
        for rank in ranks:
            at = rank(draws)
            for metric in ranked:
                sums[metric] += RANK_METRICS[metric](at)
        values = {metric: total / len(ranks) for metric, total in sums.items()}
        values |= {metric: loss(draws) for metric, loss in losses.items()}
        some = tally if repeat.averaged is None else tally.of(repeat.averaged)
        for m in metrics:
            if m in LABEL_METRICS:  # the correlation is of all predictions
                values[m] = LABEL_METRICS[m](tally if m == "matthews_corrcoef" else some)
        if of_ranks:
            values |= dict(zip(of_ranks, ranks_scorer(draws).T, strict=True))
        rows = np.column_stack([np.empty((len(draws.counts), 0)), *(values[m] for m in metrics)])
        return np.where(tally.true.sum(axis=1, keepdims=True) > 0, rows, np.nan)

    return score
