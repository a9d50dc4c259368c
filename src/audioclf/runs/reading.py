"""A finished run, read back from its folder.

No component is built, so a run opens without its plugins. Predictions are `FoldResult`s, so metrics
and comparisons take them like those of a run in memory.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import AudioclfError, ResultError
from audioclf.base.text import csv_text
from audioclf.components.classifier import BASELINE_TYPES
from audioclf.config.yaml_source import read_yaml
from audioclf.dataset.label_cells import number_text
from audioclf.dataset.label_sets import class_names, join_labels, normal_of, states_of
from audioclf.dataset.targets import Targets
from audioclf.evaluation.results import FoldResult, PipelineResult
from audioclf.evaluation.splits import Fold
from audioclf.runs import folder as files
from audioclf.runs.folder import FoldRow, PredictionRow, decision_column, named
from audioclf.runs.tables import HINT, naming, read_json, read_rows, read_table, read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]

_Row = dict[str, str]


@dataclass(frozen=True)
class SavedClip:
    """A clip of a finished run; `facts` is its row of `ledger.csv`."""

    id: str
    label: str
    group: str | None
    facts: Mapping[str, str]
    weight: float = 1.0


@dataclass(frozen=True)
class SavedPipeline:
    """Out-of-fold predictions of one pipeline; see `PipelineResult`."""

    name: str
    featurizer: str
    classifier: str
    folds: tuple[FoldResult, ...]


@dataclass(frozen=True)
class SavedRun:
    """Content of a run folder.

    `clips` were evaluated, and are sorted by id; `left_out` are the ledger rows of others. The
    folds are positions in `clips`. The pipelines are best first by the main metric.
    """

    path: Path
    config: dict[str, Any]
    record: dict[str, Any]
    metrics: dict[str, Any]
    classes: tuple[str, ...]
    clips: tuple[SavedClip, ...]
    left_out: tuple[_Row, ...]
    folds: tuple[Fold, ...]
    pipelines: tuple[SavedPipeline, ...]

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.config["name"])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the dataset."""
        return str(self.record["dataset"]["fingerprint"])

    @property
    def main_metric(self) -> str:
        """The metric by which the pipelines are sorted."""
        return str(self.config["metrics"][0])

    @property
    def pipeline_metrics(self) -> dict[str, dict[str, Any]]:
        """Entries of the pipelines in `metrics.json` by name, best first."""
        pipelines: dict[str, dict[str, Any]] = self.metrics[files.PIPELINES]
        return pipelines

    @property
    def is_several(self) -> bool:
        """Whether clips have several labels."""
        return is_several(self.metrics)

    @property
    def target(self) -> str | tuple[str, ...]:
        """Meaning of a single label, as `Dataset` has it."""
        kind = self.metrics.get("target", "class")
        return self.classes if kind == "ordered" else str(kind)

    @property
    def normal(self) -> str | None:
        """The class from which alone detectors learned, which is the first; None for none."""
        return normal_of(self.classes) if self.target == "class" else None

    def label_of(self, prediction: Any) -> str:
        """Return a predicted number, or the name of a class, or of all for several labels."""
        if self.target == "number":
            return number_text(prediction)
        if self.is_several:
            return join_labels(self.classes[code] for code in np.flatnonzero(prediction))
        return self.classes[int(prediction)]

    def is_baseline(self, pipeline: SavedPipeline) -> bool:
        """Return whether a pipeline predicts from the labels of the training clips only."""
        # A run adds a baseline to a config that has none.
        classifier = self.config.get("classifiers", {}).get(pipeline.classifier)
        return classifier is None or classifier.get("type") in BASELINE_TYPES.values()

    @cached_property
    def targets(self) -> Targets:
        """The labels and resampling units of the clips."""
        # Groups stand in the folds, so a clip that is never on test has none here: such clips are
        # numbered last. Runs of earlier versions had clips as units if one had no group.
        by_clip = self.metrics["unit"]["name"] == "clip"
        return Targets.of(
            [clip.label for clip in self.clips],
            [None if by_clip else clip.group for clip in self.clips],
            [clip.id if by_clip else clip.facts.get("recording") or clip.id for clip in self.clips],
            several=self.is_several,
            weights=[clip.weight for clip in self.clips],
            classes=self.classes,
            target=self.target,
            normal=self.normal,
        )

    def file(self, name: str) -> Any:
        """Return the content of another JSON file of the folder; None where it is missing."""
        path = self.path / name
        return read_json(path) if path.is_file() else None

    def __getitem__(self, pipeline: str) -> SavedPipeline:
        return named(self.pipelines, pipeline)


def read_run(
    path: str | Path, results: Sequence[PipelineResult] = (), record: dict[str, Any] | None = None
) -> SavedRun:
    """Read a run folder; of the `results` in memory, the predictions are not read again.

    `record` is that of a run whose folder has none yet.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ResultError(f"{folder}: no such run folder", hint="Give the folder of a run.")
    if record is None and not (folder / files.RECORD).is_file():
        content = "a run that did not finish" if (folder / files.CONFIG).is_file() else "no run"
        inside = [path.parent for path in folder.glob(f"*/{files.RECORD}")]
        one = f"Name one of the runs in it, such as {max(inside)}." if inside else None
        raise ResultError(
            f"{folder}: holds {content}: {files.RECORD} is missing",
            hint=one or "Run its config again, or give another.",
        )
    config = read_config(folder)
    record = record or read_json(folder / files.RECORD)
    metrics = read_json(folder / files.METRICS)
    with naming(folder / files.RECORD):
        _check_record(record)
    with naming(folder / files.METRICS):
        ",".join(metrics["classes"]), str(metrics["unit"]["name"])
        for pipeline in metrics[files.PIPELINES].values():
            str(pipeline["featurizer"]), str(pipeline["classifier"]), _seconds(pipeline)
            ("probability", "decision", "none").index(pipeline["scores"])
    classes = tuple(metrics["classes"])
    rows = read_table(folder / files.FOLDS)
    with naming(folder / files.FOLDS):
        cells = itemgetter(*FoldRow._fields)
        fold_rows = [FoldRow._make(cells(row)) for row in rows]
    clips, left_out = _clips(folder, fold_rows, metrics, record["dataset"]["clips"])
    folds = _folds(folder, fold_rows, clips)
    pipelines = _known(metrics, folds, results) or _pipelines(folder, metrics, clips, folds)
    return SavedRun(folder, config, record, metrics, classes, clips, left_out, folds, pipelines)


def _check_record(record: Mapping[str, Any]) -> None:
    """Raise an error, as `naming` expects, unless all entries have the form that a run writes."""
    str(record["dataset"]["fingerprint"]), int(record["dataset"]["clips"])
    _mapping(record, "fits"), _mapping(record, "versions")
    if not isinstance(record.get("notes", []), list):
        raise TypeError("'notes' is not a list")
    features, origins = _mapping(record, "features"), _mapping(record, "components")
    for name in features:
        _mapping(features, name)
    for place in origins:
        _ = [_mapping(origins, place)[key] for key in ("type", "distribution", "version")]
    for items in _mapping(record, "weights").values():
        _ = [item[key] for item in items for key in ("name", "size", "license", "sha256")]


def _mapping(entries: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(value := entries.get(name, {}), dict):
        raise TypeError(f"{name!r} is not a mapping")
    return value


def is_several(metrics: Mapping[str, Any]) -> bool:
    """Return whether `metrics.json` is of a dataset with several labels per clip."""
    return metrics.get("labels") == "several"


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config of a run as plain data, with a name, a seed and a metric."""
    path = folder / files.CONFIG
    read_text(path)
    try:
        data = read_yaml(path).data
    except AudioclfError as exc:
        raise ResultError(exc.message, hint=HINT) from exc
    with naming(path):
        str(data["name"]), int(data["seed"]), str(data["metrics"][0])
    return dict(data)


def read_predictions(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of `predictions.csv` with numbers as numbers, and missing scores as None."""
    header, rows = read_rows(folder / files.PREDICTIONS)
    table = []
    with naming(folder / files.PREDICTIONS):
        for texts in rows:
            row: dict[str, Any] = dict(zip(header, texts, strict=True))
            clip = PredictionRow(*(csv_text(row.pop(column)) for column in PredictionRow._fields))
            known: dict[str, Any] = {"pipeline": clip.cell, **clip._asdict()}
            known |= {
                "repeat": int(clip.repeat),
                "score": float(clip.score) if clip.score else None,
            }
            del known["cell"]
            table.append(known | {k: float(v) if v else None for k, v in row.items()})
    return table


def _clips(
    folder: Path, fold_rows: Sequence[FoldRow], metrics: Mapping[str, Any], n_clips: int
) -> tuple[tuple[SavedClip, ...], tuple[_Row, ...]]:
    """Return the clips that were evaluated, and the ledger rows of the others."""
    rows = read_table(folder / files.LEDGER)
    groups = {row.path: row.group or None for row in fold_rows}
    with naming(folder / files.LEDGER):
        clips = tuple(
            SavedClip(
                row["path"], row["label"], groups.get(row["path"]), row, float(row.get("weight", 1))
            )
            for row in rows
            if row["status"] == "ok"
        )
        if len(clips) != n_clips:
            raise ValueError(f"it lists {len(clips)} clips, but {files.RECORD} has {n_clips}")
        labels = {clip.label for clip in clips}
        named = class_names(labels) if is_several(metrics) else labels
        for label in (
            () if metrics.get("target") == "number" else set(named).difference(metrics["classes"])
        ):
            raise ValueError(f"{files.METRICS} has no class {label!r}")
    return clips, tuple(row for row in rows if row["status"] != "ok")


def _folds(folder: Path, rows: Sequence[FoldRow], clips: Sequence[SavedClip]) -> tuple[Fold, ...]:
    at = {clip.id: position for position, clip in enumerate(clips)}
    tests: dict[tuple[int, str], list[int]] = {}
    with naming(folder / files.FOLDS):
        for row in rows:
            if row.path not in at:
                raise ValueError(f"{files.LEDGER} has no clip {row.path!r}")
            tests.setdefault((int(row.repeat), row.fold), []).append(at[row.path])
        if not tests:
            raise ValueError("it lists no clips")
    everything = np.arange(len(clips))
    return tuple(
        Fold(repeat, name, np.setdiff1d(everything, test), np.asarray(test, dtype=np.intp))
        for (repeat, name), test in tests.items()
    )


def _known(
    metrics: Mapping[str, Any], folds: Sequence[Fold], results: Sequence[PipelineResult]
) -> tuple[SavedPipeline, ...]:
    """Return the pipelines with their results in memory; none if those are of other folds."""
    by_name = {result.pipeline.name: result.folds for result in results}
    tests = [(fold.repeat, fold.name, fold.test.tobytes()) for fold in folds]
    pipelines = tuple(
        SavedPipeline(name, str(item["featurizer"]), str(item["classifier"]), by_name.get(name, ()))
        for name, item in metrics[files.PIPELINES].items()
    )
    same = all(
        [(item.fold.repeat, item.fold.name, item.fold.test.tobytes()) for item in pipeline.folds]
        == tests
        for pipeline in pipelines
    )
    return pipelines if same else ()


def _pipelines(
    folder: Path, metrics: Mapping[str, Any], clips: Sequence[SavedClip], folds: Sequence[Fold]
) -> tuple[SavedPipeline, ...]:
    expected = [(str(fold.repeat), fold.name, clips[at].id) for fold in folds for at in fold.test]
    ends = np.cumsum([len(fold.test) for fold in folds])
    header, rows = read_rows(folder / files.PREDICTIONS)
    at = {column: place for place, column in enumerate(header)}
    pipelines = []
    with naming(folder / files.PREDICTIONS):
        first = [at[column] for column in PredictionRow._fields]
        classes = metrics["classes"]
        scored = any(item["scores"] != "none" for item in metrics[files.PIPELINES].values())
        numbers = [at[files.score_column(name)] for name in classes if scored]
        # Earlier versions wrote no decision values; then scores rank the clips.
        numbers += [at[n] for n in map(decision_column, classes) if n in at]
        tables = {name: _Predictions(expected) for name in metrics[files.PIPELINES]}
        for row in rows:
            prediction = PredictionRow(*(csv_text(row[place]) for place in first))
            if prediction.cell not in tables:
                raise ValueError(f"{files.METRICS} has no pipeline {prediction.cell!r}")
            tables[prediction.cell].add(prediction, [row[place] for place in numbers])
        for name, written in metrics[files.PIPELINES].items():
            table = tables[name]
            if not len(table.labels) == table.n_right == len(expected):
                raise ValueError(
                    f"the predictions of {name!r} are not those of the folds in {files.FOLDS}"
                )
            values = np.asarray(table.values).reshape(len(expected), len(numbers))
            parts = [slice(end - len(f.test), end) for f, end in zip(folds, ends, strict=True)]
            results = tuple(
                _fold_result(fold, table.labels[part], values[part], metrics, written)
                for fold, part in zip(folds, parts, strict=True)
            )
            kinds = str(written["featurizer"]), str(written["classifier"])
            pipelines.append(SavedPipeline(name, *kinds, results))
    return tuple(pipelines)


@dataclass
class _Predictions:
    """Rows of one pipeline, which `are_of` clips and folds: labels, and numbers or NaN."""

    are_of: list[tuple[str, str, str]]
    labels: list[str] = field(default_factory=list)
    values: array[float] = field(default_factory=lambda: array("d"))
    n_right: int = 0

    def add(self, row: PredictionRow, cells: Sequence[str]) -> None:
        """Add a row, and count it if it is of the clip and fold of its place."""
        at, place = len(self.labels), (row.repeat, row.fold, row.path)
        self.n_right += at < len(self.are_of) and place == self.are_of[at]
        self.labels.append(row.label)
        self.values.extend(map(float, cells if all(cells) else (cell or "nan" for cell in cells)))


def _fold_result(
    fold: Fold,
    labels: Sequence[str],
    values: NDArray[np.float64],
    metrics: Mapping[str, Any],
    pipeline: Mapping[str, Any],
) -> FoldResult:
    classes, kind = metrics["classes"], pipeline["scores"]
    scores, decision_values = map(np.array, np.split(values, [len(classes)], axis=1))
    if kind != "none" and np.isnan(scores).any():
        raise ValueError(f"a score is missing in fold {fold.name!r}")
    ranked = 0 < decision_values.shape[1] == len(classes) and not np.isnan(decision_values).any()
    y_pred: NDArray[Any]
    if metrics.get("target") == "number":
        y_pred = np.array([float(label) for label in labels])
    elif is_several(metrics):
        y_pred = states_of(labels, classes)
    else:
        codes = {name: code for code, name in enumerate(classes)}
        y_pred = np.asarray([codes[label] for label in labels], dtype=np.intp)
    outputs = (None if kind == "none" else scores, kind, _seconds(pipeline), 0.0)
    ranks = decision_values if ranked else None
    return FoldResult(fold, y_pred, *outputs, decision_values=ranks)


def _seconds(pipeline: Mapping[str, Any]) -> float:
    """Return the seconds of a fit; NaN for a model that was not fitted in this run."""
    seconds = pipeline["fit_seconds"]
    return math.nan if seconds is None else float(seconds)
