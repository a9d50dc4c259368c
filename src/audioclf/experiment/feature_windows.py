"""Features of windows of recordings, for the table of `audioclf features --window`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from audioclf.audio.settings import AudioConfig
from audioclf.audio.stream import open_stream
from audioclf.base.errors import AudioclfError, FeatureError
from audioclf.base.progress import Progress
from audioclf.dataset.dataset import Clip
from audioclf.engines.base import Engine, WorkerDiedError
from audioclf.features.extraction import plans_in
from audioclf.features.worker import LedgerRow, Plan, featurize, featurize_windows
from audioclf.models.windows import BATCH, Cutting, Piece, pieces, rows_of_runs, shared_step

if TYPE_CHECKING:
    from audioclf.components.featurizer import Featurizer
    from audioclf.components.registry import Origins
    from audioclf.dsp.short_time import Matrix

_Row = dict[str, "Matrix | FeatureError"]


@dataclass(frozen=True)
class WindowTable:
    """The windows of all clips: clip, start and end in s, and rows of features by featurizer.

    `left_out` are messages of windows without features, `failed` clips without a window.
    """

    facts: list[tuple[Clip, float, float]] = field(default_factory=list)
    rows: dict[str, list[Matrix]] = field(default_factory=dict)
    failed: list[LedgerRow] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Work:
    plans: tuple[Plan, ...]
    audio: AudioConfig
    cutting: Cutting


@dataclass
class _Windows:
    """The windows of one clip."""

    times: list[tuple[float, float]] = field(default_factory=list)
    rows: list[dict[str, Matrix]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def window_table(
    clips: Sequence[Clip],
    audio: AudioConfig,
    featurizers: Mapping[str, Featurizer],
    origins: Mapping[str, Origins],
    engine: Engine,
    lengths: tuple[float, float | None],
    progress: Progress,
) -> WindowTable:
    """Return the features of windows of `lengths` (window, hop) in s; nothing is cached.

    Clips are read in blocks, and `audio.offset` and `audio.duration` do not apply.
    """
    cutting = Cutting.of(*lengths, audio.sr)
    # A window is a clip of this length; flatten makes rows of it.
    audio = AudioConfig(**{**audio.model_dump(), "duration": lengths[0], "offset": 0.0})
    work = _Work(plans_in(audio, featurizers, origins, engine), audio, cutting)
    outcomes: dict[int, Any] = {}
    progress("reading", 0, len(clips))
    for index, outcome in engine.map(_windows, clips, shared=work):
        outcomes[index] = outcome
        progress("reading", len(outcomes), len(clips))
    table = WindowTable(rows={name: [] for name in featurizers})
    for index, clip in enumerate(clips):
        _add(table, clip, outcomes[index])
    return table


def _add(table: WindowTable, clip: Clip, outcome: _Windows | AudioclfError) -> None:
    if isinstance(outcome, AudioclfError):
        message = outcome.message
        if isinstance(outcome, WorkerDiedError):
            message = f"{clip.source.name}: {outcome.what_happened}"
        table.failed.append(LedgerRow(clip, "failed", " ".join(message.split())))
        return
    table.left_out.extend(outcome.left_out)
    for times, rows in zip(outcome.times, outcome.rows, strict=True):
        table.facts.append((clip, *times))
        for name, row in rows.items():
            table.rows[name].append(row)


def _windows(clip: Clip, work: _Work) -> _Windows:
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
    return found


def _keep(found: _Windows, clip: Clip, times: tuple[float, float], row: _Row) -> None:
    errors = [value for value in row.values() if isinstance(value, FeatureError)]
    if errors:
        found.left_out.append(f"{clip.source.name}, from {times[0]:g} s on: {errors[0].message}")
        return
    found.times.append(times)
    found.rows.append({name: F for name, F in row.items() if not isinstance(F, FeatureError)})


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
