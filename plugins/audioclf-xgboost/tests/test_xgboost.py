from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

import audioclf_xgboost
from audioclf.base.errors import EXIT_ENVIRONMENT
from audioclf.components.component import Component
from audioclf.components.fields import validate_component
from audioclf.plugin import PLUGIN_API, EnvironmentMissingError
from audioclf.testing import Check, parametrize_with_checks
from audioclf_xgboost import XGBoost, audioclf_classifiers

if TYPE_CHECKING:
    from numpy.typing import NDArray

xgboost = pytest.importorskip("xgboost", reason="neither xgboost-cpu nor xgboost is installed")

OTHER_VALUES: dict[str, Any] = {
    "n_estimators": 7,
    "max_depth": 3,
    "max_leaves": 5,
    "grow_policy": "lossguide",
    "learning_rate": 0.1,
    "subsample": 0.5,
    "colsample_bytree": 0.6,
    "colsample_bylevel": 0.7,
    "colsample_bynode": 0.8,
    "min_child_weight": 2.0,
    "gamma": 0.5,
    "reg_alpha": 0.25,
    "reg_lambda": 2.0,
    "max_delta_step": 1.0,
    "tree_method": "approx",
    "max_bin": 64,
    "device": "cpu",
}


def toy(n_classes: int, spread: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), 30)
    centers = rng.normal(scale=8.0, size=(n_classes, 6))
    X = centers[y] + rng.normal(scale=spread, size=(len(y), 6))
    return X.astype(np.float32), y


@parametrize_with_checks([XGBoost(), XGBoost(**OTHER_VALUES)])
def test_promises(component: Component, check: Check) -> None:
    check(component)


def fitted(component: XGBoost, X: Any, y: Any, seed: int = 0) -> Any:
    model: Any = component.build(random_state=seed)
    return model.fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_separable_classes_are_learned(n_classes: int) -> None:
    X, y = toy(n_classes)
    model = fitted(XGBoost(), X[::2], y[::2])
    assert np.mean(model.predict(X[1::2]) == y[1::2]) > 0.9


def test_defaults_are_those_of_the_library() -> None:
    X, y = toy(3, spread=8.0)
    upstream = xgboost.XGBClassifier(n_jobs=1, random_state=0).fit(X, y)
    ours = fitted(XGBoost(), X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), upstream.predict_proba(X))


def test_every_default_that_the_library_tells_is_ours() -> None:
    X, y = toy(2)
    config = json.loads(xgboost.XGBClassifier().fit(X, y).get_booster().save_config())
    told = config["learner"]["gradient_booster"]["tree_train_param"]
    ours = XGBoost().model_dump()
    same = {name: told[name] for name in ours if name in told}
    assert len(same) >= 13
    for name, value in same.items():
        expected = ours[name] if isinstance(ours[name], str) else pytest.approx(ours[name])
        assert (value if isinstance(ours[name], str) else float(value)) == expected, name


def test_same_seed_same_predictions() -> None:
    X, y = toy(3, spread=8.0)
    component = XGBoost(subsample=0.5, colsample_bynode=0.5)
    first, second, other = (fitted(component, X, y, seed).predict_proba(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)


def test_every_field_reaches_the_estimator() -> None:
    assert set(OTHER_VALUES) == set(XGBoost.model_fields) - {"type"}
    model: Any = XGBoost(**OTHER_VALUES).build(random_state=3)
    expected = OTHER_VALUES | {"random_state": 3, "n_jobs": 1}
    params = model.get_params()
    assert {name: params[name] for name in expected} == expected


@pytest.mark.parametrize("changes", [{}, OTHER_VALUES, {"tree_method": "exact"}])
def test_the_library_understands_all_fields(changes: dict[str, Any]) -> None:
    X, y = toy(2)
    assert fitted(XGBoost(**changes), X, y).predict(X).shape == y.shape


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_estimators", 0), ("learning_rate", 1.5), ("subsample", 0), ("max_bin", 1), ("n_jobs", 2)],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(XGBoost, {name: value})
    assert caught.value.errors()[0]["loc"] == (name,)


def test_the_plugin_declares_its_classifier_and_the_contract() -> None:
    assert list(audioclf_classifiers()) == [XGBoost]
    assert audioclf_xgboost.AUDIOCLF_PLUGIN_API == PLUGIN_API


def test_without_xgboost_both_choices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(EnvironmentMissingError, match="XGBoost cannot be imported") as caught:
        XGBoost().build(random_state=0)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    assert caught.value.hint is not None
    assert "`pip install xgboost-cpu`" in caught.value.hint
    assert "`pip install xgboost`" in caught.value.hint


def test_a_gpu_is_not_asked_of_a_build_for_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": False})
    with pytest.raises(EnvironmentMissingError, match="built for CPUs only") as caught:
        XGBoost(device="cuda").build(random_state=0)
    assert caught.value.hint == "Run `pip uninstall xgboost-cpu`, then `pip install xgboost`."


def test_a_gpu_is_asked_of_a_build_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    model: Any = XGBoost(device="cuda").build(random_state=0)
    assert model.get_params()["device"] == "cuda"
