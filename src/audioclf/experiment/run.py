"""A run, from a config to results in a folder; `_Run.go` shows its stages in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.limits import use_limits
from audioclf.base.machine import available_cores, available_memory, rare_gc, single_threaded
from audioclf.base.progress import Progress, shown
from audioclf.components.registry import Origins, Registry
from audioclf.config.run_config import RunConfig
from audioclf.experiment.prepared import (
    Prepared,
    check_apart,
    load_dataset,
    of_copies,
    resolve,
    unreadable_clips,
)
from audioclf.experiment.progress import RunProgress
from audioclf.experiment.provenance import distributions_of
from audioclf.experiment.record import make_record
from audioclf.experiment.resources import MANY_CLIPS, EngineName, Resources, cache_folder_or_default
from audioclf.runs.folder import RECORD, RunFolder
from audioclf.runs.working_folder import FIT_CACHE, working_folder

if TYPE_CHECKING:
    from audioclf.audit.findings import Audit
    from audioclf.components.featurizer import Featurizer
    from audioclf.dataset.targets import Targets
    from audioclf.engines.base import Engine
    from audioclf.engines.local import ProcessEngine
    from audioclf.evaluation.learning_curve import Fit, LearningCurve
    from audioclf.evaluation.memory import FitPlan
    from audioclf.evaluation.results import PipelineResult
    from audioclf.evaluation.splits import Splits
    from audioclf.experiment.final_model import BegunFit, Fitted
    from audioclf.features.extraction import Extraction
    from audioclf.runs.results import RunResult


def run(
    config: RunConfig | Mapping[str, Any] | str | Path,
    *,
    overrides: Iterable[str] = (),
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: EngineName = "local",
    scheduler: str | None = None,
    insecure_cluster: bool = False,
    isolate: bool | None = None,
    clip_seconds: float | None = None,
    fit_seconds: float | None = None,
    cache: bool = True,
    cache_dir: str | Path | None = None,
    registry: Registry | None = None,
    notify: Iterable[str] | None = None,
    notify_seconds: float | None = None,
    progress: bool | Callable[[str, int, int], None] = False,
) -> RunResult:
    """Load, extract, split, train and evaluate; write a run folder.

    Parameters
    ----------
    config : RunConfig, mapping or path
        A config, its content as plain data, or the YAML file of one.
    overrides : iterable of str
        `key=value` each, for a config that is a file.
    out : path, optional
        Folder of the results; by default a new one below `runs/`.
    jobs : int, optional
        Threads and processes; all cores by default. The results are the same for any number.
    engine : {"local", "dask"}
        Where clips are featurized and classifiers are fitted; the results are the same.
    scheduler : str, optional
        Address of the Dask scheduler, such as `tls://host:8786`.
    insecure_cluster : bool
        Accept a scheduler on another machine without TLS; anyone who can reach it can run code.
    isolate : bool, optional
        Work in processes, so that a crash costs one clip or names its classifier; by default as in
        the config.
    clip_seconds : float, optional
        Time limit of one clip, in s; a clip that takes longer counts as unreadable. Implies
        `isolate`.
    fit_seconds : float, optional
        Time limit of one fit with its predictions, in s; the run ends there. Implies `isolate`.
    cache : bool
        Whether features and fits are cached, by content; the results are the same. Times of fits
        that an earlier run did are those of that run.
    cache_dir : path, optional
        Folder of the feature cache; by default that of `audioclf cache stats`.
    registry : Registry, optional
        The plugins to use; by default those that are installed.
    notify : iterable of str, optional
        Plugins to notify of the finished run; by default those in the environment variable
        `AUDIOCLF_NOTIFY`. Failures are listed in `failed_notifications` of the result.
    notify_seconds : float, optional
        Time limit of each notification, in s; by default 600.
    progress : bool or callable
        Show on stderr, also in a notebook, which stage is at work and how far it is; or call this
        with (stage, done, total) at the begin and at each step of a stage.

    Raises
    ------
    AudioclfError
        For anything that the user can correct; its `exit_code` is that of the command.
    KeyboardInterrupt
        If it is interrupted; its notes describe what is done. The same call resumes the run.

    Examples
    --------
    >>> audioclf.run("configs/barbie_puppy.yaml")["gradient_boosting"].metrics  # doctest: +SKIP
    """
    from audioclf.experiment.notify import NOTIFY_SECONDS, plugins_to_notify, send

    config, registry = resolve(config, overrides, registry)
    observers = registry.observers(plugins_to_notify(notify))
    resources = Resources(
        jobs=jobs or available_cores(),
        engine=engine,
        scheduler=scheduler,
        insecure=insecure_cluster,
        isolate=(config.isolate if isolate is None else isolate)
        or clip_seconds is not None
        or fit_seconds is not None,
        cache_folder=cache_folder_or_default(cache_dir) if cache else None,
        clip_seconds=clip_seconds,
        fit_seconds=fit_seconds,
    )
    working = working_folder(Path(out) if out else None, config.name, config.to_yaml())
    limits = use_limits(config.limits)
    with shown(progress) as steps, limits, rare_gc(), working as folder:
        state = RunProgress(folder.path, cached=cache)
        stages = _Run(config, registry, folder, resources, state, state.recording(steps))
        with state.noted_when_stopped():
            result = stages.go()
    sent = list(send(observers, result.folder, seconds=notify_seconds or NOTIFY_SECONDS))
    return replace(
        result,
        remarks=(*result.remarks, *(item.text for item in sent if item.is_done)),
        failed_notifications=tuple(item.text for item in sent if not item.is_done),
    )


@dataclass(frozen=True)
class _Evaluation:
    """The folds, and the predictions of each pipeline on them."""

    splits: Splits
    results: tuple[PipelineResult, ...]
    fits: FitPlan
    fit: Fit
    curve: LearningCurve | None = None
    begun_fit: BegunFit | None = None


@dataclass(frozen=True)
class _Run:
    config: RunConfig
    registry: Registry
    folder: RunFolder
    resources: Resources
    state: RunProgress
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def go(self) -> RunResult:
        """Take every stage; `record.json` marks the run as complete."""
        self.progress("load", 0, 1)
        with self._timed("load"):
            dataset = load_dataset(self.config, self.registry)
        with self.resources.make_engine(distributions_of(self.config, self.registry)) as engine:
            if self.resources.isolate or len(dataset) >= MANY_CLIPS:
                engine.begin()  # before this process imports the same libraries
            with single_threaded():
                return self._go(Prepared(self.config, self.registry, dataset), engine)

    def _go(self, prepared: Prepared, engine: Engine) -> RunResult:
        with self._timed("load"):
            prepared.check()
            _ = prepared.classifier_digests
        with self._timed("features"):
            extraction = self._extract(prepared, engine)
        with self._timed("evaluate"):
            evaluation = self._evaluate(prepared, extraction, engine)
        fits = self.state.fits()
        result, page = self._report(prepared, extraction, evaluation, engine)
        record = make_record(prepared, self.resources, result, extraction, fits, self.seconds)
        self.folder.write_json(RECORD, record)
        result = replace(result, remarks=tuple(self.state.remarks(fits)))
        self.state.finish()
        self.progress("page", 0, 1)
        return replace(result, report=page())

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        self.seconds[stage] = round(seconds, 4)

    def _extract(self, prepared: Prepared, engine: Engine) -> Extraction:
        from audioclf.audit import with_table
        from audioclf.runs.writing import write_ledger

        featurizers: Mapping[str, Featurizer] = prepared.featurizers
        origins: Mapping[str, Origins] = prepared.origins
        if self.config.audit:
            featurizers, origins = with_table(featurizers, origins)
        extraction = prepared.extract(
            featurizers,
            engine,
            self.resources.cache_folder,
            origins=origins,
            cache_use=self.state.cache_use,
            progress=self.progress,
        )
        write_ledger(self.folder, extraction.ledger)
        if extraction.failed and self.config.on_error == "fail":
            raise unreadable_clips(prepared.dataset, extraction, self.folder)
        check_apart(self.config.augment, extraction)
        return extraction

    def _evaluate(self, prepared: Prepared, extraction: Extraction, engine: Engine) -> _Evaluation:
        from audioclf.evaluation.cross_validation import evaluate
        from audioclf.evaluation.memory import plan_fits
        from audioclf.experiment.final_model import begin_named

        dataset, pipelines = extraction.dataset, prepared.pipelines
        splits = prepared.splits(dataset)
        of_run = self.folder.path / FIT_CACHE
        store = self.resources.store_of_fits(of_run, extraction.cache.warnings)
        fit_cache = self.state.fit_cache = prepared.open_fit_cache(store, extraction)
        n_classes = dataset.targets.classes_of_fit
        free = available_memory()
        fits = plan_fits(pipelines, extraction.matrices, n_classes, splits, free=free)
        begun_fit = begin_named(self.config, pipelines, extraction, fits, _processes(engine))
        self.progress("fitting", 0, len(pipelines) * len(splits.folds), pipelines[0].name)
        fit = partial(
            evaluate,
            matrices=extraction.matrices,
            targets=dataset.targets,
            seed=self.config.seed,
            fits=fits,
            jobs=self.resources.jobs,
            engine=engine if self.resources.engine == "dask" else None,
            processes=_processes(engine),
            fit_cache=fit_cache,
            isolate=self.resources.isolate,
            fit_seconds=self.resources.fit_seconds,
            choose_thresholds=self.config.thresholds == "f1",
        )
        results = fit(pipelines, splits=splits, progress=partial(self.progress, "fitting"))
        curve = self._curve(results, splits, dataset.targets, fit)
        return _Evaluation(splits, results, fits, fit, curve, begun_fit)

    def _curve(
        self, results: tuple[PipelineResult, ...], splits: Splits, targets: Targets, fit: Fit
    ) -> LearningCurve | None:
        """Fit the pipelines to smaller training sides, if the config asks for a learning curve."""
        from audioclf.evaluation.learning_curve import learning_curve

        settings, seed = self.config.learning_curve, self.config.seed
        if settings is None:
            return None
        metric = settings.metric or self.config.metrics[0]
        step = partial(self.progress, "curve")
        return learning_curve(
            settings, results, splits, targets, fit, metric=metric, seed=seed, progress=step
        )

    def _report(
        self, prepared: Prepared, extraction: Extraction, evaluation: _Evaluation, engine: Engine
    ) -> tuple[RunResult, Callable[[], Path | None]]:
        """Write metrics, audits, models and plots; return what writes the page as well.

        Worker processes make audits and plots, meanwhile this one does all the rest.
        """
        from audioclf.experiment.media import begin_page, begin_plots
        from audioclf.runs.writing import write_audits, write_metrics, write_plots, write_tables

        cache, processes = self.resources.cache_folder, _processes(engine)
        with self._timed("report"):
            audits = self._begin_audits(extraction, evaluation, engine)
            result = self._summarise(prepared, extraction, evaluation)
            splits, results = evaluation.splits, evaluation.results
            metrics = write_metrics(self.folder, result, extraction, splits, results)
            plots = begin_plots(self.config, extraction, metrics, results, cache, processes)
            write_tables(self.folder, result, extraction, splits, results)
        fitted = self._fit_final(result, extraction, evaluation)
        with self._timed("report"):
            parts = self.config, self.folder, extraction, cache, results
            page = begin_page(*parts, processes)
            if audits is not None:
                self.progress("audits", 0, 1)
                result = replace(result, audits=tuple(audits()))
                write_audits(self.folder, result)
        if fitted is not None:
            result = self._write_models(result, fitted, extraction, evaluation)
        with self._timed("report"):
            self.progress("pictures", 0, 1)
            write_plots(self.folder, plots())
        return result, page

    def _begin_audits(
        self, extraction: Extraction, evaluation: _Evaluation, engine: Engine
    ) -> Callable[[], list[Audit]] | None:
        """Begin the audits; the cost of leakage takes more fits, so the fastest pipeline has it."""
        from audioclf.experiment.auditing import begin_audits

        if not self.config.audit:
            return None
        others = [item for item in evaluation.results if not item.pipeline.is_baseline]
        fastest = min(others, key=lambda item: item.fit_seconds).pipeline if others else None
        return begin_audits(
            self.config,
            extraction,
            evaluation.splits,
            evaluation.results,
            fastest,
            self.resources.cache_folder,
            _processes(engine),
            self.state.fit_cache,
        )

    def _summarise(
        self, prepared: Prepared, extraction: Extraction, evaluation: _Evaluation
    ) -> RunResult:
        """Compute the metrics, and compare the pipelines."""
        from audioclf.audit import not_audited
        from audioclf.evaluation.comparison.ensembles import of_ensembles
        from audioclf.runs.results import compared, summarise

        self.progress("metrics", 0, 1)
        results, curve = evaluation.results, evaluation.curve
        result = summarise(self.config, self.folder, extraction, evaluation.splits, results)
        notes = [
            *result.notes,
            *of_copies(self.config),
            *evaluation.fits.notes,
            *(curve.notes if curve else ()),
        ]
        if self.config.audit:
            notes += not_audited(extraction.dataset)
        comparison = compared(self.config, extraction.dataset, results, prepared.baseline)
        notes += of_ensembles([item.pipeline for item in results], comparison)
        return replace(result, notes=tuple(notes), comparison=comparison, learning_curve=curve)

    def _fit_final(
        self, result: RunResult, extraction: Extraction, evaluation: _Evaluation
    ) -> Fitted | None:
        """Fit the final pipeline on all clips."""
        name, names = self.config.final, self.config.pipeline_names
        if name == "none":
            return None
        if name == "best":
            name = next(item.name for item in result.pipelines if item.name in names)
        with self._timed("final"):
            return self._fitted_on_all(name, extraction, evaluation)

    def _fitted_on_all(self, name: str, extraction: Extraction, evaluation: _Evaluation) -> Fitted:
        from audioclf.experiment.final_model import fit_on_all

        self.progress("final", 0, 1, name)
        return fit_on_all(
            self.config,
            next(item for item in evaluation.results if item.pipeline.name == name),
            extraction,
            in_batches=name in evaluation.fits.batched,
            fit_on=partial(evaluation.fit, progress=partial(self.progress, "unknown")),
            begun_fit=evaluation.begun_fit if name == self.config.final else None,
        )

    def _write_models(
        self, result: RunResult, fitted: Fitted, extraction: Extraction, evaluation: _Evaluation
    ) -> RunResult:
        """Write the final model, and those equal to the best if the config says so."""
        from audioclf.experiment.final_model import write_equals, write_final

        with self._timed("final"):
            path, notes = write_final(self.folder, result, fitted, extraction, self.registry)
            if self.config.keep == "equal":
                fit = partial(self._fitted_on_all, extraction=extraction, evaluation=evaluation)
                of_equals = write_equals(self.folder, result, fit, extraction, self.registry)
                notes = (*notes, *of_equals)
        return replace(result, model=path, notes=(*result.notes, *notes))


def _processes(engine: Engine) -> ProcessEngine | None:
    """Return the worker processes of the engine of a run that need not work in them."""
    from audioclf.engines.adaptive import AdaptiveEngine

    return engine.processes if isinstance(engine, AdaptiveEngine) else None
