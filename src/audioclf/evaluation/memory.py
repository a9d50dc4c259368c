"""Estimate of the memory of fits, before the first one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audioclf.base.errors import MemoryShortError
from audioclf.components.batches import BLOCK_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf.evaluation.results import Pipeline
    from audioclf.evaluation.splits import Splits

_BLOCKS = 4
"""Number of blocks in memory during a fit in batches."""


@dataclass(frozen=True)
class FitPlan:
    """Plan of the fits of all pipelines."""

    batched: frozenset[str] = frozenset()
    at_once: int = 1 << 16
    notes: tuple[str, ...] = ()


def plan_fits(
    pipelines: Sequence[Pipeline],
    matrices: Mapping[str, NDArray[np.float32]],
    n_classes: int,
    splits: Splits,
    free: int,
) -> FitPlan:
    """Decide for each pipeline whether a fit is within the `free` bytes at once, or in batches."""
    n_clips = max(len(fold.train) for fold in splits.folds)
    batched: dict[str, tuple[int, int]] = {}
    most = 1
    for pipeline in pipelines:
        n_rows = n_clips * pipeline.views.count
        n_columns = matrices[pipeline.featurizer].shape[1] // pipeline.views.count
        shape = (n_rows, n_columns, n_classes)
        needed = 4 * n_rows * n_columns + pipeline.classifier.fit_memory(*shape)
        if needed > free:
            batched[pipeline.name] = (n_rows, needed)
            needed = _BLOCKS * BLOCK_BYTES + pipeline.classifier.batch_memory(*shape)
            if needed > free or not pipeline.classifier.learns_in_batches():
                raise _short(pipeline, n_rows, n_columns, batched[pipeline.name][1], free)
        most = max(most, needed)
    notes = tuple(
        f"{name} learned in batches: a fit of all {n_rows} rows needs about {_gb(needed)} of "
        f"memory, and {_gb(free)} was free; its results may differ from those of such a fit"
        for name, (n_rows, needed) in batched.items()
    )
    return FitPlan(frozenset(batched), max(1, free // most), notes)


def _short(
    pipeline: Pipeline, n_rows: int, n_columns: int, needed: int, free: int
) -> MemoryShortError:
    return MemoryShortError(
        f"classifier {pipeline.name!r} ({pipeline.described}) needs about {_gb(needed)} of "
        f"memory for a fit of {_counted(pipeline, n_rows)} in {n_columns} columns, and "
        f"{_gb(free)} is free",
        hint="Take fewer columns (pooling `stats` instead of `flatten`), fewer clips, or a "
        "classifier that learns in batches, such as `sgd`.",
    )


def _counted(pipeline: Pipeline, n_rows: int) -> str:
    views = pipeline.views.count
    return f"{n_rows} clips" if views == 1 else f"{n_rows // views} clips in {views} views"


def _gb(size: int) -> str:
    return f"{size / 1e9:.2g} GB"
