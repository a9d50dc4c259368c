"""Forests: scikit-learn's `RandomForestClassifier` and `ExtraTreesClassifier`.

L. Breiman, "Random forests", Machine Learning 45(1), 5-32, 2001. P. Geurts, D. Ernst, L. Wehenkel,
"Extremely randomized trees", Machine Learning 63(1), 3-42, 2006.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from audioclf.builtin.classifiers import tree_options as tree
from audioclf.builtin.classifiers.from_sklearn import FromSklearn

MOST = 1 << 27
"""Bytes up to which one forest learns several labels; beyond, each class has its own."""


class Forest(FromSklearn):
    """Base of classifiers that average many independent trees."""

    n_estimators: int = Field(default=100, ge=1)
    """Number of trees; more trees give steadier scores and take longer."""

    criterion: Literal["gini", "entropy", "log_loss"] = "gini"
    """Measure of a split's quality; `entropy` and `log_loss` are the same."""

    max_depth: int | None = Field(default=None, ge=1)
    """Largest depth of a tree, at least 1; null grows each tree until its leaves are pure."""

    min_samples_split: tree.MinSamplesSplit = 2
    min_samples_leaf: tree.MinSamplesLeaf = 1
    min_weight_fraction_leaf: tree.MinWeightFractionLeaf = 0.0
    max_features: tree.MaxFeatures = "sqrt"
    max_leaf_nodes: tree.MaxLeafNodes = None
    min_impurity_decrease: tree.MinImpurityDecrease = 0.0

    class_weight: Literal["balanced", "balanced_subsample"] | None = None
    """`balanced` gives all classes the same weight, `balanced_subsample` within the clips of each
    tree; null gives all clips the same weight."""

    ccp_alpha: tree.CcpAlpha = 0.0

    max_samples: tree.Count | tree.Share | None = None
    """Clips drawn for each tree if `bootstrap` is true: a number, a share in (0, 1], null: all."""

    bootstrap: bool = True
    """Whether each tree draws its clips with replacement; false gives all clips to every tree."""

    @model_validator(mode="after")
    def _max_samples_needs_bootstrap(self) -> Forest:
        if self.max_samples is not None and not self.bootstrap:
            raise ValueError("max_samples needs bootstrap: true, because only then clips are drawn")
        return self

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return self.n_estimators * n_rows * (48 + 8 * n_classes)

    @override
    def learns_indicators(self, n_rows: int, n_classes: int) -> bool:
        # scikit-learn multiplies the weights of all classes; each node holds a pair per class.
        return self.class_weight is None and self.fit_memory(n_rows, 0, 2 * n_classes) <= MOST

    def parameters(self) -> dict[str, Any]:
        """Return the arguments of the scikit-learn estimator.

        `n_jobs` is 1: parallelism belongs to the run, and threads that add up the scores of the
        trees in another order change the last digits of the probabilities.
        """
        return {**super().parameters(), "n_jobs": 1}


class RandomForest(Forest):
    """Deep trees, each fitted to a random draw of clips and columns.

    Names and defaults are those of `sklearn.ensemble.RandomForestClassifier`.
    """

    estimator: ClassVar[str] = "sklearn.ensemble.RandomForestClassifier"

    type: Literal["random_forest"] = "random_forest"


class ExtraTrees(Forest):
    """Deep trees with random thresholds; often as accurate as a random forest, and faster.

    Names and defaults are those of `sklearn.ensemble.ExtraTreesClassifier`.
    """

    estimator: ClassVar[str] = "sklearn.ensemble.ExtraTreesClassifier"

    type: Literal["extra_trees"] = "extra_trees"

    bootstrap: bool = False
    """Whether each tree draws its clips with replacement; false gives all clips to every tree."""
