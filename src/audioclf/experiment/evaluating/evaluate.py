"""Evaluation of finished models on labelled recordings, with the results and files of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit import check_allowed, with_table
from audioclf.base.errors import DatasetError
from audioclf.base.limits import use_limits
from audioclf.base.machine import single_threaded
from audioclf.base.progress import Progress, no_progress
from audioclf.config.run_config import RunConfig
from audioclf.evaluation.results import PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.experiment.auditing import begin_audits
from audioclf.experiment.evaluating.data import load_shared, read_config, with_metrics
from audioclf.experiment.evaluating.models import NamedModel, read_models
from audioclf.experiment.evaluating.reference import (
    abstention_notes,
    baseline_of,
    curve_of,
    evaluated_model,
)
from audioclf.experiment.final_model import sound_facts
from audioclf.experiment.media import begin_page, begin_plots
from audioclf.experiment.prepared import Prepared
from audioclf.experiment.provenance import distributions_of
from audioclf.experiment.record import make_record, timed
from audioclf.features.matrix import keep_rows
from audioclf.models.fold import predict_fold
from audioclf.runs.folder import RECORD, RunFolder
from audioclf.runs.results import compared, summarise
from audioclf.runs.working_folder import working_folder
from audioclf.runs.writing import (
    write_audits,
    write_ledger,
    write_metrics,
    write_plots,
    write_tables,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.registry import Registry
    from audioclf.dataset.dataset import Dataset
    from audioclf.engines.base import Engine
    from audioclf.experiment.resources import Resources
    from audioclf.features.extraction import Extraction
    from audioclf.runs.results import RunResult

_MAX_NAMED = 5


def evaluate_models(
    paths: Sequence[Path],
    data: str,
    registry: Registry,
    resources: Resources,
    *,
    overrides: Iterable[str] = (),
    out: Path | None = None,
    untrusted: bool = False,
    expect_sha256: str | None = None,
    weights: Sequence[Path] = (),
    progress: Progress = no_progress,
) -> RunResult:
    """Evaluate models on labelled recordings, and write a folder as a run does.

    `data` and `overrides` are those of `read_config`, `paths` and the options of models those of
    `read_models`. Clips that a model was trained on are left out.
    """
    models, notes = read_models(
        paths, registry, expect_sha256=expect_sha256, weights=weights, untrusted=untrusted
    )
    overrides = list(overrides)
    config, more = read_config(data, models, overrides, registry)
    check_allowed(config.allow)
    resources = replace(resources, isolate=resources.isolate or config.isolate)
    progress("load", 0, 1)
    with use_limits(config.limits):
        dataset, of_classes = load_shared(config, models, registry)
    config = with_metrics(config, dataset, models[0].model)
    text = (
        "# Written by `audioclf evaluate`: models that were not fitted here.\n" + config.to_yaml()
    )
    with (
        single_threaded(),
        use_limits(config.limits),
        working_folder(out, config.name, text, keep_refused=False) as folder,
    ):
        prepared = Prepared(config, registry, dataset)
        notes = [*notes, *more, *of_classes]
        return _Evaluation(prepared, models, folder, resources, notes, progress).go()


@dataclass(frozen=True)
class _Evaluation:
    prepared: Prepared
    models: Sequence[NamedModel]
    folder: RunFolder
    resources: Resources
    notes: Sequence[str]
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def config(self) -> RunConfig:
        return self.prepared.config

    @property
    def described(self) -> str:
        if len(self.models) == 1:
            return "1 finished model on clips outside its training"
        return f"{len(self.models)} finished models on clips outside their training"

    def go(self) -> RunResult:
        """Take every stage of a run but the fits; `record.json` marks it as complete."""
        config, registry = self.config, self.prepared.registry
        required = distributions_of(config, registry)
        with timed(self.seconds, "features"), self.resources.make_engine(required) as engine:
            extraction = self._extract(engine)
        with timed(self.seconds, "evaluate"):
            self.progress("metrics", 0, 1)
            extraction, of_training = self._without_training(extraction)
            splits = _one_fold(extraction.dataset, self.described)
            results = self._predict(extraction, splits.folds[0])
        with timed(self.seconds, "report"):
            result = self._summarise(extraction, splits, results, of_training)
            made = self.folder, result, extraction, splits, results
            metrics = write_metrics(*made)
            write_tables(*made)
            write_audits(self.folder, result)
            self.progress("pictures", 0, 1)
            cache = self.resources.cache_folder
            plots = begin_plots(config, extraction, metrics, results, cache, None)
            write_plots(self.folder, plots())
        fits = {"total": 0, "resumed": 0}
        seconds = self.seconds
        record = make_record(self.prepared, self.resources, result, extraction, fits, seconds)
        self.folder.write_json(RECORD, record)
        self.progress("page", 0, 1)
        page = begin_page(config, self.folder, extraction, cache, results)
        return replace(result, report=page())

    def _extract(self, engine: Engine) -> Extraction:
        """Featurize the clips for each model, once for each kind of decoding.

        A clip that one of them cannot use is left out for all, since models are compared in pairs.
        """
        kinds: dict[str, list[NamedModel]] = {}
        for each in self.models:
            kinds.setdefault(each.bundle.manifest.audio.model_dump_json(), []).append(each)
        extraction: Extraction | None = None
        for models in kinds.values():
            audio = models[0].bundle.manifest.audio
            config = self.config.model_copy(update={"audio": audio})
            featurizers: Any = {each.name: each.bundle.featurizer for each in models}
            origins = self.prepared.origins
            if config.audit and extraction is None:
                featurizers, origins = with_table(featurizers, origins)
            part = replace(self.prepared, config=config).extract(
                featurizers,
                engine,
                self.resources.cache_folder,
                origins={name: origins[name] for name in featurizers if name in origins},
                progress=self.progress,
            )
            extraction = part if extraction is None else _joined(extraction, part)
        assert extraction is not None
        return extraction

    def _without_training(self, extraction: Extraction) -> tuple[Extraction, list[str]]:
        """Leave out the clips that a model was trained on, by their features or their file."""
        ids = [clip.id for clip in extraction.dataset]
        trained: dict[str, list[str]] = {}
        notes = []
        for each in self.models:
            known = each.trained_on(extraction, extraction.matrices[each.name])
            if known is None:
                notes.append(
                    f"{each.name} does not record its training clips: whether it was trained on "
                    "some of these is not known"
                )
                continue
            own = [ids[at] for at in np.flatnonzero(known)]
            for clip_id in own:
                trained.setdefault(clip_id, []).append(each.name)
            if each.bundle.manifest.audio == self.models[0].bundle.manifest.audio:
                notes += _unlike(each, extraction, np.flatnonzero(~known))
            if own:
                more = f" and {len(own) - _MAX_NAMED} more" if len(own) > _MAX_NAMED else ""
                notes.append(
                    f"{each.name} was trained on {len(own)} of these clips, which are left out: "
                    f"{', '.join(own[:_MAX_NAMED])}{more}"
                )
        ledger = [
            replace(row, status="training", message=f"in the training of {', '.join(names)}")
            if (names := trained.get(row.clip.id))
            else row
            for row in extraction.ledger
        ]
        write_ledger(self.folder, ledger)
        if not trained:
            return extraction, notes
        if len(trained) == len(ids):
            raise DatasetError(
                f"{extraction.dataset.name}: all {len(ids)} clips are in the training of "
                f"{' or '.join(each.name for each in self.models)}, so none is left",
                hint="Name recordings that none of the models was trained on.",
            )
        kept = _without(extraction, trained)
        before, after = (each.dataset.class_counts for each in (extraction, kept))
        if lost := [name for name, count in before.items() if count and not after[name]]:
            notes.append(f"no clip is left of {', '.join(lost)}, so no average includes them")
        return kept, notes

    def _predict(self, extraction: Extraction, fold: Fold) -> tuple[PipelineResult, ...]:
        classes = extraction.dataset.classes
        registry, results = self.prepared.registry, []
        for each in self.models:
            matrix = extraction.matrices[each.name]
            outputs = predict_fold(each.model, each.name, matrix, fold, classes)
            results.append(PipelineResult(each.pipeline(registry), (outputs,)))
        return (*results, *baseline_of(self.models, fold, classes, registry))

    def _summarise(
        self,
        extraction: Extraction,
        splits: Splits,
        results: Sequence[PipelineResult],
        notes: Sequence[str],
    ) -> RunResult:
        config, dataset = self.config, extraction.dataset
        result = summarise(config, self.folder, extraction, splits, results)
        audits: tuple[Any, ...] = ()
        if config.audit:
            cache = self.resources.cache_folder
            audits = tuple(begin_audits(config, extraction, splits, results, None, cache)())
        baseline = next((r.pipeline.name for r in results if r.pipeline.is_baseline), None)
        models = [evaluated_model(each, result, dataset) for each in self.models]
        reasons = [each.not_compared for each in models if each.not_compared]
        abstained = abstention_notes(self.models, results, dataset.targets, config.seed)
        return replace(
            result,
            notes=(*self.notes, *notes, *result.notes, *abstained, *reasons),
            comparison=compared(config, dataset, results, baseline) if len(results) > 1 else None,
            audits=audits,
            models=tuple(models),
            learning_curve=curve_of(self.models, result),
        )


def _unlike(model: NamedModel, extraction: Extraction, rows: NDArray[np.intp]) -> Iterator[str]:
    """Yield a note on recordings whose sound differs from the training clips of a model.

    The facts are those of the audio settings of the first model.
    """
    clips = model.model.clips
    facts = sound_facts(extraction)
    if clips is None or clips.sound is None or facts is None:
        return
    counts = Counter(words for row in rows for words in clips.sound.outside(facts[row]))
    if sentence := clips.sound.sentence(counts, len(rows)):
        yield f"{model.name}: {sentence}"


def _one_fold(dataset: Dataset, words: str) -> Splits:
    every = np.arange(len(dataset), dtype=np.intp)
    return Splits((Fold(0, "0", every[:0], every),), words)


def _joined(first: Extraction, second: Extraction) -> Extraction:
    """Return the features of both, of the clips that both could use."""
    failed = {row.clip.id: row for row in (*second.failed, *first.failed)}
    ledger = tuple(failed.get(row.clip.id, row) for row in first.ledger)
    first, second = (
        _without(each, {clip.id for clip in each.dataset if clip.id in failed})
        for each in (first, second)
    )
    first.cache.add(second.cache)
    return replace(
        first,
        ledger=ledger,
        matrices={**first.matrices, **second.matrices},
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
        plans={**first.plans, **second.plans},
    )


def _without(extraction: Extraction, ids: Iterable[str]) -> Extraction:
    """Return an extraction without some clips."""
    left_out = set(ids)
    kept = [clip.id not in left_out for clip in extraction.dataset]
    if all(kept):
        return extraction
    dataset = extraction.dataset.subset(
        clip.id for clip in extraction.dataset if clip.id not in left_out
    )
    rows = np.flatnonzero(kept).tolist()
    ledger = tuple(row for row in extraction.ledger if row.clip.id not in left_out)
    return replace(
        extraction,
        dataset=dataset,
        ledger=ledger,
        matrices={name: keep_rows(matrix, rows) for name, matrix in extraction.matrices.items()},
        fingerprint=dataset.fingerprint({row.clip.id: row.digest for row in ledger}),
    )
