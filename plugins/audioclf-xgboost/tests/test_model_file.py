from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from audioclf_xgboost import MODEL_FILE, XGBoost
from audioclf_xgboost.model_file import NO_NODE, checked_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

pytest.importorskip("xgboost", reason="neither xgboost-cpu nor xgboost is installed")

VARIANTS: list[dict[str, Any]] = [
    {},
    {"gamma": 2.0},
    {"tree_method": "exact", "gamma": 3.0},
    {"tree_method": "approx", "max_depth": 2},
    {"grow_policy": "lossguide", "max_leaves": 5},
    {"gamma": 1e9},
    {"max_delta_step": 1.0, "subsample": 0.5},
]


def rows(n_classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), 30)
    return (rng.normal(size=(len(y), 6)) + y[:, None]).astype(np.float32), y


def fitted(component: XGBoost, n_classes: int = 2) -> tuple[Any, NDArray[np.float32]]:
    X, y = rows(n_classes)
    model: Any = component.build(random_state=0)
    return model.fit(X, y), X


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fields", VARIANTS)
def test_what_is_saved_comes_back(fields: dict[str, Any], n_classes: int) -> None:
    component = XGBoost(n_estimators=4, **fields)
    model, X = fitted(component, n_classes)
    restored: Any = component.restore(component.dump(model))
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    np.testing.assert_array_equal(restored.classes_, np.arange(n_classes))
    assert restored.predict(X).dtype == model.predict(X).dtype
    assert restored.get_params()["n_jobs"] == 1


def test_equal_models_have_equal_bytes() -> None:
    component = XGBoost(n_estimators=3)
    first, second = (component.dump(fitted(component)[0]) for _ in range(2))
    assert first == second
    assert component.dump(component.restore(first)) == first


def test_a_model_of_a_gpu_is_restored_on_the_cpu() -> None:
    component = XGBoost(n_estimators=2)
    model, X = fitted(component)
    restored: Any = XGBoost(n_estimators=2, device="cuda").restore(component.dump(model))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))


def test_other_files_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not in 'model\.json' alone"):
        XGBoost().restore({"model.ubj": b""})


@pytest.fixture(scope="module", params=[2, 3])
def saved(request: pytest.FixtureRequest) -> bytes:
    component = XGBoost(n_estimators=2)
    content = component.dump(fitted(component, request.param)[0])[MODEL_FILE]
    assert checked_model(content) == content
    return content


def edited(saved: bytes, edit: Callable[[Any], object]) -> bytes:
    model = json.loads(saved)
    edit(model)
    return json.dumps(model).encode()


def booster(model: Any) -> Any:
    return model["learner"]["gradient_booster"]["model"]


def tree(model: Any) -> Any:
    return booster(model)["trees"][0]


def at(name: str, node: int, value: Any) -> Callable[[Any], object]:
    return lambda model: tree(model)[name].__setitem__(node, value)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (at("left_children", 0, 10**8), "tree 0: a child lies outside its"),
        (at("right_children", 0, -5), "tree 0: a child lies outside its"),
        (at("left_children", 0, 0), "tree 0: its nodes form a circle"),
        (at("left_children", 0, 2), "tree 0: its nodes form a circle, or two of them share"),
        (at("left_children", 0, -1), "tree 0: a node has one child only"),
        (at("left_children", 0, 2**40), "left_children holds numbers of more than 32 bits"),
        (at("left_children", 0, "1"), "left_children is no list of"),
        (at("left_children", 0, True), "left_children is no list of"),
        (at("parents", 0, 1), "children and parents do not fit"),
        (at("parents", 1, 7), "children and parents do not fit"),
        (at("split_indices", 0, 10**8), "tree 0: it splits on a column outside the 6"),
        (at("split_indices", 0, NO_NODE), "tree 0: it splits on a column outside the 6"),
        (at("split_indices", 0, -1), "tree 0: it splits on a column outside the 6"),
        (at("split_type", 0, 1), "tree 0: it splits on categories"),
        (at("default_left", 0, 2), "default_left is neither 0 nor 1"),
        (at("split_conditions", 0, 1e300), "split_conditions holds a number that is not finite"),
        (at("split_conditions", 0, "x"), "split_conditions is no list of"),
        (lambda m: tree(m)["base_weights"].pop(), "base_weights is no list of"),
        (lambda m: tree(m)["categories"].append(1), "it splits on categories"),
        (lambda m: tree(m).update(surprise=1), "has other fields than XGBoost writes"),
        (lambda m: tree(m).pop("parents"), "has other fields than XGBoost writes"),
        (lambda m: tree(m).update(id=5), "tree 0: its id is another"),
        (lambda m: tree(m)["tree_param"].update(num_nodes="0"), "it has no nodes"),
        (lambda m: tree(m)["tree_param"].update(num_nodes="1000000"), "is no list of 1000000"),
        (lambda m: tree(m)["tree_param"].update(num_feature="7"), "is not made for 6 columns"),
        (lambda m: tree(m)["tree_param"].update(size_leaf_vector="2"), "leaves are vectors"),
        (lambda m: tree(m)["tree_param"].update(num_nodes="-1"), "'-1' is not a number of things"),
        (lambda m: booster(m)["tree_info"].__setitem__(0, 10**6), "adds to a score outside the"),
        (lambda m: booster(m)["tree_info"].__setitem__(0, -1), "adds to a score outside the"),
        (lambda m: booster(m)["iteration_indptr"].__setitem__(0, 1), "a round has not"),
        (lambda m: booster(m)["trees"].pop(), "does not hold the"),
        (
            lambda m: booster(m)["gbtree_model_param"].update(num_parallel_tree="2"),
            "parallel trees or categories",
        ),
        (lambda m: m["learner"]["gradient_booster"].update(name="dart"), "'dart' is not gbtree"),
        (lambda m: m["learner"]["attributes"].update(x="1"), "it has attributes"),
        (lambda m: m["learner"].update(feature_names=["a"]), "columns have names or types"),
        (lambda m: m["learner"]["objective"].update(name="rank:map"), "'rank:map' does not fit"),
        (
            lambda m: m["learner"]["learner_model_param"].update(base_score="nan"),
            "base_score is not one number",
        ),
        (
            lambda m: m["learner"]["learner_model_param"].update(base_score="9e99"),
            "base_score is not a finite number",
        ),
        (lambda m: m["learner"]["learner_model_param"].update(num_target="2"), "cannot be"),
        (lambda m: m["learner"]["learner_model_param"].update(num_feature="0"), "cannot be"),
        (lambda m: m.update(version=[3]), "version is no list of 3"),
    ],
)
def test_a_forged_model_is_refused(
    edit: Callable[[Any], object], expected: str, saved: bytes
) -> None:
    with pytest.raises(ValueError, match=expected):
        checked_model(edited(saved, edit))


def test_more_columns_than_the_trees_know_are_refused(saved: bytes) -> None:
    def edit(model: Any) -> None:
        model["learner"]["learner_model_param"]["num_feature"] = "900"

    with pytest.raises(ValueError, match="is not made for 900 columns"):
        checked_model(edited(saved, edit))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\x80\x04", b'{"learner": 1}'])
def test_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  JSON has its own words
        checked_model(content)


def test_numbers_that_are_none_are_refused(saved: bytes) -> None:
    with pytest.raises(ValueError, match="it holds NaN, which is not a number"):
        checked_model(saved.replace(b'"split_conditions":[', b'"split_conditions":[NaN,'))


def test_a_huge_file_is_not_parsed(saved: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf_xgboost.model_file.MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"bytes of JSON \(limit 100\)"):
        checked_model(saved)


def test_xgboost_never_sees_the_text_of_a_stranger(saved: bytes) -> None:
    twice = saved.replace(b'"id":0', b'"id":7,"id":0', 1)
    assert checked_model(twice) == saved
