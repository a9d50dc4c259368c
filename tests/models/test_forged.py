"""Forged models whose digests fit: nothing of them runs, and the process lives."""

from __future__ import annotations

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


def edited_schema(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Forge the schema of the estimator, with digests that fit."""
    with zipfile.ZipFile(io.BytesIO(unpacked(path)[ESTIMATOR])) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    edit(schema)
    files["schema.json"] = json.dumps(schema).encode()
    return forged(path, {ESTIMATOR: zipped(files, method=zipfile.ZIP_STORED)})


def test_another_class_in_the_schema_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    edited_schema(path, lambda s: s.update(__module__="subprocess", __class__="Popen"))
    assert "type check: the estimator holds subprocess.Popen" in refusal(path).message


def test_an_estimator_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    other = fitted(classifier("random_forest", n_estimators=2)).estimator
    forged(path, {ESTIMATOR: dump_skops(other)})
    said = refusal(path).message
    assert "structure check: estimator is a RandomForestClassifier instead of a Dummy" in said


def test_a_schema_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    raw = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    forged(path, {ESTIMATOR: zipped({"schema.json": raw}, method=zipfile.ZIP_STORED)})
    assert "structure check: the estimator cannot be rebuilt: Recursion" in refusal(path).message


def test_a_compressed_inner_file_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    forged(path, {ESTIMATOR: zipped({"schema.json": bytes(1 << 20)})})
    assert "'schema.json' is compressed" in refusal(path).message


def test_a_huge_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SCHEMA_BYTES == 64 << 20
    path = made(tmp_path / "m.audioclf", "dummy")
    monkeypatch.setattr("audioclf.models.estimators.skops_format.MAX_SCHEMA_BYTES", 100)
    assert "bytes of schema.json (limit 100)" in refusal(path).message


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    huge = to_npy(np.zeros(2)).replace(b"(2,), }" + b" " * 9, b"(2199023255552,)}")
    files = {"schema.json": b"{}", "0.npy": huge}
    forged(path, {ESTIMATOR: zipped(files, method=zipfile.ZIP_STORED)})
    assert "an array of shape (2199023255552,), 17592186044416 bytes" in refusal(path).message


def test_a_zip_in_the_place_of_an_array_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    bomb = io.BytesIO()
    np.savez_compressed(bomb, np.zeros(1 << 20))
    files = {"schema.json": b"{}", "0.bin": bomb.getvalue()}
    forged(path, {ESTIMATOR: zipped(files, method=zipfile.ZIP_STORED)})
    said = refusal(path).message
    assert "structure check: the estimator is no file of skops: the magic string is not" in said


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


@pytest.mark.parametrize("type_name", ["gradient_boosting", "random_forest", "extra_trees"])
@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (forged_tree(left_child=(0, 10**9)), "a child lies outside its"),
        (forged_tree(right_child=(0, -7)), "a child lies outside its"),
        (forged_tree(left_child=(0, 0)), "its nodes form a circle"),
        (forged_tree(right_child=(0, 1)), "its nodes form a circle, or two of them share a child"),
        (forged_tree(left_child=(0, -1)), "a node has one child only"),
        (forged_tree(feature=(0, 10**9)), "splits on a column outside the"),
        (forged_tree(feature=(0, -1)), "splits on a column outside the"),
        (forged_tree(threshold=(0, np.nan)), "not a finite number"),
        (forged_tree(node_count=0), "it claims 0 nodes"),
    ],
)
def test_a_forged_tree_is_refused(
    type_name: str, tamper: Tamper, expected: str, tmp_path: Path
) -> None:
    found = fitted(classifier(type_name, n_estimators=2))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    message = refusal(path).message
    assert "refused by the structure check: the estimator is not sound: " in message
    assert expected in message


def test_a_circle_deep_in_a_tree_is_refused(tmp_path: Path) -> None:
    found = fitted(classifier("random_forest", n_estimators=1))
    left = tree_of(found.estimator).tree_.children_left
    inner = int(np.flatnonzero(left > 0)[-1])
    path = with_estimator(tmp_path / "m.audioclf", found, forged_tree(left_child=(inner, 0)))
    assert "its nodes form a circle" in refusal(path).message


def test_a_tree_that_claims_more_nodes_than_it_holds_is_refused() -> None:
    owner = tree_of(fitted(classifier("random_forest", n_estimators=1)).estimator)
    owner.tree_.node_count = 10**6
    with pytest.raises(ValueError, match="it claims 1000000 nodes and holds"):
        check_decision_tree(owner)


def shrunk(estimator: Any) -> None:
    """Let an ensemble take fewer columns than its trees."""
    estimator.n_features_in_ = 2
    for member in np.asarray(estimator.estimators_, dtype=object).ravel()[:1]:
        member.n_features_in_ = 2


@pytest.mark.parametrize("type_name", ["gradient_boosting", "random_forest"])
def test_trees_for_other_columns_are_refused(type_name: str, tmp_path: Path) -> None:
    found = fitted(classifier(type_name, n_estimators=2))
    path = with_estimator(tmp_path / "m.audioclf", found, shrunk)
    assert "columns instead of 2" in refusal(path).message


def test_an_ensemble_that_disagrees_with_its_trees_is_refused(tmp_path: Path) -> None:
    found = fitted(classifier("random_forest", n_estimators=2))
    path = with_estimator(tmp_path / "m.audioclf", found, lambda e: setattr(e, "n_features_in_", 2))
    assert "takes other columns than the ensemble" in refusal(path).message


def test_stages_with_more_trees_than_scores_are_refused(tmp_path: Path) -> None:
    def tamper(estimator: Any) -> None:
        estimator.estimators_ = np.tile(estimator.estimators_, (1, 9))

    found = fitted(classifier("gradient_boosting", n_estimators=2))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    assert "9 trees in a stage for 1 scores" in refusal(path).message


def test_stages_of_other_trees_are_refused(tmp_path: Path) -> None:
    other = tree_of(fitted(classifier("random_forest", n_estimators=1)).estimator)

    def tamper(estimator: Any) -> None:
        estimator.estimators_[0, 0] = other

    found = fitted(classifier("gradient_boosting", n_estimators=2))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    assert "a stage holds something else than a regression tree" in refusal(path).message


def test_a_bare_tree_is_refused(tmp_path: Path) -> None:
    tree = tree_of(fitted(classifier("random_forest", n_estimators=1)).estimator).tree_
    found = fitted(classifier("dummy"))
    path = with_estimator(tmp_path / "m.audioclf", found, lambda e: setattr(e, "extra_", [tree]))
    assert "a tree stands outside of a model of trees" in refusal(path).message


def forged_predictor(name: str, value: Any, node: int = 0) -> Tamper:
    def tamper(estimator: Any) -> None:
        nodes = estimator._predictors[0][0].nodes.copy()
        nodes[name][node] = value
        estimator._predictors[0][0].nodes = nodes

    return tamper


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("left", 2**32 - 1, "a child lies outside its"),
        ("right", 0, "its nodes form a circle"),
        ("feature_idx", 10**9, "splits on a column outside the"),
        ("feature_idx", -1, "splits on a column outside the"),
        ("num_threshold", np.nan, "not a number"),
        ("is_categorical", 1, "it splits on categories"),
    ],
)
def test_a_forged_tree_of_histograms_is_refused(
    name: str, value: Any, expected: str, tmp_path: Path
) -> None:
    found = fitted(classifier("hist_gradient_boosting", max_iter=2, min_samples_leaf=3))
    path = with_estimator(tmp_path / "m.audioclf", found, forged_predictor(name, value))
    assert expected in refusal(path).message


def of_last_step(name: str, value: Callable[[Any], Any]) -> Tamper:
    """Return what changes an attribute of the last step of a pipeline."""

    def tamper(estimator: Any) -> None:
        last = estimator.steps[-1][1]
        setattr(last, name, value(getattr(last, name)))

    return tamper


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (of_last_step("_n_support", lambda n: n * 1000), "support_vectors_ has shape"),
        (of_last_step("_n_support", lambda n: n[:1]), "of (1,) classes instead of 2"),
        (of_last_step("_intercept_", lambda b: b[:0]), "_intercept_ has shape (0,)"),
        (of_last_step("_dual_coef_", lambda a: a[:, :1]), "_dual_coef_ has shape"),
        (of_last_step("support_vectors_", lambda v: v[:, :1].copy()), "support_vectors_ has shape"),
        (of_last_step("_dual_coef_", lambda a: a * np.nan), "else than finite numbers"),
        (of_last_step("_impl", lambda _: "nu_svr"), "it is no dense classifier"),
        (of_last_step("kernel", lambda _: "precomputed"), "is not what svm sets"),
    ],
)
def test_forged_support_vectors_are_refused(tamper: Tamper, expected: str, tmp_path: Path) -> None:
    found = fitted(classifier("svm"))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    said = refusal(path).message
    assert "refused by the structure check" in said
    assert expected in said


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (of_last_step("_y", lambda y: y + 1000), "a class that there is not"),
        (of_last_step("_y", lambda y: y[:3].copy()), "_y has shape (3,)"),
        (of_last_step("_fit_X", lambda X: X[:, :1].copy()), "_fit_X has shape"),
        (of_last_step("effective_metric_", lambda _: "precomputed"), "distances or a search tree"),
        (of_last_step("_fit_method", lambda _: "magic"), "unknown way of search 'magic'"),
    ],
)
def test_forged_neighbors_are_refused(tamper: Tamper, expected: str, tmp_path: Path) -> None:
    found = fitted(classifier("knn"))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    assert expected in refusal(path).message


def test_a_search_tree_of_its_own_is_refused(tmp_path: Path) -> None:
    import skops.io

    path = made(tmp_path / "m.audioclf", "knn", algorithm="kd_tree")
    estimator = fitted(classifier("knn", algorithm="kd_tree")).estimator
    forged(path, {ESTIMATOR: skops.io.dumps(estimator)})
    said = refusal(path).message
    assert "refused by the type check: the estimator holds sklearn." in said
    assert "KDTree" in said


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda e: setattr(e, "classes_", np.arange(5)), "has other classes than the 2"),
        (lambda e: setattr(e, "classes_", np.array(["a", "b"])), "has other classes"),
        (lambda e: setattr(e, "strategy", "uniform"), "strategy of the estimator is not what"),
    ],
)
def test_an_estimator_that_does_not_fit_the_manifest_is_refused(
    tamper: Tamper, expected: str, tmp_path: Path
) -> None:
    found = fitted(classifier("dummy"))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    assert expected in refusal(path).message


def test_another_estimator_of_the_same_kind_fails_on_its_rows(tmp_path: Path) -> None:
    def tamper(estimator: Any) -> None:
        estimator.steps[-1][1].coef_ *= 1.01

    found = fitted(classifier("logistic_regression"))
    path = with_estimator(tmp_path / "m.audioclf", found, tamper)
    said = refusal(path)
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


def test_an_estimator_without_its_schema_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    inner = zipped({"1.npy": to_npy(np.zeros(2))}, method=zipfile.ZIP_STORED)
    said = refusal(forged(path, {ESTIMATOR: inner}))
    assert "the estimator is no file of skops" in said.message
    assert "or no schema.json" in said.message


def test_names_of_any_length_leave_a_message_that_can_be_read(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    with zipfile.ZipFile(io.BytesIO(unpacked(path)[ESTIMATOR])) as archive:
        inner = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(inner["schema.json"])
    schema["__class__"] = "x" * 5000
    inner["schema.json"] = json.dumps(schema).encode()
    said = refusal(forged(path, {ESTIMATOR: zipped(inner, method=zipfile.ZIP_STORED)}))
    assert "refused by the type check: the estimator holds sklearn.dummy.xxx" in said.message
    assert said.message.endswith("xxx, which a model of this classifier does not need")
    assert len(said.message) < len(str(path)) + 700


def test_files_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "dummy")
    inner = zipped(
        {"schema.json": b"{}", "1.npy": to_npy(np.zeros(500))}, method=zipfile.ZIP_STORED
    )
    end = inner.rindex(b"PK\5\6")
    size, start = struct.unpack_from("<2I", inner, end + 12)
    record = inner[inner.rindex(b"PK\1\2") : end]
    counts = struct.pack("<4H2IH", 0, 0, 12, 12, size + 10 * len(record), start, 0)
    forged(path, {ESTIMATOR: inner[:end] + 10 * record + b"PK\5\6" + counts})
    assert "bytes in a file of" in refusal(path).message
