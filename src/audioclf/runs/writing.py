"""The files of a run folder: folds, predictions, metrics, comparison, audits and plots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from audioclf.audit import audit_data
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.metrics.bootstrap import CONFIDENCE_LEVEL
from audioclf.evaluation.metrics.estimate import Estimate, mean_confusion
from audioclf.evaluation.metrics.per_class import per_class
from audioclf.evaluation.metrics.subgroups import by_subgroup
from audioclf.evaluation.results import PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.features.extraction import Extraction
from audioclf.features.worker import LedgerRow
from audioclf.runs import plots
from audioclf.runs.folder import (
    AUDIT,
    COMPARISON,
    FOLDS,
    LEDGER,
    METRICS,
    PLOTS,
    PREDICTIONS,
    RunFolder,
)
from audioclf.runs.layout import (
    PIPELINES,
    FoldRow,
    LedgerLine,
    PredictionRow,
    decision_column,
    interval_data,
    score_column,
)
from audioclf.runs.results import PipelineSummary, RunResult

MAX_SUBGROUPS = 500
"""Groups up to which a table lists each one."""


def write_ledger(folder: RunFolder, ledger: Iterable[LedgerRow]) -> None:
    """Write a row for each clip: its file, and whether it was read."""
    folder.write_csv(LEDGER, LedgerLine._fields, map(_ledger_line, ledger))


def _ledger_line(row: LedgerRow) -> LedgerLine:
    info = row.info
    facts: tuple[Any, ...] = ("",) * 5
    if info is not None:
        facts = (info.container, info.subtype, info.sr, info.channels, info.frames)
    seconds = round(row.seconds, 6)
    clip = (row.clip.id, row.clip.label, row.status, row.message)
    recording = "" if row.clip.recording == row.clip.id else row.clip.recording
    return LedgerLine._make((*clip, *facts, seconds, row.digest, recording))


def write_results(
    folder: RunFolder,
    result: RunResult,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
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
        FoldRow(fold.repeat, fold.name, clip.id, clip.label, clip.group or "")
        for fold in splits.folds
        for clip in (dataset.clips[index] for index in fold.test)
    ]
    folder.write_csv(FOLDS, FoldRow._fields, rows)


def _write_predictions(
    folder: RunFolder, results: Sequence[PipelineResult], dataset: Dataset
) -> None:
    header = [*PredictionRow._fields, *map(score_column, dataset.classes)]
    ranked = any(fold.decision_values is not None for each in results for fold in each.folds)
    if ranked:
        header += map(decision_column, dataset.classes)
    rows = (row for result in results for row in _prediction_rows(result, dataset, ranked))
    folder.write_csv(PREDICTIONS, header, rows)


def _prediction_rows(
    result: PipelineResult, dataset: Dataset, ranked: bool
) -> Iterator[tuple[Any, ...]]:
    for fold_result in result.folds:
        fold = fold_result.fold
        for at, index in enumerate(fold.test):
            clip, code = dataset.clips[index], fold_result.y_pred[at]
            scores = [""] * len(dataset.classes)
            if fold_result.scores is not None:
                # All digits, so that whoever reads them gets the same values and the same order.
                scores = [repr(float(score)) for score in fold_result.scores[at]]
            row = PredictionRow(
                result.pipeline.name,
                fold.repeat,
                fold.name,
                clip.id,
                clip.label,
                dataset.classes[code],
                scores[code],
            )
            decision_values = [""] * len(dataset.classes) if ranked else []
            if fold_result.decision_values is not None:
                decision_values = [repr(float(v)) for v in fold_result.decision_values[at]]
            yield (*row, *scores, *decision_values)


def _write_metrics(
    folder: RunFolder,
    result: RunResult,
    results: Sequence[PipelineResult],
    splits: Splits,
    dataset: Dataset,
) -> None:
    by_name = {each.pipeline.name: each for each in results}
    data = {
        "classes": list(result.classes),
        "clips": {"evaluated": result.n_clips, "left_out": result.n_failed},
        "split": result.splits,
        "unit": {"name": result.unit, "count": result.n_units},
        "confidence_level": CONFIDENCE_LEVEL,
        PIPELINES: {
            pipeline.name: _pipeline_data(
                pipeline, by_name[pipeline.name], result.config, splits, dataset
            )
            for pipeline in result.pipelines
        },
    }
    folder.write_json(METRICS, data)


def _pipeline_data(
    pipeline: PipelineSummary,
    result: PipelineResult,
    config: RunConfig,
    splits: Splits,
    dataset: Dataset,
) -> dict[str, Any]:
    return {
        "featurizer": pipeline.featurizer,
        "classifier": pipeline.classifier,
        "scores": result.score_kind,
        "metrics": {name: _estimate_data(estimate) for name, estimate in pipeline.metrics.items()},
        "confusion": mean_confusion(result, dataset.targets).tolist(),
        "per_class": _per_class(result, config, dataset),
        "subgroups": dict(_subgroups(result, config, splits, dataset)),
        "fit_seconds": round(pipeline.fit_seconds, 6),
        "predict_seconds_per_clip": round(pipeline.predict_seconds_per_clip, 9),
        "model_bytes": pipeline.model_bytes,
        "peak_memory_bytes": pipeline.peak_memory,
        "chosen": [
            {"repeat": fold.fold.repeat, "fold": fold.fold.name, "values": dict(fold.chosen)}
            for fold in result.folds
            if fold.chosen is not None
        ],
    }


def _per_class(result: PipelineResult, config: RunConfig, dataset: Dataset) -> dict[str, Any]:
    scores = per_class(result, dataset.targets, seed=config.seed)
    return {
        name: {
            "precision": interval_data(score.precision),
            "recall": interval_data(score.recall),
            "f1": interval_data(score.f1),
            "support": score.support,
        }
        for name, score in zip(dataset.classes, scores, strict=True)
    }


def _subgroups(
    result: PipelineResult, config: RunConfig, splits: Splits, dataset: Dataset
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the main metric by group, and by fold where each clip is tested once."""
    sortings = {"group": [clip.group for clip in dataset]} if dataset.has_groups else {}
    if all(fold.repeat == 0 for fold in splits.folds):
        folds: list[str | None] = [None] * len(dataset)
        for fold in splits.folds:
            for index in fold.test:
                folds[index] = fold.name
        sortings["fold"] = folds
    for kind, of_clip in sortings.items():
        names = sorted({name for name in of_clip if name is not None})
        if len(names) > MAX_SUBGROUPS:
            continue
        at = {name: code for code, name in enumerate(names)}
        codes = np.asarray([-1 if name is None else at[name] for name in of_clip])
        scores = by_subgroup(result, config.metrics[0], dataset.targets, codes, names)
        yield kind, [asdict(score) for score in scores]


def _estimate_data(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {**interval_data(estimate), "per_fold": list(estimate.per_fold)}


def _write_plots(
    folder: RunFolder,
    result: RunResult,
    results: Sequence[PipelineResult],
    dataset: Dataset,
    examples: Sequence[plots.Example],
) -> None:
    folder.write_bytes(f"{PLOTS}/classes.png", plots.plot_class_distribution(dataset.class_counts))
    featurizer = next(iter(result.config.featurizers))
    folder.write_bytes(f"{PLOTS}/examples.png", plots.plot_examples(examples, featurizer))
    for pipeline_result in results:
        name = pipeline_result.pipeline.name
        confusion = mean_confusion(pipeline_result, dataset.targets)
        picture = plots.plot_confusion(confusion, dataset.classes, f"Confusion matrix: {name}")
        folder.write_bytes(f"{PLOTS}/confusion-{name.replace('/', '--')}.png", picture)
