"""What a fitted estimator tells of itself: what a search chose, and how large it is."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np


def chosen_by(estimator: Any) -> dict[str, Any] | None:
    """Return what a search chose: its `best_params_` as plain values, None for any other estimator.

    The search may also be the last step of a pipeline.
    """
    steps = getattr(estimator, "steps", None)
    search = steps[-1][1] if steps else estimator
    chosen = getattr(search, "best_params_", None)
    if not isinstance(chosen, Mapping):
        return None
    return {str(name): _plain(value) for name, value in chosen.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def pickled_size(estimator: Any) -> int | None:
    """Return the bytes of the pickled estimator, which is not kept; None if it does not pickle."""
    count = _Count()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pickle.Pickler(count, protocol=5).dump(estimator)
        except Exception:  # noqa: BLE001  whatever a foreign class raises: its size is unknown
            return None
    return count.n_bytes


class _Count:
    """A file that keeps nothing of what is written to it but the number of bytes."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.n_bytes += size
        return size
