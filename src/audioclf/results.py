"""What a run found, as typed values and as the files of its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit import Audit, Finding, audit_data, blocking
from audioclf.config import Metric, RunConfig
from audioclf.dataset import Dataset
from audioclf.errors import EXIT_OK, EXIT_PARTIAL
from audioclf.evaluation import (
    CellResult,
    Estimate,
    Splits,
    by_subgroup,
    estimate,
    per_class,
    unit_of,
)
from audioclf.evaluation.comparison import Comparison, compare
from audioclf.evaluation.metrics import CONFIDENCE_LEVEL, LOWER_IS_BETTER, mean_confusion
from audioclf.features import Extraction, LedgerRow
from audioclf.report import plots
from audioclf.runfolder import (
    AUDIT,
    COMPARISON,
    FOLDS,
    LEDGER,
    METRICS,
    PLOTS,
    PREDICTIONS,
    RunFolder,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SUBGROUPS = 500
"""Groups that are listed one by one; more make no table that anybody reads."""

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
    """Write folds, predictions, metrics, comparison, audits and plots."""
    _write_folds(folder, splits, extraction.dataset)
    _write_predictions(folder, results, extraction.dataset)
    _write_metrics(folder, result, results, splits, extraction.dataset)
    if result.comparison is not None:
        folder.write_json(COMPARISON, result.comparison.to_data())
    if result.audits:
        folder.write_json(AUDIT, audit_data(result.audits, result.config.allow))
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
    folder: RunFolder,
    result: RunResult,
    results: Sequence[CellResult],
    splits: Splits,
    dataset: Dataset,
) -> None:
    by_name = {found.cell.name: found for found in results}
    data = {
        "classes": list(result.classes),
        "clips": {"evaluated": result.n_clips, "left_out": result.n_failed},
        "split": result.splits,
        "unit": {"name": result.unit, "count": result.n_units},
        "confidence_level": CONFIDENCE_LEVEL,
        "cells": {
            cell.name: _cell_data(cell, by_name[cell.name], result.config, splits, dataset)
            for cell in result.cells
        },
    }
    folder.write_json(METRICS, data)


def _cell_data(
    cell: CellSummary, found: CellResult, config: RunConfig, splits: Splits, dataset: Dataset
) -> dict[str, Any]:
    y = codes_of(dataset)
    return {
        "featurizer": cell.featurizer,
        "classifier": cell.classifier,
        "scores": found.score_kind,
        "metrics": {name: _estimate_data(each) for name, each in cell.metrics.items()},
        "confusion": mean_confusion(found, y).tolist(),
        "per_class": _per_class(found, config, dataset),
        "subgroups": dict(_subgroups(found, config, splits, dataset)),
        "fit_seconds": round(cell.fit_seconds, 6),
        "predict_seconds_per_clip": round(cell.predict_seconds_per_clip, 9),
        "model_bytes": cell.model_bytes,
        "peak_memory_bytes": cell.peak_memory,
        "chosen": [
            {"repeat": each.fold.repeat, "fold": each.fold.name, "values": dict(each.chosen)}
            for each in found.folds
            if each.chosen is not None
        ],
    }


def _per_class(found: CellResult, config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    y, (_, units) = codes_of(dataset), unit_of(dataset)
    scores = per_class(found, y, units, len(dataset.classes), seed=config.seed)
    return {
        name: {
            "precision": _interval_data(each.precision),
            "recall": _interval_data(each.recall),
            "f1": _interval_data(each.f1),
            "support": each.support,
        }
        for name, each in zip(dataset.classes, scores, strict=True)
    }


def _subgroups(
    found: CellResult, config: RunConfig, splits: Splits, dataset: Dataset
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the main metric by group, and by fold where each clip is tested once."""
    sortings = {"group": [clip.group for clip in dataset]} if dataset.has_groups else {}
    if all(fold.repeat == 0 for fold in splits.folds):
        folds: list[str | None] = [None] * len(dataset)
        for fold in splits.folds:
            for index in fold.test:
                folds[index] = fold.name
        sortings["fold"] = folds
    for what, of_clip in sortings.items():
        names = sorted({name for name in of_clip if name is not None})
        if len(names) > MAX_SUBGROUPS:
            continue
        at = {name: code for code, name in enumerate(names)}
        codes = np.asarray([-1 if name is None else at[name] for name in of_clip])
        scores = by_subgroup(found, config.metrics[0], codes_of(dataset), codes, names)
        yield what, [asdict(score) for score in scores]


def _estimate_data(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**_interval_data(found), "per_fold": list(found.per_fold)}


def _interval_data(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


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
