"""Feature extraction: each clip is decoded at most once and becomes one row per featurizer.

The result depends neither on the engine nor on the number of workers. Cached features are neither
decoded nor computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.conversions import Conversions
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DatasetError, FeatureError
from audioclf.base.pickling import Columns
from audioclf.components.featurizer import Featurizer
from audioclf.components.registry import Origins, described
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.engines.base import Engine, WorkerDiedError
from audioclf.engines.local import ProcessEngine, SerialEngine
from audioclf.features.cache_key import KeyMaker
from audioclf.features.matrix import RowFile, keep_rows, new_matrix
from audioclf.features.worker import (
    CacheUse,
    ChunkResult,
    LedgerRow,
    Plan,
    Work,
    featurize_chunk,
    plan_featurizer,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

CHUNK, LARGE_CHUNK, MANY_CHUNKS = 32, 128, 64
"""Clips that are decoded and featurized together: of many clips more; no result depends on it."""

SHARED_MATRICES = 16
"""Matrices in which workers write; each holds two file descriptors, of which a process has few."""

Progress = Callable[[int, int], None]
"""Called with (clips done, clips in all)."""


@dataclass(frozen=True)
class Extraction:
    """The features of all clips that could be read, in the order of `dataset`.

    `matrices` holds one design matrix [shape=(n_clips, n_views * n_features)] per featurizer,
    float32, memory-mapped if it is large; `ledger` a row per clip, failed ones included;
    `fingerprint` is a SHA-256 over ids, labels, groups, folds and bytes of the clips with a row.
    """

    dataset: Dataset
    matrices: dict[str, Matrix]
    ledger: tuple[LedgerRow, ...]
    fingerprint: str
    cache: CacheUse
    notes: tuple[str, ...] = ()
    plans: dict[str, Plan] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[LedgerRow, ...]:
        """The rows of the clips that could not be read."""
        return tuple(row for row in self.ledger if row.status == "failed")

    @cached_property
    def feature_hashes(self) -> dict[str, str]:
        """The SHA-256 of each design matrix, by featurizer."""
        return {name: _hash(matrix) for name, matrix in self.matrices.items()}


def _hash(matrix: Matrix) -> str:
    sha = hashlib.sha256(repr(matrix.shape).encode())
    for start in range(0, len(matrix), 4096):
        sha.update(np.ascontiguousarray(matrix[start : start + 4096]).data)
    return sha.hexdigest()


def extract(
    dataset: Dataset,
    audio: AudioConfig,
    featurizers: Mapping[str, Featurizer],
    *,
    engine: Engine | None = None,
    cache_folder: Path | None = None,
    origins: Mapping[str, Origins] | None = None,
    cache_use: CacheUse | None = None,
    progress: Progress = lambda done, total: None,
) -> Extraction:
    """Decode every clip at most once and featurize it with every featurizer.

    Clips that fail are rows of the ledger and have no row in the matrices. The result is the same
    for any engine. Nothing is cached without a folder, and no featurizer without an origin, since
    its code is unknown.
    """
    plans = plans_in(audio, featurizers, origins or {}, engine)
    shared = engine is not None and engine.has_processes
    collector = _Collector(dataset, plans, cache_use or CacheUse(), progress, audio, shared=shared)
    # A time limit holds for each clip, so then a chunk has only one.
    is_limited = isinstance(engine, ProcessEngine) and engine.seconds is not None
    size = 1 if is_limited else max(CHUNK, min(LARGE_CHUNK, len(dataset) // MANY_CHUNKS))
    work = Work(audio, plans, cache_folder, collector.files())
    collector.run(engine or SerialEngine(), range(0, len(dataset), size), size, work)
    return collector.extraction()


def make_plans(
    audio: AudioConfig, featurizers: Mapping[str, Featurizer], origins: Mapping[str, Origins]
) -> tuple[Plan, ...]:
    """Return for each featurizer the shape of its rows and the keys of its cached features."""
    return tuple(
        _plan((name, item, audio, origins.get(name, ()))) for name, item in featurizers.items()
    )


def plans_in(
    audio: AudioConfig,
    featurizers: Mapping[str, Featurizer],
    origins: Mapping[str, Origins],
    engine: Engine | None,
) -> tuple[Plan, ...]:
    """Return the plans of `make_plans`, made where the engine runs foreign code."""
    if isinstance(engine, ProcessEngine):
        return _plans_elsewhere(audio, featurizers, origins, engine)
    return make_plans(audio, featurizers, origins)


def _plans_elsewhere(
    audio: AudioConfig,
    featurizers: Mapping[str, Featurizer],
    origins: Mapping[str, Origins],
    engine: ProcessEngine,
) -> tuple[Plan, ...]:
    """Make the plans in worker processes, where one that crashes or hangs can be named."""
    items = [(name, item, audio, origins.get(name, ())) for name, item in featurizers.items()]
    plans: dict[int, Plan] = {}
    for index, outcome in engine.map(_plan, items):
        if isinstance(outcome, WorkerDiedError):
            name, featurizer, _, made_by = items[index]
            raise FeatureError(
                f"featurizer {name!r} ({_described(featurizer, made_by)}) {outcome.what_happened}, "
                "on noise that every run tries first",
                hint=outcome.hint,
            ) from outcome
        if not isinstance(outcome, Plan):
            raise outcome
        plans[index] = outcome
    return tuple(plans[index] for index in range(len(items)))


def _described(featurizer: Featurizer, origins: Origins) -> str:
    return described(featurizer, origins[0] if origins else None)


def _plan(item: tuple[str, Featurizer, AudioConfig, Origins]) -> Plan:
    name, featurizer, audio, origins = item
    plain, *augmented = (
        plan_featurizer(
            f"{name}, view {number}" if number else name,
            view,
            audio,
            _described(view, origins),
            KeyMaker.make(audio=audio, featurizer=view, origins=origins),
        )
        for number, view in enumerate(featurizer.views())
    )
    shape = (plain.n_bins, plain.max_frames)
    for view in augmented:
        if (view.n_bins, view.max_frames) != shape or view.width != plain.width:
            raise FeatureError(
                f"{view.label} has shape {(view.n_bins, view.max_frames)} and {view.width} columns "
                f"where the first view has {shape} and {plain.width}",
                hint="All views of a featurizer need one shape and one pooling.",
            )
    return replace(plain, augmented=tuple(augmented))


def fill_chunk(chunk: tuple[int, Columns], work: Work) -> ChunkResult:
    """Return the result of clips, without the rows that were written in the file of their matrix.

    The number in `chunk` is that of the row of its first clip.
    """
    first, clips = chunk
    result = featurize_chunk(clips.values, work)
    for name, file in work.files.items():
        if file.write(first, result.rows[name]):
            del result.rows[name]
    return result


class _Collector:
    """Collects the results of the workers in the rows of their clips."""

    def __init__(
        self,
        dataset: Dataset,
        plans: Sequence[Plan],
        cache: CacheUse,
        progress: Progress,
        audio: AudioConfig,
        *,
        shared: bool,
    ) -> None:
        self.dataset = dataset
        self.matrices = {
            plan.name: new_matrix(
                len(dataset), plan.row_width, shared=shared and number < SHARED_MATRICES
            )
            for number, plan in enumerate(plans)
        }
        self.ledger: list[LedgerRow | None] = [None] * len(dataset)
        self.cache = cache
        self.notes = [plan.note for plan in plans if plan.note]
        self.plans, self.audio = plans, audio
        self.progress = progress
        self.done = 0

    def files(self) -> dict[str, RowFile]:
        """Return the files of the matrices that have some, by plan."""
        files = {name: RowFile.of(matrix) for name, matrix in self.matrices.items()}
        return {name: file for name, file in files.items() if file is not None}

    def run(self, engine: Engine, starts: Sequence[int], size: int, work: Work) -> None:
        """Featurize the clips in chunks; those of one whose worker died are repeated singly."""
        singles: list[int] = []
        clips = self.dataset.clips
        chunks = [(start, Columns(clips[start : start + size])) for start in starts]
        for index, outcome in engine.map(fill_chunk, chunks, shared=work):
            start, stop = starts[index], starts[index] + len(chunks[index][1].values)
            if isinstance(outcome, WorkerDiedError) and size > 1:
                singles += range(start, stop)
            elif isinstance(outcome, WorkerDiedError):
                self._take(start, _death(clips[start], outcome))
            elif isinstance(outcome, ChunkResult):
                self._take(start, outcome)
            else:
                raise outcome
        if singles:
            self.run(engine, singles, 1, work)

    def _take(self, start: int, result: ChunkResult) -> None:
        stop = start + len(result.outcomes)
        self.ledger[start:stop] = result.ledger(self.dataset.clips[start:stop])
        for name, rows in result.rows.items():
            self.matrices[name][start:stop] = rows
        self.cache.add(result.cache)
        self.done += len(result.outcomes)
        self.progress(self.done, len(self.dataset))

    def extraction(self) -> Extraction:
        """Return the features of the clips that did not fail."""
        ledger = [row for row in self.ledger if row is not None]
        good = [index for index, row in enumerate(ledger) if row.status == "ok"]
        if not good:
            raise DatasetError(
                f"{self.dataset.name}: none of {len(ledger)} clips could be read; the first: "
                f"{ledger[0].message}"
            )
        dataset, matrices = self.dataset, self.matrices
        if len(good) < len(ledger):
            dataset = dataset.readable(ledger[index].clip.id for index in good)
            matrices = {name: keep_rows(matrix, good) for name, matrix in matrices.items()}
        digests = {row.clip.id: row.digest for row in ledger}
        fingerprint = dataset.fingerprint(digests)
        rows = [ledger[index] for index in good]
        conversions = Conversions(self.audio)
        for row in rows:
            if row.info is not None:
                conversions.add(row.info)
        short = _short_notes(rows, self.plans, self.audio.sr)
        notes = (*self.notes, *conversions.sentences(), *conversions.cut(), *short)
        plans = {plan.name: plan for plan in self.plans}
        return Extraction(dataset, matrices, tuple(ledger), fingerprint, self.cache, notes, plans)


def _death(clip: Clip, outcome: WorkerDiedError) -> ChunkResult:
    happened = "ended the worker process"
    if outcome.is_late:
        happened = f"took too long and was ended: {outcome.how}"
    message = f"{clip.source.name}: decoding or featurizing it {happened}"
    return ChunkResult([("failed", message)])


def _short_notes(rows: Sequence[LedgerRow], plans: Sequence[Plan], sr: int) -> Iterator[str]:
    """Count the clips that were padded to fill one frame, by featurizer."""
    for plan in plans:
        n_samples = plan.featurizer.samples_per_frame(sr)
        if n_samples is None:
            continue
        short = [row for row in rows if round(row.seconds * sr) < n_samples]
        if short:
            clips = "1 clip is" if len(short) == 1 else f"{len(short)} clips are"
            yield (
                f"{clips} shorter than one frame of {plan.name!r} ({n_samples} samples, "
                f"{n_samples / sr:.3g} s) and padded, such as {short[0].clip.id}"
            )
