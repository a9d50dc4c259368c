"""What holds for every engine alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioclf.base.errors import ConfigError, FeatureError
from audioclf.engines import make_engine
from audioclf.engines.adaptive import AdaptiveEngine
from audioclf.engines.base import Engine, WorkerError
from audioclf.engines.local import ProcessEngine, ThreadEngine
from tests.engines import tasks


def outcomes(engine: Engine, fn: Any, items: Any, **shared: Any) -> dict[int, Any]:
    pairs = list(engine.map(fn, items, **shared))
    found = dict(pairs)
    assert len(found) == len(pairs) == len(items)
    return found


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(items=st.lists(st.integers(), max_size=40))
def test_each_item_has_its_own_result(engine: Engine, items: list[int]) -> None:
    assert outcomes(engine, tasks.square, items) == {i: x * x for i, x in enumerate(items)}


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(n=st.integers(0, 50), factor=st.floats(-1e3, 1e3), seed=st.integers(0, 99))
def test_results_are_the_same_bits_everywhere(
    engine: Engine, n: int, factor: float, seed: int
) -> None:
    offsets = np.random.default_rng(seed).normal(size=7)
    shared = {"factor": factor, "offsets": offsets}
    expected = {i: tasks.scaled(i, shared) for i in range(n)}
    assert outcomes(engine, tasks.scaled, range(n), shared=shared) == expected


def test_no_items_have_no_results(engine: Engine) -> None:
    assert list(engine.map(tasks.square, [])) == []


def test_a_function_that_no_worker_can_import_still_works(engine: Engine) -> None:
    three = 3
    assert outcomes(engine, lambda x: x + three, [1, 2]) == {0: 4, 1: 5}


def test_an_error_for_the_user_comes_back_as_it_was_raised(engine: Engine) -> None:
    found = outcomes(engine, tasks.raising, ["fine", "ours", "fine"])
    error = found.pop(1)
    assert type(error) is FeatureError
    assert error.message == "the clip is too short"
    assert error.hint == "Leave it out."
    assert found == {0: "fine", 2: "fine"}


@pytest.mark.parametrize(
    ("kind", "message"), [("foreign", "ValueError: no luck"), ("exit", "SystemExit: done here")]
)
def test_any_other_exception_comes_back_with_type_text_and_place(
    engine: Engine, kind: str, message: str
) -> None:
    error = outcomes(engine, tasks.raising, ["fine", kind])[1]
    assert type(error) is WorkerError
    assert error.message == message
    assert "in raising" in error.__notes__[0]


def test_results_come_as_they_complete(engine: Engine, tmp_path: Path) -> None:
    if engine.workers == 1:
        pytest.skip("one worker keeps the order")
    results = engine.map(tasks.first_waits, [0, 1], shared=tmp_path)
    assert next(results) == (1, 1)
    (tmp_path / "go on").touch()
    assert list(results) == [(0, 0)]


def test_items_are_looked_up_when_their_turn_comes(engine: Engine) -> None:
    numbers = tasks.Counting(100_000)
    results = engine.map(tasks.square, numbers)
    for _ in range(10):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert numbers.looked_up < 10 + 200


def test_an_engine_that_was_stopped_early_works_again(engine: Engine) -> None:
    results = engine.map(tasks.slow_square, range(100))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert outcomes(engine, tasks.square, range(5)) == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}


def test_one_map_can_run_while_another_waits(engine: Engine) -> None:
    first = engine.map(tasks.square, range(30))
    found = dict([next(first)])
    assert len(outcomes(engine, tasks.square, range(30))) == 30
    found.update(first)
    assert found == {i: i * i for i in range(30)}


@pytest.mark.parametrize(
    ("jobs", "isolate", "kind"),
    [(1, False, ThreadEngine), (2, False, AdaptiveEngine), (1, True, ProcessEngine)],
)
def test_the_local_engine_follows_jobs_and_isolate(jobs: int, isolate: bool, kind: type) -> None:
    with make_engine("local", jobs=jobs, isolate=isolate) as engine:
        assert type(engine) is kind
        assert engine.workers == jobs


@pytest.mark.parametrize(("scheduler", "insecure"), [("tcp://127.0.0.1:9", False), (None, True)])
def test_a_scheduler_for_the_local_engine_is_refused(scheduler: str | None, insecure: bool) -> None:
    with pytest.raises(ConfigError, match="the engine is local, which needs none") as caught:
        make_engine("local", jobs=1, scheduler=scheduler, insecure=insecure)
    assert (
        caught.value.hint == "Add --engine dask, or leave out --scheduler and --insecure-cluster."
    )
