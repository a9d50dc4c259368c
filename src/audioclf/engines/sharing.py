"""Transfer of a job to worker processes: pickled once, with large arrays in memory-mapped files.

Functions and classes that no worker can import, as those of a notebook, are pickled by value. Large
arrays are neither pickled nor copied per worker: each is in an anonymous file, which ends with the
process that made it, or in the file that is mapped already.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from audioclf.base.system import file_to_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAPPED_BYTES = 1 << 20
"""Arrays of this size or more are mapped; smaller ones are pickled."""


@contextmanager
def packed(value: Any) -> Iterator[bytes]:
    """Pickle a value for other processes of this machine, which read it with `pickle.loads`.

    At the end, the files of its large arrays are removed; existing maps remain valid.
    """
    with ExitStack() as files, io.BytesIO() as stream:
        _Pickler(stream, files).dump(value)
        yield stream.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, stream: io.BytesIO, files: ExitStack) -> None:
        super().__init__(stream, protocol=5)
        self._files = files

    def reducer_override(self, obj: Any) -> Any:
        is_array = type(obj) in (np.ndarray, np.memmap)
        if is_array and obj.nbytes >= MAPPED_BYTES and not obj.dtype.hasobject:
            order = "C" if obj.flags.c_contiguous or not obj.flags.f_contiguous else "F"
            path, offset = file_behind(obj) or (self._file_with(obj, order), 0)
            return _mapped, (path, offset, obj.dtype, obj.shape, order)
        return super().reducer_override(obj)

    def _file_with(self, array: NDArray[Any], order: str) -> str:
        path, file = self._files.enter_context(file_to_share())
        (array.T if order == "F" else array).tofile(file)
        file.flush()
        return path


def _mapped(
    path: str, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any
) -> NDArray[Any]:
    # As a plain array, because estimators treat a subclass differently here and there.
    return np.asarray(np.memmap(path, dtype, "r", offset, shape, order))


def file_behind(array: NDArray[Any]) -> tuple[str, int] | None:
    """Return path and offset where a whole array is a piece of a file that is mapped already."""
    owner: Any = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if not isinstance(owner, np.memmap) or owner.filename is None or owner.mode == "c":
        return None
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        return None
    offset = owner.offset + array.ctypes.data - owner.ctypes.data
    return os.fspath(owner.filename), int(offset)
