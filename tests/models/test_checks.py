"""The checks one by one, where a whole model cannot reach them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audioclf.components.classifier import Classifier
from audioclf.models.arrays import check_npy, from_npy, to_npy
from audioclf.models.bundle.self_check import SelfCheck
from audioclf.models.estimators import store as estimators
from audioclf.models.estimators import trees, vectors
from audioclf.models.estimators.skops_format import dump_skops
from audioclf.models.estimators.store import dump_estimator, restore_estimator
from tests.models.making import SEED, classifier, fitted, refused


def links(left: list[int], right: list[int]) -> None:
    trees.check_links(np.array(left), np.array(right), np.array(left) == -1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([-1], [-1]),
        ([1, -1, -1], [2, -1, -1]),
        ([2, -1, 1, -1, -1], [3, -1, 4, -1, -1]),
        ([1, -1, -1, -1], [2, -1, -1, -1]),
    ],
)
def test_trees_pass_with_nodes_in_any_order_and_unused_ones(
    left: list[int], right: list[int]
) -> None:
    links(left, right)


def test_a_tree_has_nodes_and_children_within_and_columns_that_there_are() -> None:
    with pytest.raises(ValueError, match="it has no nodes"):
        links([], [])
    with pytest.raises(ValueError, match="a child lies outside its 3 nodes"):
        links([3, -1, -1], [2, -1, -1])
    trees.check_features(np.array([0, 3]), 4)
    with pytest.raises(ValueError, match="column"):
        trees.check_features(np.array([0, 4]), 4)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "it takes 0 columns"), ("3", "does not say"), (True, "does not say"), (2.0, "does not")],
)
def test_columns_are_a_positive_number(value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        trees.columns_of(SimpleNamespace(n_features_in_=value))


def matrix_of_nodes(estimator: Any) -> None:
    predictor = estimator._predictors[0][0]
    predictor.nodes = predictor.nodes[None]


def set_to(name: str, value: Any) -> Any:
    return lambda estimator: setattr(estimator, name, value(getattr(estimator, name, None)))


UNSOUND: list[tuple[str, Any, Any, str]] = [
    ("gradient_boosting", trees.check_gradient_boosting, set_to("estimators_", np.ravel), "no tab"),
    ("hist_gradient_boosting", trees.check_hist_gradient_boosting, matrix_of_nodes, "are no list"),
    ("svm", vectors.check_svc, set_to("_probA", lambda _: np.ones(1)), "or probabilities of its"),
    (
        "svm",
        vectors.check_svc,
        set_to("_n_support", lambda n: n * [50, -1]),
        "classes instead of 2",
    ),
    ("knn", vectors.check_neighbors, set_to("_fit_X", lambda _: [1, 2]), "rows are no matrix"),
]


@pytest.mark.parametrize(("type_name", "check", "tamper", "expected"), UNSOUND)
def test_an_unsound_estimator_is_refused(
    type_name: str, check: Any, tamper: Any, expected: str
) -> None:
    estimator = fitted(classifier(type_name)).estimator
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    check(last)
    tamper(last)
    with pytest.raises(ValueError, match=expected):
        check(last)


def restored(component: Classifier, files: dict[str, bytes], **changes: int) -> Any:
    sizes = {"n_classes": 2, "n_features": fitted(component).X.shape[1], **changes}
    return restore_estimator(component, "skops", files, seed=SEED, **sizes)


def test_a_model_of_other_columns_is_refused() -> None:
    component = classifier("logistic_regression")
    files = dump_estimator(component, fitted(component).estimator)
    with refused(match="columns instead of 7"):
        restored(component, files, n_features=7)


def test_another_estimator_is_refused() -> None:
    with refused(match=r"not in 'model\.skops' alone"):
        restored(classifier("dummy"), {"other": b""})
    svm, logistic = fitted(classifier("svm")), classifier("logistic_regression")
    with refused(match="of the estimator is not what logistic_regression sets"):
        restored(logistic, {"model.skops": dump_skops(svm.estimator)})


def test_another_seed_is_another_model() -> None:
    component = classifier("random_forest", n_estimators=1)
    estimator = fitted(component).estimator.set_params(random_state=SEED + 1)
    with refused(match="random_state of the estimator is not what"):
        restored(component, {"model.skops": dump_skops(estimator)})


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        (float("nan"), float("nan"), True),
        (1, 1.0, False),
        (True, 1, False),
        ([1, "a"], [1, "a"], True),
        ([1], (1,), False),
        ([1, 2], [1], False),
        (np.ones(2), np.ones(2), True),
        (np.ones(2), np.zeros(2), False),
        (None, None, True),
    ],
)
def test_parameters_are_compared_by_type_and_value(found: Any, expected: Any, same: bool) -> None:
    assert estimators._same(found, expected) is same


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 101])
def test_a_plugin_cannot_choose_odd_names_of_files(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    component = classifier("dummy")
    monkeypatch.setattr(type(component), "model_format", "own", raising=False)
    monkeypatch.setattr(type(component), "dump", lambda *_: {name: b""}, raising=False)
    with refused(match=r"cannot be stored: .* is not a plain file name"):
        dump_estimator(component, object())


def test_types_of_an_inner_classifier_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = classifier("svm")
    monkeypatch.setattr(type(inner), "trusted_types", ("somewhere.Kernel",), raising=False)
    outer = classifier("tuned", classifier=inner, search={"C": [1.0]})
    assert "somewhere.Kernel" in estimators.trusted_types(outer)


@pytest.mark.parametrize("array", [np.zeros((2, 3)), np.array(1), np.arange(3, dtype=np.float32)])
def test_arrays_come_back(array: Any) -> None:
    found = from_npy(to_npy(array))
    np.testing.assert_array_equal(found, np.atleast_1d(array) if array.ndim == 0 else array)
    assert found.dtype == array.dtype


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "magic|EOF|bytes"),
        (to_npy(np.zeros(3))[:-1], "24 bytes, of which 23 are there"),
        (to_npy(np.zeros(3)) + b"x", "24 bytes, of which 25 are there"),
        (to_npy(np.zeros(3)).replace(b"\x01\x00", b"\x03\x00", 1), r"version \(3, 0\)"),
        (to_npy(np.zeros(3)).replace(b"(3,)", b"(-3)"), "shape"),
    ],
)
def test_arrays_that_lie_are_refused(data: bytes, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        check_npy(data)


def test_an_estimator_that_hides_a_parameter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    component = classifier("dummy")
    built = SimpleNamespace(get_params=lambda deep: {"constant": None})
    monkeypatch.setattr(type(component), "build", lambda *_, **__: built)
    with refused(match="the estimator has no parameter 'constant'"):
        estimators._check_parameters(component, SimpleNamespace(get_params=lambda deep: {}), SEED)


class Labels:
    """An estimator that gives classes and no scores."""

    def __init__(self, code: int) -> None:
        self.code = code

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return np.full(len(rows), self.code)


def model_of(scorer: Any, kind: str = "none") -> Any:
    names = ("barbie", "ken")
    return SimpleNamespace(
        scorer=scorer, classes=names, score_kind=kind, is_several=False, is_number=False
    )


def self_check(**changes: Any) -> SelfCheck:
    rows = np.zeros((3, 4), np.float32)
    parts: dict[str, Any] = {"rows": rows, "codes": np.ones(3, np.int64), "scores": None}
    return SelfCheck(**{**parts, "probe": np.zeros(4, np.float32), **changes})


def test_classes_are_compared_where_there_are_no_scores() -> None:
    check = self_check()
    assert set(check.to_files()) == {"check/rows.npy", "check/codes.npy", "check/probe.npy"}
    check.check(model_of(Labels(1)))
    with refused(match="predictions of its stored rows differ"):
        check.check(model_of(Labels(0)))
    with refused("its scores are of kind 'none' instead of 'probability'"):
        check.check(model_of(Labels(1), "probability"))
    with refused("^the estimator fails on its stored rows: AttributeError"):
        check.check(model_of(object()))
    self_check(scores=np.zeros((3, 2))).check(model_of(Labels(1)))  # there are none to compare


def test_stored_rows_must_all_be_there() -> None:
    said: Any = SimpleNamespace(
        features=SimpleNamespace(width=4),
        classes=("barbie", "ken"),
        scores="none",
        several=None,
        number=None,
    )
    files = self_check().to_files()
    assert SelfCheck.from_files(files, said).scores is None
    for name in files:
        fewer = {each: content for each, content in files.items() if each != name}
        with refused(match=f"'{name}' cannot be read: it is missing"):
            SelfCheck.from_files(fewer, said)


def test_an_estimator_of_a_plugin_that_cannot_be_rebuilt_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    component = classifier("dummy")
    monkeypatch.setattr(type(component), "model_format", "own", raising=False)
    monkeypatch.setattr(type(component), "restore", lambda *_: 1 / 0, raising=False)
    with refused("^the estimator of own cannot be rebuilt: ZeroDivisionError"):
        restore_estimator(component, "own", {}, seed=SEED, n_classes=2, n_features=4)
