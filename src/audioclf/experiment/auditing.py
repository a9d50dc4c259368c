"""The audits of a config without a full run: features, folds, and one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from audioclf.audit import (
    TABLE,
    AuditEntry,
    audit_data,
    audits_for,
    blocking,
    check_allowed,
    not_audited,
    with_table,
)
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.inputs import AuditInput, Rescoring
from audioclf.audit.remembered import remembered_in
from audioclf.audit.table import facts_in
from audioclf.base.errors import EXIT_DATA, EXIT_OK, EXIT_PARTIAL
from audioclf.base.limits import use_limits
from audioclf.base.machine import single_threaded
from audioclf.base.progress import Progress, no_progress
from audioclf.components.embedding import has_embedding
from audioclf.config.run_config import RunConfig
from audioclf.engines.ahead import begun
from audioclf.engines.local import ProcessEngine
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.fit_cache import FitCache
from audioclf.evaluation.results import Pipeline, PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.experiment.prepared import Prepared
from audioclf.experiment.resources import Resources
from audioclf.features.cache import FeatureCache
from audioclf.features.extraction import Extraction
from audioclf.features.waveform import cached_in


@dataclass(frozen=True)
class AuditReport:
    """Findings of the audits of a config, and the names of those that are `allowed`."""

    dataset: str
    audits: tuple[Audit, ...]
    allowed: tuple[str, ...]
    notes: tuple[str, ...] = ()
    n_failed: int = 0

    @property
    def blocking(self) -> list[Finding]:
        """The findings that are not allowed."""
        return blocking(self.audits, self.allowed)

    @property
    def exit_code(self) -> int:
        """3 when there is a finding that is not allowed, else 4 when clips were left out, or 0."""
        if self.blocking:
            return EXIT_DATA
        return EXIT_PARTIAL if self.n_failed else EXIT_OK

    def to_data(self) -> dict[str, Any]:
        """Return the content of `audit.json`."""
        return audit_data(self.audits, self.allowed)


def audit_config(
    prepared: Prepared,
    resources: Resources,
    *,
    quick: bool = False,
    allow: Iterable[str] = (),
    progress: Progress = no_progress,
) -> AuditReport:
    """Audit the dataset and the splits of a config, and the predictions of its first pipeline.

    The first pipeline on an embedding is audited as well: a label is in doubt only if both agree.

    Clips that cannot be read are a finding here and end nothing, whatever `on_error` is. With
    `quick` nothing is trained: labels are not audited, and shortcuts not compared with predictions.
    """
    allowed = check_allowed(allow)
    config = prepared.config
    pipelines = [] if quick else _audited(prepared)
    features = {item.featurizer: prepared.featurizers[item.featurizer] for item in pipelines}
    cache_folder = resources.cache_folder
    _ = prepared.classifier_digests
    with single_threaded(), use_limits(config.limits):
        featurizers, origins = with_table(features, {})
        with resources.at_work(config) as engine:
            extraction = prepared.extract(
                featurizers, engine, cache_folder, origins=origins, progress=progress
            )
        splits = prepared.splits(extraction.dataset)
        fit_cache = None
        if cache_folder is not None:
            fit_cache = prepared.open_fit_cache(FeatureCache(cache_folder), extraction)
        results = evaluate(
            pipelines,
            extraction.matrices,
            extraction.dataset.targets,
            splits,
            seed=config.seed,
            jobs=resources.jobs,
            fit_cache=fit_cache,
            progress=partial(progress, "fitting"),
        )
        progress("audits", 0, 1)
        pipeline = next(iter(pipelines), None)
        parts = config, extraction, splits, results, pipeline, cache_folder
        audits = begin_audits(*parts, fit_cache=fit_cache)()
        if fit_cache is not None:
            fit_cache.store.close()
    dataset = extraction.dataset
    notes = (*dataset.notes, *splits.notes, *extraction.cache.notes(), *not_audited(dataset))
    failed = len(extraction.failed)
    return AuditReport(prepared.dataset.name, tuple(audits), allowed, notes, failed)


def _audited(prepared: Prepared) -> list[Pipeline]:
    """Return the first pipeline, and the first one on an embedding if that is another."""
    first, featurizers = prepared.pipelines[0], prepared.config.inputs
    learned = [item for item in prepared.pipelines if not item.is_baseline]
    on_embedding = [item for item in learned if has_embedding(featurizers[item.featurizer])]
    return [first, *(item for item in on_embedding[:1] if item is not first)]


def begin_audits(
    config: RunConfig,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
    pipeline: Pipeline | None,
    cache_folder: Path | None,
    processes: ProcessEngine | None = None,
    fit_cache: FitCache | None = None,
) -> Callable[[], list[Audit]]:
    """Audit a run or a part of it, whose extraction holds the table of `with_table`.

    `pipeline` is fitted again where there is a leak, to estimate its effect on the scores. The
    audits are made by `processes` that are running, or when the result is called.
    """
    matrices = extraction.matrices
    rescoring = None
    if pipeline is not None:
        metric = config.metrics[0]
        parts = pipeline, matrices, config.split, config.seed, metric, fit_cache
        rescoring = Rescoring(*parts)
    inputs = AuditInput(
        dataset=extraction.dataset,
        ledger=extraction.ledger,
        audio=config.audio,
        splits=splits,
        results=results,
        facts=facts_in(matrices[TABLE]),
        prints=matrices[TABLE],
        seed=config.seed,
        rescoring=rescoring,
    )
    entries = audits_for(extraction.dataset, splits)
    return begun(processes, _audit, entries, shared=(inputs, cache_folder))


def _audit(entry: AuditEntry, work: tuple[AuditInput, Path | None]) -> Audit:
    inputs, cache_folder = work
    with cached_in(cache_folder) as decoder, remembered_in(cache_folder, inputs.audio) as remember:
        return entry.run(replace(inputs, decoder=decoder, remember=remember))
