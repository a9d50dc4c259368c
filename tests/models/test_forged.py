"""Forged models whose digests fit: nothing of them runs, and the process lives."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioclf.models.arrays import from_npy, to_npy
from audioclf.models.bundle.container import zipped
from audioclf.models.estimators.skops_format import MAX_SCHEMA_BYTES, dump_skops
from audioclf.models.estimators.trees import check_decision_tree
from tests.models.making import (
    ESTIMATOR,
    classifier,
    fitted,
    forged,
    made,
    registry,
    unpacked,
    with_estimator,
)
from tests.models.test_damage import refusal

Tamper = Callable[[Any], object]


class Evil:
    """What runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = made(tmp_path / "m.audioclf", "dummy")
    forged(path, {ESTIMATOR: pickle.dumps(Evil(marker))})
    assert "structure check: the estimator is no file of skops" in refusal(path).message
    assert not marker.exists()


def test_a_pickle_inside_an_array_is_never_loaded(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil(marker)], dtype=object), allow_pickle=True)
    path = made(tmp_path / "m.audioclf", "dummy")
    forged(path, {"check/rows.npy": buffer.getvalue()})
    assert "Python objects, which would have to be unpickled" in refusal(path).message
    assert not marker.exists()


def test_a_function_in_the_estimator_is_refused_by_name(tmp_path: Path) -> None:
    found = fitted(classifier("dummy"))
    path = with_estimator(tmp_path / "m.audioclf", found, lambda e: setattr(e, "extra_", os.system))
    said = refusal(path)
    assert f"refused by the type check: the estimator holds {os.name}.system, which" in said.message
    assert said.hint is not None
    assert said.hint.startswith("Do not load this file")


def edited_schema(path: Path, **changes: Any) -> Path:
    """Forge the schema of the estimator, with digests that fit."""
    with zipfile.ZipFile(io.BytesIO(unpacked(path)[ESTIMATOR])) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["schema.json"] = json.dumps({**json.loads(files["schema.json"]), **changes}).encode()
    return forged(path, {ESTIMATOR: stored(files)})


def stored(files: dict[str, bytes]) -> bytes:
    return zipped(files, method=zipfile.ZIP_STORED)


def test_another_class_in_the_schema_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    edited_schema(path, __module__="subprocess", __class__="Popen")
    assert "type check: the estimator holds subprocess.Popen" in refusal(path).message


def test_an_estimator_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    other = fitted(classifier("random_forest", n_estimators=2)).estimator
    forged(path, {ESTIMATOR: dump_skops(other)})
    said = refusal(path).message
    assert "structure check: estimator is a RandomForestClassifier instead of a Dummy" in said


def bomb() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, np.zeros(1 << 20))
    return buffer.getvalue()


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
ARRAY = to_npy(np.zeros(2))
HUGE = ARRAY.replace(b"(2,), }" + b" " * 9, b"(2199023255552,)}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (stored({"schema.json": DEEP}), "the estimator cannot be rebuilt: Recursion"),
        (zipped({"schema.json": bytes(1 << 20)}), "'schema.json' is compressed"),
        (stored({"schema.json": b"{}", "0.npy": HUGE}), "shape (2199023255552,), 17592186044416"),
        (stored({"schema.json": b"{}", "0.bin": bomb()}), "no file of skops: the magic string is"),
        (stored({"1.npy": ARRAY}), "or no schema.json"),
    ],
    ids=["deep", "compressed", "huge", "zip", "no-schema"],
)
def test_a_container_that_could_exhaust_memory_is_refused(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    path = forged(made(tmp_path / "m.audioclf", "dummy"), {ESTIMATOR: content})
    assert expected in refusal(path).message


def test_a_huge_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SCHEMA_BYTES == 64 << 20
    path = made(tmp_path / "m.audioclf", "dummy")
    monkeypatch.setattr("audioclf.models.estimators.skops_format.MAX_SCHEMA_BYTES", 100)
    assert "bytes of schema.json (limit 100)" in refusal(path).message


def tree_of(estimator: Any) -> Any:
    """Return the first decision tree of a forest or of gradient boosting."""
    return np.asarray(estimator.estimators_, dtype=object).ravel()[0]


def forged_tree(**changes: Any) -> Tamper:
    """Return what replaces fields of the tree's nodes; a pair is (node, value)."""

    def tamper(estimator: Any) -> None:
        owner = tree_of(estimator)
        tree, state = owner.tree_, owner.tree_.__getstate__()
        state["nodes"] = state["nodes"].copy()
        for name, change in changes.items():
            if isinstance(change, tuple):
                state["nodes"][name][change[0]] = change[1]
            else:
                state[name] = change
        owner.tree_ = type(tree)(tree.n_features, tree.n_classes, tree.n_outputs)
        owner.tree_.__setstate__(state)

    return tamper


def deep_circle(estimator: Any) -> None:
    """Lead a node deep in the tree back to the root."""
    inner = int(np.flatnonzero(tree_of(estimator).tree_.children_left > 0)[-1])
    forged_tree(left_child=(inner, 0))(estimator)


def shrunk(estimator: Any) -> None:
    """Let an ensemble take fewer columns than its trees."""
    estimator.n_features_in_ = tree_of(estimator).n_features_in_ = 2


def other_stage(estimator: Any) -> None:
    estimator.estimators_[0, 0] = tree_of(fitted(classifier("random_forest")).estimator)


def bare_tree(estimator: Any) -> None:
    estimator.extra_ = [tree_of(fitted(classifier("random_forest")).estimator).tree_]


def forged_predictor(name: str, value: Any) -> Tamper:
    def tamper(estimator: Any) -> None:
        nodes = estimator._predictors[0][0].nodes.copy()
        nodes[name][0] = value
        estimator._predictors[0][0].nodes = nodes

    return tamper


def setting(name: str, value: Callable[[Any], Any]) -> Tamper:
    """Return what changes an attribute of an estimator, or of the last step of a pipeline."""

    def tamper(estimator: Any) -> None:
        last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
        setattr(last, name, value(getattr(last, name)))

    return tamper


TREES = ("gradient_boosting", "random_forest", "extra_trees")
SMALL: dict[str, dict[str, Any]] = {
    **{name: {"n_estimators": 2} for name in TREES},
    "hist_gradient_boosting": {"max_iter": 2, "min_samples_leaf": 3},
}
FORGED_TREES = [
    (forged_tree(left_child=(0, 10**9)), "a child lies outside its"),
    (forged_tree(right_child=(0, -7)), "a child lies outside its"),
    (forged_tree(left_child=(0, 0)), "its nodes form a circle"),
    (forged_tree(right_child=(0, 1)), "its nodes form a circle, or two of them share a child"),
    (forged_tree(left_child=(0, -1)), "a node has one child only"),
    (forged_tree(feature=(0, 10**9)), "splits on a column outside the"),
    (forged_tree(feature=(0, -1)), "splits on a column outside the"),
    (forged_tree(threshold=(0, np.nan)), "not a finite number"),
    (forged_tree(node_count=0), "it claims 0 nodes"),
    (deep_circle, "its nodes form a circle"),
]


@pytest.mark.parametrize(
    ("type_name", "tamper", "expected"),
    [
        *(("random_forest", *forgery) for forgery in FORGED_TREES),
        *((name, *FORGED_TREES[0]) for name in TREES if name != "random_forest"),
        ("gradient_boosting", shrunk, "columns instead of 2"),
        ("random_forest", shrunk, "columns instead of 2"),
        ("random_forest", setting("n_features_in_", lambda _: 2), "columns than the ensemble"),
        (
            "gradient_boosting",
            setting("estimators_", lambda stages: np.tile(stages, (1, 9))),
            "9 trees in a stage for 1 scores",
        ),
        ("gradient_boosting", other_stage, "a stage holds something else than a regression tree"),
        ("dummy", bare_tree, "a tree stands outside of a model of trees"),
        ("hist_gradient_boosting", forged_predictor("left", 2**32 - 1), "a child lies outside its"),
        ("hist_gradient_boosting", forged_predictor("right", 0), "its nodes form a circle"),
        ("hist_gradient_boosting", forged_predictor("feature_idx", 10**9), "on a column outside"),
        ("hist_gradient_boosting", forged_predictor("feature_idx", -1), "on a column outside the"),
        ("hist_gradient_boosting", forged_predictor("num_threshold", np.nan), "not a number"),
        ("hist_gradient_boosting", forged_predictor("is_categorical", 1), "splits on categories"),
        ("svm", setting("_n_support", lambda n: n * 1000), "support_vectors_ has shape"),
        ("svm", setting("_n_support", lambda n: n[:1]), "of (1,) classes instead of 2"),
        ("svm", setting("_intercept_", lambda b: b[:0]), "_intercept_ has shape (0,)"),
        ("svm", setting("_dual_coef_", lambda a: a[:, :1]), "_dual_coef_ has shape"),
        ("svm", setting("support_vectors_", lambda v: v[:, :1].copy()), "support_vectors_ has"),
        ("svm", setting("_dual_coef_", lambda a: a * np.nan), "else than finite numbers"),
        ("svm", setting("_impl", lambda _: "nu_svr"), "it is no dense classifier"),
        ("svm", setting("kernel", lambda _: "precomputed"), "is not what svm sets"),
        ("knn", setting("_y", lambda y: y + 1), "a class that there is not"),
        ("knn", setting("_y", lambda y: y[:3].copy()), "_y has shape (3,)"),
        ("knn", setting("_fit_X", lambda X: X[:, :1].copy()), "_fit_X has shape"),
        ("knn", setting("effective_metric_", lambda _: "precomputed"), "or a search tree"),
        ("knn", setting("_fit_method", lambda _: "magic"), "unknown way of search 'magic'"),
        ("dummy", setting("classes_", lambda _: np.arange(5)), "has other classes than the 2"),
        ("dummy", setting("classes_", lambda _: np.array(["a", "b"])), "has other classes"),
        ("dummy", setting("strategy", lambda _: "uniform"), "strategy of the estimator is not"),
    ],
)
def test_a_forged_estimator_is_refused(
    type_name: str, tamper: Tamper, expected: str, tmp_path: Path
) -> None:
    found = fitted(classifier(type_name, **SMALL.get(type_name, {})))
    message = refusal(with_estimator(tmp_path / "m.audioclf", found, tamper)).message
    assert "refused by the structure check: " in message
    assert expected in message


def test_a_tree_that_claims_more_nodes_than_it_holds_is_refused() -> None:
    owner = tree_of(fitted(classifier("random_forest", n_estimators=1)).estimator)
    owner.tree_.node_count = 10**6
    with pytest.raises(ValueError, match="it claims 1000000 nodes and holds"):
        check_decision_tree(owner)


def test_a_search_tree_of_its_own_is_refused(tmp_path: Path) -> None:
    import skops.io

    path = made(tmp_path / "m.audioclf", "knn", algorithm="kd_tree")
    estimator = fitted(classifier("knn", algorithm="kd_tree")).estimator
    forged(path, {ESTIMATOR: skops.io.dumps(estimator)})
    said = refusal(path).message
    assert "refused by the type check: the estimator holds sklearn." in said
    assert "KDTree" in said


def test_another_estimator_of_the_same_kind_fails_on_its_rows(tmp_path: Path) -> None:
    found = fitted(classifier("logistic_regression"))
    tamper = setting("coef_", lambda coefficients: coefficients * 1.01)
    said = refusal(with_estimator(tmp_path / "m.audioclf", found, tamper))
    assert "score check: the estimator's scores of its stored rows differ" in said.message
    assert said.hint == "Install the versions that `audioclf model show` lists, or train again."


def test_predictions_are_compared_where_there_are_no_scores(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    codes = from_npy(unpacked(path)["check/codes.npy"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audioclf.models.bundle.self_check.scores_of_rows", lambda *_: (None, "none"))
        patch.setattr("audioclf.models.bundle.writing.scores_of_rows", lambda *_: (None, "none"))
        forged(path, {"check/codes.npy": to_npy(1 - codes)}, lambda m: m.update(scores="none"))
        assert "predictions of its stored rows differ" in refusal(path).message


@pytest.mark.parametrize(
    ("member", "content", "expected"),
    [
        ("check/rows.npy", to_npy(np.zeros((2, 3), np.float32)), "is not what it must be"),
        ("check/rows.npy", to_npy(np.zeros((0, 48), np.float32)), "is not what it must be"),
        ("check/scores.npy", to_npy(np.full((8, 2), np.nan)), "is not what it must be"),
        ("check/codes.npy", b"no array", "'check/codes.npy' cannot be read"),
        ("check/probe.npy", to_npy(np.zeros(3, np.float32)), "is not what it must be"),
    ],
)
def test_forged_check_rows_are_refused(
    member: str, content: bytes, expected: str, tmp_path: Path
) -> None:
    path = forged(made(tmp_path / "m.audioclf", "dummy"), {member: content})
    said = refusal(path).message
    assert "refused by the score check: " in said
    assert expected in said


def test_a_featurizer_that_has_changed_is_found(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    probe = from_npy(unpacked(path)["check/probe.npy"])
    said = refusal(forged(path, {"check/probe.npy": to_npy(probe * np.float32(1.01))}))
    assert "feature check: features of mel differ from those of the training" in said.message
    assert said.hint == "Install the versions that `audioclf model show` lists, or train again."


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m["features"].update(n_bins=10**9),
        lambda m: m["features"].update(width=10**9),
        lambda m: m["featurizer"].update(pooling={"type": "flatten", "pad": 0.0}),
    ],
)
def test_widths_that_do_not_fit_allocate_nothing(edit: Any, tmp_path: Path) -> None:
    path = forged(made(tmp_path / "m.audioclf", "dummy"), edit=edit)
    assert "check: " in refusal(path).message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"left_children": (0, 10**8)}, "a child lies outside its"),
        ({"right_children": (0, 0)}, "its nodes form a circle"),
        ({"split_indices": (0, 10**8)}, "a column outside the"),
    ],
)
def test_a_forged_tree_of_xgboost_is_refused(
    changes: dict[str, tuple[int, int]], expected: str, tmp_path: Path
) -> None:
    if "xgboost" not in registry().types("classifier"):
        pytest.skip("audioclf-xgboost is not installed")
    path = made(tmp_path / "m.audioclf", "xgboost", n_estimators=2)
    model = json.loads(unpacked(path)["estimator/model.json"])
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    for name, (node, value) in changes.items():
        tree[name][node] = value
    said = refusal(forged(path, {"estimator/model.json": json.dumps(model).encode()})).message
    assert "structure check: the estimator of xgboost-json cannot be rebuilt: tree 0: " in said
    assert expected in said


def test_names_of_any_length_leave_a_message_that_can_be_read(tmp_path: Path) -> None:
    path = edited_schema(made(tmp_path / "m.audioclf", "dummy"), __class__="x" * 5000)
    said = refusal(path).message
    assert "refused by the type check: the estimator holds sklearn.dummy.xxx" in said
    assert said.endswith("xxx, which a model of this classifier does not need")
    assert len(said) < len(str(path)) + 700


def test_files_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    inner = stored({"schema.json": b"{}", "1.npy": to_npy(np.zeros(500))})
    end = inner.rindex(b"PK\5\6")
    size, start = struct.unpack_from("<2I", inner, end + 12)
    record = inner[inner.rindex(b"PK\1\2") : end]
    counts = struct.pack("<4H2IH", 0, 0, 12, 12, size + 10 * len(record), start, 0)
    forged(path, {ESTIMATOR: inner[:end] + 10 * record + b"PK\5\6" + counts})
    assert "bytes in a file of" in refusal(path).message
