"""Results that an evaluation is held against: cross-validation, a guess, and abstaining."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.metrics import METRICS
from audioclf.evaluation.comparison.independent import independent_difference
from audioclf.evaluation.learning_curve import CurvePoint, LearningCurve
from audioclf.evaluation.metrics.bootstrap import interval as interval_of
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult, SomeFolds
from audioclf.experiment.grid import BASELINE
from audioclf.models.calibration.maps import abstained
from audioclf.runs.finished import EvaluatedModel

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.dataset.dataset import Dataset
    from audioclf.dataset.targets import Targets
    from audioclf.evaluation.splits import Fold
    from audioclf.experiment.evaluating.models import NamedModel
    from audioclf.models.bundle.manifest import Evaluated
    from audioclf.runs.results import RunResult


def evaluated_model(model: NamedModel, result: RunResult, dataset: Dataset) -> EvaluatedModel:
    """Return the results of a model here beside those of its cross-validation.

    The two samples are independent, so the interval of a difference follows from those of both.
    Results over other classes are not compared.
    """
    manifest = model.bundle.manifest
    facts = EvaluatedModel(
        model.name, manifest.digest, manifest.name, manifest.cell, manifest.calibration is not None
    )
    if (evaluated := manifest.evaluation) is None:
        reason = f"{model.name} holds no results of cross-validation to compare with"
        return replace(facts, not_compared=reason)
    before = _stored(evaluated)
    facts = replace(facts, split=evaluated.split, unit=evaluated.unit, cross_validated=before)
    lacking = {name for name, count in dataset.class_counts.items() if not count}
    lacking |= set(manifest.classes) - set(dataset.classes)
    if lacking & set(manifest.classes):
        reason = (
            f"{model.name} is not compared with its own cross-validation, which was on all "
            f"{len(manifest.classes)} of its classes"
        )
        return replace(facts, not_compared=reason)
    here = result[model.name].metrics
    differences = {
        name: independent_difference(now, before[name])
        for name, now in here.items()
        if name in before and now is not None and np.isfinite([now.low, now.high]).all()
    }
    if not differences:
        reason = (
            f"{model.name} is not compared with its own cross-validation: they share no metric "
            "that has an interval in both"
        )
        return replace(facts, not_compared=reason)
    return replace(facts, differences=differences)


def curve_of(models: Sequence[NamedModel], result: RunResult) -> LearningCurve | None:
    """Return the main metric by the training clips of models, a line for those of each name.

    The name is that of their config, as of the rounds of one loop. None where no two models of a
    name have different numbers of training clips. A name with two models of as many clips has no
    line: they are no rounds of one loop.
    """
    metric, lines = result.config.metrics[0], dict[str, list[CurvePoint]]()
    for each in models:
        value, clips = result[each.name].metrics[metric], each.model.clips
        if clips is not None and value is not None and math.isfinite(value.value):
            n = len(clips.digests)
            point = CurvePoint(float(n), float(n), is_whole=False, estimate=value)
            lines.setdefault(each.bundle.manifest.name, []).append(point)
    points = {
        name: tuple(sorted(line, key=lambda point: point.training_clips))
        for name, line in lines.items()
        if len({point.training_clips for point in line}) == len(line)
    }
    if max(map(len, points.values()), default=0) < 2:
        return None
    return LearningCurve(metric, 0, 0, points)


def _stored(evaluated: Evaluated) -> dict[Any, Estimate]:
    metrics: dict[Any, Estimate] = {}
    name: Any
    for name, interval in evaluated.metrics.items():
        if interval is None or name not in METRICS:
            continue
        value, ends = interval.value, (interval.low, interval.high)
        if interval.low == interval.high:  # as earlier versions wrote at an end of the range
            info = METRICS[name]
            ends = interval_of(
                value, np.full(2, value), evaluated.n_units, low=info.low, high=info.high
            )
        metrics[name] = Estimate(value, *ends)
    return metrics


def baseline_of(
    models: Sequence[NamedModel], fold: Fold, classes: Sequence[str], registry: Registry
) -> Iterator[PipelineResult]:
    """Yield a guess by the class frequencies in the training of the first model.

    Of several labels per clip there is none: the number of training clips is not stored.
    """
    manifest = models[0].bundle.manifest
    counts = np.array([manifest.training.clips.get(name, 0) for name in classes], dtype=float)
    if models[0].model.is_several or not counts.any():
        return
    dummy: Any = registry.resolve("classifier", "dummy")()
    name = models[0].name
    pipeline = Pipeline(BASELINE, name, BASELINE, dummy, registry.describe(dummy))
    n = len(fold.test)
    yield PipelineResult(
        pipeline,
        (
            FoldResult(
                fold,
                np.full(n, int(counts.argmax()), dtype=np.intp),
                np.tile(counts / counts.sum(), (n, 1)),
                "probability",
                math.nan,
                math.nan,
            ),
        ),
    )


def abstention_notes(
    models: Sequence[NamedModel], results: Sequence[PipelineResult], targets: Targets, seed: int
) -> Iterator[str]:
    """Yield for each model that abstains how often it does, and the accuracy of the rest."""
    for model, result in zip(models, results, strict=False):
        below, (fold,) = model.bundle.manifest.abstain_below, result.folds
        if below is None or fold.scores is None:
            continue
        named = abstained(fold.y_pred, fold.scores, below) >= 0
        n = len(named)
        text = f"{model.name} names no class for {n - int(named.sum())} of {n} clips, whose score "
        text += f"is below {below:g}; the numbers are those of its best class"
        if named.any():
            rows = np.flatnonzero(named)
            some = replace(
                fold,
                fold=replace(fold.fold, test=fold.fold.test[rows]),
                y_pred=fold.y_pred[rows],
                scores=fold.scores[rows],
                decision_values=None,
            )
            rest = estimate(SomeFolds((some,)), "accuracy", targets, seed=seed)
            text += f", and the accuracy of the others is {rest}"
        yield text
