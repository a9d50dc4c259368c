"""What every built-in classifier promises; what one promises alone is in its own file."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression as SklearnLogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.extra_trees import ExtraTrees
from audioclf.builtin.classifiers.gradient_boosting import GradientBoosting
from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting
from audioclf.builtin.classifiers.knn import Knn
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.random_forest import RandomForest
from audioclf.builtin.classifiers.svm import Svm
from audioclf.components.fields import validate_component

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
every_learner = pytest.mark.parametrize(
    "cls", [cls for cls in UPSTREAM if cls is not Dummy], ids=lambda cls: cls.type_name()
)


def toy(n_classes: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return 60 rows of 6 columns for each class, far apart."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), 60)
    centers = rng.normal(scale=8.0, size=(n_classes, 6))
    X = centers[y] + rng.normal(size=(len(y), 6))
    return X.astype(np.float32), y


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
    passed_on = {name: values[name] for name in set(values) - OURS_ALONE.get(cls, set())}
    params = estimator_of(cls, **values).get_params()
    assert {name: params[name] for name in passed_on} == passed_on


@pytest.mark.parametrize(
    "cls", [cls for cls in UPSTREAM if cls is not Knn], ids=lambda cls: cls.type_name()
)
def test_the_seed_reaches_the_estimator(cls: type[Classifier]) -> None:
    assert estimator_of(cls).random_state == 3


@every_learner
@pytest.mark.parametrize("n_classes", [2, 4])
def test_separable_classes_are_learned(cls: type[Classifier], n_classes: int) -> None:
    X, y = toy(n_classes)
    model: Any = cls().build(random_state=0)
    model.fit(X[::2], y[::2])
    assert np.mean(model.predict(X[1::2]) == y[1::2]) > 0.9


@every_classifier
def test_probabilities_sum_to_one(cls: type[Classifier]) -> None:
    X, y = toy(3)
    model: Any = cls(**({"probability": True} if cls is Svm else {})).build(random_state=0)
    proba = model.fit(X, y).predict_proba(X)
    assert proba.shape == (len(y), 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)


@every_classifier
def test_same_seed_same_predictions(cls: type[Classifier]) -> None:
    X, y = toy(3)
    noise = np.random.default_rng(1).normal(scale=20.0, size=X.shape).astype(np.float32)
    first, second = (cls().build(random_state=7).fit(X + noise, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every_classifier
def test_building_fits_nothing(cls: type[Classifier]) -> None:
    built: Any = cls().build(random_state=0)
    with pytest.raises(NotFittedError):
        check_is_fitted(built)


@every_classifier
def test_the_estimator_clones(cls: type[Classifier]) -> None:
    built: Any = cls().build(random_state=5)
    assert repr(clone(built)) == repr(built)


@every_classifier
def test_a_config_round_trips_through_json(cls: type[Classifier]) -> None:
    component = cls.model_validate(OTHER_VALUES[cls])
    assert validate_component(cls, json.loads(component.model_dump_json())) == component


@every_classifier
def test_a_component_pickles(cls: type[Classifier]) -> None:
    component = cls.model_validate(OTHER_VALUES[cls])
    assert pickle.loads(pickle.dumps(component)) == component


@every_classifier
def test_every_field_is_described(cls: type[Classifier]) -> None:
    undescribed = [
        name
        for name, field in cls.model_fields.items()
        if name != "type" and not (field.description or "").strip()
    ]
    assert not undescribed


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    BAD_VALUES,
    ids=[f"{cls.type_name()}-{name}-{value}" for cls, name, value in BAD_VALUES],
)
def test_values_out_of_range_are_refused(cls: type[Classifier], name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(cls, {name: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {name}
