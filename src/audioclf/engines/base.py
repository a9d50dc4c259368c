"""Base class of engines, and the parts that they share.

An engine applies a function to many items and returns each result as it completes, with the index
of its item. An exception of the function is a value like any other result. The choice of the
engine never changes a result.
"""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, Self, TypeVar, overload

from audioclf.base.errors import EXIT_BUG, AudioclfError
from audioclf.base.limits import Limits, limits_in_force, use_limits

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
F = TypeVar("F", bound="Cancellable")


class WorkerError(AudioclfError):
    """A function raised an unexpected exception: a bug of ours or of a library.

    The message holds its type and text, the notes its traceback.
    """

    exit_code = EXIT_BUG

    @classmethod
    def of(cls, exc: BaseException) -> WorkerError:
        """Return the error for an exception, which can be sent between processes."""
        text = " ".join(str(exc).split())
        error = cls(f"{type(exc).__name__}: {text}" if text else type(exc).__name__)
        error.add_note("".join(traceback.format_exception(exc)).rstrip())
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return *super().__reduce__(), self.__dict__


class WorkerDiedError(AudioclfError):
    """An item ended its worker process, also when it was tried alone, or exceeded its time limit.

    `how` is how the process ended, as `SIGKILL` or `exit code 1`, or the limit; `what_happened` is
    the end of a sentence about the item.
    """

    def __init__(self, index: int, how: str, *, is_late: bool = False) -> None:
        hint = "It may need more memory than there is, or crash a library."
        what_happened = f"ends its worker process: {how}"
        if is_late:
            hint = "It hangs, or it needs a longer limit."
            what_happened = f"was ended: {how}"
        super().__init__(f"item {index} {what_happened}", hint=hint)
        self.index, self.how, self.is_late = index, how, is_late
        self.what_happened = what_happened

    def __reduce__(self) -> tuple[object, ...]:
        return WorkerDiedError, (self.index, self.how), self.__dict__


class Engine(ABC):
    """Base class of engines. As a context manager, it ends every worker at the end."""

    workers: int
    """Number of items that are worked on at the same time."""

    has_processes = False
    """Whether items may be worked on in other processes of this machine."""

    @overload
    def map(
        self, fn: Callable[[T], R], items: Sequence[T]
    ) -> Iterator[tuple[int, R | AudioclfError]]: ...
    @overload
    def map(
        self, fn: Callable[[T, S], R], items: Sequence[T], *, shared: S
    ) -> Iterator[tuple[int, R | AudioclfError]]: ...
    @abstractmethod
    def map(self, fn: Any, items: Any, *, shared: Any = None) -> Any:
        """Yield the index of each item and its outcome, in the order of completion.

        `fn` is called with an item, or with an item and `shared`, perhaps in another process; large
        arrays in `shared` reach each worker once and are read-only there. Each item is looked up
        when its turn comes. An outcome is the result, the `AudioclfError` that was raised, a
        `WorkerError` for any other exception, or a `WorkerDiedError`.
        """

    def begin(self) -> None:  # noqa: B027 - nothing to do where there are none
        """Prepare for work that is worth worker processes."""

    def close(self) -> None:  # noqa: B027 - nothing to do where there are none
        """End all workers, also busy ones, and wait until they are gone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@dataclass(frozen=True)
class Job:
    """A function with what all its items share, and the limits under which files are read."""

    fn: Callable[..., Any]
    shared: Any = None
    limits: Limits = field(default_factory=limits_in_force)

    def __call__(self, item: Any) -> Any:
        """Return the result for an item, or the error for what was raised."""
        try:
            with use_limits(self.limits):
                return self.fn(item) if self.shared is None else self.fn(item, self.shared)
        except AudioclfError as exc:
            return exc
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - the caller decides what it means
            return WorkerError.of(exc)

    def answer(self, item: bytes) -> bytes:
        """Return the packed outcome for a packed item."""
        value = unpack(item)
        return pack(value if isinstance(value, WorkerError) else self(value))


class Cancellable(Protocol):
    """A future, for `as_completed`."""

    def cancel(self) -> Any:
        """Cancel the work if it has not begun."""


def as_completed(
    submit: Callable[[T], F],
    wait: Callable[[Collection[F]], Iterable[F]],
    work: Iterable[T],
    window: int,
) -> Iterator[tuple[T, F]]:
    """Yield each piece of work with its future once that is done.

    At most `window` pieces are in progress or waiting for the caller, so memory does not grow with
    the amount of work. When the caller stops, all pending work is cancelled.
    """
    pending: dict[F, T] = {}
    source = iter(work)
    try:
        while True:
            for piece in islice(source, window - len(pending)):
                pending[submit(piece)] = piece
            if not pending:
                return
            for future in wait(pending.keys()):
                yield pending.pop(future), future
    finally:
        for future in pending:
            future.cancel()


def pack(value: Any) -> bytes:
    """Pickle an item or an outcome; one that cannot be pickled is replaced by a `WorkerError`."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as exc:  # noqa: BLE001 - whatever pickling a foreign object raises
        return pickle.dumps(_not_transferable(exc))


def unpack(packed: bytes) -> Any:
    """Return what `pack` was given; what cannot be read is replaced by a `WorkerError`."""
    try:
        return pickle.loads(packed)  # noqa: S301 - a process of ours wrote it
    except Exception as exc:  # noqa: BLE001 - whatever a foreign object raises
        return _not_transferable(exc)


def _not_transferable(exc: Exception) -> WorkerError:
    error = WorkerError.of(exc)
    error.message = f"an item or its result cannot go from process to process: {error.message}"
    error.args = (error.message,)
    return error
