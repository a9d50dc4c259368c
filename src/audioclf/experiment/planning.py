"""Plan of a run: estimated time, memory and disk of each stage.

A few clips are featurized and each classifier is fitted at two sizes; their cost is scaled to all
clips and folds. Nothing is written, and the cache is only read.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audit import with_table
from audioclf.base.errors import ClassifierError, DatasetError
from audioclf.base.machine import available_memory, peak_memory, single_threaded
from audioclf.base.text import human_bytes
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.cross_validation import WORTH_PROCESSES, evaluate
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.features.cache import DEFAULT_MAX_BYTES, FeatureCache
from audioclf.features.extraction import CHUNK, make_plans
from audioclf.features.matrix import MEMORY_SHARE
from audioclf.features.worker import BATCH_BYTES, LedgerRow, Plan, Work, featurize_chunk
from audioclf.report.media import MEDIA_MB
from audioclf.runs.plots import MAX_EXAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.settings import AudioConfig
    from audioclf.config.run_config import RunConfig
    from audioclf.experiment.prepared import Prepared
    from audioclf.experiment.resources import Resources

_MAX_PROBED = 24  # clips, spread evenly over the classes
_FIT_ROWS = (64, 256)  # of the two fits of each classifier; more where there are many classes
_SLOW_SECONDS = 5.0  # of a first fit from which on there is no second

# Measured on Linux with NumPy 2.4 and scikit-learn 1.9; elsewhere they are of the same order.
_STORE_SECONDS, _READ_SECONDS = 1e-4, 1e-4  # of an entry of the cache
_WORKER_SECONDS, _WORKER_BYTES = 2.0, 140 << 20  # of a worker process with its imports
_PICTURE_SECONDS, _METRIC_SECONDS = 0.4, 1e-4  # of a plot; of a metric, per prediction
_ENTRY_BYTES = 330  # of a cache entry besides features
_LEDGER_BYTES = 500  # in memory, per clip
_CONFUSION_BYTES, _EXAMPLE_BYTES, _PLOT_BYTES = 59_000, 190_000, 220_000  # plots of a run
_OTHER_BYTES = 10_000  # in the run folder
_PAGE_BYTES, _MEDIA_BYTES = 200_000, 24_000  # of the page; per clip in it

_FEWER = "use fewer columns (pooling: {type: stats}), fewer jobs (--jobs 1), or "
_LESS_MEMORY = {
    "load": "use fewer clips",
    "features": f"{_FEWER}a shorter audio.duration",
    "evaluate": f"{_FEWER}another classifier",
    "report": "test fewer clips (split: {type: holdout}), or use fewer pipelines or repeats",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Wall-clock time of a stage in s, peak memory of all processes, and bytes that it writes."""

    name: str
    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class RunPlan:
    """Estimate for a run, and the facts behind it.

    `rows_per_fit` are the clips on the largest training side, `columns` the width of each design
    matrix, `mapped` those in a file; `cached` is the share of the probed clips whose features are
    all in the cache, in [0, 1].
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
    def total(self) -> Stage:
        """Time and disk of all stages, and the memory of the one that needs most."""
        seconds = sum(stage.seconds for stage in self.stages)
        memory = max(stage.memory for stage in self.stages)
        return Stage("all", seconds, memory, sum(stage.disk for stage in self.stages))


def plan(
    prepared: Prepared, resources: Resources, *, out: Path = Path("runs"), load_seconds: float = 0.0
) -> RunPlan:
    """Estimate the cost of a run whose folder would be `out`, in some seconds for any dataset."""
    config, origins = prepared.config, prepared.origins
    joined = config.joined
    featurizers = {name: item for name, item in prepared.featurizers.items() if name not in joined}
    if config.audit:
        featurizers, origins = with_table(featurizers, origins)
    n_train = max(len(fold.train) for fold in prepared.splits().folds)
    with single_threaded():
        plans = make_plans(config.audio, featurizers, origins)
        probe = _Probe.of(prepared.dataset, config.audio, plans, resources.cache_folder)
        probe.rows.update({name: prepared.join(name, probe.rows) for name in joined})
        fits, problems = [], []
        for pipeline in prepared.pipelines:
            try:
                fits.append(fit_seconds(pipeline, probe, n_train, config))
            except ClassifierError as exc:
                problems.append(
                    f"{pipeline.name} could not be fitted to made-up rows, so its time is not in "
                    f"the plan: {exc.message}"
                )
    widths = {name: rows.shape[1] for name, rows in probe.rows.items()}
    work = _Work(prepared, resources, probe, widths, n_train, fits)
    load = Stage("load", load_seconds, work.own_bytes, 0)
    stages = (load, work.features(), work.evaluation(), work.report())
    disk = {Path(tempfile.gettempdir()): work.mapped_bytes, out: stages[-1].disk}
    if resources.cache_folder is not None:
        disk[resources.cache_folder] = work.cache_bytes
    return RunPlan(
        stages,
        n_clips=work.n_clips,
        n_pipelines=work.n_pipelines,
        n_fits=work.n_fits,
        rows_per_fit=n_train,
        columns={name: widths[name] for name in config.inputs},
        mapped=work.mapped,
        jobs=resources.jobs,
        n_probed=probe.n_probed,
        n_unreadable=len(probe.failures),
        cached=probe.cached,
        warnings=(*problems, *work.warnings(stages), *_short_disk(disk)),
    )


@dataclass(frozen=True)
class _Probe:
    """Features of a few clips, and per clip its seconds, bytes in memory and in the cache."""

    n_probed: int
    failures: tuple[str, ...]
    targets: Targets
    rows: dict[str, NDArray[np.float32]]
    cached: float
    clip_seconds: float
    clip_bytes: float
    new_bytes: float

    @classmethod
    def of(
        cls, dataset: Dataset, audio: AudioConfig, plans: tuple[Plan, ...], folder: Path | None
    ) -> _Probe:
        """Featurize clips of all classes, without reading the cache."""
        targets = dataset.targets
        order = targets.truth if targets.states is None else targets.states.sum(axis=1)
        steps = np.linspace(0, len(order) - 1, min(_MAX_PROBED, len(order)))
        positions = np.argsort(order, kind="stable")[steps.round().astype(np.intp)]
        clips = tuple(dataset.clips[position] for position in positions)
        work = Work(audio, plans)
        featurize_chunk(clips[:1], work)  # imports what is needed
        started = time.perf_counter()
        result = featurize_chunk(clips, work)
        new_seconds = (time.perf_counter() - started) / len(clips)
        ledger = result.ledger(clips)
        usable = [index for index, row in enumerate(ledger) if row.status == "ok"]
        failures = tuple(row.message for row in ledger if row.status != "ok")
        if not usable:
            raise DatasetError(
                f"{dataset.name}: none of the {len(clips)} clips that were probed can be used; the "
                f"first: {failures[0]}"
            )
        ledger = [ledger[index] for index in usable]
        views = [view for item in plans for view in item.views]
        new = [[view for view in views if not _is_cached(folder, view, row)] for row in ledger]
        cached = sum(not missing for missing in new) / len(ledger)
        longest = audio.duration or 1.0
        share = float(np.mean([row.seconds for row in ledger])) / longest
        share = min(1.0, share) if audio.duration else share
        sizes = {view.name: 4 * view.n_bins * view.max_frames * share for view in views}
        entries = [sizes[view.name] for missing in new for view in missing if view.keys]
        new_seconds += _STORE_SECONDS * len(entries) / len(ledger) if folder else 0.0
        return cls(
            n_probed=len(clips),
            failures=failures,
            targets=targets.taken(positions[usable]),
            rows={name: rows[usable] for name, rows in result.rows.items()},
            cached=cached,
            clip_seconds=cached * _READ_SECONDS * len(views) + (1 - cached) * new_seconds,
            clip_bytes=sum(sizes.values()) + 4 * audio.sr * share * longest,
            new_bytes=sum(size + _ENTRY_BYTES for size in entries) / len(ledger),
        )


def _is_cached(folder: Path | None, view: Plan, row: LedgerRow) -> bool:
    if folder is None or view.keys is None:
        return False
    return FeatureCache(folder).has(view.keys.key(row.digest))


def fit_seconds(pipeline: Pipeline, probe: _Probe, n_train: int, config: RunConfig) -> float:
    """Fit a classifier to made-up rows at two sizes; scale its seconds to the training data."""
    rows = probe.rows[pipeline.featurizer]
    n_present = len(np.unique(probe.targets.truth, axis=0))
    options: Any = {"seed": config.seed, "choose_thresholds": config.thresholds == "f1"}
    points: list[tuple[int, float]] = []
    for size in sorted({min(n_train, max(n, 2 * n_present)) for n in _FIT_ROWS}):
        every = np.arange(size)
        # Each row is moved by half the difference of two others, so columns stay correlated as in
        # recordings, and classes overlap; white noise would make fits several times too fast.
        one, other = np.random.default_rng(0).integers(len(rows), size=(2, size))
        matrix = np.resize(rows, (size, rows.shape[1])) + np.float32(0.5) * (
            rows[one] - rows[other]
        )
        targets = probe.targets.taken(every % len(probe.targets))
        splits = Splits((Fold(0, "probe", every, every),), "probe")
        started = time.perf_counter()
        evaluate([pipeline], {pipeline.featurizer: matrix}, targets, splits, **options)
        points.append((size, time.perf_counter() - started))
        if points[-1][1] > _SLOW_SECONDS:
            break
    return power_law(points, n_train)


def power_law(points: Sequence[tuple[int, float]], target: int) -> float:
    """Scale times at one or two sizes to another by seconds = a * size**b, with b in [0, 3].

    >>> power_law([(10, 1.0), (20, 4.0)], 40), power_law([(10, 1.0)], 40)
    (16.0, 4.0)
    """
    size, seconds = points[-1]
    exponent = 1.0
    if len(points) > 1:
        exponent = math.log2(seconds / points[0][1]) / math.log2(size / points[0][0])
    return float(seconds * (target / size) ** min(3.0, max(0.0, exponent)))


class _Work:
    """Amount of work of a run, from which follow the estimates of its stages."""

    def __init__(
        self,
        prepared: Prepared,
        resources: Resources,
        probe: _Probe,
        widths: dict[str, int],
        n_train: int,
        fits: list[float],
    ) -> None:
        folds = prepared.splits().folds
        self.prepared, self.jobs, self.probe, self.fits = prepared, resources.jobs, probe, fits
        self.widths, self.n_train = widths, n_train
        self.n_clips, self.n_classes = len(prepared.dataset), len(prepared.dataset.classes)
        self.classes_of_fit = prepared.dataset.targets.classes_of_fit
        self.n_pipelines, self.n_folds = len(prepared.pipelines), len(folds)
        curve = prepared.curve_folds()
        self.n_fits = self.n_pipelines * self.n_folds
        self.n_fits += curve.n_fits(prepared.pipelines) if curve else 0
        self.curve_folds = sum(len(f.train) for f in curve.folds) / n_train if curve else 0.0
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
        seconds = self.probe.clip_seconds * max(self.n_clips / self.jobs, 1.0)
        n_bytes = round(self.probe.clip_bytes)
        clips = min(CHUNK * self.jobs, self.n_clips) * n_bytes
        memory = self.kept_bytes + min(clips, self.jobs * (BATCH_BYTES + n_bytes))
        return Stage("features", seconds, memory, self.mapped_bytes + self.cache_bytes)

    def evaluation(self) -> Stage:
        seconds = sum(self.fits) * (self.n_folds + self.curve_folds)
        memory = max(map(self._fit_bytes, self.prepared.pipelines))
        workers = min(self.jobs, self.n_fits) if seconds > WORTH_PROCESSES else 1
        if workers > 1:
            seconds = max(seconds / workers, *self.fits) + _WORKER_SECONDS
            memory = workers * (memory + _WORKER_BYTES) + self.held_bytes
        return Stage("evaluate", seconds, self.kept_bytes + self.score_bytes + memory, 0)

    def _fit_bytes(self, pipeline: Pipeline) -> int:
        width = self.widths[pipeline.featurizer]
        needed = pipeline.classifier.fit_memory(self.n_train, width, self.classes_of_fit)
        return 4 * self.n_train * width + needed

    def report(self) -> Stage:
        config, n_examples = self.prepared.config, min(MAX_EXAMPLES, self.n_classes)
        seconds, plots = 0.0, 0
        if config.report.plots:
            seconds = _PICTURE_SECONDS * (self.n_pipelines + n_examples)
            plots = _CONFUSION_BYTES * self.n_pipelines + _EXAMPLE_BYTES * n_examples + _PLOT_BYTES
        seconds += _METRIC_SECONDS * len(config.metrics) * self.n_predictions
        clips = self.prepared.dataset.clips
        name = float(np.mean([len(clip.id) + 2 * len(clip.label) for clip in clips]))
        predictions = self.n_predictions * (name + 32 + 20 * self.n_classes)
        tested = self.n_predictions / self.n_pipelines * (name + 6)
        tables = round(predictions + tested + self.n_clips * (name + 100))
        disk = tables + plots + _OTHER_BYTES
        if config.report.html:
            most = config.report.media_mb
            most = MEDIA_MB if most is None else most
            disk += _PAGE_BYTES + round(min(1e6 * most, _MEDIA_BYTES * self.n_clips))
        memory = self.kept_bytes + self.score_bytes + 3 * tables
        return Stage("report", seconds, memory, disk)

    def warnings(self, stages: Sequence[Stage]) -> Iterator[str]:
        """Yield problems to expect with clips, memory and the cache."""
        if failures := self.probe.failures:
            yield (
                f"{len(failures)} of the {self.probe.n_probed} clips that were probed cannot be "
                f"used and were left out: {'; '.join(failures)}; a run would end there unless the "
                "config says `on_error: skip`"
            )
        largest = max(stages, key=lambda stage: stage.memory)
        free = self.free_bytes + self.own_bytes
        if largest.memory > free:
            yield (
                f"the stage {largest.name!r} would take about {human_bytes(largest.memory)} of "
                f"memory, and {human_bytes(free)} is free: {_LESS_MEMORY[largest.name]}"
            )
        if self.cache_bytes > DEFAULT_MAX_BYTES:
            yield (
                f"the cache would grow by about {human_bytes(self.cache_bytes)} and is cut below "
                f"{human_bytes(DEFAULT_MAX_BYTES)} when the run ends, so the next run would decode "
                "most clips again: add --no-cache"
            )


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
