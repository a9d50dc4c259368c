"""Blocks of rows as an iterator of XGBoost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xgboost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audioclf.plugin import Batches


class Blocks(xgboost.DataIter):  # type: ignore[misc]
    """The rows of `Batches`, block by block."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches
        self._blocks: Iterator[Any] = iter(batches)

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Pass the next block; return False at the end."""
        for X, y in self._blocks:
            input_data(data=X, label=y)
            return True
        return False

    def reset(self) -> None:
        """Start again."""
        self._blocks = iter(self._batches)
