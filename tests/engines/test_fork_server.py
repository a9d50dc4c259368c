"""The fork server: the promises of worker processes also hold for forks, and without the server."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from audioclf.engines import fork_server
from audioclf.engines.base import Job, pack
from audioclf.engines.fork_server import ForkedProcess, ForkServer
from audioclf.engines.local import ProcessEngine
from audioclf.engines.process import Worker, WorkerGoneError
from audioclf.experiment import resources
from tests.conftest import REPO
from tests.engines import tasks
from tests.engines.conftest import check_blamed, is_running, wait_for
from tests.engines.test_processes import pids_in, start

pytestmark = pytest.mark.skipif(not ForkServer.is_available(), reason="needs Linux with pidfds")


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPO))
        server = ForkServer(["numpy", "no.such.module"])
        yield server
        server.close()


@pytest.fixture
def worker(server: ForkServer) -> Iterator[Worker]:
    worker = Worker(server)
    assert isinstance(worker._process, ForkedProcess)
    yield worker
    worker.kill()


def test_a_fork_has_the_surroundings_of_its_start(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHEN", "now")
    monkeypatch.delenv("HOME")
    (tmp_path / "new_module.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    worker = Worker(server)
    worker.load(pack(Job(tasks.surroundings)))
    found = worker.run(pack("new_module"))
    assert found == (str(tmp_path), "now", None, "1", True)
    worker.kill()


def test_forks_differ_in_random_numbers_without_a_seed(server: ForkServer) -> None:
    numbers = set()
    for _ in range(2):
        worker = Worker(server)
        worker.load(pack(Job(tasks.random_number)))
        numbers.add(worker.run(pack(0)))
        worker.kill()
    assert len(numbers) == 2


@pytest.mark.parametrize(("code", "how"), [(0, "exit code 0"), (5, "exit code 5")])
def test_the_end_of_a_fork_is_known(worker: Worker, code: int, how: str) -> None:
    worker.load(pack(Job(tasks.leave)))
    assert not worker.has_ended
    with pytest.raises(WorkerGoneError, match=how):
        worker.run(pack(code))
    assert worker.has_ended


def test_a_dismissed_fork_ends_by_itself(worker: Worker) -> None:
    worker.dismiss()
    worker.close()
    assert worker._process.returncode == 0


@pytest.mark.parametrize("forked", [True, False])
def test_processes_that_a_task_started_end_with_the_worker(
    server: ForkServer, forked: bool
) -> None:
    worker = Worker(server if forked else None)
    worker.load(pack(Job(tasks.start_sleeper)))
    pid = worker.run(pack(0))
    assert is_running(pid)
    worker.kill()
    wait_for(lambda: not is_running(pid))


@pytest.mark.slow
def test_without_its_server_a_run_goes_on_with_new_interpreters() -> None:
    with ProcessEngine(2) as engine:
        results = engine.map(tasks.pid_of_worker, range(30))
        done = dict([next(results)])
        forks = {worker._process.pid for worker in engine._crew}
        assert engine._server is not None
        os.kill(engine._server._process.pid, signal.SIGKILL)
        done |= dict(results)
        assert sorted(done) == list(range(30))
        assert all(isinstance(pid, int) for pid in done.values())
        wait_for(lambda: not any(map(is_running, forks)))
        assert not any(isinstance(item._process, ForkedProcess) for item in engine._crew)


def test_a_server_with_several_threads_forks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import threading; threading.Thread(target=threading.Event().wait).start()"
    (tmp_path / "with_thread.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    server = ForkServer(["with_thread"])
    assert server.fork() is None
    server.close()


def test_a_folder_of_the_imports_ends_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matplotlib makes one where its own folder cannot be written."""
    folder = tmp_path / "of imports"
    folder.mkdir()
    text = f"import atexit, shutil; atexit.register(shutil.rmtree, {str(folder)!r})"
    (tmp_path / "with_folder.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    server = ForkServer(["with_folder"])
    worker = Worker(server)
    worker.dismiss()
    worker.close()
    assert folder.exists()
    server.close()
    assert not folder.exists()


def test_without_pidfds_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int) -> int:
        raise PermissionError(pid)

    monkeypatch.setattr(os, "pidfd_open", forbidden)
    assert not ForkServer.is_available()


def test_exit_codes_are_known_where_the_end_of_children_is_ignored() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        server = ForkServer()
    finally:
        signal.signal(signal.SIGCHLD, before)
    worker = Worker(server)
    worker.load(pack(Job(tasks.leave)))
    with pytest.raises(WorkerGoneError, match="exit code 5"):
        worker.run(pack(5))
    server.close()


@pytest.mark.slow
def test_the_same_items_are_blamed_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForkServer, "is_available", lambda: False)
    with ProcessEngine(2) as engine:
        check_blamed(dict(engine.map(tasks.deadly, range(60))), "SIGKILL")
        assert not any(isinstance(item._process, ForkedProcess) for item in engine._crew)


def test_closing_does_not_wait_for_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(600)")
    monkeypatch.syspath_prepend(str(tmp_path))
    engine = ProcessEngine(2, modules=["endless"])
    engine.begin()
    assert engine._server is not None
    pid = engine._server._process.pid
    engine.close()
    assert not is_running(pid)


def test_the_server_ends_with_a_run_without_stderr(tmp_path: Path) -> None:
    """Any file or socket may have the number of stderr there."""
    body = f"list(engine.map(tasks.deaf_for_ever, range(9), shared={str(tmp_path)!r}))"
    run = start(body, "sh", "-c", 'exec "$@" 2>&-', "sh")
    pids = wait_for(lambda: pids_in(tmp_path, 2))
    (server,) = {parent_of(pid) for pid in pids}
    assert server != run.pid
    run.kill()
    run.communicate(timeout=60)
    wait_for(lambda: not any(map(is_running, [server, *pids])))


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_worker_has_the_later_modules_where_its_function_may_need_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("needed_first", "needed_later"):
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(REPO))
    modules = (tasks.__name__, "needed_first")
    with ProcessEngine(1, modules=modules, later=["needed_later"]) as engine:
        early = dict(engine.map(tasks.is_imported, ["needed_first", "needed_later"]))
        outcomes = dict(engine.map(Imported(), ["needed_first", "needed_later"]))
    assert early == {0: True, 1: False}
    assert outcomes == {0: True, 1: True}


class Imported:
    """A function of another module than those that are imported first."""

    def __call__(self, name: str) -> bool:
        return tasks.is_imported(name)


@pytest.mark.parametrize(
    ("n_files", "jobs", "named"),
    [(3, 2, "here"), (3, 2, "by --set"), (2, 2, "here"), (3, 1, "here")],
)
def test_a_run_of_many_files_starts_the_server_early(
    n_files: int, jobs: int, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "MANY_CLIPS", 3)
    for number in range(n_files):
        (tmp_path / "sounds" / str(number)).mkdir(parents=True)
        (tmp_path / "sounds" / str(number) / "a.wav").touch()
    config = tmp_path / "config.yaml"
    path = "sounds" if named == "here" else "elsewhere"
    config.write_text(f"dataset: {{type: folder, path: {path}}}", encoding="utf-8")
    overrides = [] if named == "here" else [f"dataset.path='{tmp_path / 'sounds'}'"]
    resources.begin_early(config, jobs, overrides)
    early = list(fork_server._early.values())
    assert len(early) == (n_files >= 3 and jobs > 1)
    with ProcessEngine(2, modules=resources._MODULES, later=resources._LATER) as engine:
        engine.begin()
        assert (engine._server in early) == bool(early)
        assert not fork_server._early


def test_a_config_that_cannot_be_read_or_is_a_pipe_is_left_to_the_run() -> None:
    resources.begin_early(Path("x" * 5000), 2)
    reading, writing = os.pipe()
    os.write(writing, b"dataset: {}")
    os.close(writing)
    resources.begin_early(Path(f"/dev/fd/{reading}"), 2)
    assert os.read(reading, 20) == b"dataset: {}"
    os.close(reading)
