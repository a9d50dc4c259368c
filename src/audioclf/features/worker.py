"""Work on a chunk of clips: look in the cache, decode, featurize, pool.

Every clip is treated alone, so nothing can leak from one clip to another, and the result does not
depend on the clips that share a chunk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from audioclf.audio.container import name_remarks
from audioclf.audio.decode import decode
from audioclf.audio.reader import AudioInfo
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError, DecodeError, FeatureError
from audioclf.base.pickling import by_fields
from audioclf.components.featurizer import Featurizer
from audioclf.components.guard import FOREIGN, guard, recorded
from audioclf.dataset.dataset import Clip
from audioclf.dataset.snapshot import snapshot
from audioclf.features.cache import FeatureCache, opened_cache
from audioclf.features.cache_entry import Entry
from audioclf.features.cache_key import KeyMaker
from audioclf.features.matrix import RowFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_HEADER_FACTS = ("container", "subtype", "sr", "channels", "frames", "chunks")
"""Fields of `AudioInfo` without the warnings."""
Frames = dict[tuple[str, int], int]  # by the name of the plan and the number of samples
BATCH_BYTES = 32 * 2**20
"""Memory of decoded clips and cached features from which on they are featurized and released."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Outcome of one clip; "training" if it is left out, since a model was fitted on it."""

    clip: Clip
    status: Literal["ok", "failed", "training"]
    message: str = ""
    info: AudioInfo | None = None
    seconds: float = 0.0
    digest: str = ""

    __reduce__ = by_fields


@dataclass(frozen=True)
class Plan:
    """A featurizer, with the shape `n_bins`, `max_frames` of the longest clip that is allowed.

    `keys` is None where the featurizer must not be cached; `augmented` are the other views of a
    clip, to the right of this one in a row.
    """

    name: str
    featurizer: Featurizer
    label: str
    n_bins: int
    max_frames: int
    width: int
    keys: KeyMaker | None = None
    augmented: tuple[Plan, ...] = ()
    note: str = ""

    @property
    def views(self) -> tuple[Plan, ...]:
        """Each view as a plan of its own, the plain one first."""
        return (replace(self, augmented=()) if self.augmented else self, *self.augmented)

    @property
    def row_width(self) -> int:
        """Number of columns of a row with all views."""
        return self.width * (1 + len(self.augmented))


@dataclass(frozen=True)
class Work:
    """All that a worker needs to featurize clips, but for the clips.

    `files` are those of design matrices by plan, in which `fill_chunk` writes the rows itself.
    """

    audio: AudioConfig
    plans: tuple[Plan, ...]
    cache_folder: Path | None = None
    files: Mapping[str, RowFile] = field(default_factory=dict)


@dataclass
class CacheUse:
    """Numbers of cache entries that were read, written and damaged, and warnings of the cache."""

    hits: int = 0
    written: int = 0
    damaged: int = 0
    warnings: list[str] = field(default_factory=list)

    def add(self, other: CacheUse) -> None:
        """Add the numbers and new warnings of another part of the work."""
        self.hits += other.hits
        self.written += other.written
        self.damaged += other.damaged
        self.warnings += [text for text in other.warnings if text not in self.warnings]

    def notes(self) -> Iterable[str]:
        """Yield notes for the user."""
        if self.damaged:
            entries = "entry" if self.damaged == 1 else "entries"
            yield f"{self.damaged} damaged cache {entries} rebuilt"
        yield from self.warnings


@dataclass
class ChunkResult:
    """The outcome of each clip of a chunk, and by plan a row of features, 0 where it failed.

    An outcome holds the fields of a ledger row behind the clip, which need not be sent back.
    """

    outcomes: list[tuple[Any, ...]]
    rows: dict[str, Matrix] = field(default_factory=dict)
    cache: CacheUse = field(default_factory=CacheUse)

    def ledger(self, clips: Iterable[Clip]) -> list[LedgerRow]:
        """Return the ledger rows of the clips of the chunk."""
        return [LedgerRow(clip, *each) for clip, each in zip(clips, self.outcomes, strict=True)]


def plan_featurizer(
    name: str, featurizer: Featurizer, audio: AudioConfig, described: str, keys: KeyMaker | None
) -> Plan:
    """Return the plan of a featurizer; noise of maximum length gives the shape of its features."""
    n_samples = round((audio.duration or 1.0) * audio.sr)
    noise = np.random.default_rng(0).normal(0.0, 0.1, n_samples).astype(np.float32)
    label = f"featurizer {name!r} ({described})"
    try:
        with recorded(with_warnings=False) as remarks:
            features = _call(featurizer, noise, audio.sr, label)
            with guard(label, FeatureError):
                notes = featurizer.notes(audio.sr)
        n_bins, n_frames = _checked(features, label).shape
    except FeatureError as exc:
        seconds = n_samples / audio.sr
        raise FeatureError(
            f"{exc.message}, on {seconds:g} s of noise at {audio.sr} Hz that every run tries first",
            hint=exc.hint
            or f"Run `audioclf plugins check {featurizer.type_name()}`, which says what a "
            "featurizer has to do.",
        ) from exc
    width = featurizer.pooling.width(n_bins, n_frames)
    said = "; ".join([*remarks[:1], *notes])
    note = f"{label}: {said}" if said else ""
    return Plan(name, featurizer, label, n_bins, n_frames, width, keys, note=note)


def featurize_chunk(clips: Sequence[Clip], work: Work) -> ChunkResult:
    """Return an outcome for every clip and a row of features for those that can be used."""
    n_clips = len(clips)
    rows = {p.name: np.zeros((n_clips, p.row_width), dtype=np.float32) for p in work.plans}
    result = ChunkResult([], rows)
    frames: Frames = {}
    with opened_cache(work.cache_folder) as cache:
        for batch in _batches(clips, work, cache):
            done = len(result.outcomes)
            for plan in work.plans:
                _fill(rows[plan.name][done : done + len(batch)], plan, batch, work, cache, frames)
            result.outcomes += [item.outcome() for item in batch]
    if cache is not None:
        warnings = [cache.warning] if cache.warning else []
        result.cache = CacheUse(cache.hits, cache.written, cache.damaged, warnings)
    return result


def _batches(
    clips: Iterable[Clip], work: Work, cache: FeatureCache | None
) -> Iterator[list[_Loaded]]:
    """Load the clips of a chunk; yield them as soon as they fill `BATCH_BYTES`."""
    batch: list[_Loaded] = []
    n_bytes = 0
    for clip in clips:
        batch.append(_Loaded(clip, work, cache))
        n_bytes += batch[-1].n_bytes
        if n_bytes >= BATCH_BYTES:
            yield batch
            batch.clear()
            n_bytes = 0
    yield batch


def _fill(
    rows: Matrix,
    plan: Plan,
    batch: Sequence[_Loaded],
    work: Work,
    cache: FeatureCache | None,
    frames: Frames,
) -> None:
    """Pool the features of each clip into its row, view beside view."""
    for number, view in enumerate(plan.views):
        columns = slice(number * plan.width, (number + 1) * plan.width)
        matrices = _matrices(view, batch, work, cache, frames)
        good = [place for place, features in enumerate(matrices) if features is not None]
        kept = [features for features in matrices if features is not None]
        pooled = view.featurizer.pooling.pool_many(kept, view.max_frames)
        for place, row in zip(good, pooled, strict=True):
            rows[place, columns] = row


def featurize_clip(
    clip: Clip, audio: AudioConfig, plans: Sequence[Plan], cache: FeatureCache | None = None
) -> dict[str, Matrix]:
    """Return the features of one clip by the name of the featurizer, not pooled; the plain view."""
    work = Work(audio, tuple(plan.views[0] for plan in plans))
    item = _Loaded(clip, work, cache)
    matrices = {plan.name: _matrices(plan, [item], work, cache, {})[0] for plan in work.plans}
    if item.error is not None:
        raise item.error
    return {name: features for name, features in matrices.items() if features is not None}


class _Loaded:
    """One clip: its digest, its cached features, and its waveform if some are not cached."""

    def __init__(self, clip: Clip, work: Work, cache: FeatureCache | None) -> None:
        self.clip = clip
        self.error: AudioclfError | None = None
        self.digest = ""
        self.info: AudioInfo | None = None
        self.seconds = 0.0
        self.y: Matrix | None = None
        self.cached: dict[str, Matrix] = {}
        try:
            self._load(work, cache)
        except DecodeError as exc:
            self.error = exc

    def _load(self, work: Work, cache: FeatureCache | None) -> None:
        source = snapshot(self.clip.source)
        stamp = source.stamp()
        self.digest = source.digest()
        views = [view for plan in work.plans for view in plan.views]
        if cache is not None:
            self._look_up(views, cache)
        if len(self.cached) == len(views):
            return
        decoded = decode(source, work.audio)
        if source.stamp() != stamp:
            raise DecodeError(f"{source.name}: changed while it was read")
        self.y, self.info, self.seconds = decoded.y, decoded.info, decoded.seconds
        self.y.flags.writeable = False

    def _look_up(self, views: Sequence[Plan], cache: FeatureCache) -> None:
        keys = {view.name: view.keys.key(self.digest) for view in views if view.keys}
        entries = cache.get_many([*keys.values()])
        meta: Mapping[str, Any] = {}
        for name, key in keys.items():
            if (entry := entries.get(key)) is not None:
                self.cached[name] = entry.features
                meta = entry.meta  # the same in all entries of a clip
        if self.cached:
            self.info, self.seconds = _info_from(meta, self.clip), float(meta["seconds"])

    @property
    def n_bytes(self) -> int:
        """Memory of the waveform and of the features."""
        arrays = (*self.cached.values(), self.y)
        return sum(array.nbytes for array in arrays if array is not None)

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The facts of the clip for its entry in the cache."""
        assert self.info is not None
        # An entry is found by content, so it must not depend on the name of the file.
        remarks = name_remarks(self.info.container, self.clip.source.file.name)
        warnings = tuple(text for text in self.info.warnings if text not in remarks)
        facts = {name: getattr(self.info, name) for name in _HEADER_FACTS}
        return {**facts, "warnings": warnings, "seconds": self.seconds}

    def outcome(self) -> tuple[Any, ...]:
        if self.error is not None:
            located = isinstance(self.error, DecodeError)
            where = "" if located else f"{self.clip.source.name}: "
            return "failed", " ".join(f"{where}{self.error.message}".split())
        message = "; ".join(self.info.warnings) if self.info else ""
        return "ok", message, self.info, self.seconds, self.digest


def _info_from(meta: Mapping[str, Any], clip: Clip) -> AudioInfo:
    facts = {name: meta[name] for name in _HEADER_FACTS}
    remarks = name_remarks(meta["container"], clip.source.file.name)
    return _info(**facts, warnings=(*remarks, *meta["warnings"]))


_info = lru_cache(maxsize=64)(AudioInfo)  # equal facts of many clips are sent and kept once


def _matrices(
    plan: Plan, loaded: Sequence[_Loaded], work: Work, cache: FeatureCache | None, frames: Frames
) -> list[Matrix | None]:
    """Return the features of each clip, cached or computed; computed ones are then cached.

    A clip that fails gets its error and no features.
    """
    fresh = [item for item in loaded if item.y is not None and plan.name not in item.cached]
    ys = [item.y for item in fresh if item.y is not None]
    steady = plan.featurizer.has_steady_frames()
    for item, features in zip(fresh, featurize(plan, ys, work.audio.sr), strict=True):
        if not isinstance(features, FeatureError) and item.y is not None and steady:
            features = _steady(features, (plan.name, len(item.y)), frames, plan.label)
        if isinstance(features, FeatureError):
            item.error = item.error or features
            continue
        item.cached[plan.name] = features
        if cache is not None and plan.keys is not None:
            cache.put(plan.keys.key(item.digest), Entry(features, item.meta))
    return [None if item.error else item.cached[plan.name] for item in loaded]


def _steady(
    features: Matrix, clip_length: tuple[str, int], frames: Frames, label: str
) -> Matrix | FeatureError:
    """Return the features, or an error if clips of one length have different numbers of frames."""
    n_frames, before = features.shape[1], frames.setdefault(clip_length, features.shape[1])
    if n_frames == before:
        return features
    return FeatureError(
        f"{label} returned {n_frames} frames for {clip_length[1]} samples, before it was {before}"
    )


def featurize(plan: Plan, ys: Sequence[Matrix], sr: int) -> list[Matrix | FeatureError]:
    """Return a matrix per waveform; if the batch fails, each clip is tried alone."""
    if len(ys) > 1:
        with contextlib.suppress(*FOREIGN):  # the clips are then tried one by one
            batch = plan.featurizer.extract_many(ys, sr)
            if len(batch) == len(ys):
                return [_checked(features, plan.label, plan.n_bins) for features in batch]
    return [_attempt(plan, y, sr) for y in ys]


def featurize_windows(
    plan: Plan, y: Matrix, sr: int, starts: Sequence[int], n_samples: int
) -> list[Matrix | FeatureError]:
    """Return a matrix per window of a recording, equal to `featurize` of each as a clip."""
    y.flags.writeable = False
    with contextlib.suppress(*FOREIGN):
        matrices = plan.featurizer.extract_windows(y, sr, starts, n_samples)
        if len(matrices) == len(starts):
            return [_checked(features, plan.label, plan.n_bins) for features in matrices]
    return featurize(plan, [y[start : start + n_samples] for start in starts], sr)


def _attempt(plan: Plan, y: Matrix, sr: int) -> Matrix | FeatureError:
    try:
        return _checked(_call(plan.featurizer, y, sr, plan.label), plan.label, plan.n_bins)
    except FeatureError as exc:
        return exc


def _call(featurizer: Featurizer, y: Matrix, sr: int, label: str) -> Matrix:
    y.flags.writeable = False

    def known(exc: AudioclfError) -> FeatureError:
        return FeatureError(f"{label}: {exc.message}", hint=exc.hint)

    with guard(label, FeatureError, known=known):
        return featurizer.extract(y, sr)


def _checked(features: object, label: str, n_bins: int | None = None) -> Matrix:
    if not isinstance(features, np.ndarray) or features.ndim != 2 or 0 in features.shape:
        shape = getattr(features, "shape", type(features).__name__)
        raise FeatureError(f"{label} returned {shape}, not an array of shape (n_bins, n_frames)")
    if n_bins is not None and features.shape[0] != n_bins:
        raise FeatureError(
            f"{label} returned {features.shape[0]} bins, before it was {n_bins}; the first axis, "
            "the bins, has the same length for every clip"
        )
    if not np.issubdtype(features.dtype, np.floating):
        raise FeatureError(f"{label} returned {features.dtype} instead of float32")
    with np.errstate(over="ignore"):
        single: Matrix = features.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise FeatureError(f"{label} returned {np.sum(~np.isfinite(single))} NaN or inf values")
    return single
