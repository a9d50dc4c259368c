"""Stress test of a saved model on labelled clips that the user names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import DatasetError
from audioclf.base.machine import available_cores, single_threaded
from audioclf.base.progress import Progress, no_progress
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.components.guard import load_guarded
from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.listing import is_archive
from audioclf.evaluation.folds import Fold
from audioclf.evaluation.results import FoldResult, SomeFolds
from audioclf.experiment.prepared import prepare
from audioclf.experiment.resources import Resources
from audioclf.experiment.stress.conditions import (
    CLEAN,
    changed_featurizers,
    conditions,
    noise_notes,
    origins_with,
)
from audioclf.experiment.stress.result import Stress, summarised
from audioclf.features.extraction import extract
from audioclf.models.bundle.reading import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.registry import Registry
    from audioclf.dataset.dataset import Dataset
    from audioclf.dataset.targets import Targets
    from audioclf.models.model import Model

_CONFIGS = (".yaml", ".yml")


def stress_model(
    path: str | Path,
    data: Path,
    registry: Registry,
    *,
    noise: Path | None = None,
    groups: Sequence[str] = (),
    jobs: int | None = None,
    cache_folder: Path | None = None,
    progress: Progress = no_progress,
) -> Stress:
    """Test a model on the clips of a config, or of a folder or zip with a folder for each class."""
    model = load(path, registry=registry)
    dataset = _dataset(data, registry)
    audio, seed = model.manifest.audio, model.manifest.seed
    changes = conditions(audio.sr, noise, groups)
    own = registry.origins_of(model.featurizer)
    resources = Resources(jobs or available_cores(), cache_folder=cache_folder)
    progress("reading", 0, len(dataset))
    with single_threaded(), resources.make_engine() as engine:
        extraction = extract(
            dataset,
            audio,
            {CLEAN: model.featurizer, **changed_featurizers(model.featurizer, changes, seed)},
            engine=engine,
            cache_folder=cache_folder,
            origins={CLEAN: own, **origins_with(own, changes, registry)},
            progress=lambda done, total: progress("reading", done, total),
        )
        targets = _targets(model, extraction.dataset)
        clips = np.arange(len(targets))
        fold = Fold(0, "all", clips[:0], clips)
        rows = {name: model.views.to_predict(m) for name, m in extraction.matrices.items()}
        rows |= {item.name: extraction.matrices[item.name] for item in changes}
        results = {name: SomeFolds((_predicted(model, fold, X),)) for name, X in rows.items()}
    notes = [*_seen(model, rows[CLEAN]), *noise_notes((), changes)]
    if extraction.failed:
        notes.append(f"{len(extraction.failed)} clips cannot be used, and were left out")
    metric = _metric(model)
    return summarised(
        model.manifest.cell, results, changes, metric, targets, seed=seed, notes=notes
    )


def _dataset(data: Path, registry: Registry) -> Dataset:
    if data.suffix.lower() in _CONFIGS:
        return prepare(data, (), registry, check=False).dataset
    loader = ZipDataset(path=data) if is_archive(data) else FolderDataset(path=data)
    return load_guarded(loader, registry)


def _metric(model: Model) -> Metric:
    evaluation = model.manifest.evaluation
    for metric in METRICS:
        if evaluation and metric == next(iter(evaluation.metrics), None):
            return metric
    return "f1_macro" if model.is_several else "accuracy"


def _targets(model: Model, dataset: Dataset) -> Targets:
    """Return the targets with the classes of the model."""
    targets = dataset.targets
    if unknown := [name for name in targets.classes if name not in model.classes]:
        raise DatasetError(
            f"{dataset.name}: the model does not know the class {unknown[0]!r}",
            hint=f"Its classes are {', '.join(model.classes[:10])}.",
        )
    if targets.is_several != model.is_several:
        kind = "several labels" if model.is_several else "one label"
        raise DatasetError(f"{dataset.name}: the model gives {kind} per clip, and these clips not")
    places = np.array([model.classes.index(name) for name in targets.classes], dtype=np.intp)
    if targets.states is None:
        return replace(targets, classes=model.classes, class_codes=places[targets.codes])
    states = np.full((len(targets), len(model.classes)), -1, dtype=np.int8)
    states[:, places] = targets.states
    return replace(targets, classes=model.classes, states=states)


def _predicted(model: Model, fold: Fold, rows: NDArray[np.float32]) -> FoldResult:
    rows = np.ascontiguousarray(rows)
    if model.is_several:
        outputs = model.scorer.outputs(rows)
        return FoldResult(fold, outputs.states, outputs.scores, outputs.kind, 0.0, 0.0)
    codes, scores = model.outputs_of(rows)
    kind = "none" if scores is None else model.score_kind
    return FoldResult(fold, codes, scores, kind, 0.0, 0.0)


def _seen(model: Model, rows: NDArray[np.float32]) -> Iterator[str]:
    """Yield a note if clips are among the training clips of the model."""
    n_seen = int(np.sum(model.trained_on(np.ascontiguousarray(rows))))
    if n_seen:
        yield (
            f"{n_seen} of {len(rows)} clips were in the training data of the model, so the numbers "
            "say little about new recordings; test the run without DATA instead"
        )
