"""A search inside the training side: honest, validated beforehand, the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audioclf.base.errors import ClassifierError, ConfigError
from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.search_space import Range
from audioclf.builtin.classifiers.svm import Svm
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.builtin.classifiers.tuned_folds import inner_folds, scorable_folds
from audioclf.builtin.classifiers.tuned_search import Draws
from audioclf.components.discovery import discover
from audioclf.components.fields import validate_component
from audioclf.config.loading import load_config
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.plugin import Classifier
from tests.targets import targets_of

ROWS: list[tuple[frozenset[int], frozenset[int]]] = []


class _Spy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Notes the rows that it is fitted on and asked about, by their first column."""

    def fit(self, X: Any, y: Any) -> _Spy:
        self.classes_ = np.unique(y)
        self.seen_ = frozenset(X[:, 0].astype(int).tolist())
        return self

    def predict(self, X: Any) -> Any:
        ROWS.append((self.seen_, frozenset(X[:, 0].astype(int).tolist())))
        return np.zeros(len(X), dtype=int)


class Spy(Classifier):
    """Notes what it is shown; `fails` raises where its field is above 1."""

    type: Literal["spy"] = "spy"
    layers: tuple[int, ...] = (1,)
    level: int = 0

    def build(self, *, random_state: int) -> Any:
        if self.level > 1:
            raise RuntimeError("too\nhigh")
        return _Spy()


def tuned(classifier: Classifier, search: dict[str, Any], **fields: Any) -> Tuned:
    return Tuned.model_validate({"classifier": classifier, "search": search, **fields})


def toy(k: int = 2, n: int = 60, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    return (np.eye(k)[y] + rng.normal(0, noise, (n, k))).astype(np.float32), y


def problem(classifier: Classifier, search: dict[str, Any], **fields: Any) -> tuple[Any, str]:
    with pytest.raises(ValidationError) as caught:
        tuned(classifier, search, **fields)
    (error,) = caught.value.errors()
    return error["loc"], str(error["msg"])


def test_the_choice_and_the_model_are_those_of_grid_search() -> None:
    X, y = toy()
    component = tuned(Svm(), {"C": [0.001, 1, 100], "kernel": ["linear", "rbf"]})
    model: Any = component.build(random_state=5).fit(X, y)
    oracle = GridSearchCV(
        make_pipeline(StandardScaler(), SVC(random_state=5)),
        {"svc__C": [0.001, 1, 100], "svc__kernel": ["linear", "rbf"]},
        cv=StratifiedKFold(5, shuffle=True, random_state=5),
    ).fit(X, y)
    assert model.best_params_ == {
        k.removeprefix("svc__"): v for k, v in oracle.best_params_.items()
    }
    assert model.best_score_ == pytest.approx(oracle.best_score_)
    np.testing.assert_array_equal(model.predict(X), oracle.predict(X))
    np.testing.assert_array_equal(model.decision_function(X), oracle.decision_function(X))


def test_a_test_row_is_never_seen_before_the_last_prediction() -> None:
    ROWS.clear()
    rows = np.arange(40, dtype=np.float32)[:, np.newaxis]
    y = np.arange(40) % 2
    train, test = np.arange(30), np.arange(30, 40)
    cell = Pipeline("c", "f", "c", tuned(Spy(), {"level": [0, 1]}, n_splits=3), "tests")
    evaluate([cell], {"f": rows}, targets_of(y), Splits((Fold(0, "0", train, test),), "d"), seed=0)
    *inner, last = ROWS
    assert last == (frozenset(train.tolist()), frozenset(test.tolist()))
    assert len(inner) == 6
    for fitted, asked in inner:
        assert not fitted & asked
        assert fitted | asked == frozenset(train.tolist())


class _Asking(_Spy):
    """Notes what it is fitted with, besides rows and labels."""

    def fit(self, X: Any, y: Any, groups: Any = None, shape: Any = None) -> _Asking:
        GIVEN.append((None if groups is None else list(zip(X[:, 0], groups, strict=True)), shape))
        super().fit(X, y)
        return self


GIVEN: list[tuple[Any, Any]] = []


class Asking(Spy):
    """Asks for groups and for the shape."""

    type: Literal["asking"] = "asking"  # type: ignore[assignment]
    uses_groups: ClassVar[bool] = True
    uses_shape: ClassVar[bool] = True

    def build(self, *, random_state: int) -> Any:
        return _Asking()


@pytest.mark.parametrize("strategy", ["grid", "halving"])
def test_candidates_get_groups_of_their_rows_and_the_shape(strategy: Any) -> None:
    GIVEN.clear()
    rows = np.arange(60, dtype=np.float32)[:, np.newaxis] * [1, 0]
    component = tuned(Asking(), {"level": [0, 1]}, n_splits=2, strategy=strategy, budget=2)
    assert component.needs_shape()
    passed = component.fit_keywords(groups=np.arange(60) // 6, shape=(1, 2))
    component.build(random_state=0).fit(rows, np.arange(60) % 2, **passed)
    assert len(GIVEN) >= 5
    for pairs, shape in GIVEN:
        assert shape == (1, 2)
        assert all(group == row // 6 for row, group in pairs)


def test_the_choice_of_each_fold_is_kept() -> None:
    X, y = toy()
    folds = tuple(Fold(0, str(i), np.arange(i, 60, 2), np.arange(1 - i, 60, 2)) for i in (0, 1))
    y = np.repeat([0, 1], 30)
    cell = Pipeline("c", "f", "c", tuned(Knn(), {"n_neighbors": [1, 3]}), "tests")
    (result,) = evaluate([cell], {"f": X}, targets_of(y), Splits(folds, "d"), seed=0)
    for fold in result.folds:
        assert fold.chosen is not None
        assert fold.chosen["n_neighbors"] in (1, 3)


@pytest.mark.parametrize("strategy", ["grid", "random", "halving"])
def test_every_strategy_finds_the_one_value_that_works(strategy: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2)).astype(np.float32)
    y = (np.hypot(*X.T) > 1.2).astype(int)
    component = tuned(Svm(), {"kernel": ["linear", "rbf"]}, strategy=strategy, budget=2)
    model: Any = component.build(random_state=0).fit(X, y)
    assert model.best_params_ == {"kernel": "rbf"}
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("strategy", ["grid", "random", "halving"])
def test_the_same_seed_gives_the_same_choice(strategy: Any) -> None:
    X, y = toy(noise=3.0)
    search: Any = {"C": [0.1, 1, 10]}
    if strategy != "grid":
        search = {"C": {"low": 0.01, "high": 100, "log": True}}
    component = tuned(Svm(), search, strategy=strategy, budget=3, n_splits=2)
    first, second = (component.build(random_state=3).fit(X, y) for _ in range(2))
    assert first.best_params_ == second.best_params_
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


@pytest.mark.parametrize(
    "between",
    [
        Range(low=0.5, high=2),
        Range(low=0.001, high=1000, log=True),
        Range(low=-3, high=2, integer=True),
        Range(low=1, high=64, log=True, integer=True),
    ],
    ids=str,
)
def test_draws_stay_inside_and_reach_near_both_ends(between: Range) -> None:
    rng = np.random.RandomState(0)
    drawn = [Draws(between).rvs(rng) for _ in range(500)]
    low, high = between.ends
    assert min(drawn) >= low
    assert max(drawn) <= high
    assert {type(value) for value in drawn} == {int if between.integer else float}
    if between.integer:
        assert {low, high} <= set(drawn)
    else:
        middle = np.sqrt(low * high) if between.log else (low + high) / 2
        assert 0.4 < np.mean(np.array(drawn) < middle) < 0.6


def test_the_metric_decides() -> None:
    X, y = toy(n=90)
    y = (np.arange(90) % 9 == 0).astype(int)
    space = {"class_weight": [None, "balanced"]}
    by = {
        metric: tuned(LogisticRegression(), space, metric=metric)
        .build(random_state=0)
        .fit(X, y)
        .best_params_["class_weight"]
        for metric in ("accuracy", "balanced_accuracy")
    }
    assert by == {"accuracy": None, "balanced_accuracy": "balanced"}


@pytest.mark.parametrize("metric", ["f1_macro", "roc_auc", "average_precision", "log_loss"])
@pytest.mark.parametrize("k", [2, 3])
def test_metrics_of_scores_and_of_many_classes_work(metric: Any, k: int) -> None:
    X, y = toy(k)
    component = tuned(LogisticRegression(), {"C": [0.1, 1]}, metric=metric, n_splits=2)
    model: Any = component.build(random_state=0).fit(X, y)
    assert np.isfinite(model.best_score_)
    assert model.predict_proba(X).shape == (60, k)


def test_a_metric_of_two_classes_is_refused_with_more() -> None:
    X, y = toy(3)
    with pytest.raises(ClassifierError) as caught:
        tuned(Svm(), {"C": [1]}, metric="f1").build(random_state=0).fit(X, y)
    assert caught.value.message == (
        "metric: f1 of the search is defined for two classes, and there are 3"
    )
    assert caught.value.hint == "Use f1_macro instead."


def test_a_metric_that_needs_scores_is_named() -> None:
    X, y = toy()
    with pytest.raises(ClassifierError, match=r"the search by log_loss failed: .*predict_proba"):
        tuned(Svm(), {"C": [1]}, metric="log_loss").build(random_state=0).fit(X, y)


def test_inner_folds_never_separate_a_group() -> None:
    y = np.arange(60) % 2
    groups = np.arange(60) // 6
    for train, test in inner_folds(y, groups, 5, 0):
        assert not set(groups[train]) & set(groups[test])
    mixed = [set(groups[train]) & set(groups[test]) for train, test in inner_folds(y, None, 5, 0)]
    assert all(mixed)


def test_groups_reach_the_inner_folds_of_a_pipeline() -> None:
    ROWS.clear()
    groups = np.arange(48) // 6
    cell = Pipeline("c", "f", "c", tuned(Spy(), {"level": [0]}, n_splits=3), "tests")
    fold = Fold(0, "0", np.arange(36), np.arange(36, 48))
    rows = groups[:, np.newaxis].astype(np.float32)
    evaluate(
        [cell],
        {"f": rows},
        targets_of(np.arange(48) % 2, groups=groups),
        Splits((fold,), "d"),
        seed=0,
    )
    assert len(ROWS) == 4
    assert not any(fitted & asked for fitted, asked in ROWS)


def test_few_clips_lower_the_inner_folds_with_a_warning() -> None:
    y = np.array([0] * 20 + [1] * 3)
    with pytest.warns(UserWarning, match="inner folds lowered from 5 to 3: a class has no more cl"):
        assert len(inner_folds(y, None, 5, 0)) == 3


def test_a_class_of_one_clip_is_refused() -> None:
    with pytest.raises(ClassifierError) as caught:
        inner_folds(np.array([0, 0, 0, 1]), None, 5, 0)
    assert caught.value.message.startswith("the smallest class has 1 clip in the training side")


def test_one_group_is_refused() -> None:
    with pytest.raises(ClassifierError, match="all clips of the training side are of one group"):
        inner_folds(np.arange(8) % 2, np.zeros(8, dtype=int), 5, 0)


@pytest.mark.filterwarnings("ignore:inner folds lowered")
def test_groups_of_one_class_each_are_refused_where_too_few() -> None:
    y = np.repeat([0, 1], 4)
    with pytest.raises(ClassifierError, match="can train on two classes"):
        inner_folds(y, y, 5, 0)


@pytest.mark.filterwarnings("ignore:inner folds lowered")
def test_an_inner_fold_without_a_class_is_noted_and_fitted() -> None:
    y = np.repeat([0, 1, 2], 20)
    groups = np.concatenate([np.arange(40) % 5, np.full(20, 5)])
    X = np.eye(3)[y] + np.random.default_rng(0).normal(0, 0.1, (60, 3))
    model: Any = tuned(Svm(), {"C": [1]}).build(random_state=0)
    with pytest.warns(UserWarning, match="trains without a class, whose clips are of one group"):
        model.fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.predict(X), y)


def test_a_candidate_that_fails_is_named() -> None:
    X, y = toy()
    with pytest.raises(ClassifierError) as caught:
        tuned(Spy(), {"level": [1, 2]}).build(random_state=0).fit(X, y)
    assert caught.value.message == "the candidate {level: 2} raised RuntimeError: too high"


def test_halving_with_too_few_clips_names_their_number() -> None:
    X, y = toy(n=16)
    component = tuned(Svm(), {"C": [1, 2]}, strategy="halving")
    with pytest.raises(ClassifierError) as caught:
        component.build(random_state=0).fit(X, y)
    assert "inner fold, 20 in all, and the training side has 16" in caught.value.message
    assert caught.value.hint == "Use strategy: random, or fewer n_splits."


def test_a_field_that_there_is_not_is_named_with_the_nearest() -> None:
    loc, message = problem(Svm(), {"C_": [1]})
    assert loc == ("search", "C_")
    assert message == "the classifier has no field `C_`; did you mean `C`?"
    _, message = problem(Dummy(), {"type": ["svm"]})
    assert message == "the classifier has no field `type`; its fields are strategy"


@pytest.mark.parametrize(
    ("search", "place", "words"),
    [
        ({"C": [1, "2"]}, ("C", 1), 'expected a valid number, not "2"'),
        ({"C": [True]}, ("C", 0), "expected a valid number, not true"),
        ({"C": [-1]}, ("C", 0), "expected greater than 0, not -1"),
        ({"kernel": ["lin"]}, ("kernel", 0), "'rbf' or 'sigmoid', not \"lin\""),
        ({"C": {"low": -1, "high": 1}}, ("C", "low"), "expected greater than 0, not -1.0"),
        ({"degree": {"low": 1, "high": 3}}, ("degree", "low"), "takes whole numbers: add integer"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_its_place(
    search: Any, place: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        tuned(Svm(), search, strategy="random")
    error = caught.value.errors()[0]
    assert error["loc"] == ("search", *place)
    assert words in error["msg"]


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({}, "the search needs at least one field"),
        ({"C": []}, "the list needs at least one value"),
        ({"C": 3}, "expected a list of values or a range as in {low: 0.01, high: 100, log: true}"),
        ({"C": [{"a": 1}]}, "a value is a number, a word, true, false, null or a list of these"),
        ({"C": {"low": 2, "high": 1}}, "low: 2 must be below high: 1"),
        ({"C": {"low": 0, "high": 1, "log": True}}, "log: true needs a low above 0, not 0"),
        ({"C": {"low": 0.5, "high": 1, "integer": True}}, "integer: true needs whole numbers"),
    ],
)
def test_a_space_that_is_none_is_explained(search: Any, words: str) -> None:
    assert words in problem(Svm(), search, strategy="random")[1]


def test_a_grid_above_the_budget_or_with_a_range_is_refused() -> None:
    _, message = problem(Svm(), {"C": [1, 2, 3], "degree": [1, 2]}, budget=5)
    assert message == (
        "Value error, the grid has 6 candidates, more than budget: 5; raise the budget, or let "
        "strategy: random draw that many"
    )
    _, message = problem(Svm(), {"C": {"low": 1, "high": 2}})
    assert "strategy: grid needs a list of values for `C`" in message


def test_values_that_exclude_each_other_are_refused_before_the_run() -> None:
    _, message = problem(LogisticRegression(), {"l1_ratio": [0, 0.5], "solver": ["lbfgs", "saga"]})
    assert message == (
        "Value error, the candidate {l1_ratio: 0.5, solver: lbfgs} is not valid: l1_ratio above 0 "
        "needs solver: saga, not lbfgs"
    )


def test_tuned_inside_tuned_is_refused() -> None:
    loc, message = problem(tuned(Svm(), {"C": [1]}), {"budget": [3]})
    assert loc == ("classifier",)
    assert "a tuned classifier cannot be tuned" in message


def test_a_field_of_numbers_takes_lists_as_values() -> None:
    X, y = toy()
    component = tuned(Spy(), {"layers": [[1], [2, 3]]})
    assert component.search == (("layers", ((1,), (2, 3))),)
    model: Any = component.build(random_state=0).fit(X, y)
    assert model.best_params_ == {"layers": (1,)}


COMPONENTS = [
    tuned(Svm(), {"C": [0.1, 1], "class_weight": [None, "balanced"]}),
    tuned(Svm(tol=0.5), {"C": {"low": 0.1, "high": 1, "log": True}}, strategy="random"),
]


@pytest.mark.parametrize("component", COMPONENTS, ids=["values", "range"])
def test_a_component_round_trips_through_json(component: Tuned) -> None:
    context = {"build": discover().build}
    data = json.loads(component.model_dump_json())
    assert isinstance(data["search"], dict)
    assert validate_component(Tuned, data, context) == component


CONFIG = """\
dataset: {type: zip, path: x.zip}
featurizers: {mel: {type: mel}}
classifiers:
  best:
    type: tuned
    classifier: {type: %s}
    search:
      %s
"""


def write(tmp_path: Path, inner: str, line: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG % (inner, line), encoding="utf-8")
    return path


def test_problems_of_a_config_stand_at_their_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "svm", "C: [1, -2]"))
    assert caught.value.message.endswith(
        "c.yaml:8:14: classifiers.best.search.C.1: expected greater than 0, not -2"
    )


def test_the_resolved_config_runs_again(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "knn", "weights: [uniform, distance]"))
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(again).classifiers == config.classifiers


def test_any_plugins_classifier_can_be_tuned(tmp_path: Path, make_dist: Any, on_path: Any) -> None:
    code = """
from typing import Literal
from audioclf.plugin import Classifier, hookimpl
AUDIOCLF_PLUGIN_API = 1
class Near(Classifier):
    '''The nearest mean.'''
    type: Literal["near"] = "near"
    shrink: float | None = None
    '''How much.'''
    def build(self, *, random_state):
        from sklearn.neighbors import NearestCentroid
        return NearestCentroid(shrink_threshold=self.shrink)
@hookimpl
def audioclf_classifiers():
    return [Near]
"""
    on_path(make_dist("audioclf-near", {"near": "audioclf_near"}, {"audioclf_near.py": code}))
    config = load_config(write(tmp_path, "near", "shrink: [null, 0.5]"), registry=discover())
    X, y = toy(3)
    model: Any = config.classifiers["best"].build(random_state=0)
    assert model.fit(X, y).best_params_["shrink"] in (None, 0.5)


@pytest.mark.filterwarnings("ignore:an inner fold", "ignore:inner folds lowered")
@pytest.mark.parametrize("metric", ["log_loss", "roc_auc", "average_precision"])
def test_a_metric_of_scores_decides_where_an_inner_fold_lacks_a_class(metric: Any) -> None:
    rng = np.random.default_rng(0)
    y, groups = np.tile([0, 1, 0, 1, 2], 20), np.tile(np.arange(4), 25)
    groups[y == 2] = 4
    X = np.eye(3)[y] + rng.normal(0, 0.3, (100, 3))
    component = tuned(LogisticRegression(), {"C": [1e-6, 1.0]}, metric=metric)
    model: Any = component.build(random_state=0).fit(X, y, groups=groups)
    assert model.best_params_ == {"C": 1.0}
    assert np.isfinite(model.best_score_)


def test_inner_folds_with_one_class_on_a_side_are_left_out_for_metrics_of_scores() -> None:
    y = np.array([0, 1, 0, 1, 0, 0])
    sides = [np.arange(0, 2), np.arange(2, 4), np.arange(4, 6)]
    folds = [(np.setdiff1d(np.arange(6), test), test) for test in sides]
    assert scorable_folds(folds, y, needs_scores=False, hint="Do") == folds
    with pytest.warns(UserWarning, match="2 of 3 inner folds are used"):
        assert scorable_folds(folds, y, needs_scores=True, hint="Do") == folds[:2]
    with pytest.raises(ClassifierError, match="no inner fold has two classes"):
        scorable_folds(folds[2:], y, needs_scores=True, hint="Do")
