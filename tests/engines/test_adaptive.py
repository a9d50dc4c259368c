"""The choice between threads, one thread and processes."""

import os
import threading

import pytest

from audioclf.base.errors import ConfigError
from audioclf.engines import adaptive, fork_server
from audioclf.engines.adaptive import AdaptiveEngine
from audioclf.engines.ahead import begun
from tests.engines import tasks


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> AdaptiveEngine:
    """Return an engine that measures shortly; to be closed."""
    monkeypatch.setattr(adaptive, "TRIAL_SECONDS", 0.01)
    return AdaptiveEngine(2)


@pytest.mark.parametrize(
    ("speed_up", "seconds", "where"),
    [(1.8, 100.0, "threads"), (1.0, 1.0, "one"), (1.0, 100.0, "processes")],
)
def test_processes_are_started_where_threads_wait_and_there_is_work_and_begin_more_early(
    engine: AdaptiveEngine, speed_up: float, seconds: float, where: str
) -> None:
    with engine:
        engine._choose(speed_up, seconds)
        outcomes = dict(engine.map(process_and_thread, range(8)))
        early = begun(engine.processes, process_and_thread, range(2))()
    pids, threads = (set(column) for column in zip(*outcomes.values(), strict=True))
    assert (os.getpid() not in pids) == (where == "processes")
    assert (os.getpid() not in {pid for pid, _ in early}) == (where == "processes")
    assert len(threads) == 1 or where != "one"


@pytest.mark.slow
def test_steps_of_python_that_hold_each_other_up_go_to_processes(
    engine: AdaptiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive, "WORTH_PROCESSES", 0.0)
    monkeypatch.setattr(adaptive, "GOOD_SPEED_UP", float("inf"))
    monkeypatch.setattr(adaptive, "LONG_SECONDS", 1e9)
    with engine:
        outcomes = dict(engine.map(tasks.square, range(60_000)))
        assert engine.processes.is_running
    assert outcomes == {n: n * n for n in range(60_000)}


def test_work_that_no_other_process_can_do_is_done_here(engine: AdaptiveEngine) -> None:
    lock = threading.Lock()

    def locked(n: int) -> int:
        with lock:
            return n * n

    with engine:
        engine._choose(1.0, 100.0)
        assert dict(engine.map(locked, range(8))) == {n: n * n for n in range(8)}


def process_and_thread(n: int) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def test_processes_that_were_begun_are_used_as_soon_as_they_are_ready(
    engine: AdaptiveEngine,
) -> None:
    with engine:
        engine.begin()
        outcomes = dict(engine.map(process_and_thread, range(8)))
        assert engine._starting is not None
        engine._starting.join()
        later = dict(engine.map(process_and_thread, range(8)))
    assert sorted(outcomes) == sorted(later) == list(range(8))
    assert os.getpid() not in {pid for pid, _ in later.values()}


def test_processes_that_cannot_be_begun_are_chosen_by_their_speed_as_ever(
    engine: AdaptiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive, "WORTH_PROCESSES", float("inf"))
    monkeypatch.setattr(fork_server, "START", "raise SystemExit(9)")
    with engine:
        engine.begin()
        assert dict(engine.map(tasks.square, range(50))) == {n: n * n for n in range(50)}
        assert engine._chosen is not engine.processes


def test_work_begun_early_that_fails_in_a_process_is_done_here(engine: AdaptiveEngine) -> None:
    here = os.getpid()

    def only_here(n: int) -> int:
        if os.getpid() != here:
            os._exit(1)
        return n

    def refused(n: int) -> int:
        raise ConfigError("no")

    with engine:
        engine._choose(1.0, 100.0)
        dict(engine.map(tasks.square, range(8)))
        assert begun(engine.processes, only_here, range(2))() == [0, 1]
        with pytest.raises(ConfigError, match="no"):
            begun(engine.processes, refused, [0])()
