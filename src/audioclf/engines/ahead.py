"""Work that worker processes do while this process does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

from audioclf.base.errors import AudioclfError
from audioclf.engines.base import Job, WorkerDiedError, WorkerError
from audioclf.engines.local import ProcessEngine


def begun(
    processes: ProcessEngine | None,
    fn: Callable[..., Any],
    items: Sequence[Any],
    *,
    shared: Any = None,
) -> Callable[[], list[Any]]:
    """Begin to work on items; the returned function waits for the results, in order.

    Work begins early only if worker processes run already. Else this process does it when the
    results are asked for, as it does each item that fails there unexpectedly. The error of an item
    is raised then.
    """
    job, waiting = Job(fn, shared), Future[dict[int, Any]]()

    def work() -> None:
        assert processes is not None
        try:
            waiting.set_result(dict(processes.map(fn, items, shared=shared)))
        except Exception:  # noqa: BLE001 - the job cannot be pickled, or the engine was closed
            waiting.set_result({})

    if processes is None or not processes.is_running:
        waiting.set_result({})
    else:
        threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()

    def results() -> list[Any]:
        outcomes, values = waiting.result(), []
        for index, item in enumerate(items):
            outcome = outcomes.get(index)
            if index not in outcomes or isinstance(outcome, WorkerError | WorkerDiedError):
                outcome = job(item)
            if isinstance(outcome, AudioclfError):
                raise outcome
            values.append(outcome)
        return values

    return results
