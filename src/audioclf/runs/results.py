"""Results of a run: a summary of each pipeline, comparison, audits and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit import blocking
from audioclf.audit.findings import Audit, Finding
from audioclf.base.errors import EXIT_OK, EXIT_PARTIAL, AudioclfError
from audioclf.base.text import html_table
from audioclf.components.metrics import METRICS, Metric
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.comparison.selection import corrected_best
from audioclf.evaluation.folds import untested
from audioclf.evaluation.learning_curve import LearningCurve
from audioclf.evaluation.metrics.bias import clips_per_class, correction_of
from audioclf.evaluation.metrics.estimate import Estimate, estimates
from audioclf.evaluation.metrics.repeats import Repeat, distinct, repeats_of
from audioclf.evaluation.results import PipelineResult
from audioclf.evaluation.splits import Splits
from audioclf.features.extraction import Extraction
from audioclf.runs.finished import EvaluatedModel
from audioclf.runs.folder import LEDGER, RunFolder, named
from audioclf.runs.reading import read_predictions
from audioclf.runs.units import unit_word, weighted_by

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class PipelineSummary:
    """Metrics and costs of one pipeline, named as in the config.

    Parameters
    ----------
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
        Warnings of the classifier, with the number of fits.
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


CellSummary = PipelineSummary
"""Former name, for scripts that use it."""


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Parameters
    ----------
    folder : Path
        The run folder.
    pipelines : tuple of PipelineSummary
        Best first by the main metric.
    n_clips, n_failed : int
        Clips that were evaluated, and clips that could not be read.
    splits : str
        The split in words.
    unit : str
        Resampling unit of the intervals: "clip", "group" or "recording".
    weighted_by : str
        Column with the weights of the clips; empty if all clips count the same.
    learning_curve : LearningCurve, optional
        The main metric by the number of training clips, if the config has a `learning_curve`.
    model : Path, optional
        The bundle that holds the final model.
    report : Path, optional
        The page.
    remarks : tuple of str
        Notes on how the run went, such as that it resumed a stopped run.
    failed_notifications : tuple of str
        Errors of plugins that were notified; the results are complete.
    models : tuple of EvaluatedModel
        Of an evaluation of finished models, their results in cross-validation.
    hard : dict of str to int
        Numbers of clips that the loader left out since they are hard to label, by their kind.
    """

    config: RunConfig
    folder: Path
    pipelines: tuple[PipelineSummary, ...]
    classes: tuple[str, ...]
    n_clips: int
    n_failed: int
    splits: str
    unit: str
    n_units: int
    notes: tuple[str, ...]
    comparison: Comparison | None = None
    audits: tuple[Audit, ...] = ()
    learning_curve: LearningCurve | None = None
    model: Path | None = None
    report: Path | None = None
    remarks: tuple[str, ...] = ()
    failed_notifications: tuple[str, ...] = ()
    weighted_by: str = ""
    models: tuple[EvaluatedModel, ...] = ()
    hard: Mapping[str, int] = field(default_factory=dict)

    @property
    def cells(self) -> tuple[PipelineSummary, ...]:
        """Former name of `pipelines`, for scripts that use it."""
        return self.pipelines

    @property
    def findings(self) -> list[Finding]:
        """Findings of the audits that the config does not allow."""
        return blocking(self.audits, self.config.allow)

    @property
    def exit_code(self) -> int:
        """0, or 4 when clips were left out or a notification failed."""
        return EXIT_PARTIAL if self.n_failed or self.failed_notifications else EXIT_OK

    @property
    def predictions(self) -> list[dict[str, Any]]:
        """Rows of `predictions.csv`: pipeline, repeat, fold, path, true_label, label and scores."""
        return read_predictions(self.folder)

    def to_pandas(self) -> DataFrame:
        """Return metrics, ends of their intervals and costs as a data frame, a row per pipeline.

        An `AudioclfError` is raised if pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as exc:
            hint = "Install it, for example with pip install pandas."
            raise AudioclfError(
                "to_pandas needs pandas, which is not installed", hint=hint
            ) from exc
        return DataFrame([_flat(pipeline) for pipeline in self.pipelines]).set_index("pipeline")

    def __repr__(self) -> str:
        caption, head, rows = self._table()
        table = [head, *([str(cell) for cell in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        return "\n".join([f"{caption}; {self.folder}", *lines])

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[str, tuple[str, ...], list[tuple[object, ...]]]:
        """Return a caption, the head and the rows of the metrics of all pipelines."""
        metrics = list(self.config.metrics)
        rows: list[tuple[object, ...]] = [
            (p.name, *(p.metrics[name] or "n/a" for name in metrics)) for p in self.pipelines
        ]
        caption = f"{self.config.name}: {self.n_clips} clips, {self.splits}"
        return caption, ("pipeline", *metrics), rows

    def __getitem__(self, pipeline: str) -> PipelineSummary:
        return named(self.pipelines, pipeline)


def _flat(pipeline: PipelineSummary) -> dict[str, Any]:
    row: dict[str, Any] = {"pipeline": pipeline.name}
    row |= {"featurizer": pipeline.featurizer, "classifier": pipeline.classifier}
    for name, known in pipeline.metrics.items():
        row[name] = known and known.value
        row |= {f"{name}_low": known and known.low, f"{name}_high": known and known.high}
    costs = ("fit_seconds", "predict_seconds_per_clip", "model_bytes", "peak_memory")
    return row | {name: getattr(pipeline, name) for name in costs}


def summarise(
    config: RunConfig,
    folder: RunFolder,
    extraction: Extraction,
    splits: Splits,
    results: Sequence[PipelineResult],
) -> RunResult:
    """Compute the metrics of every pipeline, with their intervals."""
    dataset, main = extraction.dataset, config.metrics[0]
    targets = dataset.targets
    metrics = estimates(results, config.metrics, targets, seed=config.seed)
    pipelines = [
        PipelineSummary(
            result.pipeline.name,
            result.pipeline.featurizer,
            result.pipeline.classifier_name,
            of_result,
            result.fit_seconds,
            result.predict_seconds_per_clip,
            result.model_bytes,
            result.peak_memory,
            result.warnings,
        )
        for result, of_result in zip(results, metrics, strict=True)
    ]
    pipelines.sort(key=lambda pipeline: _rank(pipeline.metrics[main], main))
    tested = distinct(targets.unit_codes[np.concatenate([fold.test for fold in splits.folds])])
    notes = [
        *_notes(extraction, splits, pipelines),
        *_order_note(
            [pipeline.metrics[main] for pipeline in pipelines],
            main,
            ""
            if targets.class_codes is None
            else untested(splits.folds, [clip.label for clip in dataset]),
        ),
    ]
    if targets.is_several:
        notes += _untested_labels(repeats_of(results[0], targets), targets)
    notes += _biased_notes(config.metrics, repeats_of(results[0], targets), targets)
    if len(tested) == 1:
        notes.append(f"there is only 1 {targets.unit} to resample, so there are no intervals")
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
        notes=(*notes, *_selection_notes(results, pipelines[0], targets, config)),
        weighted_by=weighted_by(config.model_dump()["dataset"], targets),
        hard=dataset.hard,
    )


def hard_words(hard: Mapping[str, int]) -> str:
    """Return the numbers of clips that are left out as hard; "" for none.

    >>> hard_words({"windows with two labels at once": 3, "annotations": 2})
    '3 windows with two labels at once, 2 annotations'
    """
    return ", ".join(f"{count:,} {kind}" for kind, count in hard.items())


def _untested_labels(repeats: Sequence[Repeat], targets: Targets) -> Iterator[str]:
    """Yield a note on the classes that averages over classes leave out."""
    lacking = np.any([(repeat.y_true != 1).all(axis=0) for repeat in repeats], axis=0).tolist()
    names = [name for name, never in zip(targets.classes, lacking, strict=True) if never]
    if names:
        shown = ", ".join(names[:_MAX_NAMED]) + ", …" * (len(names) > _MAX_NAMED)
        where = "no test clip" if len(repeats) == 1 else "no test clip of some repeats"
        yield (
            f"{where} has {len(names)} of {len(targets.classes)} classes ({shown}): averages over "
            "the classes leave them out there"
        )


def _biased_notes(
    metrics: Sequence[Metric], repeats: Sequence[Repeat], targets: Targets
) -> Iterator[str]:
    """Yield a note on each metric whose bias is too large for an interval."""
    for metric in metrics:
        correction = correction_of(metric, repeats, targets)
        if correction is not None and np.isnan(correction.bias):
            per_class = clips_per_class(repeats, targets.n_classes)
            yield (
                f"{metric} has no interval: {per_class:.3g} test clips of each of "
                f"{targets.n_classes} classes are too few for one; "
                f"{'f1_micro' if targets.is_several else 'balanced_accuracy'} has one"
            )


def compared(
    config: RunConfig, dataset: Dataset, results: Sequence[PipelineResult], baseline: str | None
) -> Comparison:
    """Compare the pipelines in pairs by the main metric."""
    by_name = {result.pipeline.name: result for result in results}
    margin, seed = config.equivalence_margin, config.seed
    main, targets = config.metrics[0], dataset.targets
    return compare(
        by_name,
        main,
        targets,
        seed=seed,
        equivalence_margin=margin,
        baseline=baseline,
        unit_word=unit_word(config.model_dump()["dataset"], targets.unit),
    )


_MAX_NAMED = 5
"""Classes that a note names at most."""


def _rank(result: Estimate | None, main: Metric) -> float:
    if result is None or not np.isfinite(result.value):
        return float("inf")
    return result.value if METRICS[main].lower_is_better else -result.value


def _notes(
    extraction: Extraction, splits: Splits, pipelines: Iterable[PipelineSummary]
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
    noted = [row for row in extraction.ledger if row.status == "ok" and row.message]
    if noted:
        first = noted[0]
        many = (
            "1 clip has a note," if len(noted) == 1 else f"{len(noted)} clips have a note, such as"
        )
        yield f"{many} {first.clip.id}: {first.message}"
    for pipeline in pipelines:
        for text, count in pipeline.warnings.items():
            yield f"{pipeline.name}: warning in {count} fits: {text}"


def _order_note(
    estimates: Iterable[Estimate | None], main: Metric, untested_classes: str
) -> Iterator[str]:
    """Yield a note if the main metric orders no pipelines."""
    values = [estimate.value for estimate in estimates if estimate]
    if values and not np.isfinite(values).any():
        reason = f", since {untested_classes}" if untested_classes else ""
        yield (
            f"{main} is not defined for any pipeline{reason}: the pipelines are in the order of "
            "the config, and the first one need not be the best"
        )


def _selection_notes(
    results: Sequence[PipelineResult], best: PipelineSummary, targets: Targets, config: RunConfig
) -> Iterator[str]:
    """Yield the value of the best pipeline, corrected for its choice on the same clips."""
    main, estimate_of_best = config.metrics[0], best.metrics[config.metrics[0]]
    candidates = [result for result in results if not result.pipeline.is_baseline]
    if estimate_of_best is None or len(candidates) < 2:
        return
    corrected = corrected_best(candidates, main, targets, seed=config.seed)
    if not np.isfinite(corrected):
        return
    value, without_choice = f"{estimate_of_best.value:.3f}", f"{corrected:.3f}"
    text = f"{best.name} is the best of {len(candidates)} pipelines on these clips"
    if value == without_choice:
        yield f"{text}; its {main} of {value} stays the same when corrected for the choice"
    elif (corrected > estimate_of_best.value) != METRICS[main].lower_is_better:
        yield f"{text}; its {main} of {value} does not get worse when corrected for the choice"
    else:
        yield (
            f"{text}, so its {main} of {value} is optimistic; corrected for the choice it is "
            f"{without_choice}"
        )
