"""One worker process, from the side of the process that started it.

A worker has its own pipe and works on one item at a time. So when it ends, its item is known, and
no other is lost. It is a new interpreter, or the fork of a new one (`fork_server`): nothing is
inherited from the process that started it, and the user's script is not imported again.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import threading
from contextlib import suppress
from typing import Any, Literal

from audioclf.base.system import kill_group
from audioclf.engines import fork_server
from audioclf.engines.base import unpack

_SECONDS_TO_END = 2.0


class WorkerGoneError(Exception):
    """The process ended before it answered; the text names the signal or exit code."""


class WorkerLateError(WorkerGoneError):
    """The process exceeded its time limit and was ended."""


class Worker:
    """A process that runs one item at a time; a server forks it, if there is one that can.

    A fork that is not `whole` lacks the later modules of the server.
    """

    def __init__(self, server: fork_server.ForkServer | None = None, *, whole: bool = True) -> None:
        forked = server.fork(whole=whole) if server is not None else None
        self.is_whole = whole or server is None or forked is None or server.is_whole
        self._process = forked or fork_server.start_interpreter(
            "worker", stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=fork_server.environment()
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self._answers = self._process.stdout
        self._job: bytes | None = None
        self.busy_with: bytes | None = None
        self.is_late = False

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended, or is about to since it was late."""
        return self.is_late or self._process.poll() is not None

    def load(self, job: bytes) -> None:
        """Send the job of the following items; raise `WorkerGoneError` if the process ends."""
        if self._job is job:
            return
        problem = self._ask("job", job)
        if problem is not None:
            raise problem
        self._job = job

    def run(self, item: bytes, seconds: float | None = None) -> Any:
        """Return the outcome of one item; raise `WorkerGoneError` if the process ends.

        One that takes longer than `seconds` is ended: `WorkerLateError`.
        """
        timer = None if seconds is None else threading.Timer(seconds, self.end_late)
        self.busy_with = self._job
        try:
            if timer is not None:
                timer.daemon = True
                timer.start()
            return self._ask("item", item)
        except WorkerGoneError as exc:
            if self.is_late:
                limit = "in time" if seconds is None else f"within {seconds:g} s"
                raise WorkerLateError(f"no answer {limit}") from exc
            raise
        finally:
            self.busy_with = None
            if timer is not None:
                timer.cancel()

    def end_late(self) -> None:
        """End the process, since its item takes too long."""
        self.is_late = True
        with suppress(OSError):
            kill_group(self._process.pid)

    def _ask(self, kind: Literal["job", "item"], data: bytes) -> Any:
        try:
            pickle.dump((kind, data), self._requests)
            self._requests.flush()
            answer = pickle.load(self._answers)  # noqa: S301 - our own worker wrote it
        except (OSError, ValueError, EOFError, pickle.UnpicklingError) as exc:
            self.kill()
            raise WorkerGoneError(_how(self._process.wait())) from exc
        return unpack(answer)

    def kill(self) -> None:
        """End the process now, with all processes that it has started."""
        if self._process.returncode is None:
            with suppress(OSError):
                kill_group(self._process.pid)
        self._process.wait()
        with suppress(OSError):
            self._requests.close()
        self._answers.close()

    def dismiss(self) -> None:
        """Let the process end, as there is no more work; a busy one is killed."""
        if self.busy_with is not None:
            self.kill()
        else:
            with suppress(OSError):
                self._requests.close()

    def close(self) -> None:
        """Wait a short time for a dismissed process to end, then kill it."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_END)
        self.kill()


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    with suppress(ValueError):
        return signal.Signals(-returncode).name
    return f"signal {-returncode}"
