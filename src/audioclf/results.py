"""What a run found, as typed values and as the files of its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.config import Metric, RunConfig
from audioclf.dataset import Dataset
from audioclf.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.evaluation import CellResult, Estimate, Splits, estimate, unit_of
from audioclf.evaluation.metrics import CONFIDENCE_LEVEL, LOWER_IS_BETTER, mean_confusion
from audioclf.features import Extraction, LedgerRow
from audioclf.report import plots
from audioclf.runfolder import FOLDS, LEDGER, METRICS, PLOTS, PREDICTIONS, RunFolder

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEDGER_HEADER = (
    "path",
    "label",
    "status",
    "message",
    "container",
    "subtype",
    "sr",
    "channels",
    "frames",
    "seconds",
    "sha256",
)


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
    warnings : dict of str to int
        What the classifier warned of, with the number of fits.
    """

    name: str
    featurizer: str
    classifier: str
    metrics: dict[Metric, Estimate | None]
    fit_seconds: float
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

    @property
    def exit_code(self) -> int:
        """0 when every clip was read, 4 when some were left out."""
        return EXIT_PARTIAL if self.n_failed else EXIT_OK

    def __getitem__(self, cell: str) -> CellSummary:
        for summary in self.cells:
            if summary.name == cell:
                return summary
        raise KeyError(cell)


def codes_of(dataset: Dataset) -> NDArray[np.intp]:
    """Return the class of each clip as a code, `0..k-1` [shape=(n_clips,)]."""
    return np.asarray(dataset.encoded_labels(), dtype=np.intp)


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
        notes=tuple(_notes(extraction, splits, cells)),
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
        result.warnings,
    )


def _rank(cell: CellSummary, main: Metric) -> float:
    found = cell.metrics[main]
    if found is None or not np.isfinite(found.value):
        return float("inf")
    return found.value if main in LOWER_IS_BETTER else -found.value


def _notes(extraction: Extraction, splits: Splits, cells: Iterable[CellSummary]) -> Iterator[str]:
    yield from extraction.dataset.notes
    yield from splits.notes
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


def write_ledger(folder: RunFolder, ledger: Iterable[LedgerRow]) -> None:
    """Write what every file did."""
    folder.write_csv(LEDGER, _LEDGER_HEADER, map(_ledger_row, ledger))


def _ledger_row(row: LedgerRow) -> tuple[Any, ...]:
    info = row.info
    facts: tuple[Any, ...] = ("",) * 5
    if info is not None:
        facts = (info.container, info.subtype, info.sr, info.channels, info.frames)
    seconds = round(row.seconds, 6)
    return (row.clip.id, row.clip.label, row.status, row.message, *facts, seconds, row.digest)


def write_results(
    folder: RunFolder,
    result: RunResult,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[CellResult],
    examples: Sequence[plots.Example],
) -> None:
    """Write folds, predictions, metrics and plots."""
    _write_folds(folder, splits, extraction.dataset)
    _write_predictions(folder, results, extraction.dataset)
    _write_metrics(folder, result, results, extraction.dataset)
    _write_plots(folder, result, results, extraction.dataset, examples)


def _write_folds(folder: RunFolder, splits: Splits, dataset: Dataset) -> None:
    """Write the test side of every fold; a clip that is not listed there trains there."""
    rows = [
        (fold.repeat, fold.name, clip.id, clip.label, clip.group or "")
        for fold in splits.folds
        for clip in (dataset.clips[index] for index in fold.test)
    ]
    folder.write_csv(FOLDS, ("repeat", "fold", "path", "label", "group"), rows)


def _write_predictions(folder: RunFolder, results: Sequence[CellResult], dataset: Dataset) -> None:
    header = ["cell", "repeat", "fold", "path", "true_label", "label", "score"]
    header += [f"score_{name}" for name in dataset.classes]
    rows = (row for result in results for row in _prediction_rows(result, dataset))
    folder.write_csv(PREDICTIONS, header, rows)


def _prediction_rows(result: CellResult, dataset: Dataset) -> Iterator[tuple[Any, ...]]:
    for fold_result in result.folds:
        fold = fold_result.fold
        for row, index in enumerate(fold.test):
            clip, code = dataset.clips[index], fold_result.y_pred[row]
            scores = [""] * len(dataset.classes)
            if fold_result.scores is not None:
                scores = [f"{score:.9g}" for score in fold_result.scores[row]]
            where = (result.cell.name, fold.repeat, fold.name, clip.id, clip.label)
            yield (*where, dataset.classes[code], scores[code], *scores)


def _write_metrics(
    folder: RunFolder, result: RunResult, results: Sequence[CellResult], dataset: Dataset
) -> None:
    y = codes_of(dataset)
    confusions = {r.cell.name: mean_confusion(r, y).tolist() for r in results}
    kinds = {r.cell.name: r.score_kind for r in results}
    data = {
        "classes": list(result.classes),
        "split": result.splits,
        "unit": {"name": result.unit, "count": result.n_units},
        "confidence_level": CONFIDENCE_LEVEL,
        "cells": {
            cell.name: {
                "featurizer": cell.featurizer,
                "classifier": cell.classifier,
                "scores": kinds[cell.name],
                "metrics": {name: _estimate_data(found) for name, found in cell.metrics.items()},
                "confusion": confusions[cell.name],
                "fit_seconds": round(cell.fit_seconds, 6),
            }
            for cell in result.cells
        },
    }
    folder.write_json(METRICS, data)


def _estimate_data(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    interval = {"value": found.value, "low": found.low, "high": found.high}
    return {**interval, "per_fold": list(found.per_fold)}


def _write_plots(
    folder: RunFolder,
    result: RunResult,
    results: Sequence[CellResult],
    dataset: Dataset,
    examples: Sequence[plots.Example],
) -> None:
    folder.write_bytes(f"{PLOTS}/classes.png", plots.plot_class_distribution(dataset.class_counts))
    featurizer = next(iter(result.config.featurizers))
    folder.write_bytes(f"{PLOTS}/examples.png", plots.plot_examples(examples, featurizer))
    y = codes_of(dataset)
    for cell_result in results:
        name = cell_result.cell.name
        picture = plots.plot_confusion(mean_confusion(cell_result, y), dataset.classes, name)
        folder.write_bytes(f"{PLOTS}/confusion-{name.replace('/', '--')}.png", picture)
