"""Fork server: a process that imports the libraries of worker processes once, and forks workers.

A new interpreter takes 2-4 s of CPU to import NumPy, SciPy, scikit-learn and matplotlib, a fork of
one that has imported them about 10 ms. The server is a new interpreter as well, does nothing but
import, and has one thread, so no fork inherits a lock that another thread holds. Each worker gets
the pipes, the environment, the working folder and `sys.path` of the moment when it is started.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pickle
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from audioclf.base.machine import THREAD_VARIABLES, collect_garbage_rarely, lean_imports
from audioclf.base.system import (
    LINUX,
    count_threads,
    end_process,
    end_with_parent,
    kill_group,
    own_process_group,
)
from audioclf.engines import worker

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from audioclf.engines.{} import main; main()"
)
"""Program of a process of ours; the first argument is `sys.path`."""

_SECONDS_TO_END = 2.0
_SECONDS_OF_NO_USE = 0.05
"""Time for an import that nothing needs any more.

Then it is killed. Python and numba replace files of their caches whole. Only in the milliseconds
in which matplotlib first writes its list of fonts would its lock remain, which its warning names.
"""
_ARROW = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Environment variable without which pyarrow, if pandas imports it, starts a thread."""


def environment() -> dict[str, str]:
    """Return the environment of a worker: that of this process, and one thread for BLAS."""
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}


def start_interpreter(program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a new Python that calls `main` of a module of this package."""
    path = json.dumps([str(path) for path in sys.path])
    return subprocess.Popen(  # noqa: S603 - this interpreter, our own text
        # With -P a file json.py in the working folder is not taken for the module.
        [sys.executable, "-P", "-c", START.format(program), path, *arguments],
        stderr=None if has_stderr() else subprocess.DEVNULL,
        # In a process group of its own, because Ctrl-C reaches the whole group of the terminal.
        **own_process_group(),
        **options,
    )


def has_stderr() -> bool:
    """Whether this process was started with stderr; else descriptor 2 is any file or socket."""
    return sys.__stderr__ is not None


class ForkServer:
    """The server, from the side of the process that started it.

    `modules`: names of modules that it imports at first, `later` of those that it imports when it
    is asked to; one that cannot be imported is left out.
    """

    def __init__(
        self, modules: Iterable[str] = (), later: Iterable[str] = (), *, early: bool = False
    ) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = start_interpreter(
                "fork_server",
                str(number),
                " ".join(modules),
                " ".join(later),
                "early" * early,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[number],
                env={**environment(), **_ARROW},
            )
        self._answers = self._control.makefile("rb")
        self._lock = threading.Lock()
        self._is_ready, self.is_whole = False, not later

    @classmethod
    def begin_early(cls, *modules: tuple[str, ...]) -> None:
        """Start a server that `begun` returns for the same modules, or that ends with Python.

        It goes on to import the later modules while nothing is asked of it.
        """
        if cls.is_available():
            server = _early[modules] = cls(*modules, early=True)
            atexit.register(server.close)

    @classmethod
    def begun(cls, *modules: tuple[str, ...]) -> ForkServer:
        """Return a server, which may have been started early."""
        server = _early.pop(modules, None)
        if server is None:
            return cls(*modules)
        atexit.unregister(server.close)
        return server

    @staticmethod
    def is_available() -> bool:
        """Whether this system has all that the server needs; some containers forbid pidfds."""
        try:
            os.close(os.pidfd_open(os.getpid()))
        except (AttributeError, OSError):
            return False
        return LINUX

    def fork(self, *, whole: bool = True) -> ForkedProcess | None:
        """Start a worker, once the server is ready; None if it cannot, or has ended.

        A `whole` one has the later modules as well.
        """
        requests, their_requests = os.pipe()
        their_answers, answers = os.pipe()
        try:
            surroundings = str(Path.cwd()), environment(), [str(path) for path in sys.path]
            files = [requests, answers, *([2] if has_stderr() else [])]
            pid = self._ask((whole, *surroundings), files)
            self.is_whole |= whole
            ended = os.pidfd_open(pid)
        except (OSError, EOFError, pickle.UnpicklingError):
            os.close(their_requests)
            os.close(their_answers)
            return None
        finally:
            os.close(requests)
            os.close(answers)
        return ForkedProcess(self, pid, ended, their_requests, their_answers)

    def import_later(self) -> None:
        """Let the server import the later modules whenever nothing is asked of it."""
        with suppress(OSError, EOFError, pickle.UnpicklingError):
            self._ask(None)

    def exit_code_of(self, pid: int) -> int:
        """Return the exit code of a worker that has ended, or the negative number of its signal."""
        try:
            return self._ask(pid)
        except (OSError, EOFError, pickle.UnpicklingError):
            return -signal.SIGKILL  # the server has ended, and so the system ended its workers

    def _ask(self, request: object, files: Iterable[int] = ()) -> int:
        with self._lock:
            socket.send_fds(self._control, [b"."], [*files])
            self._control.sendall(pickle.dumps(request))
            answer: int = pickle.load(self._answers)  # noqa: S301 - our own server wrote it
            self._is_ready = True
            return answer

    def close(self) -> None:
        """End the server, and with it all workers."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if not self._is_ready:  # it would import all modules first
            self._process.kill()
        try:
            self._process.wait(_SECONDS_TO_END if self.is_whole else _SECONDS_OF_NO_USE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._lock:
            self._answers.close()
            self._control.close()


_early: dict[tuple[tuple[str, ...], ...], ForkServer] = {}


class ForkedProcess:
    """A worker that the server has forked, with the part of `subprocess.Popen` that is used."""

    def __init__(
        self, server: ForkServer, pid: int, ended: int, requests: int, answers: int
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: BinaryIO | None = os.fdopen(requests, "wb")
        self.stdout: BinaryIO | None = os.fdopen(answers, "rb")
        self._server, self._ended = server, ended
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code if the process has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, or raise `subprocess.TimeoutExpired` after so many seconds."""
        with self._lock:
            if self.returncode is None:
                ending = select.poll()
                ending.register(self._ended, select.POLLIN)
                if not ending.poll(None if timeout is None else 1000 * timeout):
                    raise subprocess.TimeoutExpired("worker", timeout or 0.0)
                # Until the server is asked it leaves a zombie, so nothing else gets the number.
                self.returncode = self._server.exit_code_of(self.pid)
                os.close(self._ended)
            return self.returncode


def main() -> None:
    """Serve the process that started this one, until it ends or closes the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, it leaves no exit codes
    collect_garbage_rarely()
    first, later = (names.split() for names in sys.argv[3:5])
    for name in first:
        _import(name)
    if count_threads() > 1:
        end_process(0)  # now, for a thread may never end
    gc.collect()
    server = os.getpid()
    control = socket.socket(fileno=int(sys.argv[2]))
    fork = _serve(control, later, is_asked=bool(sys.argv[5]))
    if fork is not None:
        _become_worker(server, *fork)
        worker.main()
    end_process(0)


def _import(name: str) -> None:
    # A worker that needs a module says why it cannot be imported.
    with suppress(Exception), lean_imports():
        import_module(name)


_Fork = tuple[list[int], str, dict[str, str], list[str]]


def _serve(control: socket.socket, later: list[str], *, is_asked: bool) -> _Fork | None:
    """Answer requests until there are no more; return in each fork the request that made it.

    Whether it `is_asked` to import `later` modules between them may change by a request.
    """
    children = set[int]()
    with control, control.makefile("rb") as requests, suppress(OSError, EOFError):
        while True:
            while later and is_asked and not select.select([control], [], [], 0)[0]:
                _import(later.pop(0))
            message, pipes, _, _ = socket.recv_fds(control, 1, 3)
            if not message:
                break
            request = pickle.load(requests)  # noqa: S301 - the parent wrote it
            if isinstance(request, int):
                children.discard(request)
                answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
            elif request is None:
                answer, is_asked = 0, True
            else:
                whole, *surroundings = request
                while whole and later:
                    _import(later.pop(0))
                if count_threads() > 1:
                    raise OSError
                gc.freeze()
                answer = os.fork()
                if answer == 0:
                    return pipes, *surroundings
                _adopt(answer, pipes)
                children.add(answer)
            control.sendall(pickle.dumps(answer))
    for pid in children:
        with suppress(OSError):
            kill_group(pid)
        os.waitpid(pid, 0)
    return None


def _adopt(child: int, pipes: Iterable[int]) -> None:
    """Leave the pipes to a worker that was just forked, in a group of its own."""
    with suppress(OSError):  # the worker does it as well, whoever is first
        os.setpgid(child, child)
    for pipe in pipes:
        os.close(pipe)


def _become_worker(
    server: int, pipes: list[int], folder: str, variables: dict[str, str], path: list[str]
) -> None:
    """Take over the pipes and the surroundings of a worker in a process that was just forked."""
    os.setpgid(0, 0)
    end_with_parent()
    if os.getppid() != server:
        os._exit(1)
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:] = path
    atexit.unregister(shutil.rmtree)  # folders of imports, as of matplotlib, are of all workers
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()  # else all workers have the same random numbers without a seed
