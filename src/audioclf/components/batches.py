"""The rows of a training side in blocks, for classifiers that learn without holding them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Block = tuple[NDArray[np.float32], NDArray[np.intp]]

BLOCK_BYTES = 16 << 20
"""Size of a block; no result may depend on it where the order of rows is kept."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Some rows of a design matrix with their labels, as often as they are asked for.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n_clips, n_columns)], float32
        Perhaps memory-mapped.
    rows : np.ndarray [shape=(n_rows,)], int
        Positions in the matrix.
    y : np.ndarray [shape=(n_rows,)], int
        Labels of these rows, `0..n_classes-1`.
    n_classes : int
    """

    matrix: NDArray[np.float32]
    rows: NDArray[np.intp]
    y: NDArray[np.intp]
    n_classes: int

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @property
    def n_columns(self) -> int:
        """The number of columns."""
        return int(self.matrix.shape[1])

    @property
    def block_rows(self) -> int:
        """The number of rows in a block."""
        return max(1, BLOCK_BYTES // (4 * max(1, self.n_columns)))

    def __iter__(self) -> Iterator[Block]:
        """Yield rows and labels in order."""
        for start in range(0, self.n_rows, self.block_rows):
            taken = slice(start, start + self.block_rows)
            yield self.matrix[self.rows[taken]], self.y[taken]

    def shuffled(self, seed: int) -> Iterator[Block]:
        """Yield rows and labels dealt at random to blocks, ascending within each block.

        Clips are sorted by name, so in order a block may hold one class only.
        """
        import numpy as np

        dealt = np.random.default_rng(seed).permutation(self.n_rows)
        for start in range(0, self.n_rows, self.block_rows):
            taken = np.sort(dealt[start : start + self.block_rows])
            yield self.matrix[self.rows[taken]], self.y[taken]
