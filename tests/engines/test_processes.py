"""Worker processes: deaths that cost one item, large arrays that are not copied, no leftovers."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audioclf.base.errors import EnvironmentMissingError
from audioclf.engines import fork_server
from audioclf.engines.base import Job, WorkerDiedError, WorkerError, pack
from audioclf.engines.local import ProcessEngine, ThreadEngine
from audioclf.engines.process import Worker
from audioclf.engines.sharing import packed
from tests.conftest import REPO
from tests.engines import tasks
from tests.engines.conftest import check_blamed, is_running, wait_for


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    with ProcessEngine(2) as engine:
        yield engine


@pytest.fixture(scope="module")
def lasting() -> Iterator[ProcessEngine]:
    """Return an engine that all tests here share, since each new worker imports for some time."""
    with ProcessEngine(2) as engine:
        yield engine


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside_costs_nothing(engine: ProcessEngine) -> None:
    results = engine.map(tasks.pid_of_worker, range(40))
    first, pid = next(results)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(40))
    assert {type(pid) for pid in found.values()} == {int}
    assert len(set(found.values())) > 2


def test_exactly_the_items_that_kill_are_blamed(lasting: ProcessEngine) -> None:
    check_blamed(dict(lasting.map(tasks.deadly, range(60))), "SIGKILL")


def test_the_message_says_how_the_worker_ended(lasting: ProcessEngine) -> None:
    """An exit with code 0 before there is a result is a death as well."""
    outcomes = dict(lasting.map(tasks.leave, [None, 5, None, 0]))
    for index, how in ((1, "exit code 5"), (3, "exit code 0")):
        error = outcomes.pop(index)
        assert isinstance(error, WorkerDiedError)
        assert error.how == how
    assert outcomes == {0: None, 2: None}


def test_what_a_plugin_prints_or_reads_does_no_harm(lasting: ProcessEngine) -> None:
    assert dict(lasting.map(tasks.noisy, range(3))) == {0: "", 1: "", 2: ""}


def test_an_item_or_result_that_cannot_be_sent_is_an_error_of_its_own(
    lasting: ProcessEngine,
) -> None:
    error = dict(lasting.map(tasks.unpicklable, [3]))[0]
    assert isinstance(error, WorkerError)
    assert "cannot go from process to process: TypeError: cannot pickle 'generator'" in str(error)
    found = dict(lasting.map(str, [1, (i for i in range(3)), 2]))
    assert isinstance(found[1], WorkerError)
    assert (found[0], found[2]) == ("1", "2")


@pytest.mark.slow
def test_workers_compute_with_one_thread(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert dict(engine.map(tasks.threads_in_use, [0])) == {0: {1}}


def arrays(folder: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    on_disk = np.lib.format.open_memmap(
        folder / "x.npy", mode="w+", dtype=np.float32, shape=(900, 700)
    )
    on_disk[:] = rng.normal(size=(900, 700))
    private = np.load(folder / "x.npy", mmap_mode="c")
    private[:] += 1
    return {
        "rows": rng.normal(size=(400, 500)),
        "columns": np.asfortranarray(rng.normal(size=(400, 500))),
        "every other": rng.normal(size=(400, 1000))[:, ::2],
        "numbers": rng.integers(0, 9, 400_000),
        "of a file": on_disk,
        "part of a file": np.asarray(on_disk)[300:800],
        "changed in memory": private,
    }


def test_large_shared_arrays_are_mapped_and_equal(lasting: ProcessEngine, tmp_path: Path) -> None:
    shared = arrays(tmp_path)
    outcomes = dict(lasting.map(tasks.about, list(shared), shared=shared))
    found = {name: outcomes[index] for index, name in enumerate(shared)}
    for name, array in shared.items():
        kind, mapped, writeable, _, total, _ = found[name]
        assert (kind, mapped, writeable) == (np.ndarray, True, False), name
        assert total == pytest.approx(float(np.asarray(array).sum()), rel=1e-6), name
    assert (found["rows"][3], found["columns"][3]) == ((True, False), (False, True))
    file = str(tmp_path / "x.npy")
    assert found["of a file"][-1] == found["part of a file"][-1] == file
    assert found["changed in memory"][-1] != file


def test_large_arrays_are_not_pickled() -> None:
    with packed({"deep": [np.zeros((1000, 1000))]}) as data:
        assert len(data) < 2000


@pytest.mark.skipif(sys.platform != "linux", reason="files without a name are of Linux")
def test_nothing_is_left_of_what_was_shared(
    lasting: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = {"x": np.zeros((1000, 1000))}
    before = anonymous_files()
    results = lasting.map(tasks.about, ["x"] * 30, shared=shared)
    next(results)
    assert len(anonymous_files()) == len(before) + 1
    results.close()  # type: ignore[attr-defined]
    assert anonymous_files() == before
    assert list(tmp_path.iterdir()) == []


def test_without_anonymous_files_arrays_stand_in_a_folder_that_ends(
    lasting: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.arange(400_000.0)
    monkeypatch.setattr("audioclf.base.system.LINUX", False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (found,) = dict(lasting.map(tasks.about, ["x"], shared={"x": x})).values()
    assert found[:2] == (np.ndarray, True)
    assert found[4] == x.sum()
    assert Path(found[5]).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def anonymous_files() -> list[str]:
    links = (os.path.realpath(path) for path in Path("/proc/self/fd").iterdir())
    return [link for link in links if "memfd:audioclf" in link]


def test_threads_share_by_reference() -> None:
    x = np.zeros(400_000)
    with ThreadEngine(2) as engine:
        found = dict(engine.map(tasks.about, ["x"], shared={"x": x}))
    assert found[0][:3] == (np.ndarray, False, True)


def test_workers_that_cannot_start_are_reported_at_once(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "START", "raise SystemExit(9)")
    with pytest.raises(EnvironmentMissingError) as caught:
        list(engine.map(tasks.square, range(10)))
    assert caught.value.message == "a worker process ended before it could begin: exit code 9"


def test_a_file_named_as_a_module_of_python_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    worker = Worker()
    worker.load(pack(Job(tasks.square)))
    worker.kill()


def test_a_function_that_no_worker_can_read_is_reported_at_once(
    lasting: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def fn(x): return x")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here  # type: ignore[import-not-found]

    (tmp_path / "only_here.py").unlink()
    with pytest.raises(WorkerError, match="ModuleNotFoundError: No module named 'only_here'"):
        list(lasting.map(only_here.fn, range(10)))


def test_workers_stay_for_the_next_map_until_the_engine_is_closed(engine: ProcessEngine) -> None:
    pids, again = (set(dict(engine.map(tasks.pid_of_worker, range(8))).values()) for _ in "ab")
    assert pids == again
    engine.close()
    engine.close()
    assert not any(map(is_running, pids))
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(engine.map(tasks.square, range(3)))


def test_closing_ends_workers_that_are_busy(engine: ProcessEngine, tmp_path: Path) -> None:
    results = engine.map(tasks.busy_or_square, [0, -1, -1], shared=str(tmp_path))
    next(results)
    pids = wait_for(lambda: pids_in(tmp_path, 2))
    engine.close()
    assert not any(map(is_running, pids))
    results.close()  # type: ignore[attr-defined]


def pids_in(folder: Path, n: int) -> list[int]:
    pids = [int(path.name) for path in folder.iterdir()]
    return pids if len(pids) >= n else []


SCRIPT = """
from tests.engines import tasks
from audioclf.engines import ProcessEngine

class Local:
    def __init__(self, x):
        self.x = x

def double(local):
    return Local(2 * local.x)

try:
    with ProcessEngine(2) as engine:
        BODY
except KeyboardInterrupt:
    print("stopped")
"""


def start(body: str, *through: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*through, sys.executable, "-c", SCRIPT.replace("BODY", body)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "src")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_script_needs_no_guard_and_its_own_classes_work() -> None:
    body = "print([done.x for _, done in sorted(engine.map(double, [Local(1), Local(2)]))])"
    out, err = start(body).communicate(timeout=60)
    assert (out, err) == ("[2, 4]\n", "")


@pytest.mark.parametrize("deed", ["busy_for_ever", "deaf_for_ever"])
def test_workers_end_when_the_run_is_killed(deed: str, tmp_path: Path) -> None:
    if deed == "deaf_for_ever" and sys.platform != "linux":
        pytest.skip("only Linux ends a process that does not listen")
    run = start(f"list(engine.map(tasks.{deed}, range(9), shared={str(tmp_path)!r}))")
    pids = wait_for(lambda: pids_in(tmp_path, 2))
    assert all(map(is_running, pids))
    run.kill()
    run.communicate(timeout=60)
    wait_for(lambda: not any(map(is_running, pids)))


@pytest.mark.parametrize(
    "deed", ["busy_for_ever", pytest.param("deaf_for_ever", marks=pytest.mark.slow)]
)
def test_ctrl_c_ends_the_run_and_its_workers_without_a_word(deed: str, tmp_path: Path) -> None:
    run = start(f"list(engine.map(tasks.{deed}, range(9), shared={str(tmp_path)!r}))")
    pids = wait_for(lambda: pids_in(tmp_path, 2))
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (out, err) == ("stopped\n", "")
    assert not any(map(is_running, pids))
    assert pids_in(tmp_path, 1) == pids
