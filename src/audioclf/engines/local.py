"""Engines of this machine: serial, threads, processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from audioclf.base.errors import EnvironmentMissingError
from audioclf.engines.base import Engine, Job, WorkerDiedError, as_completed, pack
from audioclf.engines.fork_server import ForkServer
from audioclf.engines.process import Worker, WorkerGoneError, WorkerLateError

_MODULES = ("cloudpickle", "numpy", "threadpoolctl", "audioclf.engines.worker")
_AHEAD = 2
"""Items in progress or waiting for the caller, per worker."""


class SerialEngine(Engine):
    """Work in this thread, one item after another."""

    workers = 1

    @override
    def map(
        self, fn: Callable[..., Any], items: Sequence[Any], *, shared: Any = None
    ) -> Iterator[tuple[int, Any]]:
        job = Job(fn, shared)
        for index in range(len(items)):
            yield index, job(items[index])


class ThreadEngine(Engine):
    """Work in threads of this process, for functions that release the interpreter's lock."""

    def __init__(self, jobs: int) -> None:
        self.workers = jobs
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="audioclf")

    @override
    def map(
        self, fn: Callable[..., Any], items: Sequence[Any], *, shared: Any = None
    ) -> Iterator[tuple[int, Any]]:
        job = Job(fn, shared)

        def submit(index: int) -> Future[Any]:
            return self._threads.submit(job, items[index])

        window = _AHEAD * self.workers
        for index, future in as_completed(submit, _first, range(len(items)), window):
            yield index, future.result()

    @override
    def close(self) -> None:
        # A thread cannot be ended.
        self._threads.shutdown(wait=True, cancel_futures=True)


def _first(pending: Collection[Future[Any]]) -> Iterable[Future[Any]]:
    return wait(pending, return_when=FIRST_COMPLETED).done


class ProcessEngine(Engine):
    """Work in processes of this machine, for functions that hold the lock or may crash.

    Workers start when they are needed and stay for the next `map`. BLAS and OpenMP have one thread
    in each. An item whose worker dies is tried again at the end, alone, in a new worker; if that
    dies too, the item fails.

    `seconds`: time limit for an item in s; its worker is ended then. `modules`: names of modules
    that workers need, which a fork server imports once for all of them; it imports those of `later`
    when a worker is needed for a function of no other module, or after other work.
    """

    has_processes = True

    def __init__(
        self,
        jobs: int,
        seconds: float | None = None,
        modules: Iterable[str] = (),
        later: Iterable[str] = (),
    ) -> None:
        self.workers = jobs
        self.seconds = seconds
        self.modules, self.later = (*_MODULES, *modules), tuple(later)
        self._server: ForkServer | None = None
        # Each thread starts and feeds a worker of its own; see `worker._end_with_parent`.
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="audioclf-worker")
        self._own = threading.local()
        self._crew: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def is_running(self) -> bool:
        """Whether a worker has been started."""
        return bool(self._crew)

    @staticmethod
    def begin_early(modules: Iterable[str], later: Iterable[str]) -> None:
        """Let a fork server begin to import modules for an engine that is not made yet."""
        ForkServer.begin_early((*_MODULES, *modules), tuple(later))

    @override
    def begin(self) -> None:
        """Let the fork server begin to import its modules, where the system has one."""
        with self._lock:
            if self._server is None and not self._closed and ForkServer.is_available():
                self._server = ForkServer.begun(self.modules, self.later)

    @override
    def map(
        self, fn: Callable[..., Any], items: Sequence[Any], *, shared: Any = None
    ) -> Iterator[tuple[int, Any]]:
        suspects: list[int] = []
        module = getattr(fn, "__module__", "")
        whole = module not in (*self.modules, "builtins")
        with self._packed(Job(fn, shared)) as job:

            def submit(index: int) -> Future[Any]:
                return self._threads.submit(self._outcome, job, items[index], whole)

            window = _AHEAD * self.workers
            for index, future in as_completed(submit, _first, range(len(items)), window):
                death = _death(index, future)
                if death is None or death.is_late:
                    yield index, death or future.result()
                else:
                    suspects.append(index)
            for index in sorted(suspects):
                future = self._threads.submit(self._outcome_alone, job, items[index], whole)
                yield index, _death(index, future) or future.result()
        if module in self.modules and self._server is not None:
            self._server.import_later()

    @contextmanager
    def _packed(self, job: Job) -> Iterator[bytes]:
        from audioclf.engines.sharing import packed

        with packed(job) as data:
            try:
                yield data
            finally:
                for worker in list(self._crew):
                    if worker.busy_with is data:
                        worker.kill()

    def _outcome(self, job: bytes, item: Any, whole: bool) -> Any:
        worker = self._loaded_worker(job, whole)
        try:
            return worker.run(pack(item), self.seconds)
        except WorkerGoneError:
            self._drop(worker)
            raise

    def _outcome_alone(self, job: bytes, item: Any, whole: bool) -> Any:
        self._end_worker()
        return self._outcome(job, item, whole)

    def _end_worker(self) -> None:
        worker = getattr(self._own, "worker", None)
        if worker is not None:
            worker.kill()
            self._drop(worker)

    def _loaded_worker(self, job: bytes, whole: bool) -> Worker:
        how = ""
        for _ in range(2):  # one that dies before it has an item may have been killed from outside
            worker = self._worker(whole)
            try:
                worker.load(job)
            except WorkerGoneError as exc:
                self._drop(worker)
                how = str(exc)
            else:
                return worker
        raise EnvironmentMissingError(
            f"a worker process ended before it could begin: {how}",
            hint="Read its messages above, or work without worker processes with `--jobs 1`.",
        )

    def _worker(self, whole: bool) -> Worker:
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is not None and whole and not worker.is_whole:
            self._end_worker()
            worker = None
        if worker is None:
            self.begin()
            worker = Worker(self._server, whole=whole)
            with self._lock:
                if not self._closed:
                    self._crew.add(worker)
            if self._closed:
                worker.kill()
                raise EnvironmentMissingError("the engine is closed")
            self._own.worker = worker
        return worker

    def _drop(self, worker: Worker) -> None:
        self._own.worker = None
        with self._lock:
            self._crew.discard(worker)

    @override
    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._server is not None and not self._server.is_whole:
            self._server.close()  # it may import what nothing needs now
        for worker in list(self._crew):
            worker.dismiss()
        for worker in list(self._crew):
            worker.close()
        if self._server is not None:
            self._server.close()
        self._threads.shutdown(wait=True)


def _death(index: int, future: Future[Any]) -> WorkerDiedError | None:
    """Return the error for an item whose worker process ended."""
    exc = future.exception()
    if not isinstance(exc, WorkerGoneError):
        return None
    return WorkerDiedError(index, str(exc), is_late=isinstance(exc, WorkerLateError))
