"""One engine of each kind, and a real Dask cluster of two processes, for all tests here."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audioclf.engines.adaptive import AdaptiveEngine
from audioclf.engines.base import Engine, WorkerDiedError, WorkerError
from audioclf.engines.local import ProcessEngine, SerialEngine, ThreadEngine
from tests.conftest import REPO
from tests.engines import tasks


@pytest.fixture(autouse=True)
def workers_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPO))


def start_cluster(n_workers: int = 2) -> Any:
    import dask
    from distributed import LocalCluster

    # By default the cluster closes a worker that is away 15 s after a death. On a busy machine, one
    # that dies several times is often just starting at that moment.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    # Half as many deaths of workers until a task is given up, for speed.
    dask.config.set({"distributed.scheduler.allowed-failures": 1})
    return LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )


@pytest.fixture(scope="session")
def two_workers() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPO))
        with start_cluster() as cluster:
            yield cluster


ENGINES: dict[str, Callable[[], Engine]] = {
    "serial": SerialEngine,
    "threads": lambda: ThreadEngine(3),
    "processes": lambda: ProcessEngine(2),
    "adaptive": lambda: AdaptiveEngine(2),
}


@pytest.fixture(scope="module", params=[*ENGINES, pytest.param("dask", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return each engine in turn; the fork server imports the `MODULES` of the test's module."""
    if request.param == "processes":
        made: Engine = ProcessEngine(2, modules=getattr(request.module, "MODULES", ()))
    elif request.param in ENGINES:
        made = ENGINES[request.param]()
    else:
        from audioclf.engines.dask import DaskEngine

        cluster = request.getfixturevalue("two_workers")
        cluster.wait_for_workers(2)
        made = DaskEngine(cluster.scheduler_address)
    with made:
        yield made


def check_blamed(outcomes: dict[int, Any], how: str) -> None:
    """Compare the outcomes of `tasks.deadly` for 60 items: exactly the killers died."""
    for killer in tasks.KILLERS:
        error = outcomes.pop(killer)
        assert isinstance(error, WorkerDiedError)
        assert (error.index, error.exit_code) == (killer, 3)
        assert error.message == f"item {killer} ends its worker process: {how}"
    error = outcomes.pop(tasks.THROWER)
    assert isinstance(error, WorkerError)
    assert error.message == "ValueError: not this one"
    assert outcomes == {i: i for i in range(60) if i not in (*tasks.KILLERS, tasks.THROWER)}


def wait_for(what: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what comes of it once that is true."""
    give_up = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)
    return found


def is_running(pid: int) -> bool:
    """Say whether a process is there and not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
