"""What a run found, as typed values and as the files of its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audit import blocking
from audioclf.audit.findings import Audit, Finding
from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.components.metrics import METRICS, Metric
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.metrics.estimate import (
    Estimate,
    estimate,
)
from audioclf.evaluation.results import PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.features.extraction import Extraction
from audioclf.runs.folder import (
    LEDGER,
    RunFolder,
)

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class CellSummary:
    """What a run found of one pipeline.

    Parameters
    ----------
    name, featurizer, classifier : str
        As the config names them.
    metrics : dict of str to Estimate or None
        None where the classifier has no scores that the metric needs.
    fit_seconds : float
        Mean wall-clock seconds of one fit.
    predict_seconds_per_clip : float
        Mean wall-clock seconds.
    model_bytes : int, optional
        Size of a fitted estimator.
    peak_memory : int, optional
        Bytes by which a process grew at most during one fit.
    warnings : dict of str to int
        What the classifier warned of, with the number of fits.
    """

    name: str
    featurizer: str
    classifier: str
    metrics: dict[Metric, Estimate | None]
    fit_seconds: float
    predict_seconds_per_clip: float = 0.0
    model_bytes: int | None = None
    peak_memory: int | None = None
    warnings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Parameters
    ----------
    config : RunConfig
    folder : Path
        Where the results stand.
    pipelines : tuple of CellSummary
        Best first by the main metric.
    classes : tuple of str
    n_clips, n_failed : int
        Clips that were evaluated, and clips that could not be read.
    splits : str
        What the evaluation did, in words.
    unit : str
        What the intervals resample: "clip" or "group".
    n_units : int
    notes : tuple of str
        What the user should know.
    comparison : Comparison, optional
        Which pipelines are better, and which cannot be told apart.
    audits : tuple of Audit
        Reasons not to believe the numbers.
    model : Path, optional
        The bundle that holds the final model.
    report : Path, optional
        The page.
    remarks : tuple of str
        What befell this run and is no property of its numbers, as that it went on where it had
        been stopped.
    failed_notifications : tuple of str
        Why a plugin that was to be told of the run failed; the results are complete.
    """

    config: RunConfig
    folder: Path
    pipelines: tuple[CellSummary, ...]
    classes: tuple[str, ...]
    n_clips: int
    n_failed: int
    splits: str
    unit: str
    n_units: int
    notes: tuple[str, ...]
    comparison: Comparison | None = None
    audits: tuple[Audit, ...] = ()
    model: Path | None = None
    report: Path | None = None
    remarks: tuple[str, ...] = ()
    failed_notifications: tuple[str, ...] = ()

    @property
    def findings(self) -> list[Finding]:
        """What casts doubt on the numbers and is not allowed by the config."""
        return blocking(self.audits, self.config.allow)

    @property
    def exit_code(self) -> int:
        """0 when all is done, 4 when clips were left out or a plugin was not told of the run."""
        return EXIT_PARTIAL if self.n_failed or self.failed_notifications else EXIT_OK

    def __getitem__(self, pipeline: str) -> CellSummary:
        for summary in self.pipelines:
            if summary.name == pipeline:
                return summary
        raise KeyError(pipeline)


def summarise(
    config: RunConfig,
    folder: RunFolder,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
) -> RunResult:
    """Compute the metrics of every pipeline, with their intervals."""
    dataset = extraction.dataset
    targets = dataset.targets
    pipelines = [_pipeline_summary(result, config, targets) for result in results]
    pipelines.sort(key=lambda pipeline: _rank(pipeline, config.metrics[0]))
    tested = {int(targets.unit_codes[index]) for fold in splits.folds for index in fold.test}
    return RunResult(
        config=config,
        folder=folder.path,
        pipelines=tuple(pipelines),
        classes=dataset.classes,
        n_clips=len(dataset),
        n_failed=len(extraction.failed),
        splits=splits.description,
        unit=targets.unit,
        n_units=len(tested),
        notes=(
            *_notes(extraction, splits, pipelines),
            *_doubts(pipelines, config.metrics[0], targets.unit, len(tested)),
        ),
    )


def _pipeline_summary(result: PipelineResult, config: RunConfig, targets: Targets) -> CellSummary:
    pipeline = result.pipeline
    found = {m: estimate(result, m, targets, seed=config.seed) for m in config.metrics}
    return CellSummary(
        pipeline.name,
        pipeline.featurizer,
        pipeline.classifier_name,
        found,
        result.fit_seconds,
        result.predict_seconds_per_clip,
        result.model_bytes,
        result.peak_memory,
        result.warnings,
    )


def compared(
    config: RunConfig, dataset: Dataset, results: Sequence[PipelineResult], baseline: str | None
) -> Comparison:
    """Compare the pipelines in pairs by the main metric."""
    return compare(
        {result.pipeline.name: result for result in results},
        config.metrics[0],
        dataset.targets,
        seed=config.seed,
        equivalence_margin=config.equivalence_margin,
        baseline=baseline,
    )


def _rank(pipeline: CellSummary, main: Metric) -> float:
    found = pipeline.metrics[main]
    if found is None or not np.isfinite(found.value):
        return float("inf")
    return found.value if METRICS[main].lower_is_better else -found.value


def _notes(
    extraction: Extraction, splits: Splits, pipelines: Iterable[CellSummary]
) -> Iterator[str]:
    yield from extraction.dataset.notes
    yield from splits.notes
    yield from extraction.notes
    yield from extraction.cache.notes()
    if extraction.failed:
        yield (
            f"{len(extraction.failed)} of {len(extraction.ledger)} clips could not be read and "
            f"were left out; {LEDGER} lists them"
        )
    remarks = [row for row in extraction.ledger if row.status == "ok" and row.message]
    if remarks:
        first = remarks[0]
        yield f"{len(remarks)} clips with a remark, such as {first.clip.id}: {first.message}"
    for pipeline in pipelines:
        for text, count in pipeline.warnings.items():
            yield f"{pipeline.name} warned in {count} fits: {text}"


def _doubts(
    pipelines: Sequence[CellSummary], main: Metric, unit: str, n_units: int
) -> Iterator[str]:
    """Say where an interval is none, or looks surer than it is."""
    if n_units == 1:
        yield f"there is only 1 {unit} to resample, so there are no intervals"
        return
    sure = [
        pipeline.name
        for pipeline in pipelines
        if (m := pipeline.metrics[main]) and m.value == m.low == m.high == 1
    ]
    if sure:
        yield (
            f"{', '.join(sure)}: without any mistake resampling shows no interval; by the rule of "
            f"three, up to {min(1.0, 3 / n_units):.2g} of new {unit}s could still go wrong"
        )
