"""Cross-validation on every engine: the same numbers, the same first failure."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import MagicMock

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier

from audioclf.base.errors import ClassifierError
from audioclf.engines.base import Engine
from audioclf.engines.local import ProcessEngine
from audioclf.evaluation import cross_validation
from audioclf.evaluation.cross_validation import CHANGED, evaluate
from audioclf.evaluation.results import Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.plugin import Classifier
from tests.engines.conftest import is_running
from tests.targets import targets_of

MODULES = ("sklearn.ensemble", "audioclf.evaluation.cross_validation")


class Forest(Classifier):
    """A few trees."""

    type: Literal["forest"] = "forest"

    def build(self, *, random_state: int) -> Any:
        return RandomForestClassifier(5, random_state=random_state)


class _Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Does what the first value of its training side says."""

    def fit(self, X: Any, y: Any) -> _Told:
        first = int(X[0, 0])
        if first in FAILING:
            raise RuntimeError(f"told to by {first}")
        if first in DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), 0)

    def predict_proba(self, X: Any) -> Any:
        """Return one row per clip; the number of the process hides in the scores."""
        rest = 1 / os.getpid()
        return np.tile([1 - rest, rest], (len(X), 1))


FAILING = (2, 5, 6)
DEADLY = (3,)


class Told(Classifier):
    """Does what the first value of its training side says."""

    type: Literal["told"] = "told"

    def build(self, *, random_state: int) -> Any:
        return _Told()


def pipelines(*classifiers: Classifier) -> list[Pipeline]:
    return [
        Pipeline(f"cell {i}", "f", "c", classifier, classifier.type_name())
        for i, classifier in enumerate(classifiers)
    ]


def folds(first_values: list[int]) -> tuple[np.ndarray, np.ndarray, Splits]:
    """Return data where fold i trains on rows that begin with the i-th value."""
    X = np.repeat(np.array(first_values, dtype=np.float32), 4)[:, np.newaxis]
    y = np.arange(len(X)) % 2
    sides = np.arange(len(X)).reshape(-1, 4)
    test = np.arange(len(X))
    return X, y, Splits(tuple(Fold(0, str(i), side, test) for i, side in enumerate(sides)), "told")


def pids(result: PipelineResult) -> list[int]:
    """Return the process that predicted each fold."""
    return [round(1 / fold.scores[0, 1]) for fold in result.folds if fold.scores is not None]


def test_every_engine_gives_the_bits_of_this_process(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)).astype(np.float32)
    y = (X[:, 0] + rng.normal(0, 0.5, 60) > 0).astype(int)
    splits = Splits(
        tuple(Fold(0, str(i), np.arange(i, 60, 2), np.arange(1 - i, 60, 2)) for i in (0, 1)), "d"
    )
    grid = pipelines(Forest(), Forest())
    alone = evaluate(grid, {"f": X}, targets_of(y), splits, seed=3)
    there = evaluate(grid, {"f": X}, targets_of(y), splits, seed=3, engine=engine)
    for one, other in zip(alone, there, strict=True):
        for ours, theirs in zip(one.folds, other.folds, strict=True):
            np.testing.assert_array_equal(ours.y_pred, theirs.y_pred)
            np.testing.assert_array_equal(ours.scores, theirs.scores)


def test_the_first_failure_in_order_is_the_one_that_is_raised(engine: Engine) -> None:
    X, y, splits = folds([0, 1, 2, 4, 5, 6])
    with pytest.raises(ClassifierError) as caught:
        evaluate(pipelines(Told(), Told()), {"f": X}, targets_of(y), splits, seed=0, engine=engine)
    assert caught.value.message == (
        "classifier 'cell 0' (told), fold '2' raised RuntimeError: told to by 2"
    )


@pytest.mark.slow
def test_progress_reaches_the_end(engine: Engine) -> None:
    X, y, splits = folds([0, 1, 4])
    seen: list[tuple[int, int, str]] = []
    evaluate(
        pipelines(Told()),
        {"f": X},
        targets_of(y),
        splits,
        seed=0,
        engine=engine,
        progress=lambda *at: seen.append(at),
    )
    assert seen == [(done, 3, "cell 0") for done in (1, 2, 3)]


@pytest.mark.slow
def test_a_classifier_that_ends_its_process_is_named() -> None:
    X, y, splits = folds([0, 3])
    with ProcessEngine(1) as engine, pytest.raises(ClassifierError) as caught:
        evaluate(pipelines(Told()), {"f": X}, targets_of(y), splits, seed=0, engine=engine)
    assert caught.value.message == (
        "classifier 'cell 0' (told), fold '1' ends its worker process: SIGKILL"
    )
    assert caught.value.hint == "It may need more memory than there is, or crash a library."


def test_little_work_stays_in_this_process() -> None:
    X, y, splits = folds([0, 1, 4])
    (result,) = evaluate(pipelines(Told()), {"f": X}, targets_of(y), splits, seed=0, jobs=2)
    assert pids(result) == [os.getpid()] * 3


def test_little_work_on_a_busy_machine_stays_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hours = count(0.0, 3600.0)
    late = SimpleNamespace(perf_counter=lambda: next(hours), process_time=time.process_time)
    monkeypatch.setattr(cross_validation, "time", late)
    X, y, splits = folds([0, 1, 4])
    (result,) = evaluate(pipelines(Told()), {"f": X}, targets_of(y), splits, seed=0, jobs=2)
    assert pids(result) == [os.getpid()] * 3


@pytest.mark.slow
def test_work_that_is_worth_it_goes_on_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_validation, "WORTH_PROCESSES", 0.0)
    X, y, splits = folds([0, 1, 4])
    (result,) = evaluate(pipelines(Told()), {"f": X}, targets_of(y), splits, seed=0, jobs=2)
    first, *others = pids(result)
    assert first == os.getpid()
    assert os.getpid() not in others
    assert not any(map(is_running, others))


@pytest.mark.parametrize("n_folds", [1, 2])
def test_no_process_is_started_for_one_fit(monkeypatch: pytest.MonkeyPatch, n_folds: int) -> None:
    monkeypatch.setattr(cross_validation, "WORTH_PROCESSES", 0.0)
    X, y, splits = folds([0, 1][:n_folds])
    (result,) = evaluate(pipelines(Told()), {"f": X}, targets_of(y), splits, seed=0, jobs=2)
    assert pids(result) == [os.getpid()] * n_folds


@pytest.mark.skipif(sys.platform == "win32", reason="paths of workers")
def test_a_fit_by_code_that_was_changed_meanwhile_is_noted_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "edited_classifier.py"
    module.write_text(
        "from typing import Literal\n"
        "from sklearn.dummy import DummyClassifier\n"
        "from audioclf.plugin import Classifier\n"
        "class Edited(Classifier):\n"
        "    type: Literal['edited'] = 'edited'\n"
        "    def build(self, *, random_state):\n"
        "        return DummyClassifier()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    classifier = import_module("edited_classifier").Edited()
    X, y, splits = folds([0, 1, 4])
    kept = MagicMock(**{"get.return_value": {}})
    for edit, is_kept in (("", True), ("# edited", False)):
        with module.open("a") as stream:
            stream.write(edit)
        with ProcessEngine(1) as engine:
            (result,) = evaluate(
                pipelines(classifier),
                {"f": X},
                targets_of(y),
                splits,
                seed=0,
                engine=engine,
                fit_cache=kept,
            )
        assert all((CHANGED in fold.warnings) != is_kept for fold in result.folds)
        assert kept.put.called == is_kept
        kept.put.reset_mock()
