"""What every engine promises, and the parts that they share.

An engine applies a function to many items and hands back each result as it completes, with the
index of its item. An exception of the function is a value like any other result. What runs where
never changes a result, so an engine can be chosen by speed alone.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, overload

from audioclf.base.errors import EXIT_BUG, AudioclfError
from audioclf.base.limits import Limits, limits_in_force, use_limits

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
F = TypeVar("F", bound="Cancellable")


class WorkerError(AudioclfError):
    """A function raised something that is not meant for the user: a bug of ours or of a library.

    The message names the type and the text; where it was raised stands in the notes.
    """

    exit_code = EXIT_BUG

    @classmethod
    def of(cls, exc: BaseException) -> WorkerError:
        """Return what can be sent of an exception."""
        text = " ".join(str(exc).split())
        error = cls(f"{type(exc).__name__}: {text}" if text else type(exc).__name__)
        error.add_note("".join(traceback.format_exception(exc)).rstrip())
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return *super().__reduce__(), self.__dict__


class WorkerDiedError(AudioclfError):
    """An item ends every worker process that takes it up.

    Parameters
    ----------
    message : str
    index : int
        Position of the item among the items.
    how : str
        How the process ended, as `SIGKILL` or `exit code 1`.
    is_late : bool
        Whether it was ended because it took longer than it may.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        index: int = -1,
        how: str = "",
        is_late: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.index = index
        self.how = how
        self.is_late = is_late

    @property
    def what_happened(self) -> str:
        """What to say of the item: "ends its worker process: SIGKILL", for example."""
        if self.is_late:
            return f"was ended: {self.how}"
        return f"ends its worker process: {self.how}"

    @classmethod
    def of(cls, index: int, how: str) -> WorkerDiedError:
        """Return the error for one item."""
        hint = "It may need more memory than there is, or crash a library."
        message = f"item {index} ends its worker process: {how}"
        return cls(message, hint=hint, index=index, how=how)

    @classmethod
    def late(cls, index: int, how: str) -> WorkerDiedError:
        """Return the error for one item that took longer than it may."""
        hint = "It hangs, or it needs a longer limit."
        message = f"item {index} was ended: {how}"
        return cls(message, hint=hint, index=index, how=how, is_late=True)

    def __reduce__(self) -> tuple[object, ...]:
        return *super().__reduce__(), self.__dict__


class Engine(Protocol):
    """Where work is done. A context manager: leaving it ends every worker."""

    @property
    def workers(self) -> int:
        """How many items are worked on at the same time."""

    @overload
    def map(
        self, fn: Callable[[T], R], items: Sequence[T]
    ) -> Iterator[tuple[int, R | AudioclfError]]: ...
    @overload
    def map(
        self, fn: Callable[[T, S], R], items: Sequence[T], *, shared: S
    ) -> Iterator[tuple[int, R | AudioclfError]]: ...
    def map(self, fn: Any, items: Any, *, shared: Any = None) -> Any:
        """Apply a function to every item.

        Parameters
        ----------
        fn : callable
            Called with an item, or with an item and `shared`. It may run in another process, and
            must not return an `AudioclfError`.
        items : sequence
            Each is looked up once, when its turn comes, or once more if its worker died.
        shared : object, optional
            What all items need. It reaches each worker once, not once per item; large arrays in
            it are read-only in worker processes.

        Yields
        ------
        index : int
            Position of the item.
        outcome : object or AudioclfError
            The result, in whatever order results come; or the `AudioclfError` that the function
            raised; or a `WorkerError` for any other exception; or a `WorkerDiedError`.

        Raises
        ------
        EnvironmentMissingError
            If there are no workers, or no more.
        """

    def close(self) -> None:
        """End all workers, also those at work, and wait until they are gone."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        where: TracebackType | None,
    ) -> None: ...


class Closing:
    """Makes a context manager of whatever has `close`."""

    def close(self) -> None:
        """End all workers; nothing to do where there are none."""

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
        """Return the result for an item, or the error that stands for what was raised."""
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
    """What `as_completed` asks of a future."""

    def cancel(self) -> Any:
        """Give the work up if it has not begun."""


def as_completed(
    submit: Callable[[T], F],
    wait: Callable[[Collection[F]], Iterable[F]],
    work: Iterable[T],
    window: int,
) -> Iterator[tuple[T, F]]:
    """Yield each piece of work with its future once that is done.

    At most `window` pieces are under way or waiting for the caller, so memory does not grow with
    the amount of work. When the caller stops, what is under way is cancelled.
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
    """Pickle an item or an outcome; instead of one that cannot be, a `WorkerError` says so."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as exc:  # noqa: BLE001 - whatever pickling a foreign object raises
        return pickle.dumps(_stuck(exc))


def unpack(packed: bytes) -> Any:
    """Return what `pack` packed; instead of what cannot be read, a `WorkerError` says so."""
    try:
        return pickle.loads(packed)  # noqa: S301 - a process of ours wrote it
    except Exception as exc:  # noqa: BLE001 - whatever a foreign object raises
        return _stuck(exc)


def _stuck(exc: Exception) -> WorkerError:
    error = WorkerError.of(exc)
    error.message = f"an item or its result cannot go from process to process: {error.message}"
    error.args = (error.message,)
    return error
