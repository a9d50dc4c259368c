"""One run: from a config to results that stand in a folder.

The story is `_Run.go`; everything else here is a step of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audioclf.base.limits import use_limits
from audioclf.base.machine import (
    available_cores,
    available_memory,
    peak_memory,
    platform_name,
    single_threaded,
    versions_behind,
)
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Registry
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.experiment.grid import groups_of, is_baseline, pipelines_of
from audioclf.experiment.loading import check_feasible, load_dataset, ready, unreadable_clips
from audioclf.experiment.progress import RunProgress
from audioclf.experiment.provenance import components_of, origin_data, origins_of
from audioclf.experiment.resources import EngineName, Progress, Resources, cache_folder_or_default
from audioclf.runs.folder import RECORD, RunFolder
from audioclf.runs.working_folder import FIT_CACHE, working_folder

if TYPE_CHECKING:
    from audioclf.audit.findings import Audit
    from audioclf.engines.base import Engine
    from audioclf.evaluation.fit_cache import FitCache
    from audioclf.evaluation.memory import FitPlan
    from audioclf.evaluation.results import Pipeline, PipelineResult
    from audioclf.evaluation.splits import Splits
    from audioclf.experiment.planning.estimate import RunPlan
    from audioclf.features.extraction import Extraction
    from audioclf.runs.plots import Example
    from audioclf.runs.results import RunResult


PLAN_FROM = 1000
"""Clips from which on a run is planned first, so that its record shows prediction and outcome."""


def run(
    config: RunConfig | str | Path,
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
    progress: Progress = lambda stage, done, total: None,
) -> RunResult:
    """Load, extract, split, train, evaluate, and leave a run folder.

    Parameters
    ----------
    config : RunConfig or path
        A config, or the YAML file of one.
    overrides : iterable of str
        `key=value` each, for a config that is a file.
    out : path, optional
        Folder of the results; by default a new one below `runs/`.
    jobs : int, optional
        Threads and processes to use; by default as many as there are cores. The results are the
        same for any number.
    engine : {"local", "dask"}
        Where clips are featurized and classifiers are fitted. The results are the same for both.
    scheduler : str, optional
        Address of the Dask scheduler, such as `tls://host:8786`.
    insecure_cluster : bool
        Accept a scheduler on another machine without TLS; whoever reaches it can run code.
    isolate : bool, optional
        Read and featurize clips in worker processes, so that a crash costs one clip, and fit there
        as well, so that a crash is named; by default what the config says.
    clip_seconds : float, optional
        How long a clip may take to be read and featurized, in s; it is left out then, as one that
        cannot be read. Implies `isolate`.
    fit_seconds : float, optional
        How long a classifier may take for one fit with its predictions, in s; the run ends then.
        Implies `isolate`.
    cache : bool
        Whether features are kept for the next run. What is kept is found by content, never by name
        or time, and the results are the same.
    cache_dir : path, optional
        Folder of the feature cache; by default that of `audioclf cache stats`.
    registry : Registry, optional
        The plugins to use; by default those that are installed.
    notify : iterable of str, optional
        Plugins that are told of the finished run; by default those that the environment variable
        `AUDIOCLF_NOTIFY` names. One that fails costs nothing: `failed_notifications` of the result
        says why.
    notify_seconds : float, optional
        How long each of them may take, in s; by default 600.
    progress : callable, optional

    Returns
    -------
    result : RunResult

    Raises
    ------
    AudioclfError
        For whatever the user can mend; `exit_code` says of which kind it is.
    KeyboardInterrupt
        If it is stopped; its notes say what is done. The same call goes on where it stopped.

    Examples
    --------
    >>> import audioclf
    >>> result = audioclf.run("configs/barbie_puppy.yaml")  # doctest: +SKIP
    >>> result["gradient_boosting"].metrics["accuracy"].value  # doctest: +SKIP
    """
    from audioclf.experiment.notify import NOTIFY_SECONDS, tell, wanted

    config, registry = ready(config, overrides, registry)
    observers = registry.observers(wanted(notify))
    place = Resources(
        jobs or available_cores(),
        engine,
        scheduler,
        insecure_cluster,
        (config.isolate if isolate is None else isolate)
        or clip_seconds is not None
        or fit_seconds is not None,
        cache_folder_or_default(cache_dir) if cache else None,
        clip_seconds,
        fit_seconds,
    )
    working = working_folder(Path(out) if out else None, config.name, config.to_yaml())
    with single_threaded(), use_limits(config.limits), working as folder:
        result = _Run(config, registry, folder, place, progress).go()
    told = list(tell(observers, result.folder, seconds=notify_seconds or NOTIFY_SECONDS))
    return replace(
        result,
        remarks=(*result.remarks, *(each.text for each in told if each.is_done)),
        failed_notifications=tuple(each.text for each in told if not each.is_done),
    )


@dataclass(frozen=True)
class _Evaluated:
    """The folds and what each pipeline said on them."""

    splits: Splits
    results: tuple[PipelineResult, ...]
    fits: FitPlan


class _Run:
    """The steps of a run, in the order in which they are taken."""

    def __init__(
        self,
        config: RunConfig,
        registry: Registry,
        folder: RunFolder,
        place: Resources,
        progress: Progress,
    ) -> None:
        self.config = config
        self.registry = registry
        self.folder = folder
        self.place = place
        self.seconds: dict[str, float] = {}
        self.standing = RunProgress(folder.path, cached=place.cache_folder is not None)
        self.progress = self.standing.watching(progress)

    def go(self) -> RunResult:
        """Take every step; `record.json` marks the run as complete, and the page is made of it."""
        with self.standing.told():
            return self._go()

    def _go(self) -> RunResult:
        from audioclf.runs.writing import write_results

        with self._timed("load"):
            dataset = load_dataset(self.config, self.registry)
            check_feasible(self.config, dataset)
        plan = self._plan(dataset)
        with self.place.make_engine(self._required()) as engine:
            with self._timed("features"):
                extraction = self._extract(dataset, engine)
            evaluated = self._evaluate(extraction, engine)
        with self._timed("report"):
            result = self._judged(extraction, evaluated)
            examples = self._examples(extraction.dataset)
            write_results(
                self.folder, result, extraction, evaluated.splits, evaluated.results, examples
            )
        result = self._with_model(result, extraction, evaluated)
        self.folder.write_json(RECORD, self._record(result, extraction, plan))
        result = replace(result, remarks=tuple(self.standing.remarks()))
        self.standing.finish()
        return self._with_page(result, extraction.dataset)

    def _evaluate(self, extraction: Extraction, engine: Engine) -> _Evaluated:
        from audioclf.dataset.dataset import codes_of
        from audioclf.evaluation.cross_validation import evaluate
        from audioclf.evaluation.memory import plan_fits

        with self._timed("evaluate"):
            dataset, pipelines = extraction.dataset, pipelines_of(self.config, self.registry)
            splits = self.config.split.folds(dataset, self.config.seed)
            kept = self.standing.kept = self._kept_fits(pipelines, extraction)
            fits = plan_fits(
                pipelines,
                extraction.matrices,
                len(dataset.classes),
                splits,
                free=available_memory(),
            )
            results = evaluate(
                pipelines,
                extraction.matrices,
                codes_of(dataset),
                splits,
                seed=self.config.seed,
                groups=groups_of(dataset),
                fits=fits,
                jobs=self.place.jobs,
                engine=engine if self.place.engine == "dask" else None,
                kept=kept,
                isolate=self.place.isolate,
                fit_seconds=self.place.fit_seconds,
                progress=lambda done, total: self.progress("fitting", done, total),
            )
        return _Evaluated(splits, results, fits)

    def _kept_fits(self, pipelines: Iterable[Pipeline], extraction: Extraction) -> FitCache:
        from audioclf.evaluation.fit_cache import FitCache, classifier_digest

        digests = {
            pipeline.name: classifier_digest(
                pipeline.classifier, self.registry.origin_of(pipeline.classifier)
            )
            for pipeline in pipelines
        }
        behind = versions_behind({"audioclf", *self._required()})
        return FitCache(
            self.folder.path / FIT_CACHE, digests, extraction.feature_hashes, versions=behind
        )

    def _judged(self, extraction: Extraction, evaluated: _Evaluated) -> RunResult:
        """Compute metrics, compare the pipelines, and look for reasons not to believe any of it."""
        from audioclf.experiment.auditing import audits_of
        from audioclf.features.waveform import cached_in
        from audioclf.runs.results import compared, summarise

        results = evaluated.results
        result = summarise(self.config, self.folder, extraction, evaluated.splits, results)
        baseline = next((r.pipeline.name for r in results if is_baseline(r.pipeline)), None)
        others = [found for found in results if found.pipeline.name != baseline]
        # What a leak is worth takes more fits, so the quickest pipeline shows it.
        pipeline = min(others, key=lambda found: found.fit_seconds).pipeline if others else None
        audits: tuple[Audit, ...] = ()
        if self.config.audit:
            decoder = cached_in(self.place.cache_folder)
            audits = tuple(
                audits_of(self.config, extraction, evaluated.splits, results, pipeline, decoder)
            )
        return replace(
            result,
            notes=(*result.notes, *evaluated.fits.notes),
            comparison=compared(self.config, extraction.dataset, results, baseline),
            audits=audits,
        )

    def _with_model(
        self, result: RunResult, extraction: Extraction, evaluated: _Evaluated
    ) -> RunResult:
        """Fit the final pipeline on all clips and write its bundle, and what it looks at."""
        from audioclf.experiment.final_model import write_final

        name = self.config.final
        if name == "best":
            name = next(
                each.name for each in result.pipelines if each.name in self.config.pipeline_names
            )
        if name == "none":
            return result
        with self._timed("final"):
            found = next(each for each in evaluated.results if each.pipeline.name == name)
            path, notes = write_final(
                self.folder,
                self.config,
                result,
                found,
                extraction,
                self.registry,
                groups=groups_of(extraction.dataset),
                in_batches=name in evaluated.fits.batched,
            )
        return replace(result, model=path, notes=(*result.notes, *notes))

    def _with_page(self, result: RunResult, dataset: Dataset) -> RunResult:
        if not self.config.report.html:
            return result
        from audioclf.features.waveform import cached_in
        from audioclf.report.clips import DatasetClips
        from audioclf.report.run.page import write_report

        clips = DatasetClips(
            dataset,
            self.config.audio,
            decoder=cached_in(self.place.cache_folder),
            limits=self.config.limits,
        )
        path = write_report(self.folder.path, clips=clips, budget_mb=self.config.report.media_mb)
        return replace(result, report=path)

    def _plan(self, dataset: Dataset) -> RunPlan | None:
        """Foretell a run that is long enough for its user to wonder.

        That takes clips to be read here, so where they are to be read in isolation there is none.
        """
        if len(dataset) < PLAN_FROM or self.place.isolate:
            return None
        from audioclf.experiment.planning.planner import plan

        with self._timed("plan"):
            return plan(
                self.config,
                dataset,
                pipelines_of(self.config, self.registry),
                origins=origins_of(self.config.featurizers, self.registry),
                jobs=self.place.jobs,
                cache_folder=self.place.cache_folder,
                out=self.folder.path,
                load_seconds=self.seconds["load"],
            )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - started, 4)

    def _required(self) -> dict[str, str]:
        """Return the distributions that a worker elsewhere must have, with their versions."""
        found = map(self.registry.origin_of, components_of(self.config).values())
        return {origin.distribution: origin.version for origin in found if origin is not None}

    def _extract(self, dataset: Dataset, engine: Engine) -> Extraction:
        from audioclf.features.cache import FeatureCache
        from audioclf.features.extraction import extract
        from audioclf.runs.writing import write_ledger

        featurizers: Mapping[str, Featurizer] = self.config.featurizers
        origins = origins_of(featurizers, self.registry)
        if self.config.audit:
            from audioclf.audit.tables import with_tables

            featurizers, origins = with_tables(featurizers, origins)
        extraction = extract(
            dataset,
            self.config.audio,
            featurizers,
            engine=engine,
            cache_folder=self.place.cache_folder,
            origins=origins,
            cache_use=self.standing.cache_use,
            progress=lambda done, total: self.progress("reading", done, total),
        )
        if self.place.cache_folder is not None:
            cache = FeatureCache(self.place.cache_folder)
            cache.written = extraction.cache.written
            cache.close()
        write_ledger(self.folder, extraction.ledger)
        if extraction.failed and self.config.on_error == "fail":
            raise unreadable_clips(dataset, extraction, self.folder)
        return extraction

    def _examples(self, dataset: Dataset) -> list[Example]:
        """Take the first clip of each class, of the first classes where there are many."""
        from audioclf.features.extraction import make_plans
        from audioclf.features.waveform import waveform_plan
        from audioclf.features.worker import featurize_clip
        from audioclf.runs.plots import MAX_EXAMPLES, Example

        audio = self.config.audio
        name, featurizer = next(iter(self.config.featurizers.items()))
        origins = origins_of({name: featurizer}, self.registry)
        plans = (
            *make_plans(audio, {name: featurizer}, origins),
            waveform_plan(audio),
        )
        examples = []
        for label in dataset.classes[:MAX_EXAMPLES]:
            clip = next(clip for clip in dataset if clip.label == label)
            found = featurize_clip(clip, audio, plans, self.place.cache_folder)
            examples.append(Example(label, clip.id, found[""][0], audio.sr, found[name]))
        return examples

    def _record(
        self, result: RunResult, extraction: Extraction, plan: RunPlan | None
    ) -> dict[str, Any]:
        from audioclf._version import __version__
        from audioclf.experiment.planning.estimate import outcome

        dataset = extraction.dataset
        components = components_of(self.config).items()
        origins = {name: origin_data(item, self.registry) for name, item in components}
        behind = {origin["distribution"] or "audioclf" for origin in origins.values()}
        return {
            "format": 1,
            "audioclf": __version__,
            "name": self.config.name,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "platform": platform_name(),
            "versions": versions_behind(behind | {"audioclf"}),
            "components": origins,
            "seed": self.config.seed,
            "jobs": self.place.jobs,
            "engine": self.place.engine,
            "dataset": {
                "name": dataset.name,
                "fingerprint": extraction.fingerprint,
                "clips": len(dataset),
                "failed": result.n_failed,
                "classes": dataset.class_counts,
                "groups": len({clip.group for clip in dataset if clip.group is not None}),
            },
            "features": {
                name: {"shape": list(extraction.matrices[name].shape), "sha256": digest}
                for name, digest in extraction.feature_hashes.items()
                if name in self.config.featurizers
            },
            "cache": {"hits": extraction.cache.hits, "written": extraction.cache.written},
            "split": result.splits,
            "fits": self.standing.fits(),
            "notes": list(result.notes),
            "seconds": self.seconds,
            "plan": None if plan is None else outcome(plan, self.seconds, peak_memory()),
        }
