"""Stress test of a pipeline of a finished run, out of fold.

The pipeline is fitted again on the training side of each fold, and predicts the test side as it is
and after each change, so no training clip is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import ConfigError, ResultError
from audioclf.base.limits import use_limits
from audioclf.base.machine import available_memory, single_threaded
from audioclf.base.progress import Progress, no_progress
from audioclf.components.metrics import METRICS
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.folds import Fold, Splits
from audioclf.evaluation.memory import plan_fits
from audioclf.evaluation.results import FoldResult, PipelineResult, SomeFolds
from audioclf.experiment.prepared import Prepared, prepare
from audioclf.experiment.stress.conditions import (
    CLEAN,
    Condition,
    conditions,
    extract_changed,
    noise_notes,
)
from audioclf.experiment.stress.result import Stress, summarised
from audioclf.features.matrix import new_matrix
from audioclf.models.bundle.writing import add_robustness
from audioclf.runs.folder import CONFIG, MODEL, STRESS, RunFolder, equal_model
from audioclf.runs.reading import read_run

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.evaluation.results import Pipeline
    from audioclf.experiment.resources import Resources
    from audioclf.features.extraction import Extraction
    from audioclf.runs.reading import SavedRun


def stress_run(
    path: str | Path,
    registry: Registry | None,
    resources: Resources,
    *,
    pipeline: str | None = None,
    noise: Path | None = None,
    groups: Sequence[str] = (),
    progress: Progress = no_progress,
) -> Stress:
    """Test the named pipeline of a run, else the best one; write `stress.json` in its folder.

    Without a name, the pipelines are tested as well that the run has kept as equal to the best, and
    a note says which has the best mean. The cards of their models get the table.
    """
    saved = read_run(path)
    if saved.record.get("fits", {}).get("total") == 0:
        raise ConfigError(
            f"{saved.path}: holds an evaluation of finished models, in which nothing was fitted",
            hint="Name a model and labelled recordings: `audioclf stress MODEL DATA`.",
        )
    prepared = prepare(saved.path / CONFIG, (), registry)
    changes = conditions(prepared.config.audio.sr, noise, groups)
    results = [
        _tested(saved, prepared, chosen, changes, resources, progress)
        for chosen in _chosen(saved, prepared, pipeline)
    ]
    if len(results) > 1:
        results[0] = replace(results[0], notes=(*results[0].notes, _most_robust(results)))
    folder = RunFolder(saved.path)
    folder.write_json(STRESS, results[0].to_data())
    for result in results:
        for file in (MODEL, equal_model(result.subject)):
            if (saved.path / file).exists():
                add_robustness(saved.path / file, result.to_data())
    return results[0]


def _tested(
    saved: SavedRun,
    prepared: Prepared,
    chosen: Pipeline,
    changes: Sequence[Condition],
    resources: Resources,
    progress: Progress,
) -> Stress:
    config = prepared.config
    names = (CLEAN, *(item.name for item in changes))
    plain, own = config.inputs[chosen.featurizer], prepared.origins[chosen.featurizer]
    clean = prepared.featurizers[chosen.featurizer]
    with single_threaded(), use_limits(config.limits):
        extraction = extract_changed(
            prepared, plain, own, changes, resources, progress, clean=clean
        )
        if extraction.fingerprint != saved.fingerprint:
            raise ResultError(
                f"{saved.path}: the dataset has changed since this run",
                hint="Run its config again, and test the new run.",
            )
        results = _evaluated(prepared, chosen, extraction, names, resources.jobs, progress)
    progress("metrics", 0, 1)
    return summarised(
        chosen.name,
        results,
        changes,
        config,
        extraction.dataset.targets,
        [*noise_notes(config.augment, changes)],
    )


def _most_robust(results: Sequence[Stress]) -> str:
    """Return a sentence on the pipeline with the best mean of the metric over the changes."""
    metric = results[0].metric
    sign = -1 if METRICS[metric].lower_is_better else 1
    means = [float(np.mean([row.estimate.value for row in item.rows])) for item in results]
    most = int(np.argmax(np.nan_to_num(sign * np.array(means), nan=-np.inf)))
    others = ", ".join(
        f"{item.subject} {mean:.3f}"
        for item, mean in zip(results, means, strict=True)
        if item is not results[most]
    )
    file = MODEL if most == 0 else equal_model(results[most].subject)
    return (
        f"of {len(results)} pipelines that the run cannot tell apart, {results[most].subject} "
        f"has the best mean {metric} over these changes: {means[most]:.3f} ({others}); {file} "
        "holds it"
    )


def _chosen(saved: SavedRun, prepared: Prepared, name: str | None) -> list[Pipeline]:
    """Return the named pipeline, or the best one and those that the run has kept as equal to it."""
    names = prepared.config.pipeline_names
    if name is not None and name not in names:
        raise ConfigError(
            f"{saved.path}: no pipeline is named {name!r}", hint=f"There are {', '.join(names)}."
        )
    known = [item.name for item in saved.pipelines if item.name in names]
    kept = [item for item in known[1:] if (saved.path / equal_model(item)).exists()]
    chosen = [known[0], *kept] if name is None else [name]
    by_name = {item.name: item for item in prepared.pipelines}
    return [by_name[item] for item in chosen]


def _evaluated(
    prepared: Prepared,
    pipeline: Pipeline,
    extraction: Extraction,
    names: Sequence[str],
    jobs: int,
    progress: Progress,
) -> dict[str, SomeFolds]:
    """Fit each fold once, and predict its test side in every condition.

    For that the rows of the conditions are below each other, those of the clips as they are first.
    """
    dataset, config = extraction.dataset, prepared.config
    n_clips, width = extraction.matrices[CLEAN].shape
    stacked = new_matrix(n_clips * len(names), width)
    for number, name in enumerate(names):
        rows = extraction.matrices.pop(name)
        stacked[number * n_clips : (number + 1) * n_clips, : rows.shape[1]] = rows
    splits = prepared.splits(dataset)
    shifts = n_clips * np.arange(len(names))[:, None]
    folds = tuple(replace(fold, test=(fold.test + shifts).ravel()) for fold in splits.folds)
    n_classes = 2 if dataset.is_several else len(dataset.classes)
    matrices = {pipeline.featurizer: stacked}
    (result,) = evaluate(
        [pipeline],
        matrices,
        dataset.targets,
        Splits(folds, splits.description),
        seed=config.seed,
        fits=plan_fits([pipeline], matrices, n_classes, splits, free=available_memory()),
        jobs=jobs,
        isolate=config.isolate,
        choose_thresholds=config.thresholds == "f1",
        progress=partial(progress, "fitting"),
    )
    return {
        name: SomeFolds(tuple(_parts(result, splits.folds, number)))
        for number, name in enumerate(names)
    }


def _parts(result: PipelineResult, folds: Iterable[Fold], number: int) -> Iterator[FoldResult]:
    """Yield the predictions of one condition on each fold."""
    for fold, whole in zip(folds, result.folds, strict=True):
        rows = slice(number * len(fold.test), (number + 1) * len(fold.test))
        scores, values = whole.scores, whole.decision_values
        yield replace(
            whole,
            fold=fold,
            y_pred=whole.y_pred[rows],
            scores=None if scores is None else scores[rows],
            decision_values=None if values is None else values[rows],
        )
