"""Windows that are most similar to examples, by the features of a config or a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.audio.decode import inspect
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import ConfigError, DatasetError
from audioclf.base.progress import Progress, no_progress
from audioclf.components.featurizer import Featurizer
from audioclf.components.pooling import Flatten
from audioclf.components.registry import Registry
from audioclf.dataset.dataset import Clip
from audioclf.dataset.path_labels import shown
from audioclf.dataset.review_list import SIMILAR, Window, path_in_table
from audioclf.engines.base import Engine
from audioclf.evaluation.sampling.design import Floats, first_of_each
from audioclf.evaluation.sampling.diversity import BLOCK, standardizer
from audioclf.experiment.feature_windows import WindowTable, notes_of, window_table
from audioclf.experiment.grid import check_featurizer
from audioclf.experiment.prepared import resolve
from audioclf.experiment.review.collection import Scored, not_reviewed
from audioclf.models.bundle.reading import read_bundle
from audioclf.models.model import Model
from audioclf.predict.inputs import Recording

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """The views of a featurizer, side by side in a row, and how sound is read for them.

    `longest` is the length in s of a clip from which flatten makes a row; None for a window.
    """

    views: tuple[Featurizer, ...]
    audio: AudioConfig
    origins: Any
    longest: float | None = None

    @classmethod
    def of_model(cls, model: Model, registry: Registry) -> Features:
        """Return the features of which the model predicts."""
        featurizer, audio = model.featurizer, model.manifest.audio
        views = featurizer.views()[: model.views.predicted]
        flat = isinstance(featurizer.pooling, Flatten)
        longest = audio.duration if flat else None
        return cls(tuple(views), audio, registry.origins_of(featurizer), longest)


def features_of(path: Path, registry: Registry, name: str | None = None) -> Features:
    """Return the featurizer of a model or of a config, in which it may be named."""
    if path.suffix == ".audioclf" or path.is_dir():
        return Features.of_model(read_bundle(path, registry).model, registry)
    config, registry = resolve(path, (), registry)
    names = list(config.featurizers)
    if name is None and len(names) > 1:
        raise ConfigError(
            f"{path}: the config has {len(names)} featurizers",
            hint=f"Choose one with --featurizer: {shown(names)}.",
        )
    chosen = name or names[0]
    check_featurizer(config, chosen)
    featurizer = config.featurizers[chosen]
    views = (featurizer.views()[0],)
    return Features(views, config.audio, registry.origins_of(featurizer))


@dataclass(frozen=True, eq=False)
class Index:
    """Windows of recordings with a row of features each [shape=(n_windows, n_features)]."""

    windows: Scored
    rows: Matrix
    notes: tuple[str, ...]
    failures: tuple[str, ...]


def index_of(
    recordings: Sequence[Recording],
    features: Features,
    lengths: tuple[float, float | None],
    engine: Engine,
    *,
    cache_folder: Path | None = None,
    progress: Progress = no_progress,
) -> Index:
    """Return the windows of `lengths` (window, hop) in s; features are kept in the cache."""
    clips = [Clip(recording.name, "", recording.source) for recording in recordings]
    views = {str(number): view for number, view in enumerate(features.views)}
    table = window_table(
        clips,
        features.audio,
        views,
        dict.fromkeys(views, features.origins),
        engine,
        lengths,
        progress,
        cache_folder,
        longest=features.longest,
    )
    parts = list(table.matrices.values())
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    failures = tuple(row.message for row in table.failed)
    return Index(_windows_of(table), rows, tuple(notes_of(table)), failures)


def _windows_of(table: WindowTable) -> Scored:
    codes: dict[str, int] = {}
    owners = [codes.setdefault(clip.source.file.name, len(codes)) for clip in table.clips]
    recordings = np.repeat(np.array(owners, np.intp), [len(times) for times in table.times])
    times = np.concatenate([np.empty((0, 2)), *table.times])
    return Scored(tuple(codes), recordings, times, np.empty((len(times), 0)))


def similarities(rows: Matrix, examples: Matrix) -> Floats:
    """Return the cosine of each row with the nearest example [shape=(n_rows,)].

    Each feature is standardized by its mean and standard deviation over all rows; those that do not
    vary are left out. Rows are read in blocks.
    """
    standardized = standardizer(rows)

    def unit(block: Matrix) -> Matrix:
        block = standardized(block)
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        block /= np.maximum(lengths, 1e-12)[:, None]
        return block

    wanted = unit(examples).T
    best = [(unit(rows[at : at + BLOCK]) @ wanted).max(axis=1) for at in range(0, len(rows), BLOCK)]
    return np.concatenate(best).astype(np.float64)


def example_seconds(examples: Sequence[Recording]) -> float:
    """Return the length of the shortest example in s."""
    return min(inspect(example.source).seconds for example in examples)


def similar_windows(
    index: Index,
    examples: Index,
    *,
    n: int,
    per_recording: int | None,
    reviewed: Sequence[Path],
    out: Path,
) -> list[Window]:
    """Return the n windows that are most similar to an example, the most similar first."""
    found = index.windows
    for side in (index, examples):
        if not len(side.rows):
            raise DatasetError(f"no recording has a window: {'; '.join(side.failures[:1])}")
    nearness = similarities(index.rows, examples.rows)
    scored = Scored(found.names, found.recordings, found.times, nearness[:, None])
    left = scored.where(not_reviewed(scored, reviewed))
    order = np.argsort(-left.scores[:, 0], kind="stable")
    chosen = first_of_each(order, left.recordings, n, per_recording)
    windows = []
    for at in chosen.tolist():
        start, end = map(float, left.times[at])
        path = path_in_table(left.names[left.recordings[at]], out)
        sizes, score = (len(chosen), len(left)), float(left.scores[at, 0])
        windows.append(Window(path, start, end, SIMILAR, 1.0, SIMILAR, 0.0, *sizes, score=score))
    return windows
