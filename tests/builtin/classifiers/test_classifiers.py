"""Defaults and fields of all built-in classifiers; the conformance kit checks the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.forests import ExtraTrees, RandomForest
from audioclf.builtin.classifiers.gradient_boosting import GradientBoosting
from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.svm import Svm
from audioclf.components.fields import validate_component

if TYPE_CHECKING:
    from audioclf.plugin import Classifier

UPSTREAM: dict[type[Classifier], Any] = {
    GradientBoosting: GradientBoostingClassifier,
    HistGradientBoosting: HistGradientBoostingClassifier,
    RandomForest: RandomForestClassifier,
    ExtraTrees: ExtraTreesClassifier,
    LogisticRegression: SklearnLogisticRegression,
    Svm: SVC,
    Knn: KNeighborsClassifier,
    Dummy: DummyClassifier,
}

DOCUMENTED_DIFFERENCES: dict[type[Classifier], dict[str, Any]] = {
    LogisticRegression: {"max_iter": 1000}
}

OURS_ALONE: dict[type[Classifier], set[str]] = {Svm: {"probability"}}

FOREST: dict[str, Any] = {
    "n_estimators": 7,
    "criterion": "entropy",
    "max_depth": 4,
    "min_samples_split": 3,
    "min_samples_leaf": 2,
    "min_weight_fraction_leaf": 0.1,
    "max_features": 0.5,
    "max_leaf_nodes": 9,
    "min_impurity_decrease": 0.01,
    "class_weight": "balanced_subsample",
    "ccp_alpha": 0.02,
}

OTHER_VALUES: dict[type[Classifier], dict[str, Any]] = {
    GradientBoosting: {
        "loss": "exponential",
        "learning_rate": 0.2,
        "n_estimators": 7,
        "subsample": 0.5,
        "min_samples_split": 0.25,
        "min_samples_leaf": 2,
        "min_weight_fraction_leaf": 0.1,
        "max_depth": None,
        "min_impurity_decrease": 0.01,
        "init": "zero",
        "max_features": "log2",
        "max_leaf_nodes": 9,
        "validation_fraction": 0.3,
        "n_iter_no_change": 3,
        "tol": 0.001,
        "ccp_alpha": 0.02,
    },
    HistGradientBoosting: {
        "learning_rate": 0.2,
        "max_iter": 7,
        "max_leaf_nodes": None,
        "max_depth": 4,
        "min_samples_leaf": 2,
        "l2_regularization": 0.5,
        "max_features": 0.5,
        "max_bins": 63,
        "early_stopping": True,
        "scoring": None,
        "validation_fraction": 5,
        "n_iter_no_change": 3,
        "tol": 0.001,
        "class_weight": "balanced",
    },
    RandomForest: {**FOREST, "max_samples": 20, "bootstrap": True},
    ExtraTrees: {**FOREST, "max_samples": 0.5, "bootstrap": True},
    LogisticRegression: {
        "C": 0.5,
        "l1_ratio": 0.25,
        "class_weight": "balanced",
        "solver": "saga",
        "max_iter": 50,
        "tol": 0.01,
    },
    Svm: {
        "C": 0.5,
        "kernel": "poly",
        "degree": 2,
        "gamma": 0.125,
        "coef0": 1.5,
        "tol": 0.01,
        "class_weight": "balanced",
        "probability": False,
    },
    Knn: {
        "n_neighbors": 3,
        "weights": "distance",
        "algorithm": "brute",
        "leaf_size": 10,
        "p": 1.0,
        "metric": "cosine",
    },
    Dummy: {"strategy": "uniform"},
}

BAD_VALUES: list[tuple[type[Classifier], str, Any]] = [
    (GradientBoosting, "learning_rate", 0),
    (GradientBoosting, "learning_rate", float("inf")),
    (GradientBoosting, "n_estimators", 0),
    (GradientBoosting, "subsample", 1.5),
    (GradientBoosting, "max_features", 0),
    (GradientBoosting, "max_features", "auto"),
    (GradientBoosting, "min_samples_split", 1),
    (GradientBoosting, "min_samples_leaf", 1.0),
    (GradientBoosting, "criterion", "friedman_mse"),
    (HistGradientBoosting, "max_bins", 256),
    (HistGradientBoosting, "early_stopping", "yes"),
    (RandomForest, "n_jobs", 4),
    (RandomForest, "max_depth", 0),
    (ExtraTrees, "min_weight_fraction_leaf", 0.6),
    (LogisticRegression, "C", 0),
    (LogisticRegression, "C", "1.0"),
    (LogisticRegression, "max_iter", True),
    (Svm, "gamma", -1),
    (Svm, "probability", "true"),
    (Knn, "n_neighbors", 0),
    (Knn, "p", 0),
    (Dummy, "strategy", "constant"),
]

every_classifier = pytest.mark.parametrize("cls", UPSTREAM, ids=lambda cls: cls.type_name())


def estimator_of(cls: type[Classifier], **fields: Any) -> Any:
    built: Any = cls.model_validate(fields).build(random_state=3)
    return built[-1] if isinstance(built, Pipeline) else built


@every_classifier
def test_defaults_are_those_of_scikit_learn(cls: type[Classifier]) -> None:
    ours = estimator_of(cls).get_params()
    upstream = UPSTREAM[cls]().get_params() | DOCUMENTED_DIFFERENCES.get(cls, {})
    for params in (ours, upstream):
        params.pop("random_state", None)
        params.pop("n_jobs", None)
    assert ours == upstream


@every_classifier
def test_every_field_reaches_the_estimator(cls: type[Classifier]) -> None:
    values = OTHER_VALUES[cls]
    assert set(values) == set(cls.model_fields) - {"type"}
    component = cls.model_validate(values)
    assert validate_component(cls, json.loads(component.model_dump_json())) == component
    passed_on = {name: values[name] for name in set(values) - OURS_ALONE.get(cls, set())}
    params = estimator_of(cls, **values).get_params()
    assert {name: params[name] for name in passed_on} == passed_on


@pytest.mark.parametrize(
    "cls", [cls for cls in UPSTREAM if cls is not Knn], ids=lambda cls: cls.type_name()
)
def test_the_seed_reaches_the_estimator(cls: type[Classifier]) -> None:
    assert estimator_of(cls).random_state == 3


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    BAD_VALUES,
    ids=[f"{cls.type_name()}-{name}-{value}" for cls, name, value in BAD_VALUES],
)
def test_values_out_of_range_are_refused(cls: type[Classifier], name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(cls, {name: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {name}


@pytest.mark.parametrize("cls", [RandomForest, ExtraTrees])
def test_a_forest_uses_one_thread_and_draws_clips_only_with_bootstrap(cls: Any) -> None:
    assert cls().build(random_state=0).n_jobs == 1
    with pytest.raises(ValidationError, match="max_samples needs bootstrap: true"):
        cls(max_samples=10, bootstrap=False)


def test_early_stopping_builds_fewer_trees() -> None:
    X = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    model = estimator_of(GradientBoosting, n_iter_no_change=2)
    assert model.fit(X, X[:, 0] > 0).n_estimators_ < 100


def test_few_clips_are_learned_with_smaller_leaves() -> None:
    X, y = np.repeat([[0.0, 1.0], [5.0, 1.0]], 8, axis=0), np.repeat([0, 1], 8)
    model = estimator_of(HistGradientBoosting, min_samples_leaf=2)
    np.testing.assert_array_equal(model.fit(X, y).predict(X), y)


def test_the_nearest_clips_do_not_depend_on_the_units_of_the_columns() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    X = np.stack([y + rng.normal(scale=0.1, size=60), 1e4 * rng.normal(size=60)], axis=1)
    model: Any = Knn().build(random_state=0).fit(X[::2], y[::2])
    assert np.mean(model.predict(X[1::2]) == y[1::2]) > 0.9
    with pytest.raises(ValidationError, match="cosine needs algorithm: brute, not kd_tree"):
        Knn(metric="cosine", algorithm="kd_tree")


def test_the_baseline_predicts_the_shares_of_the_classes() -> None:
    X, y = np.eye(4, dtype=np.float32), np.array([0, 1, 1, 1])
    proba = estimator_of(Dummy).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(proba, [[0.25, 0.75]] * 4)
