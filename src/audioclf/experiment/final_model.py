"""The last step of a run: a pipeline fitted on all clips, kept as a bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audioclf.audit import TABLE
from audioclf.audit.shortcuts.facts import COLUMN
from audioclf.audit.table import facts_in
from audioclf.base.errors import ModelError
from audioclf.components.guard import FOREIGN
from audioclf.components.pooling import Flatten, Pooling, Stats
from audioclf.engines.ahead import begun
from audioclf.engines.local import ProcessEngine
from audioclf.evaluation.class_fits import OneFitPerClass, fit_final_classes
from audioclf.evaluation.fitting import FinalFit, fit_final
from audioclf.evaluation.importance import importance, importances_data, mean_importance
from audioclf.evaluation.metrics.bootstrap import CONFIDENCE_LEVEL
from audioclf.evaluation.ordered_fits import fit_final_ranks
from audioclf.models.bundle.manifest import Evaluated, NumberRange, Training
from audioclf.models.bundle.sound_range import FACTS as SOUND_FACTS
from audioclf.models.bundle.writing import BundleContents, write_bundle
from audioclf.models.calibration.effects import Scored, ScoreEffects, effects_of
from audioclf.models.calibration.records import Interval
from audioclf.models.calibration.states import effects_of_states
from audioclf.models.unknown import Search, UnknownRule
from audioclf.runs.folder import IMPORTANCES, MODEL, equal_model

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from audioclf.components.registry import Registry
    from audioclf.config.run_config import RunConfig
    from audioclf.dataset.targets import Targets
    from audioclf.evaluation.learning_curve import Fit
    from audioclf.evaluation.memory import FitPlan
    from audioclf.evaluation.metrics.estimate import Estimate
    from audioclf.evaluation.metrics.repeats import Floats
    from audioclf.evaluation.results import Pipeline, PipelineResult
    from audioclf.features.extraction import Extraction
    from audioclf.runs.folder import RunFolder
    from audioclf.runs.results import RunResult


@dataclass(frozen=True)
class Fitted:
    """A pipeline that was fitted on all clips; `importances` are None where it has none."""

    pipeline: Pipeline
    fit: FinalFit
    importances: Floats | None
    effects: ScoreEffects
    unknown: UnknownRule | None = None
    notes: tuple[str, ...] = ()
    """On the scores and the rule for unknown sounds; each is the end of a sentence."""


@dataclass(frozen=True)
class _FinalWork:
    """All that a fit on all clips and its importances need, perhaps in another process.

    `pooling` and `n_bins` describe the columns of `matrix`.
    """

    pipeline: Pipeline
    matrix: NDArray[np.float32]
    targets: Targets
    pooling: Pooling
    n_bins: int
    seed: int
    in_batches: bool
    choose_thresholds: bool

    @classmethod
    def of(
        cls, config: RunConfig, pipeline: Pipeline, extraction: Extraction, *, in_batches: bool
    ) -> _FinalWork:
        """Return the work for a pipeline of a run."""
        name = pipeline.featurizer
        return cls(
            pipeline,
            extraction.matrices[name],
            extraction.dataset.targets,
            config.inputs[name].pooling,
            extraction.plans[name].n_bins,
            config.seed,
            in_batches,
            config.thresholds == "f1",
        )


BegunFit = Callable[[], list[tuple[FinalFit, "Floats | None"]]]
"""Waits for the fit of `begin_fit`."""


def begin_fit(
    config: RunConfig,
    pipeline: Pipeline,
    extraction: Extraction,
    *,
    in_batches: bool,
    processes: ProcessEngine | None = None,
) -> BegunFit:
    """Fit a pipeline on all clips, in `processes` that run or when the result is called."""
    work = _FinalWork.of(config, pipeline, extraction, in_batches=in_batches)
    return begun(processes, _fit, [0], shared=work)


def begin_named(
    config: RunConfig,
    pipelines: Iterable[Pipeline],
    extraction: Extraction,
    fits: FitPlan,
    processes: ProcessEngine | None,
) -> BegunFit | None:
    """Begin the fit of the pipeline that the config names as the final one, if it names one.

    It begins before the fits of the folds, as it takes longest, if there is memory for one fit more
    than there are workers: they get a copy of the matrix for it.
    """
    if processes is not None and fits.at_once <= processes.workers:
        return None
    for pipeline in pipelines:
        if pipeline.name == config.final:
            in_batches = pipeline.name in fits.batched
            parts = config, pipeline, extraction
            return begin_fit(*parts, in_batches=in_batches, processes=processes)
    return None


def _fit(_: int, work: _FinalWork) -> tuple[FinalFit, Floats | None]:
    """Return a fit on all clips and its importances, None if it has none."""
    options: Any = {"seed": work.seed, "in_batches": work.in_batches}
    parts = work.pipeline, work.matrix, work.targets
    if work.targets.is_several:
        fit = fit_final_classes(*parts, choose=work.choose_thresholds, **options)
    elif work.targets.is_ordered:
        fit = fit_final_ranks(*parts, **options)
    else:
        fit = fit_final(*parts, **options)
    return fit, _importances(work, fit.estimator)


def fit_on_all(
    config: RunConfig,
    evaluated: PipelineResult,
    extraction: Extraction,
    *,
    in_batches: bool,
    fit_on: Fit,
    begun_fit: BegunFit | None = None,
) -> Fitted:
    """Fit a pipeline on all clips, or wait for `begun_fit`.

    `evaluated` holds its out-of-fold predictions, by which scores are calibrated and abstaining is
    measured; `fit_on` fits pipelines on other folds.
    """
    pipeline = evaluated.pipeline
    begun_fit = begun_fit or begin_fit(config, pipeline, extraction, in_batches=in_batches)
    ((fit, importances),) = begun_fit()
    effects = _effects(config, evaluated, extraction)
    unknown, about_unknown = None, tuple[str, ...]()
    if config.unknown is not None:
        matrix, targets = extraction.matrices[pipeline.featurizer], extraction.dataset.targets
        search = Search(config.unknown, evaluated, matrix, targets, fit_on, seed=config.seed)
        unknown, about_unknown = search.rule()
    notes = (*effects.notes, *about_unknown)
    return Fitted(pipeline, fit, importances, effects, unknown, notes)


def write_final(
    folder: RunFolder,
    result: RunResult,
    fitted: Fitted,
    extraction: Extraction,
    registry: Registry,
    file: str = MODEL,
) -> tuple[Path | None, tuple[str, ...]]:
    """Write a model and, beside `model.audioclf`, the feature importances; return path and notes.

    The path is None for a classifier that no bundle can hold.
    """
    config, pipeline = result.config, fitted.pipeline
    fit, effects = fitted.fit, fitted.effects
    if fitted.importances is not None and file == MODEL:
        names: list[str] = []
        with suppress(*FOREIGN):  # a plugin ends no finished run by the names of its rows
            featurizer = config.inputs[pipeline.featurizer]
            names = [str(each) for each in featurizer.row_names(config.audio.sr)]
        data = importances_data({pipeline.name: fitted.importances}, {pipeline.name: names})
        folder.write_json(IMPORTANCES, data)
    of_scores = [f"the model of {pipeline.name} {note}" for note in fitted.notes]
    readable = [row for row in extraction.ledger if row.status == "ok"]
    below = config.abstain_below if effects.abstention is not None else None
    contents = BundleContents(
        name=config.name,
        pipeline=pipeline,
        featurizer=config.inputs[pipeline.featurizer],
        audio=config.audio,
        classes=extraction.dataset.classes,
        estimator=fit.estimator,
        matrix=extraction.matrices[pipeline.featurizer],
        seed=config.seed,
        training=training_of(extraction),
        seconds=[row.seconds for row in readable],
        digests=[row.digest for row in readable],
        facts=sound_facts(extraction),
        evaluation=evaluated_of(result, pipeline.name),
        calibration=effects.calibration,
        abstain_below=below,
        abstention=effects.abstention,
        unknown=fitted.unknown,
        notes=(*_card_notes(result, extraction), *of_scores),
        graph=config.graph,
        number=_range_of(extraction.dataset.targets),
    )
    try:
        folder.list_as_written(file)
        path = write_bundle(folder.path / file, contents, registry)
    except ModelError as exc:
        advice = f". {exc.hint}" if exc.hint else ""
        return None, (f"{pipeline.name} was not kept as a model: {exc.message}{advice}",)
    warned = (f"{pipeline.name}, fitted on all clips, warned: {text}" for text in fit.warnings)
    return path, (*warned, *of_scores)


def write_equals(
    folder: RunFolder,
    result: RunResult,
    fit: Callable[[str], Fitted],
    extraction: Extraction,
    registry: Registry,
) -> Iterator[str]:
    """Write a model of each pipeline that cannot be told apart from the best, and yield notes."""
    kept = []
    for name in result.comparison.equals_of_best() if result.comparison else ():
        file = equal_model(name)
        path, notes = write_final(folder, result, fit(name), extraction, registry, file)
        yield from notes
        kept += [] if path is None else [path.name]
    if kept:
        yield (
            f"also kept, as equal to the best on these clips: {', '.join(kept)}; `audioclf "
            "evaluate` compares models on new recordings"
        )


def sound_facts(extraction: Extraction) -> NDArray[np.float32] | None:
    """Return the facts of `SoundRange` of each clip, if the audits have measured them."""
    if TABLE not in extraction.matrices:
        return None
    return facts_in(extraction.matrices[TABLE])[:, [COLUMN[name] for name in SOUND_FACTS]]


def _range_of(targets: Targets) -> NumberRange | None:
    if targets.values is None:
        return None
    return NumberRange(low=float(targets.values.min()), high=float(targets.values.max()))


def _card_notes(result: RunResult, extraction: Extraction) -> tuple[str, ...]:
    """Return findings of the audits and notes of the run, which a reader of the results needs."""
    findings = [
        f"{finding.text.removesuffix('.')}{_allowed(finding.name, result)}"
        for audit in result.audits
        for finding in audit.findings
        if finding.severity == "finding"
    ]
    of_cache = set(extraction.cache.notes())  # they differ between runs that are equal
    return (*findings, *(note for note in result.notes if note not in of_cache))


def _allowed(name: str, result: RunResult) -> str:
    return f" ({name}, allowed in the config)" if name in result.config.allow else f" ({name})"


def _effects(config: RunConfig, evaluated: PipelineResult, extraction: Extraction) -> ScoreEffects:
    if config.calibrate is None and config.abstain_below is None:
        return ScoreEffects()
    rows = Scored(evaluated.folds, extraction.dataset.targets)
    if rows.targets.is_several:
        return effects_of_states(rows, seed=config.seed)
    return effects_of(
        rows, calibrate=config.calibrate, abstain_below=config.abstain_below, seed=config.seed
    )


def _importances(work: _FinalWork, estimator: object) -> Floats | None:
    if not isinstance(work.pooling, Flatten | Stats):
        return None
    rows, targets = work.pipeline.views.plain(work.matrix), work.targets
    layout = "flatten" if isinstance(work.pooling, Flatten) else "stats"
    options: Any = {"n_bins": work.n_bins, "layout": layout, "seed": work.seed}
    if isinstance(estimator, OneFitPerClass):
        of_fits = targets.above_ranks() if targets.is_ordered else targets
        return mean_importance(estimator, rows, of_fits, **options)
    return importance(estimator, rows, targets.truth, **options)


def training_of(extraction: Extraction) -> Training:
    """Return the description of the training clips for a bundle."""
    dataset = extraction.dataset
    name = dataset.name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return Training(
        dataset=name or "dataset",  # the rest of a path or URL may be private
        fingerprint=extraction.fingerprint,
        clips=(dataset.in_ranges() if dataset.is_numbers else dataset).class_counts,
        groups=len({clip.group for clip in dataset if clip.group is not None}),
    )


def evaluated_of(result: RunResult, pipeline: str) -> Evaluated:
    """Return the metrics of a pipeline in a run, for a bundle."""
    return Evaluated(
        split=result.splits,
        unit=result.unit,
        n_units=result.n_units,
        confidence_level=CONFIDENCE_LEVEL,
        metrics={name: _interval(estimate) for name, estimate in result[pipeline].metrics.items()},
    )


def _interval(estimate: Estimate | None) -> Interval | None:
    if estimate is None or not all(
        map(math.isfinite, (estimate.value, estimate.low, estimate.high))
    ):
        return None
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)
