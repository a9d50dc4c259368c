"""The JSON in which XGBoost saves a booster, checked before XGBoost reads it.

XGBoost follows children, features and groups of a saved tree without range checks, so a forged
number accesses foreign memory, and a cycle never ends. All values that predictions use are checked
here, and XGBoost reads JSON written from the checked values, never the untrusted text.

The schema is that of XGBoost's documentation, "Introduction to Model IO".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 256 << 20
"""Each byte of JSON becomes up to 10 bytes in memory; a tree of 63 nodes takes some 4 kB."""
NO_NODE = 2**31 - 1
"""Parent of the root, and feature of a node that was pruned."""
_LARGEST = float(np.finfo(np.float32).max)
_COUNT = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")

_FLOATS = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_INTS = ("default_left", "left_children", "parents", "right_children", "split_indices")
_EMPTY = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def checked_model(data: bytes) -> bytes:
    """Return the JSON of a booster of trees, rewritten; the same bytes for the same model.

    ValueError if it is not safe to predict with it.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes of JSON (limit {MAX_BYTES})")
    model = json.loads(data, parse_constant=_not_finite)
    _keys("the model", model, {"learner", "version"})
    _ints("version", model["version"], 3)
    learner = model["learner"]
    _keys("learner", learner, _LEARNER)
    if learner["feature_names"] != [] or learner["feature_types"] != []:
        raise ValueError("its columns have names or types, which features do not have")
    _check_attributes(learner["attributes"])
    n_features, n_groups = _check_parameters(learner["learner_model_param"], learner["objective"])
    _check_booster(learner["gradient_booster"], n_features, n_groups)
    return json.dumps(model, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


_LEARNER = {
    "attributes",
    "feature_names",
    "feature_types",
    "gradient_booster",
    "learner_model_param",
    "objective",
}


def _check_attributes(attributes: Any) -> None:
    if not isinstance(attributes, dict) or attributes:
        raise ValueError("it has attributes, which only early stopping needs")


def _check_parameters(parameters: Any, objective: Any) -> tuple[int, int]:
    """Return the number of columns, and the number of scores per row."""
    names = {"base_score", "boost_from_average", "num_class", "num_feature", "num_target"}
    _keys("learner_model_param", parameters, names)
    n_features, n_classes = (_count(parameters[key]) for key in ("num_feature", "num_class"))
    n_groups = max(1, n_classes)
    if not n_features or n_classes == 1 or _count(parameters["num_target"]) != 1:
        raise ValueError("its numbers of columns, classes or targets cannot be")
    if str(parameters["boost_from_average"]) not in ("0", "1"):
        raise ValueError("boost_from_average is neither 0 nor 1")
    _check_base_score(parameters["base_score"], n_groups)
    _check_objective(objective, n_classes)
    return n_features, n_groups


def _check_base_score(text: Any, n_groups: int) -> None:
    if not isinstance(text, str):
        raise ValueError("base_score is no text")
    values = text[1:-1].split(",") if text[:1] == "[" and text[-1:] == "]" else [text]
    if len(values) not in (1, n_groups) or not all(map(_NUMBER.fullmatch, values)):
        raise ValueError(f"base_score is not one number, or one for each of {n_groups} scores")
    if max(abs(float(value)) for value in values) > _LARGEST:
        raise ValueError("base_score is not a finite number")


def _check_objective(objective: Any, n_classes: int) -> None:
    name = objective.get("name") if isinstance(objective, dict) else None
    if n_classes:
        _keys("objective", objective, {"name", "softmax_multiclass_param"})
        parameters = objective["softmax_multiclass_param"]
        _keys("softmax_multiclass_param", parameters, {"num_class"})
        if name != "multi:softprob" or _count(parameters["num_class"]) != n_classes:
            raise ValueError(f"objective {name!r} does not fit {n_classes} classes")
        return
    _keys("objective", objective, {"name", "reg_loss_param"})
    _keys("reg_loss_param", objective["reg_loss_param"], {"scale_pos_weight"})
    weight = objective["reg_loss_param"]["scale_pos_weight"]
    if name != "binary:logistic" or not _NUMBER.fullmatch(str(weight)):
        raise ValueError(f"objective {name!r} does not fit two classes")


def _check_booster(booster: Any, n_features: int, n_groups: int) -> None:
    _keys("gradient_booster", booster, {"name", "model"})
    if booster["name"] != "gbtree":
        raise ValueError(f"booster {booster['name']!r} is not gbtree")
    model = booster["model"]
    names = {"gbtree_model_param", "iteration_indptr", "tree_info", "trees"}
    _keys("model", model, names, optional={"cats"})
    _keys("gbtree_model_param", model["gbtree_model_param"], {"num_parallel_tree", "num_trees"})
    trees = model["trees"]
    n_trees = _count(model["gbtree_model_param"]["num_trees"])
    if not isinstance(trees, list) or len(trees) != n_trees:
        raise ValueError(f"it does not hold the {n_trees} trees that it claims")
    if _count(model["gbtree_model_param"]["num_parallel_tree"]) != 1 or any(
        model.get("cats", {"enc": []}).values()
    ):
        raise ValueError("it has parallel trees or categories, which this plugin does not make")
    _check_groups(model, n_trees, n_groups)
    for number, tree in enumerate(trees):
        _check_tree(number, tree, n_features)


def _check_groups(model: Mapping[str, Any], n_trees: int, n_groups: int) -> None:
    """Check to which score each tree adds, and which trees each round has."""
    info = _ints("tree_info", model["tree_info"], n_trees)
    if info.size and not (info.min() >= 0 and info.max() < n_groups):
        raise ValueError(f"a tree adds to a score outside the {n_groups} that there are")
    rounds = _ints("iteration_indptr", model["iteration_indptr"], n_trees // n_groups + 1)
    if not np.array_equal(rounds, n_groups * np.arange(len(rounds))) or rounds[-1] != n_trees:
        raise ValueError(f"a round has not {n_groups} trees")


def _check_tree(number: int, tree: Any, n_features: int) -> None:
    try:
        _check_nodes(tree, n_features)
    except ValueError as exc:
        raise ValueError(f"tree {number}: {exc}") from exc
    if tree["id"] != number or isinstance(tree["id"], bool):
        raise ValueError(f"tree {number}: its id is another")


def _check_nodes(tree: Any, n_features: int) -> None:
    names = {"id", "split_type", "tree_param", *_FLOATS, *_INTS, *_EMPTY}
    _keys("it", tree, names)
    parameters = tree["tree_param"]
    _keys("tree_param", parameters, {"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"})
    n_nodes = _count(parameters["num_nodes"])
    if not n_nodes or _count(parameters["num_feature"]) != n_features:
        raise ValueError(f"it has no nodes, or is not made for {n_features} columns")
    if _count(parameters["size_leaf_vector"]) > 1 or _count(parameters["num_deleted"]) >= n_nodes:
        raise ValueError("its leaves are vectors, or all its nodes are pruned")
    for name in _FLOATS:
        _floats(name, tree[name], n_nodes)
    if (
        any(tree[name] != [] for name in _EMPTY)
        or _ints("split_type", tree["split_type"], n_nodes).any()
    ):
        raise ValueError("it splits on categories, which features do not have")
    nodes = {name: _ints(name, tree[name], n_nodes) for name in _INTS}
    _check_links(nodes, n_nodes)
    _check_features(nodes, n_features)


def _check_links(nodes: Mapping[str, NDArray[np.int64]], n_nodes: int) -> None:
    """Check that no path from the root leaves the nodes or returns.

    Every child is a node, no node is the child of two, and the root has no parent.
    """
    left, right, parents = nodes["left_children"], nodes["right_children"], nodes["parents"]
    is_leaf = left == -1
    if ((right == -1) != is_leaf).any():
        raise ValueError("a node has one child only")
    children = np.concatenate([left[~is_leaf], right[~is_leaf]])
    if children.size and not (children.min() >= 0 and children.max() < n_nodes):
        raise ValueError(f"a child lies outside its {n_nodes} nodes")
    counts = np.bincount(children, minlength=n_nodes)
    if counts[0] or counts.max() > 1:
        raise ValueError("its nodes form a circle, or two of them share a child")
    if parents[0] != NO_NODE or (parents[children] != np.tile(np.flatnonzero(~is_leaf), 2)).any():
        raise ValueError("children and parents do not fit each other")


def _check_features(nodes: Mapping[str, NDArray[np.int64]], n_features: int) -> None:
    features, parents = nodes["split_indices"], nodes["parents"]
    is_leaf = nodes["left_children"] == -1
    pruned = is_leaf & (features == NO_NODE)
    if not ((features >= 0) & (features < n_features) | pruned).all() or pruned[0]:
        raise ValueError(f"it splits on a column outside the {n_features} that there are")
    if not ((parents >= 0) & (parents < len(parents)) | (parents == NO_NODE)).all():
        raise ValueError("a parent is no node")
    if not np.isin(nodes["default_left"], (0, 1)).all():
        raise ValueError("default_left is neither 0 nor 1")


def _keys(
    what: str,
    value: Any,
    required: set[str],
    *,
    optional: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    if not isinstance(value, dict) or not required <= set(value) <= required | optional:
        names = sorted(set(value) ^ required) if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"{what} has other fields than XGBoost writes: {str(names)[:200]}")


def _count(text: Any) -> int:
    if not isinstance(text, str) or not _COUNT.fullmatch(text):
        raise ValueError(f"{str(text)[:50]!r} is not a number of things")
    return int(text)


def _ints(name: str, values: Any, length: int) -> NDArray[np.int64]:
    if not isinstance(values, list) or len(values) != length or set(map(type, values)) - {int}:
        raise ValueError(f"{name} is no list of {length} whole numbers")
    if values and not -(2**31) <= min(values) <= max(values) < 2**31:
        raise ValueError(f"{name} holds numbers of more than 32 bits")
    return np.asarray(values, dtype=np.int64)


def _floats(name: str, values: Any, length: int) -> None:
    is_list = isinstance(values, list) and len(values) == length
    if not is_list or set(map(type, values)) - {int, float}:
        raise ValueError(f"{name} is no list of {length} numbers")
    if not max(map(abs, values)) <= _LARGEST:
        raise ValueError(f"{name} holds a number that is not finite")


def _not_finite(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is not a number")
