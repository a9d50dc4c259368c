"""Cross-validation: each pipeline is fitted on the training side of each fold.

All pipelines have the same clips and the same folds. Everything that is fitted, is fitted inside
the fold.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import AudioclfError, ClassifierError
from audioclf.base.machine import peak_memory_meter
from audioclf.components.code_digest import code_behind
from audioclf.components.guard import guard, recorded
from audioclf.dataset.targets import Targets
from audioclf.engines.base import Engine, WorkerDiedError
from audioclf.engines.local import ProcessEngine, SerialEngine
from audioclf.evaluation.class_fits import ClassFitter, predict_states
from audioclf.evaluation.fitting import chosen_by, fit_clips, pickled_size
from audioclf.evaluation.memory import FitPlan
from audioclf.evaluation.ordered_fits import scores_of_ranks
from audioclf.evaluation.predictions import Predictions, predict_numbers, predict_rows, spread
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.evaluation.fit_cache import FitCache

Progress = Callable[[int, int, str], None]

WORTH_PROCESSES = 5.0
"""Seconds of work above which worker processes are started; each takes 1-2 s of CPU."""

WORTH_STARTED = 0.5
"""Seconds of work above which worker processes are used that are running already."""

CHANGED = (
    "its source code has changed since it was imported, and a worker process used the new code"
)
"""Remark on a fit that is not kept, because its key is that of the code in this process."""


@dataclass(frozen=True)
class _Task:
    pipeline: Pipeline
    fold: Fold
    n_classes: int
    seed: int
    is_sized: bool = False
    in_batches: bool = False
    choose_thresholds: bool = False

    @property
    def described(self) -> str:
        pipeline = self.pipeline
        return f"classifier {pipeline.name!r} ({pipeline.described}), fold {self.fold.name!r}"


@dataclass(frozen=True)
class _Work:
    """Data of all tasks; a task is referred to by its position."""

    tasks: Sequence[_Task]
    matrices: Mapping[str, NDArray[np.float32]]
    targets: Targets
    code: Mapping[str, Mapping[str, str | None]]


_Outcome = FoldResult | AudioclfError
_Outcomes = Generator[tuple[int, _Outcome], None, None]
_NO_PLAN = FitPlan()


def evaluate(
    pipelines: Sequence[Pipeline],
    matrices: Mapping[str, NDArray[np.float32]],
    targets: Targets,
    splits: Splits,
    *,
    seed: int,
    fits: FitPlan = _NO_PLAN,
    jobs: int = 1,
    engine: Engine | None = None,
    processes: ProcessEngine | None = None,
    fit_cache: FitCache | None = None,
    isolate: bool = False,
    fit_seconds: float | None = None,
    choose_thresholds: bool = False,
    progress: Progress = lambda done, total, name: None,
) -> tuple[PipelineResult, ...]:
    """Fit and predict every pipeline on every fold; the result does not depend on the engine.

    `matrices` hold [shape=(n_clips, n_features)], float32, by featurizer. Work of a few seconds is
    done in this process for any `jobs`, more in the `processes` or in new ones; an `engine` does
    all work. `fit_seconds` limits one fit with its predictions and implies `isolate`;
    `choose_thresholds` of several labels inside the training sides; `progress` gets (fits done,
    fits in all, pipeline).
    """
    tasks = [
        _Task(
            pipeline,
            fold,
            targets.n_classes,
            seed,
            is_sized=number == 0,
            in_batches=pipeline.name in fits.batched,
            choose_thresholds=choose_thresholds and targets.is_several,
        )
        for pipeline in pipelines
        for number, fold in enumerate(splits.folds)
    ]
    code = {pipeline.name: code_behind(pipeline.classifier) for pipeline in pipelines}
    work = _Work(tasks, matrices, targets, code)
    keys = [None if fit_cache is None else _key(fit_cache, task, work) for task in tasks]
    done: dict[int, _Outcome] = {}
    if fit_cache is not None:
        done |= fit_cache.get(keys, [task.fold for task in tasks])
    todo = [index for index in range(len(tasks)) if index not in done]
    jobs = min(jobs, fits.at_once)
    if todo and engine is None and (isolate or fit_seconds is not None):
        outcomes = _in_processes(work, todo, jobs, fit_seconds)
    else:
        at_once = processes is not None and processes.workers == jobs
        outcomes = _outcomes(work, todo, jobs, engine, processes if at_once else None)
    results: list[FoldResult] = []

    def advance() -> None:
        """Move outcomes to the results; the first failure in order is raised early."""
        while len(results) in done:
            results.append(_checked(done.pop(len(results)), tasks[len(results)]))
        name = tasks[min(len(results), len(tasks) - 1)].pipeline.name
        progress(len(results) + len(done), len(tasks), name)

    if done:
        advance()
    with contextlib.closing(outcomes):
        for index, outcome in outcomes:
            key = keys[index]
            if (
                fit_cache
                and key
                and isinstance(outcome, FoldResult)
                and CHANGED not in outcome.warnings
            ):
                fit_cache.put(key, outcome)
            done[index] = outcome
            advance()
    folds = iter(results)
    return tuple(
        PipelineResult(pipeline, tuple(islice(folds, len(splits.folds)))) for pipeline in pipelines
    )


def _key(fit_cache: FitCache, task: _Task, work: _Work) -> str | None:
    pipeline = task.pipeline
    views = pipeline.views
    rows: tuple[object, ...] = (pipeline.shape, views.count, views.averaged)
    if views.training_only:
        rows = (*rows, views.training_only)
    targets = work.targets
    arrays: tuple[NDArray[Any] | None, ...] = (targets.groups,)
    settings: tuple[object, ...] = (
        targets.classes,  # notes of fits name them
        task.seed,
        task.is_sized,
        task.in_batches,
        *rows,
    )
    if targets.states is None:
        arrays = (targets.truth, *arrays)
        settings += ("ordered",) * targets.is_ordered
    else:
        arrays = (targets.states, targets.unit_codes, *arrays)
        settings += (targets.unit, task.choose_thresholds)
    if targets.weights is not None:
        arrays += (targets.weights,)
        settings += ("weights",)
    return fit_cache.key(pipeline.name, pipeline.featurizer, task.fold, arrays, settings)


def _outcomes(
    work: _Work,
    todo: Sequence[int],
    jobs: int,
    engine: Engine | None,
    processes: ProcessEngine | None,
) -> _Outcomes:
    """Do each task in this process, until the rest is large enough for worker processes."""
    if engine is not None:
        yield from _mapped(engine, work, todo)
        return
    is_running = processes is not None and processes.is_running
    least = WORTH_STARTED if is_running else WORTH_PROCESSES
    started = _clocks()
    for position, outcome in SerialEngine().map(_fit, todo, shared=work):
        # The clock runs on while others use the cores, and CPU time adds up over threads.
        seconds = min(now - then for now, then in zip(_clocks(), started, strict=True))
        yield todo[position], outcome
        rest = todo[position + 1 :]
        if min(jobs, len(rest)) > 1 and seconds * len(rest) > least:
            if processes is not None:
                yield from _mapped(processes, work, rest)
            else:
                yield from _in_processes(work, rest, jobs)
            return
        started = _clocks()


def _clocks() -> tuple[float, float]:
    """Return the time on the clock, and the CPU time of this process and its children, in s."""
    return time.perf_counter(), time.process_time() + sum(os.times()[2:4])


def _in_processes(
    work: _Work, todo: Sequence[int], jobs: int, seconds: float | None = None
) -> _Outcomes:
    with ProcessEngine(min(jobs, len(todo)), seconds, ["sklearn.pipeline"]) as engine:
        yield from _mapped(engine, work, todo)


def _mapped(engine: Engine, work: _Work, todo: Sequence[int]) -> _Outcomes:
    for position, outcome in engine.map(_fit, todo, shared=work):
        yield todo[position], outcome


def _fit(index: int, work: _Work) -> FoldResult:
    task = work.tasks[index]
    result = fit_and_predict(task, work.matrices[task.pipeline.featurizer], work.targets)
    code, known = code_behind(task.pipeline.classifier), work.code[task.pipeline.name]
    is_changed = any(digest not in (None, known.get(name)) for name, digest in code.items())
    return replace(result, warnings=(*result.warnings, CHANGED)) if is_changed else result


def _checked(outcome: _Outcome, task: _Task) -> FoldResult:
    if isinstance(outcome, WorkerDiedError):
        message = f"{task.described} {outcome.what_happened}"
        raise ClassifierError(message, hint=outcome.hint) from outcome
    if isinstance(outcome, AudioclfError):
        raise outcome
    return outcome


def fit_and_predict(task: _Task, matrix: NDArray[np.float32], targets: Targets) -> FoldResult:
    """Fit a new estimator on the training side of one fold and predict the test side."""
    with guard(task.described, ClassifierError, hint=_advice), recorded() as remarks:
        result = _fit_and_predict(task, matrix, targets)
    return replace(result, warnings=(*result.warnings, *remarks))


def _advice(text: str) -> str | None:
    """Explain numpy's short message about rows that cannot be written."""
    if "read-only" in text:
        return "It writes into the rows or labels that it is given; it has to work on a copy."
    return None


def _fit_and_predict(task: _Task, matrix: NDArray[np.float32], targets: Targets) -> FoldResult:
    if targets.is_several:
        return _fit_and_predict_states(task, matrix, targets)
    if targets.is_ordered:
        return _fit_and_predict_ranks(task, matrix, targets)
    fold, pipeline, y = task.fold, task.pipeline, targets.truth[task.fold.train]
    classifier, views = pipeline.classifier, pipeline.views
    present = np.arange(task.n_classes)
    if not targets.is_numbers and classifier.only_class() is None:
        # A class that the training side lacks leaves a gap, which some classifiers refuse.
        present, y = np.unique(y, return_inverse=True)
    estimator = classifier.build(random_state=task.seed)
    with peak_memory_meter() as memory:
        started = time.perf_counter()
        options: Any = {"seed": task.seed, "in_batches": task.in_batches}
        estimator = fit_clips(pipeline, estimator, matrix, targets, fold.train, y, **options)
        fitted = time.perf_counter()
    begun = time.perf_counter()
    scorer, rows = views.scorer(classifier.scorer(estimator)), views.to_predict(matrix)
    if targets.is_numbers:
        outputs = Predictions(predict_numbers(scorer, rows, fold.test), None, "none")
    else:
        outputs = predict_rows(scorer, rows, fold.test, len(present))
    predicted, values = time.perf_counter(), outputs.decision_values
    return FoldResult(
        fold,
        outputs.codes if targets.is_numbers else present[outputs.codes],
        spread(outputs.scores, present, task.n_classes, absent=0.0),
        outputs.kind,
        fitted - started,
        predicted - begun,
        chosen=chosen_by(estimator),
        model_bytes=pickled_size(estimator) if task.is_sized else None,
        peak_memory=memory.grown,
        decision_values=spread(values, present, task.n_classes, absent=-np.inf),
    )


def _fit_and_predict_ranks(
    task: _Task, matrix: NDArray[np.float32], targets: Targets
) -> FoldResult:
    """Predict ordered classes by fits of whether a clip is above each class but the highest."""
    task = replace(task, choose_thresholds=False)
    result = _fit_and_predict_states(task, matrix, targets.above_ranks())
    scores = None if result.scores is None else scores_of_ranks(result.scores)
    ranks = result.y_pred.sum(axis=1, dtype=np.intp) if scores is None else scores.argmax(axis=1)
    return replace(result, y_pred=ranks, scores=scores, decision_values=None, thresholds=None)


def _fit_and_predict_states(
    task: _Task, matrix: NDArray[np.float32], targets: Targets
) -> FoldResult:
    """Fit each class by itself on the training clips that are labelled for it."""
    fold, (choose, in_batches) = task.fold, (task.choose_thresholds, task.in_batches)
    fitter = ClassFitter(task.pipeline, matrix, targets, task.seed, in_batches, choose)
    with peak_memory_meter() as memory:
        started = time.perf_counter()
        model = fitter.fit(fold.train)
        fitted = time.perf_counter()
    begun = time.perf_counter()
    rows = task.pipeline.views.to_predict(matrix)
    outputs = predict_states(model.mapped(fitter.scorer), rows, fold.test)
    predicted = time.perf_counter()
    return FoldResult(
        fold,
        outputs.states,
        outputs.scores,
        outputs.kind,
        fitted - started,
        predicted - begun,
        warnings=model.notes,
        model_bytes=pickled_size(model.estimators) if task.is_sized else None,
        peak_memory=memory.grown,
        decision_values=outputs.decision_values,
        thresholds=None if outputs.kind == "none" else model.thresholds,
    )
