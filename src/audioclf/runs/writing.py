"""The files of a run folder: folds, predictions, metrics, comparison, audits and plots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit import audit_data
from audioclf.base.files import CsvCells, csv_rows
from audioclf.components.metrics import Metric
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.label_cells import number_text
from audioclf.dataset.label_sets import join_labels
from audioclf.dataset.targets import Targets
from audioclf.evaluation.class_fits import thresholds_of
from audioclf.evaluation.metrics.bootstrap import CONFIDENCE_LEVEL
from audioclf.evaluation.metrics.estimate import mean_confusion
from audioclf.evaluation.metrics.per_class import per_class
from audioclf.evaluation.metrics.several_classes import per_class_of_states
from audioclf.evaluation.metrics.subgroups import SubgroupScore, by_subgroup, harmonic_mean
from audioclf.evaluation.results import FoldResult, PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.features.extraction import Extraction
from audioclf.features.worker import LedgerRow
from audioclf.runs import folder as names
from audioclf.runs.curve_files import write_learning_curve
from audioclf.runs.folder import FoldRow, LedgerLine, PredictionRow, RunFolder
from audioclf.runs.results import PipelineSummary, RunResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SUBGROUPS = 500
"""Groups up to which a table lists each one."""


def write_ledger(folder: RunFolder, ledger: Iterable[LedgerRow]) -> None:
    """Write a row for each clip: its file, and whether it was read."""
    rows = list(ledger)
    if all(row.clip.weight == 1.0 for row in rows):
        folder.write_csv(names.LEDGER, LedgerLine._fields, map(_ledger_line, rows))
    else:
        lines = ((*_ledger_line(row), row.clip.weight) for row in rows)
        folder.write_csv(names.LEDGER, (*LedgerLine._fields, "weight"), lines)


def _ledger_line(row: LedgerRow) -> LedgerLine:
    clip, info = row.clip, row.info
    facts: tuple[Any, ...] = ("",) * 5
    if info is not None:
        facts = (info.container, info.subtype, info.sr, info.channels, info.frames)
    named = (clip.id, clip.label, row.status, row.message)
    recording = clip.recording
    recording = "" if recording == clip.id else recording
    return LedgerLine._make((*named, *facts, round(row.seconds, 6), row.digest, recording))


def write_metrics(
    folder: RunFolder,
    result: RunResult,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
) -> dict[str, Any]:
    """Write metrics and comparison; return the content of `metrics.json`."""
    metrics = _Tables(result, extraction.dataset, splits, results).metrics()
    folder.write_json(names.METRICS, metrics)
    if result.comparison is not None:
        folder.write_json(names.COMPARISON, result.comparison.to_data())
    if result.learning_curve is not None:
        write_learning_curve(folder, result.learning_curve)
    return metrics


def write_tables(
    folder: RunFolder,
    result: RunResult,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
) -> None:
    """Write folds and predictions."""
    tables = _Tables(result, extraction.dataset, splits, results)
    folder.write_csv(names.FOLDS, FoldRow._fields, tables.folds())
    folder.write_lines(names.PREDICTIONS, tables.predictions())


def write_audits(folder: RunFolder, result: RunResult) -> None:
    """Write the audits, if there are any."""
    if result.audits:
        folder.write_json(names.AUDIT, audit_data(result.audits, result.config.allow))


def write_plots(folder: RunFolder, plots: Mapping[str, bytes]) -> None:
    """Write plots by the name of the file."""
    for name, content in plots.items():
        folder.write_bytes(f"{names.PLOTS}/{name}", content)


@dataclass(frozen=True)
class _Tables:
    """Content of the tables of a run."""

    result: RunResult
    dataset: Dataset
    splits: Splits
    results: Sequence[PipelineResult]

    def folds(self) -> Iterator[FoldRow]:
        """Yield the test side of every fold; a clip that is not listed there trains there."""
        for fold in self.splits.folds:
            for clip in (self.dataset.clips[index] for index in fold.test):
                yield FoldRow(fold.repeat, fold.name, clip.id, clip.label, clip.group or "")

    @property
    def ranked(self) -> bool:
        return any(f.decision_values is not None for result in self.results for f in result.folds)

    def prediction_columns(self) -> list[str]:
        columns = [*PredictionRow._fields, *map(names.score_column, self.dataset.classes)]
        return columns + [names.decision_column(c) for c in self.dataset.classes if self.ranked]

    def predictions(self) -> Iterator[str]:
        """Yield the lines; numbers have all digits, so that a reader gets the same values."""
        cells = CsvCells()
        yield cells.line(self.prediction_columns())
        clips = [cells.line((clip.id, clip.label)) for clip in self.dataset.clips]
        classes = self.dataset.classes
        none = "," * (len(classes) - 1)
        for result in self.results:
            for fold in result.folds:
                where = cells.line((result.pipeline.name, fold.fold.repeat, fold.fold.name))
                tested = [clips[index] for index in fold.fold.test.tolist()]
                labels = map(cells.__getitem__, self._predicted(fold))
                columns = [
                    repeat(none) if values is None else csv_rows(values)
                    for values in (fold.scores, fold.decision_values)[: 1 + self.ranked]
                    if classes
                ]
                rows = zip(repeat(where), tested, labels, self._top_scores(fold), *columns)
                yield from map(",".join, rows)

    def _predicted(self, fold: FoldResult) -> Iterable[str]:
        """Return the labels that were predicted; several are joined."""
        classes, codes = self.dataset.classes, fold.y_pred
        if self.dataset.is_numbers:
            return map(number_text, codes)
        if self.dataset.is_several:
            return (join_labels(classes[code] for code in np.flatnonzero(row)) for row in codes)
        return [classes[code] for code in codes.tolist()]

    def _top_scores(self, fold: FoldResult) -> Iterable[str]:
        """Return the scores of the predicted labels; several have none in common."""
        if fold.scores is None or self.dataset.is_several or self.dataset.is_numbers:
            return repeat("")
        return csv_rows(fold.scores[np.arange(len(fold.y_pred)), fold.y_pred][:, None])

    def metrics(self) -> dict[str, Any]:
        result = self.result
        by_name = {each.pipeline.name: each for each in self.results}
        models = {each.name: {"model": each.to_data()} for each in result.models}
        return {
            **({"labels": "several"} if self.dataset.is_several else {}),
            **({} if self.dataset.target == "class" else {"target": self.dataset.targets.kind}),
            "classes": list(result.classes),
            "clips": {"evaluated": result.n_clips, "left_out": result.n_failed}
            | ({"hard": dict(result.hard)} if result.hard else {}),
            "split": result.splits,
            "unit": {"name": result.unit, "count": result.n_units},
            **({"weighted_by": result.weighted_by} if result.weighted_by else {}),
            "confidence_level": CONFIDENCE_LEVEL,
            names.PIPELINES: {
                pipeline.name: self._pipeline_data(pipeline, by_name[pipeline.name])
                | models.get(pipeline.name, {})
                for pipeline in result.pipelines
            },
        }

    def _pipeline_data(self, pipeline: PipelineSummary, result: PipelineResult) -> dict[str, Any]:
        targets = self.dataset.targets
        return {
            "featurizer": pipeline.featurizer,
            "classifier": pipeline.classifier,
            "scores": result.score_kind,
            "metrics": {
                name: value and {**value.to_data(), "per_fold": list(value.per_fold)}
                for name, value in pipeline.metrics.items()
            },
            **self._of_labels(result, targets),
            "subgroups": dict(self._subgroups(result)),
            **self._by_subgroups(result),
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

    def _of_labels(self, result: PipelineResult, targets: Targets) -> dict[str, Any]:
        if targets.is_numbers:
            errors = [fold.y_pred - targets.truth[fold.fold.test] for fold in result.folds]
            every = np.concatenate(errors)
            return {"errors": {"mean": float(every.mean()), "deviation": float(every.std())}}
        return self._of_states(result) if targets.is_several else self._of_classes(result)

    def _of_classes(self, result: PipelineResult) -> dict[str, Any]:
        targets = self.dataset.targets
        classes = per_class(result, targets, seed=self.result.config.seed)
        return {
            "confusion": mean_confusion(result, targets).tolist(),
            "per_class": {
                name: {
                    "precision": score.precision.to_data(),
                    "recall": score.recall.to_data(),
                    "f1": score.f1.to_data(),
                    "support": score.support,
                }
                for name, score in zip(self.dataset.classes, classes, strict=True)
            },
        }

    def _of_states(self, result: PipelineResult) -> dict[str, Any]:
        """Return each class by itself: there is no confusion matrix of several labels."""
        scores = per_class_of_states(result, self.dataset.targets, seed=self.result.config.seed)
        thresholds = thresholds_of(result.folds)
        return {
            "per_class": {
                name: {
                    **{metric: value.to_data() for metric, value in score.metrics.items()},
                    "support": score.yes,
                    "clips": {"yes": score.yes, "no": score.no, "not_labelled": score.unlabelled},
                    "resamples_without": score.without,
                    "threshold": None if thresholds is None else _spread(thresholds[:, code]),
                }
                for code, (name, score) in enumerate(zip(self.dataset.classes, scores, strict=True))
            }
        }

    def _subgroups(self, result: PipelineResult) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Yield the main metric by group, and by fold where each clip is tested once."""
        dataset = self.dataset
        sortings = {"group": [clip.group for clip in dataset]} if dataset.has_groups else {}
        if all(fold.repeat == 0 and len(fold.train) for fold in self.splits.folds):
            folds: list[str | None] = [None] * len(dataset)
            for fold in self.splits.folds:
                for index in fold.test:
                    folds[index] = fold.name
            sortings["fold"] = folds
        for kind, of_clip in sortings.items():
            for codes, subgroups in _coded(of_clip):
                scores = self._scores(result, self.result.config.metrics[0], codes, subgroups)
                yield kind, [asdict(score) for score in scores]

    def _by_subgroups(self, result: PipelineResult) -> dict[str, Any]:
        """Return all metrics by the subgroups that the dataset names, with their harmonic means."""
        kinds = list(dict.fromkeys(kind for clip in self.dataset for kind, _ in clip.subgroups))
        tables = {
            kind: [
                {"metric": metric, "scores": [asdict(score) for score in scores]}
                | ({"mean": asdict(mean)} if mean else {})
                for metric in self.result.config.metrics
                for scores in [self._scores(result, metric, codes, subgroups, units=True)]
                for mean in [harmonic_mean(result, metric, self.dataset.targets, codes, scores)]
            ]
            for kind in kinds
            for codes, subgroups in _coded(
                [dict(clip.subgroups).get(kind) for clip in self.dataset]
            )
        }
        return {"by_subgroups": tables} if tables else {}

    def _scores(
        self,
        result: PipelineResult,
        metric: Metric,
        codes: NDArray[Any],
        subgroups: list[str],
        *,
        units: bool = False,
    ) -> list[SubgroupScore]:
        return by_subgroup(result, metric, self.dataset.targets, codes, subgroups, units=units)


def _coded(of_clip: list[str | None]) -> Iterator[tuple[NDArray[Any], list[str]]]:
    """Yield codes and names of subgroups, unless there are too many for a table."""
    subgroups = sorted({name for name in of_clip if name})
    if len(subgroups) <= MAX_SUBGROUPS:
        at = {name: code for code, name in enumerate(subgroups)}
        yield np.asarray([at[name] if name else -1 for name in of_clip]), subgroups


def _spread(values: NDArray[np.float64]) -> dict[str, Any]:
    """Return the mean, the ends and the values of the folds."""
    ends = {"mean": float(values.mean()), "low": float(values.min()), "high": float(values.max())}
    return {**ends, "per_fold": values.tolist()}
