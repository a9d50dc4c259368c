"""Dask: a real cluster of two processes, its deaths, its refusals, and what is not there."""

import io
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.base.errors import ConfigError, EnvironmentMissingError, PluginError
from audioclf.engines import cluster, dask, make_engine
from audioclf.engines.dask import DaskEngine
from tests.conftest import REPO
from tests.engines import tasks
from tests.engines.conftest import check_blamed, start_cluster, wait_for

HERE = metadata.version("numpy")


@pytest.fixture
def engine(two_workers: Any) -> Iterator[DaskEngine]:
    with DaskEngine(two_workers.scheduler_address) as engine:
        yield engine


@pytest.mark.slow
def test_a_worker_that_is_killed_from_outside_costs_nothing(engine: DaskEngine) -> None:
    results = engine.map(tasks.pid_of_worker, range(100))
    first, pid = next(results)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    found = {first: pid, **dict(results)}
    assert sorted(found) == list(range(100))
    assert {type(pid) for pid in found.values()} == {int}


@pytest.mark.slow
def test_exactly_the_items_that_kill_are_blamed(engine: DaskEngine) -> None:
    shared = np.arange(60)
    check_blamed(dict(engine.map(tasks.deadly_with, range(60), shared=shared)), "killed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("required", "words"),
    [
        ({"audioclf-xyz": "2.0"}, "lacks audioclf-xyz 2.0"),
        ({"numpy": "1.0"}, f"has numpy {HERE}, but 1.0 is needed"),
        ({"python": "3.9.1"}, f"has python {sys.version.split()[0]}, but 3.9.1 is needed"),
    ],
)
def test_a_worker_that_is_not_like_us_is_refused_by_name(
    two_workers: Any, required: dict[str, str], words: str
) -> None:
    with pytest.raises(PluginError) as caught:
        DaskEngine(two_workers.scheduler_address, required=required)
    workers = list(two_workers.scheduler.workers)
    refusals = {f"worker {worker} {words}" for worker in workers}
    assert set(caught.value.message.split("; ")) == refusals


@pytest.mark.slow
def test_a_worker_that_joins_late_is_checked_as_well(
    two_workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "check_workers", lambda client, versions: None)
    with (
        DaskEngine(two_workers.scheduler_address, required={"audioclf-xyz": "2.0"}) as engine,
        pytest.raises(PluginError, match=r"^worker tcp://.* lacks audioclf-xyz 2\.0"),
    ):
        list(engine.map(tasks.square, range(3)))


@pytest.mark.slow
def test_workers_compute_with_one_thread(engine: DaskEngine) -> None:
    assert dict(engine.map(tasks.threads_in_use, [0])) == {0: {1}}


@pytest.mark.slow
def test_dask_is_silent_while_the_engine_is_open_and_not_afterwards(two_workers: Any) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logger = logging.getLogger("distributed.client")
    logger.addHandler(handler)
    try:
        with DaskEngine(two_workers.scheduler_address):
            logger.error("something of Dask")
            logging.getLogger("distributed.deep.inside").error("more of it")
            assert log.getvalue() == ""
        logger.error("heard")
        assert log.getvalue() == "heard\n"
    finally:
        logger.removeHandler(handler)


@pytest.mark.slow
def test_a_cluster_without_workers_is_refused_and_one_that_loses_them_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(dask, "PATIENCE_SECONDS", 0.5)
    with start_cluster(1) as cluster:
        address = cluster.scheduler_address
        with DaskEngine(address) as engine:
            results = engine.map(tasks.slow_square, range(10_000))
            next(results)
            cluster.scale(0)
            with pytest.raises(EnvironmentMissingError) as caught:
                list(results)
        assert caught.value.message == f"the Dask scheduler at {address} has no workers"
        with pytest.raises(EnvironmentMissingError, match="has no workers"):
            DaskEngine(address)


CLUSTER = """
import time
from tests.engines.conftest import start_cluster
if __name__ == "__main__":
    print(start_cluster(1).scheduler_address, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_named(tmp_path: Path) -> None:
    (tmp_path / "run_cluster.py").write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, tmp_path / "run_cluster.py"],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as there:
        assert there.stdout is not None
        address = there.stdout.readline().strip()
        with DaskEngine(address) as engine:
            results = engine.map(tasks.slow_square, range(10_000))
            next(results)
            os.killpg(there.pid, signal.SIGKILL)
            with pytest.raises(EnvironmentMissingError) as caught:
                list(results)
    assert caught.value.message == f"the Dask scheduler at {address} went away"


def test_a_scheduler_that_is_not_there_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(EnvironmentMissingError) as caught:
            DaskEngine(address)
    assert caught.value.message == f"no Dask scheduler answers at {address}"


def test_something_else_that_listens_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(
            EnvironmentMissingError, match=f"no Dask scheduler answers at {address}"
        ):
            DaskEngine(address)


@pytest.mark.parametrize(
    "address", ["tcp://192.0.2.1:8786", "scheduler:8786", "tcp://[2001:db8::1]:1"]
)
def test_a_remote_scheduler_without_tls_is_refused(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DaskEngine(address)
    assert f"the scheduler at {address} would not be encrypted" in caught.value.message
    assert caught.value.hint is not None
    assert "--insecure-cluster" in caught.value.hint
    assert cluster.check_address(address, insecure=True)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("tcp://127.0.0.1:8786", ("127.0.0.1", 8786)),
        ("localhost:1", ("localhost", 1)),
        ("tcp://[::1]:8786/", ("::1", 8786)),
        ("tls://scheduler.example:8786", ("scheduler.example", 8786)),
    ],
)
def test_a_scheduler_on_this_machine_or_with_tls_is_accepted(
    address: str, place: tuple[str, int]
) -> None:
    assert cluster.check_address(address, insecure=False) == place


@pytest.mark.parametrize("address", ["", "scheduler", "tcp://:8786", "tcp://a:b", "a b:1", "x:1/y"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a Dask scheduler"):
        DaskEngine(address, insecure=True)


def test_tls_without_certificates_is_explained() -> None:
    with pytest.raises(EnvironmentMissingError) as caught:
        DaskEngine("tls://127.0.0.1:8786")
    assert caught.value.message.startswith("there are no certificates for the scheduler at tls://")


def test_dask_that_is_not_installed_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EnvironmentMissingError) as caught:
        make_engine("dask", jobs=1, scheduler="tcp://127.0.0.1:8786")
    assert caught.value.hint == "Run: pip install distributed"


def test_dask_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="needs the address of a scheduler"):
        make_engine("dask", jobs=1)


SCRIPT = """
import sys
from tests.engines import tasks
from audioclf.engines.dask import DaskEngine
try:
    with DaskEngine(sys.argv[1]) as engine:
        for index, outcome in engine.map(tasks.slow_square, range(100_000)):
            print(index, flush=True)
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.slow
def test_ctrl_c_leaves_the_cluster_without_a_word_and_without_work(two_workers: Any) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, two_workers.scheduler_address],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    run.stdout.readline()
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert out.endswith("stopped\n")
    assert err == ""
    wait_for(lambda: not two_workers.scheduler.tasks)
