"""A few clips, decoded and featurized as a run does it, without the cache."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import AudioclfError, DatasetError, DecodeError
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.experiment.planning.workload import Sample
from audioclf.features.cache_key import FORMAT
from audioclf.features.worker import Chunk, LedgerRow, Plan, featurize_chunk, featurize_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
    Codes = NDArray[np.intp]

MAX_PROBED = 24
"""Clips that are decoded, spread evenly over the dataset."""

_ENTRY_OVERHEAD = 450  # bytes of an entry of the cache besides its features
_BLOCK_BYTES = 4096  # a file takes whole blocks of the disk

_now = time.perf_counter


@dataclass(frozen=True)
class Probe:
    """What a few clips took and gave.

    Parameters
    ----------
    n_probed : int
    failures : tuple of str
        Why some of them cannot be used; what follows is of the others.
    codes : np.ndarray [shape=(n,)], int
        Their classes.
    rows : dict of str to np.ndarray [shape=(n, n_features)], float32
        Their rows, by name of the featurizer.
    features : np.ndarray [shape=(n_bins, n_frames)], float32
        What the first featurizer gives of the first clip.
    ledger : tuple of LedgerRow
    start_seconds : float
        What the first look at the clips took more than the second: imports above all.
    clip_seconds, digest_seconds : float
        Per clip: all of decoding and featurizing; its digest alone, which a cached clip needs.
    cached : float
        Share of the clips whose features are all in the cache.
    new_bytes : float
        Per clip: disk for the entries that the cache lacks.
    clip_bytes : float
        Per clip: memory for waveform and features.
    """

    n_probed: int
    failures: tuple[str, ...]
    codes: Codes
    rows: dict[str, Matrix]
    features: Matrix
    ledger: tuple[LedgerRow, ...]
    start_seconds: float
    clip_seconds: float
    digest_seconds: float
    cached: float
    new_bytes: float
    clip_bytes: float


def probe_clips(
    dataset: Dataset,
    sample: Sample,
    audio: AudioConfig,
    plans: tuple[Plan, ...],
    cache_folder: Path | None,
) -> Probe:
    """Featurize a few clips: once to see which can be used, once more with a clock.

    Raises
    ------
    DatasetError
        If none of them can be used.
    """
    positions = sample.positions(MAX_PROBED)
    views = tuple(view for plan in plans for view in plan.views)
    started = _now()
    tried = [_tried(dataset.clips[position], audio, views) for position in positions]
    first_seconds = _now() - started
    failures = tuple(found for found in tried if isinstance(found, str))
    features = [found for found in tried if not isinstance(found, str)]
    if not features:
        raise DatasetError(
            f"{dataset.name}: none of the {len(tried)} clips that were probed can be used; the "
            f"first: {failures[0]}"
        )
    good = [p for p, found in zip(positions, tried, strict=True) if not isinstance(found, str)]
    clips = tuple(dataset.clips[position] for position in good)
    started = _now()
    result = featurize_chunk(Chunk(0, clips, audio, plans))
    seconds = _now() - started
    started = _now()
    digests = [clip.source.digest() for clip in clips]
    digest_seconds = _now() - started
    lacking = [_lacking(cache_folder, views, digest) for digest in digests]
    return Probe(
        n_probed=len(tried),
        failures=failures,
        codes=sample.codes[good],
        rows=result.rows,
        features=features[0][plans[0].name],
        ledger=tuple(result.ledger),
        start_seconds=max(0.0, first_seconds - seconds),
        clip_seconds=seconds / len(clips),
        digest_seconds=digest_seconds / len(clips),
        cached=sum(not names for names in lacking) / len(clips),
        new_bytes=_mean_entry_bytes(features, lacking, views),
        clip_bytes=_mean_bytes(features, result.ledger, audio.sr),
    )


def _tried(clip: Clip, audio: AudioConfig, plans: tuple[Plan, ...]) -> dict[str, Matrix] | str:
    """Return the features of a clip, or why it cannot be used."""
    try:
        return featurize_clip(clip, audio, plans)
    except DecodeError as exc:
        return exc.message
    except AudioclfError as exc:
        return f"{clip.source.name}: {exc.message}"


def _lacking(cache_folder: Path | None, plans: tuple[Plan, ...], digest: str) -> set[str]:
    return {plan.name for plan in plans if not _is_cached(cache_folder, plan, digest)}


def _is_cached(cache_folder: Path | None, plan: Plan, digest: str) -> bool:
    """Look for an entry by its path: to read it would count as a use of it."""
    if cache_folder is None or plan.keys is None:
        return False
    key = plan.keys.key(digest)
    return (cache_folder / f"v{FORMAT}" / key[:2] / f"{key}.npy").is_file()


def _mean_entry_bytes(
    features: list[dict[str, Matrix]], lacking: list[set[str]], plans: tuple[Plan, ...]
) -> float:
    storable = {plan.name for plan in plans if plan.keys}
    sizes = [
        sum(_entry_bytes(found[name]) for name in names & storable)
        for found, names in zip(features, lacking, strict=True)
    ]
    return sum(sizes) / len(sizes)


def _entry_bytes(features: Matrix) -> int:
    return math.ceil((features.nbytes + _ENTRY_OVERHEAD) / _BLOCK_BYTES) * _BLOCK_BYTES


def _mean_bytes(features: list[dict[str, Matrix]], ledger: list[LedgerRow], sr: int) -> float:
    matrices = sum(matrix.nbytes for found in features for matrix in found.values())
    waveforms = sum(4 * sr * row.seconds for row in ledger)
    return (matrices + waveforms) / len(features)
