"""Engine that chooses between threads, one thread, and worker processes by their measured speed.

Threads share everything and start at once, but many short steps in Python hold each other up: with
two threads, clips of 0.4 s take longer than with one. Processes are as fast as there are cores, but
take a second to start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from typing_extensions import override

from audioclf.base.errors import AudioclfError
from audioclf.engines.base import Engine, Job, WorkerError
from audioclf.engines.local import ProcessEngine, ThreadEngine
from audioclf.engines.sharing import packed

TRIAL_SECONDS = 0.2
"""Seconds of work by which the speed of threads is measured, and then that of one thread."""

GOOD_SPEED_UP = 1.3
"""Speed of all threads, relative to one, above which threads are used."""

LONG_SECONDS = 0.25
"""Seconds of one item above which threads are used: such items are long calls of libraries."""

WORTH_PROCESSES = 1.5
"""Seconds of work in one thread above which processes are started."""


class AdaptiveEngine(Engine):
    """Work in threads of this process, or in processes where the work is long and threads wait.

    An item that cannot go to another process, or fails there unexpectedly, is done in this one.
    """

    has_processes = True

    def __init__(self, jobs: int, modules: Iterable[str] = (), later: Iterable[str] = ()) -> None:
        self.workers = jobs
        self.processes = ProcessEngine(jobs, modules=modules, later=later)
        self._threads = ThreadEngine(jobs)
        self._one = ThreadEngine(1)
        self._chosen: Engine | None = None
        self._starting: threading.Thread | None = None

    @override
    def begin(self) -> None:
        """Start the worker processes; until they are ready, items are done in this process."""
        self.processes.begin()

        def start() -> None:
            # Whatever goes wrong, the engine chooses as if nothing had been begun.
            with suppress(Exception):
                ready = dict(self.processes.map(abs, range(self.workers)))
                if not any(isinstance(each, AudioclfError) for each in ready.values()):
                    self._chosen = self.processes

        self._starting = threading.Thread(target=copy_context().run, args=(start,), daemon=True)
        self._starting.start()

    @override
    def map(
        self, fn: Callable[..., Any], items: Sequence[Any], *, shared: Any = None
    ) -> Iterator[tuple[int, Any]]:
        done = yield from self._meanwhile(fn, items, shared, 0)
        if self._chosen is None:
            done = yield from self._trial(fn, items, shared, done)
            if self._chosen is self.processes:
                self.begin()
                done = yield from self._meanwhile(fn, items, shared, done)
        rest = [items[index] for index in range(done, len(items))]
        if not rest:
            return
        engine, job = self._chosen or self._threads, Job(fn, shared)
        if engine is self.processes and not _can_be_sent(job):
            engine = self._threads
        for index, outcome in engine.map(fn, rest, shared=shared):
            if engine is self.processes and isinstance(outcome, WorkerError):
                outcome = job(rest[index])
            yield done + index, outcome

    def _meanwhile(
        self, fn: Callable[..., Any], items: Sequence[Any], shared: Any, done: int
    ) -> Generator[tuple[int, Any], None, int]:
        """Do items in one thread while processes start; return the number of items done."""
        while done < len(items) and self._starting is not None and self._starting.is_alive():
            for _, outcome in self._one.map(fn, [items[done]], shared=shared):
                yield done, outcome
            done += 1
        return done

    def _trial(
        self, fn: Callable[..., Any], items: Sequence[Any], shared: Any, done: int
    ) -> Generator[tuple[int, Any], None, int]:
        """Do some items, measure, and choose; return the number of items that are done."""
        rates = list[float]()
        measured = ((self._threads, TRIAL_SECONDS), (self._one, TRIAL_SECONDS))
        for engine, least in ((self._threads, 0.0), *measured):  # the first items load libraries
            first, started, seconds = done, time.perf_counter(), -1.0
            while seconds < least and done < len(items):
                stop = min(len(items), done + 4 * engine.workers)
                part = [items[index] for index in range(done, stop)]
                for index, outcome in engine.map(fn, part, shared=shared):
                    yield done + index, outcome
                done += len(part)
                seconds = time.perf_counter() - started
            if done == len(items):
                return done
            rates.append((done - first) / seconds)
            if least and rates[-1] * LONG_SECONDS < engine.workers:
                self._chosen = self._threads
                return done
        self._choose(rates[1] / rates[2], (len(items) - done) / rates[2])
        return done

    def _choose(self, speed_up: float, seconds: float) -> None:
        """Choose for work of so many seconds in one thread."""
        if speed_up >= GOOD_SPEED_UP:
            self._chosen = self._threads
        elif seconds >= WORTH_PROCESSES:
            self._chosen = self.processes
        else:
            self._chosen = self._one

    @override
    def close(self) -> None:
        for engine in (self.processes, self._threads, self._one):
            engine.close()


def _can_be_sent(job: Job) -> bool:
    try:
        with packed(job):
            return True
    except Exception:  # noqa: BLE001 - whatever pickling a foreign object raises
        return False
