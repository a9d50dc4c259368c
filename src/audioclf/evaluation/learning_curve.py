"""Learning curve: a metric of each pipeline by the number of training clips of each class.

Only training sides become smaller, so all sizes are tested on the same clips. In a training side
the clips of a class are put in a random order, and the first `n` of them are a subset: the smaller
ones are part of the larger. Each resampling unit (group, or recording of several clips) gives one
clip in turn, so that a subset has clips of as many units as possible. Test sides hold no group of
the training side where the split sees to it. Of several labels per clip, a subset has the first `n`
clips with each class, and the same share of the clips without any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import ClassifierError
from audioclf.components.metrics import Metric
from audioclf.dataset.targets import Codes, Targets
from audioclf.evaluation.extra_settings import LearningCurveConfig
from audioclf.evaluation.metrics.estimate import Estimate, estimate
from audioclf.evaluation.results import Pipeline, PipelineResult, SomeFolds
from audioclf.evaluation.splits import Fold, Splits

if TYPE_CHECKING:
    Fit = Callable[..., tuple[PipelineResult, ...]]
    Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class CurvePoint:
    """A metric at one size; the numbers of training clips are means over the folds.

    `is_whole` marks the whole training sides.
    """

    clips_per_class: float
    training_clips: float
    is_whole: bool
    estimate: Estimate


@dataclass(frozen=True)
class LearningCurve:
    """The points of each pipeline but the baseline, by its name, the smallest size first.

    `repeats` is the number of draws, `n_fits` that of the further fits; `notes` say which sizes are
    missing. The curve of finished models, which no draw made, has 0 repeats: a line for the models
    of each name, by all their training clips.
    """

    metric: Metric
    repeats: int
    n_fits: int
    points: dict[str, tuple[CurvePoint, ...]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CurveFolds:
    """Folds with smaller training sides, by clips of each class; draws count as repeats."""

    by_size: dict[int, tuple[Fold, ...]]
    notes: tuple[str, ...]

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds of all sizes."""
        return tuple(fold for folds in self.by_size.values() for fold in folds)

    def n_fits(self, pipelines: Sequence[Pipeline]) -> int:
        """Return the number of fits of the learned pipelines."""
        return len(learned(pipelines)) * len(self.folds)


def learned(pipelines: Sequence[Pipeline]) -> list[Pipeline]:
    """Return the pipelines that have a curve: all but baselines, unless there are only those."""
    return [item for item in pipelines if not item.is_baseline] or list(pipelines)


def curve_folds(
    config: LearningCurveConfig, splits: Splits, targets: Targets, seed: int
) -> CurveFolds:
    """Return the folds of all sizes that every training side can give.

    Each draw takes the folds of one repeat of the split, in turn.
    """
    numbers = sorted({fold.repeat for fold in splits.folds})
    most, label = min(
        (len(clips), targets.classes[code])
        for fold in splits.folds
        for code, clips in _classes_of(fold.train, targets)
    )
    wanted = sorted(set(config.sizes))
    sizes = [size for size in wanted if size <= most]
    by_size: dict[int, list[Fold]] = {size: [] for size in sizes}
    for draw in range(config.repeats):
        repeat = numbers[draw % len(numbers)]
        for at, fold in enumerate(fold for fold in splits.folds if fold.repeat == repeat):
            rng = np.random.default_rng([seed, draw, at])
            ordered = list(_in_order(fold.train, targets, rng))
            without = _without_class(fold.train, targets, rng)
            for size in sizes:
                train = np.unique(np.concatenate([clips[:size] for clips in ordered]))
                share = len(train) / (len(fold.train) - len(without))
                rest = without[: round(share * len(without))]
                chosen = np.sort(np.concatenate([train, rest]))
                by_size[size].append(Fold(draw, fold.name, chosen, fold.test))
    notes: tuple[str, ...] = ()
    if missing := [str(size) for size in wanted if size > most]:
        clips = "1 clip" if most == 1 else f"{most} clips"
        listed = f"learning_curve: no point at {', '.join(missing)} clips per class"
        notes = (f"{listed}, since a training side has only {clips} of {label!r}",)
    return CurveFolds({size: tuple(folds) for size, folds in by_size.items()}, notes)


def _classes_of(train: Codes, targets: Targets) -> Iterator[tuple[int, Codes]]:
    """Yield the classes of training clips, each with the clips that have it."""
    for code in range(targets.n_classes):
        has = targets.codes if targets.states is None else targets.states[:, code]
        clips = train[has[train] == (code if targets.states is None else 1)]
        if len(clips):
            yield code, clips


def _without_class(train: Codes, targets: Targets, rng: np.random.Generator) -> Codes:
    """Return the training clips without any class, in a random order."""
    if targets.states is None:
        return train[:0]
    return rng.permutation(train[(targets.states[train] < 1).all(axis=1)])


def _in_order(train: Codes, targets: Targets, rng: np.random.Generator) -> Iterator[Codes]:
    """Yield the training clips of each class in a random order, one of each unit in turn."""
    for _, of_class in _classes_of(train, targets):
        clips = rng.permutation(of_class)
        _, units = np.unique(targets.unit_codes[clips], return_inverse=True)
        order = np.argsort(units, kind="stable")
        starts = np.searchsorted(units[order], units[order])
        rounds = np.empty(len(clips), dtype=np.intp)
        rounds[order] = np.arange(len(clips)) - starts
        yield clips[np.lexsort((rng.permutation(int(units.max()) + 1)[units], rounds))]


def learning_curve(
    config: LearningCurveConfig,
    results: Sequence[PipelineResult],
    splits: Splits,
    targets: Targets,
    fit: Fit,
    *,
    metric: Metric,
    seed: int,
    progress: Progress = lambda done, total, name: None,
) -> LearningCurve:
    """Return the curve of each learned pipeline; `results` are those on the whole training sides.

    `fit` is `evaluate` with everything but pipelines, splits and progress. A size at which a
    pipeline cannot be fitted has a note in place of a point.
    """
    folds = curve_folds(config, splits, targets, seed)
    pipelines = learned([result.pipeline for result in results])
    curved = [result for result in results if result.pipeline in pipelines]
    total, notes = folds.n_fits(pipelines), list(folds.notes)
    points: dict[str, tuple[CurvePoint, ...]] = {}
    for number, result in enumerate(curved):
        begun = number * total // len(curved)

        def step(done: int, _: int, name: str, begun: int = begun) -> None:
            progress(begun + done, total, name)

        step(0, 0, result.pipeline.name)
        fitted, failures = _fitted(result.pipeline, folds.by_size, partial(fit, progress=step))
        notes += failures
        made = [_point(of_size, metric, targets, seed, size) for size, of_size in fitted.items()]
        made.append(_point(result, metric, targets, seed))
        points[result.pipeline.name] = tuple(point for point in made if point is not None)
    return LearningCurve(metric, config.repeats, total, points, tuple(notes))


def _fitted(
    pipeline: Pipeline, by_size: Mapping[int, tuple[Fold, ...]], fit: Fit
) -> tuple[dict[int, SomeFolds], list[str]]:
    """Return the predictions of each size, and notes on the smallest ones that cannot be fitted."""
    left, notes = dict(by_size), []
    while left:
        folds = tuple(fold for of_size in left.values() for fold in of_size)
        try:
            (result,) = fit([pipeline], splits=Splits(folds, "learning curve"))
        except ClassifierError as exc:
            size = next(iter(left))
            del left[size]
            notes.append(f"learning_curve: no point at {per_class(size)}: {exc.message}")
        else:
            rest = iter(result.folds)
            return {n: SomeFolds(tuple(islice(rest, len(f)))) for n, f in left.items()}, notes
    return {}, notes


def per_class(size: float) -> str:
    """Return a size in words."""
    return "1 clip per class" if size == 1 else f"{size:g} clips per class"


def _point(
    result: PipelineResult | SomeFolds,
    metric: Metric,
    targets: Targets,
    seed: int,
    size: int | None = None,
) -> CurvePoint | None:
    value = estimate(result, metric, targets, seed=seed)
    if value is None or not np.isfinite(value.value):
        return None
    n_clips = float(np.mean([len(fold.fold.train) for fold in result.folds]))
    if size is not None:
        return CurvePoint(float(size), n_clips, is_whole=False, estimate=value)
    classes = [list(_classes_of(fold.fold.train, targets)) for fold in result.folds]
    n_labels = float(np.mean([sum(len(clips) for _, clips in each) for each in classes]))
    of_class = n_labels / float(np.mean([len(each) for each in classes]))
    return CurvePoint(of_class, n_clips, is_whole=True, estimate=value)
