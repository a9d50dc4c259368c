"""Probe for the plan of a run: a few clips featurized, and each classifier fitted at two sizes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.base.errors import DatasetError
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.targets import Targets
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.features.cache_key import FORMAT
from audioclf.features.worker import Chunk, LedgerRow, Plan, featurize_chunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from audioclf.audio.settings import AudioConfig

MAX_PROBED = 24
"""Clips that are decoded, spread evenly over the classes."""
FIT_ROWS = (64, 256)
"""Rows of the two fits of each classifier; more where there are many classes."""
SLOW_SECONDS = 5.0
"""Seconds of a first fit from which on there is no second."""

_STORE_SECONDS, _READ_SECONDS = 5e-4, 2e-4  # for an entry of the cache, on Linux
_ENTRY_BYTES, _BLOCK_BYTES = 450, 4096  # of a cache entry besides features; of a disk


@dataclass(frozen=True)
class Probe:
    """Cost and features of a few clips.

    - `codes` ([shape=(n,)], int): their classes.
    - `rows` (dict of str to np.ndarray [shape=(n, n_features)], float32): their rows, by name of
      the featurizer.
    - `clip_seconds`: mean time of a clip in the run, which reads the cached share of them from the
      cache.
    - `cached`: share of the clips whose features are all in the cache.
    - `new_bytes`, `clip_bytes`: disk for new entries of the cache, and memory for waveform and
      features, per clip.
    """

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
        cls, dataset: Dataset, audio: AudioConfig, plans: tuple[Plan, ...], folder: Path | None
    ) -> Probe:
        """Featurize clips of all classes with and without a clock."""
        codes = dataset.targets.codes
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


def fit_seconds(pipeline: Pipeline, probe: Probe, n_train: int, seed: int) -> float:
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
