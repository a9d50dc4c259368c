"""Stress test of a saved model on labelled clips that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import DatasetError
from audioclf.base.progress import Progress, no_progress
from audioclf.evaluation.folds import Fold
from audioclf.evaluation.results import SomeFolds
from audioclf.experiment.evaluating.data import load_shared, read_config, with_metrics
from audioclf.experiment.evaluating.models import NamedModel, read_models
from audioclf.experiment.prepared import Prepared
from audioclf.experiment.stress.conditions import CLEAN, conditions, extract_changed
from audioclf.experiment.stress.result import Stress, summarised
from audioclf.models.fold import predict_fold

if TYPE_CHECKING:
    from audioclf.components.registry import Registry
    from audioclf.experiment.resources import Resources
    from audioclf.features.extraction import Extraction


def stress_model(
    path: Path,
    data: str,
    registry: Registry,
    resources: Resources,
    *,
    noise: Path | None = None,
    groups: Sequence[str] = (),
    progress: Progress = no_progress,
) -> Stress:
    """Test a model on labelled clips, which are those of `audioclf evaluate`.

    Clips on which the model was trained are left out.
    """
    (named,), notes = read_models([path], registry)
    model, featurizer = named.model, named.bundle.featurizer
    config, more = read_config(data, [named], (), registry)
    dataset, of_classes = load_shared(config, [named], registry)
    config = with_metrics(config, dataset, model)
    prepared = Prepared(config, registry, dataset)
    changes = conditions(model.sr, noise, groups)
    own = registry.origins_of(featurizer)
    extraction = extract_changed(prepared, featurizer, own, changes, resources, progress)
    test = _unseen(named, extraction)
    fold, classes = Fold(0, "0", test[:0], test), extraction.dataset.classes
    progress("metrics", 0, 1)
    results = {
        name: SomeFolds((predict_fold(model, named.name, matrix, fold, classes),))
        for name, matrix in extraction.matrices.items()
    }
    notes = [*notes, *more, *of_classes]
    if n_seen := len(extraction.dataset) - len(test):
        notes.append(f"{named.name} was trained on {n_seen} of these clips, which are left out")
    if extraction.failed:
        notes.append(f"{len(extraction.failed)} clips cannot be used, and are left out")
    return summarised(named.name, results, changes, config, extraction.dataset.targets, notes)


def _unseen(model: NamedModel, extraction: Extraction) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the positions of the clips on which the model was not trained."""
    known = model.trained_on(extraction, extraction.matrices[CLEAN])
    if known is None:
        return np.arange(len(extraction.dataset))
    if known.all():
        raise DatasetError(
            f"{extraction.dataset.name}: the model was trained on all {len(known)} clips",
            hint="Name recordings that it has not met; the run folder needs none.",
        )
    return np.flatnonzero(~known)
