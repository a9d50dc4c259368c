"""Plan of a run: estimated time, memory and disk of each stage.

The cost of a few clips and of small fits, as `probe` measures it, is scaled to all clips and folds.
Nothing is written, and the cache is only read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audit.tables import with_tables
from audioclf.base.errors import ClassifierError
from audioclf.base.machine import available_memory, peak_memory, single_threaded
from audioclf.base.text import human_bytes
from audioclf.evaluation.cross_validation import WORTH_PROCESSES
from audioclf.evaluation.results import Pipeline
from audioclf.experiment.probe import Probe, fit_seconds
from audioclf.features.cache import DEFAULT_MAX_BYTES
from audioclf.features.extraction import CHUNK, make_plans
from audioclf.features.matrix import MEMORY_SHARE
from audioclf.features.worker import BATCH_BYTES
from audioclf.report.run.page import default_budget
from audioclf.runs.plots import MAX_EXAMPLES

if TYPE_CHECKING:
    from audioclf.experiment.prepared import Prepared
    from audioclf.experiment.resources import Resources

# Measured on Linux with NumPy 2.4 and scikit-learn 1.9; elsewhere they are of the same order.
_LOCKED_SECONDS = 3e-4  # of each clip, in which Python lets one thread work
_WORKER_SECONDS, _WORKER_BYTES = 2.0, 140 << 20  # of a worker process with its imports
_PICTURE_SECONDS, _METRIC_SECONDS = 0.4, 1e-4  # of a plot; of a metric, per prediction
_LEDGER_BYTES = 500  # in memory, per clip
_CONFUSION_BYTES, _EXAMPLE_BYTES, _OTHER_BYTES = 19_000, 56_000, 20_000  # in the run folder
_PAGE_BYTES, _MEDIA_BYTES = 200_000, 24_000  # of the page; per clip in it

_LESS_MEMORY = {
    "features": "use fewer columns (pooling: {type: stats}), a shorter audio.duration, or fewer "
    "jobs (--jobs 1)",
    "evaluate": "use fewer columns (pooling: {type: stats}), fewer jobs (--jobs 1), or another "
    "classifier",
    "report": "test fewer clips (split: {type: holdout}), or use fewer pipelines or repeats",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Estimate for one stage of a run.

    - `seconds`: wall-clock time.
    - `memory`: bytes of all processes together at the stage's peak.
    - `disk`: bytes that the stage writes, temporary files included.
    """

    name: str
    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class RunPlan:
    """Estimate for a run, and the facts behind it.

    - `stages`: in the order of the run.
    - `rows_per_fit`: clips on the largest training side.
    - `columns`: width of the design matrix of each featurizer.
    - `cached`: share of the probed clips whose features are all in the cache, in [0, 1].
    - `warnings`: problems to expect, each with a remedy.
    """

    stages: tuple[Stage, ...]
    n_clips: int
    n_pipelines: int
    n_fits: int
    rows_per_fit: int
    columns: dict[str, int]
    mapped: tuple[str, ...]
    jobs: int
    n_probed: int
    n_unreadable: int
    cached: float
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Time of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def memory(self) -> int:
        """Memory of the stage that needs most."""
        return max(stage.memory for stage in self.stages)

    @property
    def disk(self) -> int:
        """Disk of all stages."""
        return sum(stage.disk for stage in self.stages)


def plan(
    prepared: Prepared, resources: Resources, *, out: Path = Path("runs"), load_seconds: float = 0.0
) -> RunPlan:
    """Estimate the cost of a run; it takes some seconds, however many clips there are.

    `out`: where the run folder would be.
    """
    config = prepared.config
    featurizers, origins = config.featurizers, prepared.origins
    if config.audit:
        featurizers, origins = with_tables(featurizers, origins)
    with single_threaded():
        plans = make_plans(config.audio, featurizers, origins)
        probe = Probe.of(prepared.dataset, config.audio, plans, resources.cache_folder)
        n_train = max(len(fold.train) for fold in prepared.splits().folds)
        fits, problems = [], []
        for pipeline in prepared.pipelines:
            try:
                fits.append(fit_seconds(pipeline, probe, n_train, config.seed))
            except ClassifierError as exc:
                problems.append(
                    f"{pipeline.name} could not be fitted to made-up rows, so its time is not in "
                    f"the plan: {exc.message}"
                )
    widths = {item.name: item.row_width for item in plans}
    work = _Work(prepared, resources, probe, widths, n_train, fits)
    stages = (
        Stage("load", load_seconds, work.own_bytes, 0),
        work.features(),
        work.evaluation(),
        work.report(),
    )
    disk = {Path(tempfile.gettempdir()): work.mapped_bytes, out: stages[-1].disk}
    if resources.cache_folder is not None:
        disk[resources.cache_folder] = work.cache_bytes
    return RunPlan(
        stages,
        n_clips=work.n_clips,
        n_pipelines=work.n_pipelines,
        n_fits=work.n_fits,
        rows_per_fit=n_train,
        columns={name: widths[name] for name in config.featurizers},
        mapped=work.mapped,
        jobs=resources.jobs,
        n_probed=probe.n_probed,
        n_unreadable=len(probe.failures),
        cached=probe.cached,
        warnings=(*problems, *work.warnings(stages), *_short_disk(disk)),
    )


class _Work:
    """Amount of work of a run, from which follow the estimates of its stages."""

    def __init__(
        self,
        prepared: Prepared,
        resources: Resources,
        probe: Probe,
        widths: dict[str, int],
        n_train: int,
        fits: list[float],
    ) -> None:
        folds = prepared.splits().folds
        self.prepared, self.jobs, self.probe, self.fits = prepared, resources.jobs, probe, fits
        self.widths, self.n_train = widths, n_train
        self.n_clips, self.n_classes = len(prepared.dataset), len(prepared.dataset.classes)
        self.n_pipelines, self.n_folds = len(prepared.pipelines), len(folds)
        self.n_fits = self.n_pipelines * self.n_folds
        self.n_predictions = self.n_pipelines * sum(len(fold.test) for fold in folds)
        self.own_bytes, self.free_bytes = peak_memory(), available_memory()
        sizes = {name: 4 * self.n_clips * width for name, width in widths.items()}
        most = MEMORY_SHARE * self.free_bytes  # of one matrix, by the rule of `features.matrix`
        self.mapped = tuple(name for name, size in sizes.items() if size > most)
        self.mapped_bytes = sum(sizes[name] for name in self.mapped)
        self.held_bytes = sum(sizes.values()) - self.mapped_bytes
        self.kept_bytes = self.own_bytes + self.held_bytes + _LEDGER_BYTES * self.n_clips
        self.score_bytes = 8 * (1 + self.n_classes) * self.n_predictions
        self.cache_bytes = round(probe.new_bytes * self.n_clips) if resources.cache_folder else 0

    def features(self) -> Stage:
        each = self.probe.clip_seconds
        divided = each * max(self.n_clips / self.jobs, 1.0)
        seconds = max(divided, min(each, _LOCKED_SECONDS) * self.n_clips)
        clips = round(min(CHUNK * self.jobs, self.n_clips) * self.probe.clip_bytes)
        chunks = min(clips, self.jobs * (BATCH_BYTES + round(self.probe.clip_bytes)))
        disk = self.mapped_bytes + self.cache_bytes
        return Stage("features", seconds, self.kept_bytes + chunks, disk)

    def evaluation(self) -> Stage:
        seconds = sum(self.fits) * self.n_folds
        memory = max(map(self._fit_bytes, self.prepared.pipelines))
        workers = min(self.jobs, self.n_fits) if seconds > WORTH_PROCESSES else 1
        if workers > 1:
            seconds = max(seconds / workers, *self.fits) + _WORKER_SECONDS
            memory = workers * (memory + _WORKER_BYTES) + self.held_bytes
        return Stage("evaluate", seconds, self.kept_bytes + self.score_bytes + memory, 0)

    def report(self) -> Stage:
        n_examples = min(MAX_EXAMPLES, self.n_classes)
        n_metrics = len(self.prepared.config.metrics)
        seconds = _PICTURE_SECONDS * (self.n_pipelines + n_examples)
        seconds += _METRIC_SECONDS * n_metrics * self.n_predictions
        tables = self._table_bytes()
        pictures = _CONFUSION_BYTES * self.n_pipelines + _EXAMPLE_BYTES * n_examples
        memory = self.kept_bytes + self.score_bytes + 3 * tables
        disk = tables + pictures + _OTHER_BYTES + self._page_bytes()
        return Stage("report", seconds, memory, disk)

    def warnings(self, stages: Sequence[Stage]) -> Iterator[str]:
        """Yield problems to expect with clips, memory and the cache."""
        failures, n_probed = self.probe.failures, self.probe.n_probed
        if failures:
            yield (
                f"{len(failures)} of the {n_probed} clips that were probed cannot be used and were "
                f"left out: {'; '.join(failures)}; a run would end there unless the config says "
                "`on_error: skip`"
            )
        largest = max(stages, key=lambda stage: stage.memory)
        free = self.free_bytes + self.own_bytes
        if largest.memory > free:
            yield (
                f"the stage {largest.name!r} would take about {human_bytes(largest.memory)} of "
                f"memory, and {human_bytes(free)} is free: "
                f"{_LESS_MEMORY.get(largest.name, 'use fewer clips')}"
            )
        if self.cache_bytes > DEFAULT_MAX_BYTES:
            yield (
                f"the cache would grow by about {human_bytes(self.cache_bytes)} and is cut below "
                f"{human_bytes(DEFAULT_MAX_BYTES)} when the run ends, so the next run would decode "
                "most clips again: add --no-cache"
            )

    def _fit_bytes(self, pipeline: Pipeline) -> int:
        width = self.widths[pipeline.featurizer]
        needed = pipeline.classifier.fit_memory(self.n_train, width, self.n_classes)
        return 4 * self.n_train * width + needed

    def _table_bytes(self) -> int:
        """Return about the size of the tables of predictions, folds and clips."""
        clips = self.prepared.dataset.clips
        name = float(np.mean([len(clip.id) + 2 * len(clip.label) for clip in clips]))
        predictions = self.n_predictions * (name + 32 + 20 * self.n_classes)
        tested = self.n_predictions / self.n_pipelines * (name + 6)
        return round(predictions + tested + self.n_clips * (name + 100))

    def _page_bytes(self) -> int:
        report = self.prepared.config.report
        if not report.html:
            return 0
        most = default_budget(self.n_clips) if report.media_mb is None else report.media_mb
        return _PAGE_BYTES + round(min(1e6 * most, _MEDIA_BYTES * self.n_clips))


def _short_disk(needs: Mapping[Path, int]) -> Iterator[str]:
    """Compare the bytes to be written below each folder with the free space of its disk."""
    disks: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in needs.items():
        absolute = folder.absolute()
        present = next(path for path in (absolute, *absolute.parents) if path.exists())
        disks.setdefault(present.stat().st_dev, []).append((present, size))
    for folders in disks.values():
        size, free = sum(size for _, size in folders), shutil.disk_usage(folders[0][0]).free
        if size > free:
            names = " and ".join(sorted({str(folder) for folder, size in folders if size}))
            yield (
                f"about {human_bytes(size)} would be written below {names}, where "
                f"{human_bytes(free)} is free: use another disk (--out, --cache-dir, the "
                "environment variable TMPDIR) or no cache (--no-cache)"
            )
