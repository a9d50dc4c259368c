"""Checks of restored trees before scikit-learn traverses them.

Its C code follows children and features without range checks, so a forged index accesses foreign
memory, and a cycle never ends. Every child must be a node, no node may have two parents, and the
root has none: then no path from the root leaves the nodes or returns. Features must be columns of
the input, and the trees of an ensemble must have the shape that the C code assumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_LEAF = -1


def check_links(left: NDArray[Any], right: NDArray[Any], is_leaf: NDArray[np.bool_]) -> None:
    """Check that nodes form a tree; `ValueError` if one has a wrong child or they form a circle.

    `left` and `right` [shape=(n_nodes,)] are the children of each node, ignored for leaves.
    """
    n_nodes = len(is_leaf)
    if not n_nodes:
        raise ValueError("it has no nodes")
    inner = ~is_leaf
    children = np.concatenate([left[inner], right[inner]]).astype(np.int64)
    if children.size and not (children.min() >= 0 and children.max() < n_nodes):
        raise ValueError(f"a child lies outside its {n_nodes} nodes")
    parents = np.bincount(children, minlength=n_nodes)
    if parents[0] or parents.max() > 1:
        raise ValueError("its nodes form a circle, or two of them share a child")


def check_features(feature: NDArray[Any], n_features: int) -> None:
    """Check that splits use existing columns; raise `ValueError` if not."""
    if feature.size and not (feature.min() >= 0 and feature.max() < n_features):
        raise ValueError(f"it splits on a column outside the {n_features} that there are")


def check_decision_tree(estimator: Any) -> None:
    """Check the tree of a decision tree estimator; raise `ValueError` if it is not sound."""
    tree, n_features = estimator.tree_, columns_of(estimator)
    # First: scikit-learn makes arrays of `node_count` nodes from memory for `capacity` nodes.
    if not 0 < tree.node_count <= tree.capacity:
        raise ValueError(f"it claims {tree.node_count} nodes and holds {tree.capacity}")
    if tree.n_features != n_features:
        raise ValueError(f"it is made for {tree.n_features} columns instead of {n_features}")
    left, right = tree.children_left, tree.children_right
    is_leaf = left == _LEAF
    if ((right == _LEAF) != is_leaf).any():
        raise ValueError("a node has one child only")
    check_links(left, right, is_leaf)
    check_features(tree.feature[~is_leaf], n_features)
    if not np.isfinite(tree.threshold[~is_leaf]).all() or not np.isfinite(tree.value).all():
        raise ValueError("a threshold or a value is not a finite number")


def check_ensemble(estimator: Any) -> None:
    """Check that all trees of an ensemble take its columns; raise `ValueError` if not."""
    n_features = columns_of(estimator)
    for member in np.asarray(estimator.estimators_, dtype=object).ravel():
        if member.tree_.n_features != n_features or columns_of(member) != n_features:
            raise ValueError("a tree of the ensemble takes other columns than the ensemble")


def check_gradient_boosting(estimator: Any) -> None:
    """Check the stages of gradient boosting; raise `ValueError` if they are not sound."""
    from sklearn.tree import DecisionTreeRegressor

    check_ensemble(estimator)
    stages = estimator.estimators_
    if stages.ndim != 2 or not stages.size:
        raise ValueError("its stages are no table of trees")
    for member in stages.ravel():
        if type(member) is not DecisionTreeRegressor or member.tree_.value.shape[1:] != (1, 1):
            raise ValueError("a stage holds something else than a regression tree")
    start = estimator._raw_predict_init(np.zeros((1, columns_of(estimator)), np.float32))  # noqa: SLF001
    if start.shape != (1, stages.shape[1]):
        raise ValueError(f"{stages.shape[1]} trees in a stage for {start.shape[1]} scores")


def check_hist_gradient_boosting(estimator: Any) -> None:
    """Check the trees of a `HistGradientBoostingClassifier`; raise `ValueError` if not sound."""
    n_features = columns_of(estimator)
    if getattr(estimator, "_preprocessor", None) is not None:
        raise ValueError("it reorders columns, which only categories need")
    for predictor in hist_predictors(estimator):
        _check_predictor_nodes(predictor.nodes, n_features)


def hist_predictors(estimator: Any) -> Iterable[Any]:
    """Yield the trees of histogram-based gradient boosting."""
    return [predictor for stage in estimator._predictors for predictor in stage]  # noqa: SLF001


def _check_predictor_nodes(nodes: NDArray[Any], n_features: int) -> None:
    if nodes.ndim != 1:
        raise ValueError("its nodes are no list")
    is_leaf = nodes["is_leaf"] != 0
    check_links(nodes["left"], nodes["right"], is_leaf)
    inner = nodes[~is_leaf]
    check_features(inner["feature_idx"], n_features)
    if inner["is_categorical"].any():
        raise ValueError("it splits on categories, which features do not have")
    # A threshold of +inf is how it splits off missing values.
    if np.isnan(inner["num_threshold"]).any() or not np.isfinite(nodes["value"]).all():
        raise ValueError("a threshold or a value is not a number")


def columns_of(estimator: Any) -> int:
    """Return the number of columns that an estimator expects; `ValueError` if not positive."""
    n_features = estimator.n_features_in_
    if not isinstance(n_features, int | np.integer) or isinstance(n_features, bool):
        raise ValueError("it does not say how many columns it takes")
    if n_features < 1:
        raise ValueError(f"it takes {n_features} columns")
    return int(n_features)
