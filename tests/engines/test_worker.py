"""The loop of a worker process, run here over pipes."""

from __future__ import annotations

import io
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pytest

from audioclf.engines.base import Job, WorkerDiedError, WorkerError, pack, unpack
from audioclf.engines.worker import serve
from tests.engines import tasks


@contextmanager
def serving() -> Iterator[tuple[BinaryIO, BinaryIO, threading.Thread]]:
    theirs, mine = os.pipe()
    back, answers = os.pipe()
    with (
        os.fdopen(theirs, "rb") as requests,
        os.fdopen(mine, "wb") as send,
        os.fdopen(back, "rb") as receive,
        os.fdopen(answers, "wb") as reply,
    ):
        loop = threading.Thread(target=serve, args=(requests, reply))
        loop.start()
        yield send, receive, loop
        send.close()
        loop.join()


def ask(send: BinaryIO, receive: BinaryIO, kind: str, data: bytes) -> Any:
    pickle.dump((kind, data), send)
    send.flush()
    return unpack(pickle.load(receive))


def test_a_job_is_loaded_once_and_items_are_answered_in_turn() -> None:
    with serving() as (send, receive, _):
        assert ask(send, receive, "job", pickle.dumps(Job(tasks.square))) is None
        assert [ask(send, receive, "item", pack(x)) for x in (1, 2, 3)] == [1, 4, 9]
        assert ask(send, receive, "job", pickle.dumps(Job(str))) is None
        assert ask(send, receive, "item", pack(7)) == "7"


def test_a_job_or_item_that_cannot_be_read_is_answered_with_the_reason() -> None:
    unreadable = b"cnowhere\nfn\n."
    with serving() as (send, receive, _):
        errors = [ask(send, receive, "job", unreadable)]
        ask(send, receive, "job", pickle.dumps(Job(tasks.square)))
        errors.append(ask(send, receive, "item", unreadable))
        assert ask(send, receive, "item", pack(3)) == 9
    assert {type(error) for error in errors} == {WorkerError}
    assert "ModuleNotFoundError: No module named 'nowhere'" in errors[0].message


def test_a_worker_without_work_ends_when_there_are_no_more_requests() -> None:
    with serving() as (send, _, loop):
        send.close()
        loop.join(timeout=30)
        assert not loop.is_alive()


def test_a_worker_whose_answers_nobody_reads_ends() -> None:
    class Closed(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    serve(io.BytesIO(b""), Closed())
    theirs, mine = os.pipe()
    with os.fdopen(theirs, "rb") as requests, os.fdopen(mine, "wb") as send:
        pickle.dump(("job", pickle.dumps(Job(str))), send)
        send.flush()
        serve(requests, Closed())


@pytest.mark.parametrize("error", [WorkerError.of(ValueError("x")), WorkerDiedError(7, "SIGKILL")])
def test_errors_keep_what_they_know_between_processes(error: WorkerError | WorkerDiedError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)
