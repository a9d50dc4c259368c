"""Main loop of a worker process: jobs and items from stdin, outcomes to stdout.

Requests are pickled pairs (kind, bytes), answers pickled bytes, strictly in turn. When stdin ends,
so does the worker, also in the middle of an item.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Literal

from threadpoolctl import threadpool_limits

from audioclf.base.machine import collect_garbage_rarely
from audioclf.base.system import end_with_parent, keep_freed_memory
from audioclf.engines.base import WorkerError, pack, unpack

Request = tuple[Literal["job", "item"], bytes]


def main() -> None:
    """Serve the process that started this one, until it ends or closes the pipe."""
    # The parent handles Ctrl-C, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    collect_garbage_rarely()
    keep_freed_memory()
    serve(*_take_pipes())


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move stdin and stdout, so that a library that reads or prints does no harm."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request in turn, until there are no more."""
    inbox: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_receive, args=(requests, inbox, busy), daemon=True).start()
    for answer in _answers(inbox):
        busy.clear()
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except OSError:
            return


def _receive(
    requests: BinaryIO, inbox: queue.SimpleQueue[Request | None], busy: threading.Event
) -> None:
    with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):  # closed: one of these
        while True:
            request: Request = pickle.load(requests)  # noqa: S301 - the parent wrote it
            busy.set()
            inbox.put(request)
    if busy.is_set():
        os._exit(1)
    inbox.put(None)


def _answers(inbox: queue.SimpleQueue[Request | None]) -> Iterator[bytes]:
    job: Any = None
    for kind, data in iter(inbox.get, None):
        if kind == "job":
            job = unpack(data)
            # Libraries that are loaded already; the environment limits the others.
            threadpool_limits(1)
            yield pack(job if isinstance(job, WorkerError) else None)
        else:
            yield job.answer(data)
