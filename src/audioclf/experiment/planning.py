"""Plan of a run: estimated time, memory and disk of each stage.

A few clips are decoded and featurized, and each classifier is fitted at two sizes; the results are
scaled to all clips and folds. Nothing is written, and the cache is only read.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audit.tables import with_tables
from audioclf.base.errors import ClassifierError, DatasetError
from audioclf.base.machine import available_memory, peak_memory, single_threaded
from audioclf.base.text import human_bytes
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.cross_validation import WORTH_PROCESSES, evaluate
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.features.cache import DEFAULT_MAX_BYTES
from audioclf.features.cache_key import FORMAT
from audioclf.features.extraction import CHUNK, make_plans
from audioclf.features.matrix import MEMORY_SHARE
from audioclf.features.worker import Chunk, LedgerRow, Plan, featurize_chunk
from audioclf.report.run.page import default_budget
from audioclf.runs.plots import MAX_EXAMPLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.experiment.prepared import Prepared
    from audioclf.experiment.resources import Resources

MAX_PROBED = 24
"""Clips that are decoded, spread evenly over the classes."""
FIT_ROWS = (64, 256)
"""Rows of the two fits of each classifier; more where there are many classes."""
SLOW_SECONDS = 5.0
"""Seconds of a first fit from which on there is no second."""

# Measured on Linux with NumPy 2.4 and scikit-learn 1.9; elsewhere they are of the same order.
_STORE_SECONDS, _READ_SECONDS = 5e-4, 2e-4  # for an entry of the cache
_LOCKED_SECONDS = 3e-4  # of each clip, in which Python lets one thread work
_WORKER_SECONDS, _WORKER_BYTES = 2.0, 140 << 20  # of a worker process with its imports
_PICTURE_SECONDS, _METRIC_SECONDS = 0.4, 1e-4  # of a plot; of a metric, per prediction
_LEDGER_BYTES = 500  # in memory, per clip
_ENTRY_BYTES, _BLOCK_BYTES = 450, 4096  # of a cache entry besides features; of a disk
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

    Parameters
    ----------
    name : {"load", "features", "evaluate", "report"}
    seconds : float
        Wall-clock time.
    memory : int
        Bytes of all processes together at the stage's peak.
    disk : int
        Bytes that the stage writes, temporary files included.
    """

    name: str
    seconds: float
    memory: int
    disk: int


@dataclass(frozen=True)
class RunPlan:
    """Estimate for a run, and the facts behind it.

    Parameters
    ----------
    stages : tuple of Stage
        In the order of the run.
    n_clips, n_pipelines, n_fits : int
    rows_per_fit : int
        Clips on the largest training side.
    columns : dict of str to int
        Width of the design matrix of each featurizer.
    mapped : tuple of str
        Featurizers whose design matrix would be mapped from a temporary file.
    jobs : int
    n_probed, n_unreadable : int
        Clips that were decoded for the plan, and those of them that cannot be used.
    cached : float
        Share of the probed clips whose features are all in the cache, in [0, 1].
    warnings : tuple of str
        Problems to expect, each with a remedy.
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
    prepared: Prepared,
    resources: Resources,
    *,
    out: Path = Path("runs"),
    load_seconds: float = 0.0,
) -> RunPlan:
    """Estimate the cost of a run; it takes some seconds, however many clips there are.

    Parameters
    ----------
    prepared : Prepared
    resources : Resources
        The jobs are assumed to divide the work evenly.
    out : Path
        Where the run folder would be.
    load_seconds : float
        Time that config and dataset took to load.

    Raises
    ------
    AudioclfError
        If a featurizer does not work at all, or none of the probed clips can be used.
    """
    config, dataset, folds = prepared.config, prepared.dataset, prepared.splits().folds
    featurizers, origins = config.featurizers, prepared.origins
    if config.audit:
        featurizers, origins = with_tables(featurizers, origins)
    with single_threaded():
        plans = make_plans(config.audio, featurizers, origins)
        probe = _Probe.of(dataset, prepared, plans, resources.cache_folder)
        n_train = max(len(fold.train) for fold in folds)
        fits, problems = [], []
        for pipeline in prepared.pipelines:
            try:
                fits.append(_fit_seconds(pipeline, probe, n_train, config.seed))
            except ClassifierError as exc:
                problems.append(
                    f"{pipeline.name} could not be fitted to made-up rows, so its time is not in "
                    f"the plan: {exc.message}"
                )
    if probe.failures:
        problems.append(
            f"{len(probe.failures)} of the {probe.n_probed} clips that were probed cannot be used "
            f"and were left out: {'; '.join(probe.failures)}; a run would end there unless the "
            "config says `on_error: skip`"
        )
    n_clips, n_classes, jobs = len(dataset), len(dataset.classes), resources.jobs
    n_pipelines = len(prepared.pipelines)
    n_tested = sum(len(fold.test) for fold in folds)  # by each pipeline, all repeats together

    sizes = {item.name: 4 * n_clips * item.row_width for item in plans}
    own_bytes, free = peak_memory(), available_memory()
    mapped = tuple(name for name, size in sizes.items() if size > MEMORY_SHARE * free)
    mapped_bytes = sum(sizes[name] for name in mapped)
    held = sum(sizes.values()) - mapped_bytes
    kept = own_bytes + held + _LEDGER_BYTES * n_clips
    scores = 8 * (1 + n_classes) * n_pipelines * n_tested

    cache_bytes = round(probe.new_bytes * n_clips) if resources.cache_folder else 0
    if cache_bytes > DEFAULT_MAX_BYTES:
        problems.append(
            f"the cache would grow by about {human_bytes(cache_bytes)} and is cut below "
            f"{human_bytes(DEFAULT_MAX_BYTES)} when the run ends, so the next run would decode "
            "most clips again: add --no-cache"
        )
    chunk_bytes = round(min(CHUNK * jobs, n_clips) * probe.clip_bytes)
    locked = min(probe.clip_seconds, _LOCKED_SECONDS) * n_clips
    features = Stage(
        "features",
        max(probe.clip_seconds * max(n_clips / jobs, 1.0), locked),
        kept + chunk_bytes,
        mapped_bytes + cache_bytes,
    )

    seconds = sum(fits) * len(folds)
    widths = {item.name: item.row_width for item in plans}
    memory = max(
        4 * n_train * widths[item.featurizer]
        + item.classifier.fit_memory(n_train, widths[item.featurizer], n_classes)
        for item in prepared.pipelines
    )
    workers = min(jobs, n_pipelines * len(folds)) if seconds > WORTH_PROCESSES else 1
    if workers > 1:
        seconds = max(seconds / workers, *fits) + _WORKER_SECONDS
        memory = workers * (memory + _WORKER_BYTES) + held
    evaluation = Stage("evaluate", seconds, kept + scores + memory, 0)

    n_examples = min(MAX_EXAMPLES, n_classes)
    table_bytes = _table_bytes(dataset, n_pipelines, n_tested)
    report = Stage(
        "report",
        _PICTURE_SECONDS * (n_pipelines + n_examples)
        + _METRIC_SECONDS * len(config.metrics) * n_pipelines * n_tested,
        kept + scores + 3 * table_bytes,
        table_bytes
        + _OTHER_BYTES
        + _CONFUSION_BYTES * n_pipelines
        + _EXAMPLE_BYTES * n_examples
        + _page_bytes(prepared),
    )

    stages = (Stage("load", load_seconds, own_bytes, 0), features, evaluation, report)
    largest = max(stages, key=lambda stage: stage.memory)
    if largest.memory > free + own_bytes:
        problems.append(
            f"the stage {largest.name!r} would take about {human_bytes(largest.memory)} of memory, "
            f"and {human_bytes(free + own_bytes)} is free: "
            f"{_LESS_MEMORY.get(largest.name, 'use fewer clips')}"
        )
    needs = [(Path(tempfile.gettempdir()), mapped_bytes), (out, report.disk)]
    if resources.cache_folder is not None:
        needs.append((resources.cache_folder, cache_bytes))
    return RunPlan(
        stages,
        n_clips=n_clips,
        n_pipelines=n_pipelines,
        n_fits=n_pipelines * len(folds),
        rows_per_fit=n_train,
        columns={name: widths[name] for name in config.featurizers},
        mapped=mapped,
        jobs=jobs,
        n_probed=probe.n_probed,
        n_unreadable=len(probe.failures),
        cached=probe.cached,
        warnings=(*problems, *_short_disk(needs)),
    )


@dataclass(frozen=True)
class _Probe:
    """Cost and features of a few clips; `rows` and `codes` are those of the usable ones."""

    n_probed: int
    failures: tuple[str, ...]
    codes: NDArray[np.intp]
    rows: dict[str, NDArray[np.float32]]
    clip_seconds: float
    cached: float
    new_bytes: float
    clip_bytes: float

    @classmethod
    def of(
        cls, dataset: Dataset, prepared: Prepared, plans: tuple[Plan, ...], folder: Path | None
    ) -> _Probe:
        audio, codes = prepared.config.audio, dataset.targets.codes
        by_class = np.argsort(codes, kind="stable")
        steps = np.linspace(0, len(codes) - 1, min(MAX_PROBED, len(codes)))
        positions = by_class[steps.round().astype(np.intp)]
        clips = tuple(dataset.clips[position] for position in positions)
        featurize_chunk(Chunk(0, clips[:1], audio, plans))  # imports what is needed
        started = time.perf_counter()
        result = featurize_chunk(Chunk(0, clips, audio, plans))
        new_seconds = (time.perf_counter() - started) / len(clips)
        usable = [index for index, row in enumerate(result.ledger) if row.status == "ok"]
        failures = tuple(row.message for row in result.ledger if row.status != "ok")
        if not usable:
            raise DatasetError(
                f"{dataset.name}: none of the {len(clips)} clips that were probed can be used; the "
                f"first: {failures[0]}"
            )
        ledger = [result.ledger[index] for index in usable]
        views = [view for item in plans for view in item.views]
        new = [[view for view in views if not _is_cached(folder, view, row)] for row in ledger]
        cached = sum(not missing for missing in new) / len(ledger)
        stored = _STORE_SECONDS * len(views) if folder else 0.0
        seconds = cached * _READ_SECONDS * len(views) + (1 - cached) * (new_seconds + stored)
        share = float(np.mean([row.seconds for row in ledger])) / (audio.duration or 1.0)
        share = min(1.0, share) if audio.duration else share
        matrix_bytes = {view.name: 4 * view.n_bins * view.max_frames * share for view in views}
        entry_bytes = [
            _BLOCK_BYTES * math.ceil((matrix_bytes[view.name] + _ENTRY_BYTES) / _BLOCK_BYTES)
            for missing in new
            for view in missing
            if view.keys
        ]
        return cls(
            n_probed=len(clips),
            failures=failures,
            codes=codes[positions[usable]],
            rows={name: rows[usable] for name, rows in result.rows.items()},
            clip_seconds=seconds,
            cached=cached,
            new_bytes=sum(entry_bytes) / len(ledger),
            clip_bytes=sum(matrix_bytes.values()) + 4 * audio.sr * share * (audio.duration or 1.0),
        )


def _is_cached(folder: Path | None, view: Plan, row: LedgerRow) -> bool:
    """Look for a cache entry by its path: reading it would count as a use."""
    if folder is None or view.keys is None:
        return False
    key = view.keys.key(row.digest)
    return (folder / f"v{FORMAT}" / key[:2] / f"{key}.npy").is_file()


def _fit_seconds(pipeline: Pipeline, probe: _Probe, n_train: int, seed: int) -> float:
    """Fit a classifier at two sizes, and scale its seconds by a power law."""
    rows = probe.rows[pipeline.featurizer]
    classes, codes = np.unique(probe.codes, return_inverse=True)
    points: list[tuple[int, float]] = []
    for size in sorted({min(n_train, max(n, 2 * len(classes))) for n in FIT_ROWS}):
        y = np.resize(codes, size)
        fold = Fold(0, "probe", np.arange(size), np.arange(size))
        matrix = _made_up(np.resize(np.arange(len(rows)), size), rows)
        started = time.perf_counter()
        splits = Splits((fold,), "probe")
        targets = Targets(tuple(map(str, classes)), y, "clip", np.arange(size))
        evaluate([pipeline], {pipeline.featurizer: matrix}, targets, splits, seed=seed)
        points.append((size, time.perf_counter() - started))
        if points[-1][1] > SLOW_SECONDS:
            break
    return power_law(points, n_train)


def _made_up(picked: NDArray[np.intp], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of the probe, each moved by half the difference of two others.

    So columns stay correlated as in recordings, and classes overlap; white noise would make fits
    several times too fast.
    """
    one, other = np.random.default_rng(0).integers(len(rows), size=(2, len(picked)))
    made: NDArray[np.float32] = rows[picked] + np.float32(0.5) * (rows[one] - rows[other])
    return made


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


def _table_bytes(dataset: Dataset, n_pipelines: int, n_tested: int) -> int:
    """Return about the size of the tables of predictions, folds and clips."""
    name = float(np.mean([len(clip.id) + 2 * len(clip.label) for clip in dataset]))
    predictions = n_pipelines * n_tested * (name + 24 + 12 * len(dataset.classes))
    return round(predictions + n_tested * (name + 6) + len(dataset) * (name + 100))


def _page_bytes(prepared: Prepared) -> int:
    report, n_clips = prepared.config.report, len(prepared.dataset)
    if not report.html:
        return 0
    most = default_budget(n_clips) if report.media_mb is None else report.media_mb
    return _PAGE_BYTES + round(min(1e6 * most, _MEDIA_BYTES * n_clips))


def _short_disk(needs: Sequence[tuple[Path, int]]) -> Iterator[str]:
    """Compare the bytes to be written with the free space of each disk."""
    disks: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in needs:
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
