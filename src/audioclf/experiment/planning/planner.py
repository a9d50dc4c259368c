"""The plan of a run, stage after stage, and what would go wrong."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from audioclf.audit.tables import with_tables
from audioclf.base.machine import available_memory, single_threaded
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Origin
from audioclf.config.run_config import RunConfig
from audioclf.dataset.dataset import Dataset
from audioclf.evaluation.cross_validation import WORTH_PROCESSES
from audioclf.evaluation.results import Pipeline
from audioclf.experiment.planning.estimate import RunPlan, Stage, human_bytes, parallel_seconds
from audioclf.experiment.planning.fit_cost import FitCost, Trial
from audioclf.experiment.planning.probe import Probe, probe_clips
from audioclf.experiment.planning.report_cost import Rehearsal, ReportCost
from audioclf.experiment.planning.workload import Extent, Sample
from audioclf.features.cache import DEFAULT_MAX_BYTES
from audioclf.features.extraction import CHUNK, make_plans
from audioclf.features.matrix import MEMORY_SHARE
from audioclf.report.run.page import default_budget

# Measured on Linux with NumPy 2.4 and scikit-learn 1.9; elsewhere they are of the same order.
_STORE_SECONDS = 5e-4  # for an entry of the cache; 0.2 to 2 ms, by the file system
_READ_SECONDS = 2e-4  # for an entry of the cache, with pooling
_LOCKED_SECONDS = 3e-4  # of each clip, in which Python lets one thread work
_LEDGER_BYTES = 500  # what a run keeps in memory of each clip
_WORKER_SECONDS = 2.0  # until worker processes have imported what they need
_WORKER_BYTES = 140 << 20
_PAGE_BYTES = 200_000
_MEDIA_BYTES = 24_000  # of a clip in the page, its sound and its spectrogram

_LESS_MEMORY = {
    "features": "have fewer columns (pooling: {type: stats}), a shorter audio.duration, or fewer "
    "jobs (--jobs 1)",
    "evaluate": "have fewer columns (pooling: {type: stats}), fewer jobs (--jobs 1), or another "
    "classifier",
    "report": "test fewer clips (split: {type: holdout}), or have fewer pipelines or repeats",
}

_now = time.perf_counter


def plan(
    config: RunConfig,
    dataset: Dataset,
    pipelines: Sequence[Pipeline],
    *,
    origins: Mapping[str, Origin],
    jobs: int,
    cache_folder: Path | None = None,
    out: Path = Path("runs"),
    load_seconds: float = 0.0,
) -> RunPlan:
    """Foretell what a run would take. It takes some seconds, whatever the number of clips.

    Parameters
    ----------
    config : RunConfig
    dataset : Dataset
        What the config's loader gave, in `load_seconds`.
    pipelines : sequence of Pipeline
        The grid of the config.
    origins : mapping of str to Origin
        Where each featurizer comes from, as for `extract`.
    jobs : int
        Threads and processes of the run. They are taken to divide the work evenly.
    cache_folder : Path, optional
        Folder of the feature cache; without it the run would cache nothing.
    out : Path
        Where the run folder would be.
    load_seconds : float

    Returns
    -------
    plan : RunPlan

    Raises
    ------
    AudioclfError
        If a featurizer does not work at all, none of the probed clips can be used, or the dataset
        cannot be split as the config asks.
    """
    with single_threaded():
        splits = config.split.folds(dataset, config.seed)
        extent, sample = Extent.of(dataset, splits, len(pipelines)), Sample(dataset)
        started = _now()
        plans = make_plans(config.audio, *_tables(config, origins))
        start_seconds = _now() - started
        probe = probe_clips(dataset, sample, config.audio, plans, cache_folder)
        build_seconds = _build(pipelines, config.seed)
        fits = [
            Trial(pipeline, probe, sample, extent, config.seed).cost() for pipeline in pipelines
        ]
        report = Rehearsal(config, dataset, pipelines[0], probe, sample, extent).cost()
        report = replace(report, disk=report.disk + _page_bytes(config, extent))
    widths = {plan.name: plan.row_width for plan in plans}
    work = _Work(extent, widths, probe, jobs, cache_folder is not None, available_memory())
    base = _resident_memory()
    stages = (
        Stage("load", load_seconds, 0, 0),
        work.features(start_seconds),
        work.evaluation(build_seconds, fits),
        work.report(report),
    )
    found = RunPlan(
        stages=tuple(replace(stage, memory=base + stage.memory) for stage in stages),
        n_clips=extent.n_clips,
        n_pipelines=extent.n_pipelines,
        n_fits=extent.n_fits,
        rows_per_fit=extent.n_train,
        columns={name: widths[name] for name in config.featurizers},
        mapped=work.mapped,
        jobs=jobs,
        n_probed=probe.n_probed,
        n_unreadable=len(probe.failures),
        cached=probe.cached,
    )
    needs = [(Path(tempfile.gettempdir()), work.mapped_bytes), (out, report.disk)]
    if cache_folder is not None:
        needs.append((cache_folder, work.cache_bytes))
    warnings = (
        *_untried(pipelines, fits),
        *_unreadable(probe),
        *_too_little_memory(found),
        *_pruned(work.cache_bytes),
        *_too_little_disk(needs),
    )
    return replace(found, warnings=warnings)


def _tables(
    config: RunConfig, origins: Mapping[str, Origin]
) -> tuple[Mapping[str, Featurizer], Mapping[str, Origin]]:
    """Return what a run extracts: its features, and the tables of its audits."""
    return (
        with_tables(config.featurizers, origins) if config.audit else (config.featurizers, origins)
    )


def _page_bytes(config: RunConfig, extent: Extent) -> int:
    """Return about the size of `report.html`: its text, and a sound and a picture per clip."""
    if not config.report.html:
        return 0
    budget = config.report.media_mb
    most = default_budget(extent.n_clips) if budget is None else budget
    return _PAGE_BYTES + round(min(1e6 * most, _MEDIA_BYTES * extent.n_clips))


def _build(pipelines: Sequence[Pipeline], seed: int) -> float:
    """Build every classifier, which imports what it needs, and return the seconds."""
    started = _now()
    for pipeline in pipelines:
        with suppress(Exception):  # a trial says what is wrong
            pipeline.classifier.build(random_state=seed)
    return _now() - started


@dataclass(frozen=True)
class _Work:
    """The stages of a run as sums and products; memory is what comes on top of the process."""

    extent: Extent
    widths: Mapping[str, int]
    probe: Probe
    jobs: int
    caching: bool
    free_memory: int

    def features(self, start_seconds: float) -> Stage:
        probe, n_clips = self.probe, self.extent.n_clips
        known = probe.digest_seconds + _READ_SECONDS * len(self.widths)
        new = probe.clip_seconds + self.caching * _STORE_SECONDS * len(self.widths)
        each = probe.cached * known + (1 - probe.cached) * new
        divided = parallel_seconds(each, n_clips, self.jobs)
        at_least = min(each, _LOCKED_SECONDS) * n_clips
        seconds = start_seconds + probe.start_seconds + max(divided, at_least)
        under_way = min(CHUNK * self.jobs, n_clips) * probe.clip_bytes
        disk = self.mapped_bytes + self.cache_bytes
        return Stage("features", seconds, self._kept_bytes + round(under_way), disk)

    def evaluation(self, start_seconds: float, fits: Sequence[FitCost]) -> Stage:
        each = [fit.seconds for fit in fits for _ in range(self.extent.n_folds)]
        alone = _fits_in_this_process(each, self.jobs)
        rest = each[alone:]
        seconds = start_seconds + sum(each[:alone])
        workers = min(self.jobs, max(1, len(rest)))
        memory = self._kept_bytes + self._result_bytes + workers * max(fit.memory for fit in fits)
        if rest:
            seconds += _WORKER_SECONDS + max(max(rest), sum(rest) / workers)
            # Workers share one copy of the matrices, or map the file in which they are.
            memory += workers * _WORKER_BYTES + self._held_bytes
        return Stage("evaluate", seconds, memory, 0)

    def report(self, cost: ReportCost) -> Stage:
        memory = self._kept_bytes + self._result_bytes + cost.memory
        return Stage("report", cost.seconds, memory, cost.disk)

    @property
    def mapped(self) -> tuple[str, ...]:
        """The featurizers whose matrix is mapped from a file, by the rule of `features.matrix`."""
        most = MEMORY_SHARE * self.free_memory
        return tuple(name for name in self.widths if self._matrix_bytes(name) > most)

    @property
    def mapped_bytes(self) -> int:
        return sum(map(self._matrix_bytes, self.mapped))

    @property
    def cache_bytes(self) -> int:
        return round(self.probe.new_bytes * self.extent.n_clips) if self.caching else 0

    @property
    def _held_bytes(self) -> int:
        return sum(map(self._matrix_bytes, self.widths)) - self.mapped_bytes

    @property
    def _kept_bytes(self) -> int:
        return self._held_bytes + _LEDGER_BYTES * self.extent.n_clips

    @property
    def _result_bytes(self) -> int:
        """Predicted classes and scores, which are kept until the report is written."""
        return 8 * (1 + self.extent.n_classes) * self.extent.n_predictions

    def _matrix_bytes(self, name: str) -> int:
        return 4 * self.extent.n_clips * self.widths[name]


def _fits_in_this_process(seconds: Sequence[float], jobs: int) -> int:
    """Return how many fits precede the worker processes, by the rule of `evaluate`."""
    for done, last in enumerate(seconds, start=1):
        rest = len(seconds) - done
        if min(jobs, rest) > 1 and last * rest > WORTH_PROCESSES:
            return done
    return len(seconds)


def _resident_memory() -> int:
    """Return the bytes of memory that this process holds, or the most that it held."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _untried(pipelines: Sequence[Pipeline], fits: Sequence[FitCost]) -> Iterator[str]:
    for pipeline, fit in zip(pipelines, fits, strict=True):
        if fit.problem:
            yield (
                f"{pipeline.name} could not be tried on made-up rows, so its time is not in the "
                f"plan: {fit.problem}"
            )


def _unreadable(probe: Probe) -> Iterator[str]:
    if probe.failures:
        yield (
            f"{len(probe.failures)} of the {probe.n_probed} clips that were probed cannot be used "
            f"and were left out: {'; '.join(probe.failures)}; a run would end there unless the "
            "config says `on_error: skip`"
        )


def _too_little_memory(found: RunPlan) -> Iterator[str]:
    free = available_memory() + _resident_memory()  # a run would have what this process has
    if found.memory > free:
        stage = max(found.stages, key=lambda stage: stage.memory)
        yield (
            f"the stage {stage.name!r} would take about {human_bytes(found.memory)} of memory, and "
            f"{human_bytes(free)} is free: {_LESS_MEMORY.get(stage.name, 'take fewer clips')}"
        )


def _pruned(cache_bytes: int) -> Iterator[str]:
    if cache_bytes > DEFAULT_MAX_BYTES:
        yield (
            f"the cache would grow by about {human_bytes(cache_bytes)} and is cut below "
            f"{human_bytes(DEFAULT_MAX_BYTES)} when the run ends, so the next run would decode "
            "most clips again: --no-cache saves the writing"
        )


def _too_little_disk(folders: Sequence[tuple[Path, int]]) -> Iterator[str]:
    """Compare what would be written with what is free, for each disk."""
    disks: dict[int, list[tuple[Path, int]]] = {}
    for folder, size in folders:
        present = next(
            path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
        )
        disks.setdefault(present.stat().st_dev, []).append((present, size))
    for needs in disks.values():
        size, free = sum(size for _, size in needs), shutil.disk_usage(needs[0][0]).free
        if size > free:
            names = " and ".join(sorted({str(folder) for folder, size in needs if size}))
            yield (
                f"about {human_bytes(size)} would be written below {names}, where "
                f"{human_bytes(free)} is free: use another disk (--out, --cache-dir, the "
                "environment variable TMPDIR) or no cache (--no-cache)"
            )
