"""What a run found, as typed values and as the files of its folder."""

from __future__ import annotations
from audioclf.dataset.dataset import codes_of

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit.findings import Audit, Finding
from audioclf.audit import audit_data, blocking
from audioclf.components.metrics import Metric
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.evaluation.results import CellResult
from audioclf.evaluation.metrics.estimate import Estimate, estimate, unit_of
from audioclf.evaluation.splits import Splits
from audioclf.evaluation.metrics.subgroups import by_subgroup
from audioclf.evaluation.metrics.per_class import per_class
from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.metrics.estimate import CONFIDENCE_LEVEL, LOWER_IS_BETTER, mean_confusion
from audioclf.features.extraction import Extraction
from audioclf.features.worker import LedgerRow
from audioclf.runs import plots
from audioclf.runs.folder import AUDIT, COMPARISON, FOLDS, LEDGER, METRICS, PLOTS, PREDICTIONS, RunFolder

if TYPE_CHECKING:
    from numpy.typing import NDArray




@dataclass(frozen=True)
class CellSummary:
    """What a run found of one cell.

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
    cells : tuple of CellSummary
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
        Which cells are better, and which cannot be told apart.
    audits : tuple of Audit
        Reasons not to believe the numbers.
    model : Path, optional
        The bundle that holds the final model.
    report : Path, optional
        The page.
    remarks : tuple of str
        What befell this run and is no property of its numbers, as that it went on where it had
        been stopped.
    untold : tuple of str
        Why a plugin that was to be told of the run failed; the results are complete.
    """

    config: RunConfig
    folder: Path
    cells: tuple[CellSummary, ...]
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
    untold: tuple[str, ...] = ()

    @property
    def findings(self) -> list[Finding]:
        """What casts doubt on the numbers and is not allowed by the config."""
        return blocking(self.audits, self.config.allow)

    @property
    def exit_code(self) -> int:
        """0 when all is done, 4 when clips were left out or a plugin was not told of the run."""
        return EXIT_PARTIAL if self.n_failed or self.untold else EXIT_OK

    def __getitem__(self, cell: str) -> CellSummary:
        for summary in self.cells:
            if summary.name == cell:
                return summary
        raise KeyError(cell)




def summarise(
    config: RunConfig,
    folder: RunFolder,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[CellResult],
) -> RunResult:
    """Compute the metrics of every cell, with their intervals."""
    dataset = extraction.dataset
    unit, units = unit_of(dataset)
    cells = [_cell_summary(result, config, codes_of(dataset), units) for result in results]
    cells.sort(key=lambda cell: _rank(cell, config.metrics[0]))
    tested = {int(units[index]) for fold in splits.folds for index in fold.test}
    return RunResult(
        config=config,
        folder=folder.path,
        cells=tuple(cells),
        classes=dataset.classes,
        n_clips=len(dataset),
        n_failed=len(extraction.failed),
        splits=splits.description,
        unit=unit,
        n_units=len(tested),
        notes=(
            *_notes(extraction, splits, cells),
            *_doubts(cells, config.metrics[0], unit, len(tested)),
        ),
    )


def _cell_summary(
    result: CellResult, config: RunConfig, y: NDArray[np.intp], units: NDArray[np.intp]
) -> CellSummary:
    cell = result.cell
    found = {m: estimate(result, m, y, units, seed=config.seed) for m in config.metrics}
    return CellSummary(
        cell.name,
        cell.featurizer,
        cell.classifier_name,
        found,
        result.fit_seconds,
        result.predict_seconds_per_clip,
        result.model_bytes,
        result.peak_memory,
        result.warnings,
    )


def compared(
    config: RunConfig, dataset: Dataset, results: Sequence[CellResult], baseline: str | None
) -> Comparison:
    """Compare the cells in pairs by the main metric."""
    unit, units = unit_of(dataset)
    return compare(
        {result.cell.name: result for result in results},
        config.metrics[0],
        codes_of(dataset),
        units,
        unit_name=unit,
        seed=config.seed,
        equivalence_margin=config.equivalence_margin,
        baseline=baseline,
    )


def _rank(cell: CellSummary, main: Metric) -> float:
    found = cell.metrics[main]
    if found is None or not np.isfinite(found.value):
        return float("inf")
    return found.value if main in LOWER_IS_BETTER else -found.value


def _notes(extraction: Extraction, splits: Splits, cells: Iterable[CellSummary]) -> Iterator[str]:
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
    for cell in cells:
        for text, count in cell.warnings.items():
            yield f"{cell.name} warned in {count} fits: {text}"


def _doubts(cells: Sequence[CellSummary], main: Metric, unit: str, n_units: int) -> Iterator[str]:
    """Say where an interval is none, or looks surer than it is."""
    if n_units == 1:
        yield f"there is only 1 {unit} to resample, so there are no intervals"
        return
    sure = [
        cell.name for cell in cells if (m := cell.metrics[main]) and m.value == m.low == m.high == 1
    ]
    if sure:
        yield (
            f"{', '.join(sure)}: without any mistake resampling shows no interval; by the rule of "
            f"three, up to {min(1.0, 3 / n_units):.2g} of new {unit}s could still go wrong"
        )


























