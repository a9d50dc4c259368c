"""Design matrices that may be larger than memory.

A matrix that would take more than `MEMORY_SHARE` of the memory that is free lives in a temporary
file, memory-mapped: the operating system keeps what is used, and memory does not grow with the
number of clips. The file has no name once it is open, so nothing is left behind by a crash.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from audioclf.base.errors import MemoryShortError
from audioclf.base.machine import available_memory
from audioclf.base.system import file_in_memory, path_of_open_file, reserve
from audioclf.engines.sharing import file_behind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

MEMORY_SHARE = 0.25
"""Share of the free memory above which a matrix goes to a file."""

_BLOCK_ROWS = 4096


def new_matrix(n_rows: int, n_columns: int, *, shared: bool = False) -> Matrix:
    """Return a matrix of zeros [shape=(n_rows, n_columns)], float32, in memory or in a file.

    A `shared` one is in a file in any case, if the system has files in memory: see `RowFile`.
    """
    n_bytes = 4 * n_rows * n_columns
    if n_bytes > MEMORY_SHARE * available_memory():
        file: IO[bytes] = tempfile.TemporaryFile(prefix="audioclf-")  # noqa: SIM115  see below
        _reserve(file, n_bytes)
    elif shared and (in_memory := _in_memory(n_bytes)) is not None:
        file = in_memory
    else:
        return np.zeros((n_rows, n_columns), dtype=np.float32)
    matrix: np.memmap[tuple[int, int], np.dtype[np.float32]]
    matrix = np.memmap(file, dtype=np.float32, mode="r+", shape=(n_rows, n_columns))
    # By this path worker processes map the same file; without one they get a copy.
    matrix.filename = path_of_open_file(file)
    weakref.finalize(matrix, file.close)
    return np.asarray(matrix)  # estimators treat a subclass differently here and there


@dataclass(frozen=True)
class RowFile:
    """The file of a matrix, in which other processes of this machine write rows.

    Once the matrix is gone, its `path` may be that of another file, of another `identity`.
    """

    path: str
    identity: tuple[int, int]

    @classmethod
    def of(cls, matrix: Matrix) -> RowFile | None:
        """Return the file of a whole matrix; None if it has none, or no path."""
        path, _ = file_behind(matrix) or ("", 0)
        if not path:
            return None
        try:
            status = Path(path).stat()
        except OSError:  # there is no /proc
            return None
        return cls(path, (status.st_dev, status.st_ino))

    def write(self, first: int, rows: Matrix) -> bool:
        """Write rows, the first of which has the number `first`; return whether it was possible."""
        try:
            with Path(self.path).open("r+b") as file:
                status = os.fstat(file.fileno())
                if (status.st_dev, status.st_ino) != self.identity:
                    return False
                file.seek(first * rows.strides[0])
                file.write(rows.data)
        except OSError:
            return False
        return True


class GrowingMatrix:
    """A matrix of float32 to which blocks of rows are appended, without holding them twice."""

    def __init__(self) -> None:
        self._matrix: Matrix = np.empty((0, 0), dtype=np.float32)
        self._n_rows = 0

    def append(self, rows: Matrix) -> None:
        """Append rows [shape=(n_rows, n_columns)]."""
        n_rows = self._n_rows + len(rows)
        if not self._n_rows:
            self._matrix = np.empty((0, rows.shape[1]), dtype=np.float32)
        if n_rows > len(self._matrix):  # the system moves the pages of a large block, not its bytes
            self._matrix.resize((n_rows + n_rows // 16, rows.shape[1]), refcheck=False)
        self._matrix[self._n_rows : n_rows] = rows
        self._n_rows = n_rows

    def finished(self) -> Matrix:
        """Return the matrix of all rows, to which no more are appended."""
        self._matrix.resize((self._n_rows, self._matrix.shape[1]), refcheck=False)
        return self._matrix


def _in_memory(n_bytes: int) -> IO[bytes] | None:
    """Return a file in memory; None if the system has none, or a limit forbids one of this size."""
    file = file_in_memory()
    if file is None:
        return None
    try:
        file.truncate(n_bytes)
    except OSError:
        file.close()
        return None
    return file


def _reserve(file: IO[bytes], n_bytes: int) -> None:
    """Take the room now: a page that finds a full disk later ends the process without a word."""
    try:
        reserve(file, n_bytes)
    except OSError as exc:
        file.close()
        raise MemoryShortError(
            f"features of {n_bytes / 1e9:.2g} GB fit neither in memory nor in "
            f"{tempfile.gettempdir()}: {exc.strerror or exc}",
            hint="Make room there, name another folder in TMPDIR, or take fewer columns "
            "(pooling `stats` instead of `flatten`).",
        ) from exc


def keep_rows(matrix: Matrix, rows: list[int]) -> Matrix:
    """Return the matrix with only these rows, in ascending order, moved up in place by blocks."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        matrix[start : start + len(block)] = matrix[block]
    return matrix[: len(rows)]


def joined_rows(matrices: Sequence[Matrix], views: Sequence[int], n_copies: int = 0) -> Matrix:
    """Return the rows of several featurizers, one after the other in each view, as `concat` does.

    `views` are the numbers of views in the rows of each, the last `n_copies` of them changed copies
    of the clip; a featurizer with fewer views of its own repeats the last of them.
    """
    own = max(views) - n_copies
    widths = [matrix.shape[1] // count for matrix, count in zip(matrices, views, strict=True)]
    result = new_matrix(len(matrices[0]), sum(widths) * (own + n_copies))
    for start in range(0, len(result), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        parts = []
        for matrix, count, width in zip(matrices, views, widths, strict=True):
            repeated = [min(number, count - n_copies - 1) for number in range(own)]
            order = [*repeated, *range(count - n_copies, count)]
            parts.append(matrix[rows].reshape(-1, count, width)[:, order])
        result[rows] = np.concatenate(parts, axis=2).reshape(len(parts[0]), -1)
    return result
