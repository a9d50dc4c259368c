"""Features of windows of recordings, for the table of `audioclf features --window`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import AudioclfError, ConfigError, FeatureError
from audioclf.base.limits import limits_in_force
from audioclf.base.progress import Progress
from audioclf.dataset.dataset import Clip
from audioclf.engines.base import Engine, WorkerDiedError
from audioclf.features.cache import opened_cache
from audioclf.features.cache_entry import Entry
from audioclf.features.extraction import plans_in
from audioclf.features.matrix import GrowingMatrix
from audioclf.features.worker import LedgerRow, Plan, featurize, featurize_windows
from audioclf.models.windows import BATCH, Cutting, Piece, pieces, rows_of_runs, shared_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.components.featurizer import Featurizer
    from audioclf.components.registry import Origins
    from audioclf.dsp.short_time import Matrix

    Floats = NDArray[np.float64]

_Row = dict[str, "Matrix | FeatureError"]


@dataclass(frozen=True)
class WindowTable:
    """The windows of clips: start and end in s [shape=(n_windows, 2)] of those of each clip.

    `matrices` have a row for each window, by featurizer, `left_out` are messages of windows without
    features, `failed` clips without a window.
    """

    clips: list[Clip] = field(default_factory=list)
    times: list[Floats] = field(default_factory=list)
    matrices: dict[str, Matrix] = field(default_factory=dict)
    failed: list[LedgerRow] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Work:
    plans: tuple[Plan, ...]
    audio: AudioConfig
    cutting: Cutting
    cache_folder: Path | None

    def key(self, plan: Plan, source_digest: str) -> str | None:
        """Return the key of the windows of a recording in the cache; None if it has none."""
        if plan.keys is None:
            return None
        pooling = plan.featurizer.pooling.model_dump_json()
        windows = repr((pooling, plan.max_frames, self.cutting))
        return plan.keys.key(hashlib.sha256(f"{windows}:{source_digest}".encode()).hexdigest())


@dataclass
class _Windows:
    """The windows of one clip."""

    times: list[tuple[float, float]] = field(default_factory=list)
    rows: dict[str, list[Matrix]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def window_table(
    clips: Sequence[Clip],
    audio: AudioConfig,
    featurizers: Mapping[str, Featurizer],
    origins: Mapping[str, Origins],
    engine: Engine,
    lengths: tuple[float, float | None],
    progress: Progress,
    cache_folder: Path | None = None,
    *,
    longest: float | None = None,
) -> WindowTable:
    """Return the features of windows of `lengths` (window, hop) in s, cached by recording.

    Clips are read in blocks, and `audio.offset` and `audio.duration` do not apply. `longest` is the
    length of a clip from which flatten makes a row, by default a window.
    """
    cutting, most = Cutting.of(*lengths, audio.sr), limits_in_force().max_seconds
    if lengths[0] > most:
        long = f"a window of {lengths[0]:g} s is longer than the limit max_seconds, {most:g} s"
        raise ConfigError(long)
    duration = longest or lengths[0]
    audio = AudioConfig(**{**audio.model_dump(), "duration": duration, "offset": 0.0})
    work = _Work(plans_in(audio, featurizers, origins, engine), audio, cutting, cache_folder)
    outcomes: dict[int, Any] = {}
    progress("reading", 0, len(clips))
    table, n_added = WindowTable(), 0
    rows = {name: GrowingMatrix() for name in featurizers}
    for n_done, (index, outcome) in enumerate(engine.map(_windows, clips, shared=work), 1):
        outcomes[index] = outcome
        while n_added in outcomes:  # as soon as it is its turn, so that few wait
            _add(table, rows, clips[n_added], outcomes.pop(n_added))
            n_added += 1
        progress("reading", n_done, len(clips))
    table.matrices.update((name, matrix.finished()) for name, matrix in rows.items())
    return table


def _add(
    table: WindowTable,
    matrices: Mapping[str, GrowingMatrix],
    clip: Clip,
    outcome: _Windows | AudioclfError,
) -> None:
    if isinstance(outcome, AudioclfError):
        message = outcome.message
        if isinstance(outcome, WorkerDiedError):
            message = f"{clip.source.name}: {outcome.what_happened}"
        table.failed.append(LedgerRow(clip, "failed", " ".join(message.split())))
        return
    table.left_out.extend(outcome.left_out)
    if outcome.times:
        table.clips.append(clip)
        table.times.append(np.array(outcome.times, dtype=np.float64))
    for name, rows in outcome.rows.items():
        matrices[name].append(np.asarray(rows[0]))


def _windows(clip: Clip, work: _Work) -> _Windows:
    """Return the windows of a clip, from the cache if it has them of all featurizers."""
    if work.cache_folder is None or any(plan.keys is None for plan in work.plans):
        return _computed(clip, work)
    digest = clip.source.digest()
    keys = {plan.name: work.key(plan, digest) or "" for plan in work.plans}
    with opened_cache(work.cache_folder) as cache:
        assert cache is not None
        entries = cache.get_many(list(keys.values()))
        if len(entries) == len(keys):
            times = [(start, end) for start, end in entries[keys[work.plans[0].name]].meta["times"]]
            return _Windows(times, {name: [entries[key].features] for name, key in keys.items()})
        found = _computed(clip, work)
        if not found.left_out:
            for name, key in keys.items():
                cache.put(key, Entry(found.rows[name][0], {"times": found.times}))
    return found


def _computed(clip: Clip, work: _Work) -> _Windows:
    found, sr = _Windows(), work.audio.sr
    with open_stream(clip.source, sr, channel=work.audio.channel) as stream:
        cut = pieces(stream.blocks, work.cutting)
        while batch := list(islice(cut, BATCH)):
            by_plan = {plan.name: _rows(plan, batch, work) for plan in work.plans}
            for at, piece in enumerate(batch):
                start, end = (stream.offset + sample / sr for sample in piece[:2])
                _keep(found, clip, (start, end), {name: r[at] for name, r in by_plan.items()})
        if not found.rows and not found.left_out:
            size = work.cutting.size / sr
            message = f"{clip.source.name}: shorter than half a window of {size:g} s"
            raise FeatureError(message)
    if not found.rows:
        raise FeatureError(found.left_out[0])
    found.rows = {name: [np.stack(rows)] for name, rows in found.rows.items()}
    return found


def _keep(found: _Windows, clip: Clip, times: tuple[float, float], row: _Row) -> None:
    errors = [value for value in row.values() if isinstance(value, FeatureError)]
    if errors:
        found.left_out.append(f"{clip.source.name}, from {times[0]:g} s on: {errors[0].message}")
        return
    found.times.append(times)
    for name, F in row.items():
        if not isinstance(F, FeatureError):
            found.rows.setdefault(name, []).append(F)


def _rows(plan: Plan, batch: Sequence[Piece], work: _Work) -> list[Matrix | FeatureError]:
    sr, pool = work.audio.sr, plan.featurizer.pooling.pool
    step = shared_step(plan.featurizer, sr)
    matrices = rows_of_runs(
        batch,
        work.cutting,
        step,
        lambda ys: featurize(plan, ys, sr),
        lambda y, starts, n: featurize_windows(plan, y, sr, starts, n),
    )
    return [F if isinstance(F, FeatureError) else pool(F, plan.max_frames) for F in matrices]


def notes_of(table: WindowTable) -> Iterator[str]:
    """Yield a note on windows without features."""
    if table.left_out:
        yield f"windows without features: {len(table.left_out)}; the first: {table.left_out[0]}"
