"""What a fit costs: time for each clip, size of the model, growth of the process."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audioclf.base import system
from audioclf.base.machine import peak_memory_meter
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.fitting import chosen_by, pickled_size
from audioclf.evaluation.results import FoldResult, Pipeline, PipelineResult
from audioclf.evaluation.splits import Fold, Splits
from audioclf.plugin import Classifier
from tests.targets import targets_of

MIB = 1 << 20

linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="this system does not tell a peak of memory"
)


class _Hungry(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Takes 64 MiB for a moment, and keeps 1 MiB."""

    def __init__(self, secret: Any = None) -> None:
        self.secret = secret

    def fit(self, X: Any, y: Any) -> _Hungry:
        self.classes_ = np.unique(y)
        self.sum_ = np.ones(64 * MIB, dtype=np.uint8).sum()
        self.kept_ = np.ones(MIB, dtype=np.uint8)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)


class Hungry(Classifier):
    """A classifier that costs something."""

    type: Literal["hungry"] = "hungry"
    pickles: bool = True

    def build(self, *, random_state: int) -> Any:
        return _Hungry(None if self.pickles else threading.Lock())


def go(classifier: Classifier, n_folds: int = 3) -> PipelineResult:
    X = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    y = np.arange(12) % 2
    everything = np.arange(12)
    splits = Splits(tuple(Fold(0, str(i), everything, everything) for i in range(n_folds)), "d")
    return evaluate(
        [Pipeline("c", "f", "c", classifier, "tests")], {"f": X}, targets_of(y), splits, seed=0
    )[0]


def made_up(**costs: Any) -> FoldResult:
    fold = Fold(0, "0", np.arange(2), np.arange(4))
    return FoldResult(fold, np.zeros(4, dtype=int), None, "none", 1.0, 2.0, **costs)


def result_of(*folds: FoldResult) -> PipelineResult:
    return PipelineResult(Pipeline("c", "f", "c", Hungry(), "tests"), folds)


def test_the_size_is_that_of_the_pickled_model() -> None:
    model = _Hungry().fit(np.zeros((2, 1)), np.array([0, 1]))
    assert pickled_size(model) == len(pickle.dumps(model, protocol=5))


def test_a_model_that_does_not_pickle_has_no_size_and_still_runs() -> None:
    result = go(Hungry(pickles=False))
    assert result.model_bytes is None
    assert len(result.folds) == 3


def test_only_the_first_fold_of_a_pipeline_is_weighed() -> None:
    sizes = [fold.model_bytes for fold in go(Hungry()).folds]
    assert sizes[0] is not None
    assert sizes[0] > MIB
    assert sizes[1:] == [None, None]


@linux
def test_the_peak_of_a_fit_is_what_it_holds_at_once() -> None:
    peaks = [fold.peak_memory or 0 for fold in go(Hungry()).folds]
    assert all(60 * MIB < peak < 90 * MIB for peak in peaks)


@linux
def test_a_peak_before_the_measurement_does_not_count() -> None:
    assert np.ones(128 * MIB, dtype=np.uint8).sum() > 0
    with peak_memory_meter() as found:  # up to 32 MiB may come from memory that was freed before
        assert np.ones(64 * MIB, dtype=np.uint8).sum() > 0
    assert 60 * MIB < (found.grown or 0) < 90 * MIB


def test_a_system_that_does_not_tell_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "Path", lambda name: Path("/nonexistent") / name.lstrip("/"))
    with peak_memory_meter() as found:
        pass
    assert found.grown is None


def test_a_pipeline_sums_up_the_costs_of_its_folds() -> None:
    result = result_of(
        made_up(model_bytes=10, peak_memory=5), made_up(peak_memory=9), made_up(model_bytes=30)
    )
    assert result.model_bytes == 20
    assert result.peak_memory == 9
    assert result.predict_seconds_per_clip == pytest.approx(0.5)


def test_the_choice_of_any_search_is_kept_also_behind_a_scaler() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.arange(20) % 2
    search = GridSearchCV(SVC(), {"C": np.array([0.5])}, cv=2)
    piped = make_pipeline(StandardScaler(), search).fit(X, y)
    for fitted in (piped, search.fit(X, y)):
        chosen = chosen_by(fitted)
        assert chosen == {"C": 0.5}
        assert type(chosen["C"]) is float


def test_an_estimator_that_is_no_search_chose_nothing() -> None:
    assert chosen_by(SVC()) is None
    assert chosen_by(make_pipeline(SVC())) is None


def test_a_choice_is_kept_as_plain_values() -> None:
    model = SVC()
    model.best_params_ = {"a": np.int64(3), "b": (1, np.float32(0.5)), "c": None, "d": SVC}
    assert chosen_by(model) == {"a": 3, "b": [1, 0.5], "c": None, "d": str(SVC)}
