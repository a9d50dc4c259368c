"""The last step of a run: a cell fitted on all clips, kept as a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclf.errors import ModelError
from audioclf.evaluation import unit_of
from audioclf.inference.bundle_writing import write_bundle
from audioclf.inference.score_effects import ScoreEffects, effects_of
from audioclf.inference.training import evaluated_of, fit_final, training_of
from audioclf.results import codes_of
from audioclf.runfolder import IMPORTANCES, MODEL

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from audioclf.config import RunConfig
    from audioclf.evaluation import Cell, CellResult
    from audioclf.features import Extraction
    from audioclf.registry import Registry
    from audioclf.results import RunResult
    from audioclf.runfolder import RunFolder


def write_final(
    folder: RunFolder,
    config: RunConfig,
    result: RunResult,
    found: CellResult,
    extraction: Extraction,
    registry: Registry,
    *,
    groups: NDArray[np.intp] | None,
    in_batches: bool,
) -> tuple[Path | None, tuple[str, ...]]:
    """Fit a cell on all clips, and write `model.audioclf` and where the model looks.

    `found` holds the out-of-fold predictions of the cell, by which scores are calibrated and
    abstaining is measured.

    Returns
    -------
    path : Path or None
        None for a classifier that no bundle can hold.
    notes : tuple of str
        What the user should know.

    Raises
    ------
    ClassifierError
        If the fit fails.
    ResultError
        If a file cannot be written.
    """
    cell = found.cell
    matrix, y = extraction.matrices[cell.featurizer], codes_of(extraction.dataset)
    fit = fit_final(cell, matrix, y, seed=config.seed, groups=groups, in_batches=in_batches)
    _write_importance(folder, config, cell, fit.estimator, cell.views.plain(matrix), y)
    effects = _effects(config, found, extraction)
    below = config.abstain_below if effects.abstention is not None else None
    try:
        path = write_bundle(
            folder.path / MODEL,
            name=config.name,
            cell=cell,
            featurizer=config.featurizers[cell.featurizer],
            audio=config.audio,
            classes=extraction.dataset.classes,
            estimator=fit.estimator,
            matrix=matrix,
            seed=config.seed,
            training=training_of(extraction),
            registry=registry,
            seconds=[row.seconds for row in extraction.ledger if row.status == "ok"],
            evaluation=evaluated_of(result, cell.name),
            calibration=effects.calibration,
            abstain_below=below,
            abstention=effects.abstention,
        )
    except ModelError as exc:
        return None, (f"{cell.name} was not kept as a model: {exc.message}",)
    warned = (f"{cell.name}, fitted on all clips, warned: {text}" for text in fit.warnings)
    return path, (*warned, *(f"the model of {cell.name} {note}" for note in effects.notes))


def _effects(config: RunConfig, found: CellResult, extraction: Extraction) -> ScoreEffects:
    if config.calibrate is None and config.abstain_below is None:
        return ScoreEffects()
    unit, units = unit_of(extraction.dataset)
    return effects_of(
        found,
        codes_of(extraction.dataset),
        units,
        unit,
        extraction.dataset.classes,
        calibrate=config.calibrate,
        abstain_below=config.abstain_below,
        seed=config.seed,
    )


def _write_importance(
    folder: RunFolder,
    config: RunConfig,
    cell: Cell,
    estimator: object,
    matrix: NDArray[np.float32],
    y: NDArray[np.intp],
) -> None:
    from audioclf.features.extraction import make_plans
    from audioclf.pooling import Flatten, Stats
    from audioclf.report.importance import Layout, importance, importances_data

    featurizer = config.featurizers[cell.featurizer]
    if not isinstance(featurizer.pooling, Flatten | Stats):
        return
    (plan,) = make_plans(config.audio, {cell.featurizer: featurizer}, {})
    layout: Layout = "flatten" if isinstance(featurizer.pooling, Flatten) else "stats"
    found = importance(estimator, matrix, y, n_bins=plan.n_bins, layout=layout, seed=config.seed)
    folder.write_json(IMPORTANCES, importances_data({cell.name: found}))
