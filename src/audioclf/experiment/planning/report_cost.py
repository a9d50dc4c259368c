"""The report of one pipeline and one repeat on a few made-up predictions, written to nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from audioclf.audio.decode import decode
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.experiment.planning.estimate import straight_line
from audioclf.experiment.planning.fit_cost import peak_bytes
from audioclf.experiment.planning.probe import Probe
from audioclf.experiment.planning.workload import Extent, Sample
from audioclf.features.extraction import CacheUse, Extraction
from audioclf.runs import plots
from audioclf.runs.folder import FOLDS, LEDGER, PLOTS, PREDICTIONS, RunFolder
from audioclf.runs.results import RunResult, summarise
from audioclf.runs.writing import write_ledger, write_results

_SMALL, _LARGE = 64, 512
_TEXT_COPIES = 3  # of a table, in memory while it is written

_now = time.perf_counter


@dataclass(frozen=True, slots=True)
class ReportCost:
    """Seconds of the report, bytes of memory at its peak, bytes of the run folder."""

    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class Rehearsal:
    """Makes a small report, and scales its cost to the real numbers of pipelines and clips."""

    config: RunConfig
    dataset: Dataset
    pipeline: Pipeline
    probe: Probe
    sample: Sample
    extent: Extent

    def cost(self) -> ReportCost:
        """Time and weigh the metrics at two sizes and the files at the larger one."""
        extent = self.extent
        sizes = [max(2, min(n, extent.n_tested)) for n in (_SMALL, _LARGE)]
        acts = [self._act(n) for n in sizes]
        seconds = [(act.n, _seconds(act.metrics)) for act in acts]
        memory = [(act.n, float(peak_bytes(act.metrics))) for act in acts]
        files = acts[-1].files(self._example())
        n_examples = min(plots.MAX_EXAMPLES, extent.n_classes)
        tables = files.tables(extent)
        return ReportCost(
            files.seconds
            + files.confusion_seconds * (extent.n_pipelines - 1)
            + files.example_seconds * (n_examples - 1)
            + files.seconds_per_byte * sum(tables)
            + straight_line(seconds, extent.n_tested) * extent.n_pipelines * extent.n_repeats,
            max(round(straight_line(memory, extent.n_tested)), _TEXT_COPIES * max(tables)),
            sum(tables) + files.pictures(extent.n_pipelines, n_examples),
        )

    def _act(self, n: int) -> _Act:
        clips = [self.dataset.clips[position] for position in self.sample.positions(n)]
        dataset = Dataset(clips, name=self.dataset.name)
        rows = self.probe.ledger
        ledger = tuple(replace(rows[i % len(rows)], clip=clip) for i, clip in enumerate(dataset))
        extraction = Extraction(dataset, {}, ledger, "", CacheUse())
        n_folds = max(1, min(n, self.extent.n_folds // self.extent.n_repeats))
        tests = np.array_split(np.arange(len(dataset)), n_folds)
        folds = tuple(Fold(0, str(i), np.arange(0), test) for i, test in enumerate(tests))
        results = PipelineResult(self.pipeline, tuple(_predicted(fold, dataset) for fold in folds))
        return _Act(self.config, extraction, Splits(folds, ""), results)

    def _example(self) -> plots.Example:
        audio, clip = self.config.audio, self.probe.ledger[0].clip
        y = decode(clip.source, audio).y
        return plots.Example(clip.label, clip.id, y, audio.sr, self.probe.features)


def _predicted(fold: Fold, dataset: Dataset) -> FoldResult:
    rng = np.random.default_rng(0)
    n_classes = len(dataset.classes)
    scores = rng.dirichlet(np.ones(n_classes), size=len(fold.test))
    y_pred = rng.integers(n_classes, size=len(fold.test))
    return FoldResult(fold, y_pred, scores, "probability", 0.0, 0.0)


@dataclass(frozen=True)
class _Act:
    """A report of `n` predictions."""

    config: RunConfig
    extraction: Extraction
    splits: Splits
    result: PipelineResult

    @property
    def n(self) -> int:
        return len(self.extraction.dataset)

    def metrics(self) -> RunResult:
        folder = RunFolder(Path())  # a name; nothing is made of it
        return summarise(self.config, folder, self.extraction, self.splits, [self.result])

    def files(self, example: plots.Example) -> _Files:
        scales = _Scales(Path())
        found = self.metrics()
        ledger_seconds = _seconds(lambda: write_ledger(scales, self.extraction.ledger))
        seconds = _seconds(
            lambda: write_results(
                scales, found, self.extraction, self.splits, [self.result], [example]
            )
        )
        classes = self.extraction.dataset.classes
        return _Files(
            self.n,
            scales.sizes,
            seconds,
            _seconds(lambda: plots.plot_confusion(np.eye(len(classes)), classes, "")),
            _seconds(lambda: plots.plot_examples([example], "")),
            ledger_seconds / scales.sizes[LEDGER],
        )


@dataclass(frozen=True)
class _Scales(RunFolder):
    """A run folder that weighs its files and writes none."""

    sizes: dict[str, int] = field(default_factory=dict)

    def write_bytes(self, name: str, content: bytes) -> Path:
        self.sizes[name] = len(content)
        return self.path / name


@dataclass(frozen=True)
class _Files:
    """The files of `n` predictions of one pipeline with one example, and the cost of writing."""

    n: int
    sizes: dict[str, int]
    seconds: float
    confusion_seconds: float
    example_seconds: float
    seconds_per_byte: float

    def tables(self, extent: Extent) -> list[int]:
        """Return the sizes of the tables, which grow with the clips."""
        rows = {
            PREDICTIONS: extent.n_predictions,
            FOLDS: extent.n_predictions // extent.n_pipelines,
            LEDGER: extent.n_clips,
        }
        return [round(self.sizes[name] * n_rows / self.n) for name, n_rows in rows.items()]

    def pictures(self, n_pipelines: int, n_examples: int) -> int:
        """Return the size of all else."""
        classes, examples = f"{PLOTS}/classes.png", f"{PLOTS}/examples.png"
        times = {classes: 1, examples: n_examples, PREDICTIONS: 0, FOLDS: 0, LEDGER: 0}
        return sum(size * times.get(name, n_pipelines) for name, size in self.sizes.items())


def _seconds(work: Callable[[], object]) -> float:
    started = _now()
    work()
    return _now() - started
