"""The extraction engine: each clip is decoded once, and leaves one row per featurizer.

What happens here looks at one clip at a time, so nothing can leak from one clip to another. Rows
are written where they belong, so the result does not depend on the number of jobs.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from audioclf.audio import AudioConfig, AudioInfo, Decoded, decode
from audioclf.components import Featurizer
from audioclf.dataset import Clip, Dataset
from audioclf.errors import AudioclfError, DatasetError, DecodeError, FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

CHUNK = 32
"""Clips that are decoded and featurized together; no result depends on it."""

Progress = Callable[[int, int], None]
"""Called with (clips done, clips in all)."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one file did."""

    clip: Clip
    status: Literal["ok", "failed"]
    message: str = ""
    info: AudioInfo | None = None
    seconds: float = 0.0
    digest: str = ""


@dataclass(frozen=True)
class Extraction:
    """The features of all clips that could be read.

    Parameters
    ----------
    dataset : Dataset
        The clips that have a row, in the order of the rows.
    matrices : dict of str to np.ndarray [shape=(n_clips, n_features)], float32
        One design matrix per featurizer.
    ledger : tuple of LedgerRow
        One row per clip of the dataset that was given, failed ones included.
    fingerprint : str
        SHA-256 over ids, labels, groups, folds and bytes of the clips that have a row.
    """

    dataset: Dataset
    matrices: dict[str, Matrix]
    ledger: tuple[LedgerRow, ...]
    fingerprint: str

    @property
    def failed(self) -> tuple[LedgerRow, ...]:
        """The rows of the clips that could not be read."""
        return tuple(row for row in self.ledger if row.status == "failed")

    def feature_hashes(self) -> dict[str, str]:
        """Return for each featurizer the SHA-256 of its design matrix."""
        return {name: _hash(matrix) for name, matrix in self.matrices.items()}


def _hash(matrix: Matrix) -> str:
    sha = hashlib.sha256(repr(matrix.shape).encode())
    sha.update(np.ascontiguousarray(matrix).data)
    return sha.hexdigest()


@dataclass(frozen=True)
class _Plan:
    """A featurizer with what the config says of its shape."""

    name: str
    featurizer: Featurizer
    described: str
    n_bins: int
    max_frames: int
    width: int


def extract(
    dataset: Dataset,
    audio: AudioConfig,
    featurizers: Mapping[str, Featurizer],
    *,
    jobs: int = 1,
    describe: Callable[[Featurizer], str] = lambda featurizer: featurizer.type_name(),
    progress: Progress = lambda done, total: None,
) -> Extraction:
    """Decode every clip once and featurize it with every featurizer.

    Parameters
    ----------
    dataset : Dataset
    audio : AudioConfig
        How files become waveforms.
    featurizers : mapping of str to Featurizer
    jobs : int
        Number of threads; the result is the same for any.
    describe : callable
        Names a featurizer and where it comes from, for messages.
    progress : callable

    Returns
    -------
    extraction : Extraction
        Clips that fail are rows of the ledger and have no row in the matrices.

    Raises
    ------
    FeatureError
        If a featurizer does not work at all.
    DatasetError
        If no clip could be read.
    """
    plans = [_plan(name, f, audio, describe(f)) for name, f in featurizers.items()]
    matrices = {p.name: np.zeros((len(dataset), p.width), dtype=np.float32) for p in plans}
    ledger: list[LedgerRow] = []
    for rows in _in_order(dataset.clips, audio, plans, matrices, jobs):
        ledger += rows
        progress(len(ledger), len(dataset))
    return _collect(dataset, matrices, ledger)


def _plan(name: str, featurizer: Featurizer, audio: AudioConfig, described: str) -> _Plan:
    """Learn the shape that the longest clip will have from noise of that length."""
    n_samples = round((audio.duration or 1.0) * audio.sr)
    noise = np.random.default_rng(0).normal(0.0, 0.1, n_samples).astype(np.float32)
    label = f"featurizer {name!r} ({described})"
    features = _checked(_call(featurizer, noise, audio.sr, label), label)
    n_bins, n_frames = features.shape
    width = featurizer.pooling.width(n_bins, n_frames)
    return _Plan(name, featurizer, label, n_bins, n_frames, width)


def _call(featurizer: Featurizer, y: Matrix, sr: int, label: str) -> Matrix:
    y.flags.writeable = False
    try:
        return featurizer.extract(y, sr)
    except AudioclfError as exc:
        raise FeatureError(f"{label}: {exc.message}", hint=exc.hint) from exc
    except Exception as exc:
        raise FeatureError(f"{label} raised {type(exc).__name__}: {exc}") from exc


def _checked(features: object, label: str, n_bins: int | None = None) -> Matrix:
    if not isinstance(features, np.ndarray) or features.ndim != 2 or 0 in features.shape:
        shape = getattr(features, "shape", type(features).__name__)
        raise FeatureError(f"{label} returned {shape}, not an array of shape (n_bins, n_frames)")
    if n_bins is not None and features.shape[0] != n_bins:
        raise FeatureError(f"{label} returned {features.shape[0]} bins, before it was {n_bins}")
    if not np.issubdtype(features.dtype, np.floating):
        raise FeatureError(f"{label} returned {features.dtype} instead of float32")
    if not np.isfinite(features).all():
        raise FeatureError(f"{label} returned {np.sum(~np.isfinite(features))} NaN or inf values")
    return features.astype(np.float32, copy=False)


def _in_order(
    clips: Sequence[Clip],
    audio: AudioConfig,
    plans: Sequence[_Plan],
    matrices: Mapping[str, Matrix],
    jobs: int,
) -> Iterator[list[LedgerRow]]:
    starts = range(0, len(clips), CHUNK)

    def work(start: int) -> list[LedgerRow]:
        return _chunk(clips[start : start + CHUNK], start, audio, plans, matrices)

    if jobs == 1:
        yield from map(work, starts)
        return
    with ThreadPoolExecutor(jobs, thread_name_prefix="audioclf") as pool:
        yield from pool.map(work, starts)


def _chunk(
    clips: Sequence[Clip],
    start: int,
    audio: AudioConfig,
    plans: Sequence[_Plan],
    matrices: Mapping[str, Matrix],
) -> list[LedgerRow]:
    decoded = [_decode(clip, audio) for clip in clips]
    ledger = [row for row, _ in decoded]
    live = [index for index, (row, _) in enumerate(decoded) if row.status == "ok"]
    ys = [decoded[index][1] for index in live]
    for plan in plans:
        for index, result in zip(live, _featurize(plan, ys, audio.sr), strict=True):
            if isinstance(result, FeatureError):
                ledger[index] = _failed(clips[index], result)
            else:
                matrices[plan.name][start + index] = result
    return ledger


def _decode(clip: Clip, audio: AudioConfig) -> tuple[LedgerRow, Matrix]:
    try:
        decoded: Decoded = decode(clip.source, audio)
        digest = clip.source.digest()
    except DecodeError as exc:
        return _failed(clip, exc), np.zeros(0, dtype=np.float32)
    decoded.y.flags.writeable = False
    message = "; ".join(decoded.info.warnings)
    row = LedgerRow(clip, "ok", message, decoded.info, decoded.seconds, digest)
    return row, decoded.y


def _failed(clip: Clip, error: AudioclfError) -> LedgerRow:
    message = error.message
    if isinstance(error, FeatureError):
        message = f"{clip.source.name}: {message}"
    return LedgerRow(clip, "failed", " ".join(message.split()))


def _featurize(plan: _Plan, ys: Sequence[Matrix], sr: int) -> list[Matrix | FeatureError]:
    """Return one pooled row per waveform; where the batch fails, find the clip that is to blame."""
    with contextlib.suppress(Exception):  # the same clips one by one say which it was
        batch = plan.featurizer.extract_many(ys, sr)
        if len(batch) == len(ys):
            return [_row(plan, features) for features in batch]
    return [_row_alone(plan, y, sr) for y in ys]


def _row(plan: _Plan, features: Matrix) -> Matrix:
    checked = _checked(features, plan.described, plan.n_bins)
    return plan.featurizer.pooling.pool(checked, plan.max_frames)


def _row_alone(plan: _Plan, y: Matrix, sr: int) -> Matrix | FeatureError:
    try:
        return _row(plan, _call(plan.featurizer, y, sr, plan.described))
    except FeatureError as exc:
        return exc


def _collect(
    dataset: Dataset, matrices: Mapping[str, Matrix], ledger: Sequence[LedgerRow]
) -> Extraction:
    good = [index for index, row in enumerate(ledger) if row.status == "ok"]
    if not good:
        raise DatasetError(
            f"{dataset.name}: none of {len(ledger)} clips could be read; the first: "
            f"{ledger[0].message}"
        )
    if len(good) < len(ledger):
        dataset = dataset.subset(ledger[index].clip.id for index in good)
        matrices = {name: matrix[good] for name, matrix in matrices.items()}
    digests = {row.clip.id: row.digest for row in ledger}
    return Extraction(dataset, dict(matrices), tuple(ledger), dataset.fingerprint(digests))
