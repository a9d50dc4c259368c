"""The loop of a worker process, run here, and what goes over its pipes."""

import io
import os
import pickle
from typing import Any

import pytest

from audioclf.engines.base import Job, WorkerDiedError, WorkerError, unpack
from audioclf.engines.worker import serve
from tests.engines import tasks


def test_an_item_that_cannot_be_read_is_answered_with_the_reason() -> None:
    error = unpack(Job(tasks.square).answer(b"cnowhere\nfn\n."))
    assert type(error) is WorkerError
    assert "ModuleNotFoundError: No module named 'nowhere'" in error.message


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
