"""The steps from a config to its audits: extract, split, evaluate one pipeline, look.

A full run has all of this at hand: `with_tables` is what it adds to its featurizers, and
`audits_of` looks at what it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioclf.audit import audit_data, blocking, check_allowed, run_audits
from audioclf.audit.findings import Audit, Finding
from audioclf.audit.leakage.cost import Rescoring
from audioclf.audit.shortcuts.facts import read_formats
from audioclf.audit.tables import FACTS, PRINTS, with_tables
from audioclf.base.errors import EXIT_DATA, EXIT_OK, EXIT_PARTIAL
from audioclf.base.limits import use_limits
from audioclf.base.machine import available_cores, single_threaded
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Origin
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset, codes_of
from audioclf.engines import make_engine
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.results import Pipeline, PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.features.extraction import Extraction, extract
from audioclf.features.waveform import Decoder, cached_in, decoded

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True)
class AuditReport:
    """What the audits of a config found.

    Parameters
    ----------
    dataset : str
        Its name.
    audits : tuple of Audit
    allowed : tuple of str
        Names of findings that are known and accepted.
    notes : tuple of str
        What the user should know.
    n_failed : int
        Clips that could not be read.
    """

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
    config: RunConfig,
    dataset: Dataset,
    pipeline: Pipeline | None,
    origins: Mapping[str, Origin],
    *,
    allow: Iterable[str] = (),
    jobs: int | None = None,
    cache_folder: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> AuditReport:
    """Audit the dataset and the splits of a config, and the predictions of one of its pipelines.

    Clips that cannot be read are a finding here and end nothing, whatever `on_error` says.

    Parameters
    ----------
    config : RunConfig
    dataset : Dataset
        What its loader returned.
    pipeline : Pipeline, optional
        Whose predictions labels and shortcuts are compared with; without it nothing is trained.
    origins : mapping of str to Origin
        Where the featurizers come from.
    allow : iterable of str
        Names of findings that are known and accepted.
    jobs : int, optional
        Threads and processes; all cores by default. The audits are the same for any number.
    cache_folder : Path, optional
        Folder of the feature cache; without it nothing is cached.
    progress : callable

    Raises
    ------
    ConfigError
        If an allowed name is no finding.
    DatasetError, SplitError, ClassifierError
        As a run would.
    """
    allowed = check_allowed(allow)
    jobs = jobs or available_cores()
    wanted = (
        {} if pipeline is None else {pipeline.featurizer: config.featurizers[pipeline.featurizer]}
    )
    with single_threaded(), use_limits(config.limits):
        extraction = _extract(config, dataset, wanted, origins, jobs, cache_folder, progress)
        splits = config.split.folds(extraction.dataset, config.seed)
        results = evaluate(
            [] if pipeline is None else [pipeline],
            extraction.matrices,
            codes_of(extraction.dataset),
            splits,
            seed=config.seed,
            jobs=jobs,
            progress=lambda done, total: progress("fitting", done, total),
        )
        audits = audits_of(config, extraction, splits, results, pipeline, cached_in(cache_folder))
    notes = (*extraction.dataset.notes, *extraction.cache.notes())
    failed = len(extraction.failed)
    return AuditReport(dataset.name, tuple(audits), allowed, notes, failed)


def _extract(
    config: RunConfig,
    dataset: Dataset,
    wanted: Mapping[str, Featurizer],
    origins: Mapping[str, Origin],
    jobs: int,
    cache_folder: Path | None,
    progress: Progress,
) -> Extraction:
    featurizers, known = with_tables(wanted, origins)
    with make_engine("local", jobs=jobs, isolate=config.isolate) as engine:
        extraction = extract(
            dataset,
            config.audio,
            featurizers,
            engine=engine,
            cache_folder=cache_folder,
            origins=known,
            progress=lambda done, total: progress("reading", done, total),
        )
    _close_cache(extraction, cache_folder)
    return extraction


def _close_cache(extraction: Extraction, folder: Path | None) -> None:
    from audioclf.features.cache import FeatureCache

    if folder is not None:
        cache = FeatureCache(folder)
        cache.written = extraction.cache.written
        cache.close()


def audits_of(
    config: RunConfig,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
    pipeline: Pipeline | None,
    decoder: Decoder = decoded,
) -> list[Audit]:
    """Audit what a run found, whose extraction holds the tables of `with_tables`.

    Parameters
    ----------
    config : RunConfig
    extraction : Extraction
    splits : Splits
    results : sequence of PipelineResult
        Of all pipelines, or of some.
    pipeline : Pipeline, optional
        Fitted again where there is a leak, to say what it is worth; never without it.
    decoder : callable
        Gives the clips that may be copies of each other.
    """
    matrices = extraction.matrices
    rescoring = None
    if pipeline is not None:
        rescoring = Rescoring(pipeline, matrices, config.split, config.seed, config.metrics[0])
    return run_audits(
        extraction.dataset,
        extraction.ledger,
        matrices[FACTS],
        matrices[PRINTS],
        read_formats(extraction.ledger),
        splits,
        results,
        audio=config.audio,
        seed=config.seed,
        rescoring=rescoring,
        decoder=decoder,
    )
