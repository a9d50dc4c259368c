"""Tables of features for use elsewhere: a row for each clip or window, in CSV, Parquet or NumPy."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.base.errors import ConfigError, DatasetError
from audioclf.base.files import OutputFolder
from audioclf.base.progress import Progress, no_progress
from audioclf.dataset.tables import import_pyarrow
from audioclf.experiment.grid import check_featurizer

if TYPE_CHECKING:
    from audioclf.components.featurizer import Featurizer
    from audioclf.dsp.short_time import Matrix
    from audioclf.engines.base import Engine
    from audioclf.experiment.prepared import Prepared
    from audioclf.experiment.resources import Resources
    from audioclf.features.worker import LedgerRow

FACTS = ("id", "label", "group", "start", "end")
"""First columns: `group` may be empty; `start` and `end`, in s, are of windows and cut clips."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of the clips of a dataset; `matrices` are by featurizer."""

    facts: tuple[tuple[Any, ...], ...]
    matrices: dict[str, Matrix]
    failed: tuple[LedgerRow, ...]
    notes: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write a file in the format of its extension, one of `FORMATS`, whole or not at all."""
        FORMATS[path.suffix.lower()](self, OutputFolder(path.parent), path.name)

    def columns(self) -> list[str]:
        """Return the names of all columns, such as `id` and `mfcc.0`."""
        sizes = {name: matrix.shape[1] for name, matrix in self.matrices.items()}
        return [*FACTS, *(f"{name}.{index}" for name in sizes for index in range(sizes[name]))]


def check_format(path: Path) -> None:
    """Raise a ConfigError if no format has the extension of a path."""
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise ConfigError(f"--out {path}: the name of the file must end in one of {known}")


def feature_table(
    prepared: Prepared,
    resources: Resources,
    names: Sequence[str] = (),
    *,
    window: float | None = None,
    hop: float | None = None,
    progress: Progress = no_progress,
) -> FeatureTable:
    """Return the features that a run would use, by all featurizers of the config or those named.

    Copies of an augmentation are left out. With a `window`, there is a row for each window of so
    many s, every `hop` s. Raises ConfigError if no featurizer has a name,
    DatasetError if no clip can be read.
    """
    config = prepared.config
    for name in names:
        check_featurizer(config, name)
    chosen = {name: config.featurizers[name].views()[0] for name in names or config.featurizers}
    cache_folder = resources.cache_folder
    with resources.at_work(config) as engine:
        if window is not None:
            return _of_windows(prepared, chosen, engine, (window, hop), progress, cache_folder)
        extraction = prepared.extract(chosen, engine, cache_folder, progress=progress)
    clips = extraction.dataset.clips
    if not clips:
        raise DatasetError(f"{prepared.dataset.name}: no clip can be read")
    facts = tuple((clip.id, clip.label, clip.group, clip.start, clip.end) for clip in clips)
    notes = (*prepared.dataset.notes, *extraction.notes, *extraction.cache.notes())
    matrices = {name: extraction.matrices[name] for name in chosen}
    return FeatureTable(facts, matrices, extraction.failed, notes)


def _of_windows(
    prepared: Prepared,
    chosen: Mapping[str, Featurizer],
    engine: Engine,
    lengths: tuple[float, float | None],
    progress: Progress,
    cache_folder: Path | None,
) -> FeatureTable:
    from audioclf.experiment.feature_windows import notes_of, window_table

    dataset, audio, origins = prepared.dataset, prepared.config.audio, prepared.origins
    found = window_table(
        dataset.clips, audio, chosen, origins, engine, lengths, progress, cache_folder
    )
    if not found.clips:
        raise DatasetError(f"{dataset.name}: no clip has a window; {found.failed[0].message}")
    facts = tuple(
        (clip.id, clip.label, clip.group, start, end)
        for clip, times in zip(found.clips, found.times, strict=True)
        for start, end in times.tolist()
    )
    notes = (*dataset.notes, *notes_of(found))
    return FeatureTable(facts, found.matrices, tuple(found.failed), notes)


def _csv(table: FeatureTable, folder: OutputFolder, name: str) -> None:
    rows = zip(table.facts, *table.matrices.values(), strict=True)
    lines = ([*facts, *(value for row in features for value in row)] for facts, *features in rows)
    folder.write_csv(name, table.columns(), lines)


def _parquet(table: FeatureTable, folder: OutputFolder, name: str) -> None:
    pyarrow, parquet = import_pyarrow(name)
    types = (*(pyarrow.string() for _ in range(3)), pyarrow.float64(), pyarrow.float64())
    values = zip(zip(*table.facts, strict=True), types, strict=True)
    facts = [pyarrow.array(column, kind) for column, kind in values]
    features = [pyarrow.array(column) for matrix in table.matrices.values() for column in matrix.T]
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table([*facts, *features], names=table.columns()), stream)
    folder.write_bytes(name, stream.getvalue())


def _npz(table: FeatureTable, folder: OutputFolder, name: str) -> None:
    """Write `id`, `label`, `group`, `start` and `end`, and a matrix `X_<name>` by featurizer."""
    ids, labels, groups, starts, ends = zip(*table.facts, strict=True)
    arrays = {
        "id": np.array(ids),
        "label": np.array(labels),
        "group": np.array([group or "" for group in groups]),
        "start": np.array(starts, dtype=np.float64),
        "end": np.array(ends, dtype=np.float64),
        **{f"X_{featurizer}": matrix for featurizer, matrix in table.matrices.items()},
    }
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    folder.write_bytes(name, stream.getvalue())


FORMATS: dict[str, Callable[[FeatureTable, OutputFolder, str], None]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
}
"""Functions that write a file, by extension."""
