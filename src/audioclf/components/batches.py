"""Training rows in blocks, for classifiers that are fitted on more rows than memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Block = tuple[NDArray[np.float32], NDArray[np.intp]]

BLOCK_BYTES = 16 << 20
"""Size of a block; it does not change results that keep the order of the rows."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Rows of a design matrix with their labels, in blocks that can be read repeatedly.

    Parameters
    ----------
    matrix : np.ndarray [shape=(n_clips, n_columns)], float32
        May be memory-mapped.
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
        """Yield rows and labels in random blocks, ascending within each block.

        Clips are sorted by name, so blocks in order may hold one class only.
        """
        import numpy as np

        order = np.random.default_rng(seed).permutation(self.n_rows)
        for start in range(0, self.n_rows, self.block_rows):
            taken = np.sort(order[start : start + self.block_rows])
            yield self.matrix[self.rows[taken]], self.y[taken]
