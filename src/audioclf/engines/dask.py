"""The engine that works on an existing Dask cluster."""

from __future__ import annotations

import functools
import pickle
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from typing_extensions import override

from audioclf.base.errors import AudioclfError, EnvironmentMissingError
from audioclf.base.machine import limit_threads_at_start
from audioclf.engines.base import (
    Engine,
    Job,
    WorkerDiedError,
    WorkerError,
    as_completed,
    pack,
    unpack,
)
from audioclf.engines.cluster import (
    CONNECT_SECONDS,
    Versions,
    check_address,
    check_this_worker,
    check_workers,
    connect,
    import_distributed,
    quiet,
    versions_here,
)

PATIENCE_SECONDS = 30.0
"""Time that a cluster may be without workers in s; Dask restarts one in a few seconds."""

_AHEAD = 4
"""Batches in progress or waiting for the caller, per thread of the cluster."""


class DaskEngine(Engine):
    """Work on the workers of a Dask scheduler.

    When a worker dies, Dask repeats its tasks elsewhere. Tasks that Dask gives up, because too many
    workers died with them, are repeated at the end, one item at a time and alone; an item that
    ends workers again fails. Every worker must have the distributions of `required`.
    """

    def __init__(
        self,
        address: str,
        *,
        insecure: bool = False,
        required: Mapping[str, str] | None = None,
        batch: int = 16,
    ) -> None:
        host, port = check_address(address, insecure=insecure)
        self._address = address
        self._batch = batch
        self._versions = versions_here(required or {})
        self._dask = import_distributed()
        with ExitStack() as stack:
            stack.enter_context(quiet())
            self._client = connect(address, host, port)
            stack.callback(self._client.close, timeout=CONNECT_SECONDS)
            self._wait_for_workers(CONNECT_SECONDS)
            check_workers(self._client, self._versions)
            self._stack = stack.pop_all()

    @property
    def workers(self) -> int:  # type: ignore[override]
        """Number of threads of all workers at this time."""
        with self._reaching():
            threads: int = sum(self._client.nthreads().values())
        return max(1, threads)

    @override
    def map(
        self, fn: Callable[..., Any], items: Sequence[Any], *, shared: Any = None
    ) -> Iterator[tuple[int, Any]]:
        from dask.utils import funcname

        # As a task and not as scattered data, which is lost with the last worker that has it:
        # Dask makes the result of a task again.
        job = self._submit(pickle.loads, pack(Job(fn, shared)))
        name = funcname(fn)
        lost: list[int] = []
        for batch, future in self._run(name, job, items, self._batches(len(items))):
            outcomes = self._outcomes(future)
            if outcomes is None:
                lost += batch
            else:
                yield from zip(batch, outcomes, strict=True)
        for index in sorted(lost):
            for _, future in self._run(name, job, items, [range(index, index + 1)]):
                (outcome,) = self._outcomes(future) or [WorkerDiedError(index, "killed")]
                yield index, outcome

    def _batches(self, n_items: int) -> list[range]:
        """Cut the items into batches, small enough to keep every worker busy until the end."""
        size = max(1, min(self._batch, n_items // (_AHEAD * self.workers)))
        return [range(at, min(at + size, n_items)) for at in range(0, n_items, size)]

    def _run(
        self, name: str, job: Any, items: Sequence[Any], batches: Iterable[range]
    ) -> Iterator[tuple[range, Any]]:
        def submit(batch: range) -> Any:
            packed = [pack(items[index]) for index in batch]
            # Dask predicts the time of a task by the name before the dash, and moves tasks to idle
            # workers by it.
            key = f"{name}-{uuid.uuid4().hex}"
            return self._submit(_run_batch, job, packed, self._versions, key=key)

        return as_completed(submit, self._first, batches, _AHEAD * self.workers)

    def _submit(self, fn: Callable[..., Any], *args: Any, key: str | None = None) -> Any:
        with self._reaching():
            return self._client.submit(fn, *args, key=key, pure=False, retries=0)

    def _first(self, pending: Collection[Any]) -> Iterable[Any]:
        with self._reaching():
            while True:
                with suppress(TimeoutError), self._client.as_current():
                    some = self._dask.wait(list(pending), 1, return_when="FIRST_COMPLETED")
                    return list(some.done)
                self._wait_for_workers(PATIENCE_SECONDS)

    def _wait_for_workers(self, seconds: float) -> None:
        give_up = time.monotonic() + seconds
        while not self._client.nthreads():
            if time.monotonic() > give_up:
                raise EnvironmentMissingError(
                    f"the Dask scheduler at {self._address} has no workers",
                    hint=f"Start some with `dask worker {self._address}`.",
                )
            time.sleep(0.1)

    def _outcomes(self, future: Any) -> list[Any] | None:
        """Return the outcomes of a batch, or None if Dask gave it up because workers died."""
        with self._reaching():
            try:
                return [unpack(outcome) for outcome in future.result()]
            except self._dask.KilledWorker:
                return None
            except (AudioclfError, OSError, CancelledError):
                raise
            except Exception as exc:
                raise WorkerError.of(exc) from exc

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (OSError, CancelledError) as exc:
            raise EnvironmentMissingError(
                f"the Dask scheduler at {self._address} went away",
                hint="Run the same command again once it is back.",
            ) from exc

    @override
    def close(self) -> None:
        # The cluster drops our remaining work.
        self._stack.close()


def _run_batch(job: Job, items: list[bytes], versions: Versions) -> list[bytes]:
    _prepare_worker(versions)
    return [job.answer(item) for item in items]


@functools.cache
def _prepare_worker(versions: Versions) -> None:
    from threadpoolctl import threadpool_limits

    check_this_worker(import_distributed().get_worker().address, versions)
    limit_threads_at_start()
    threadpool_limits(1)
