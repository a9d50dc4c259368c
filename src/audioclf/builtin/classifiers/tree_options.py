"""Fields of classifiers that consist of decision trees.

An integer is a number of clips or columns, a float a share of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import override

from audioclf.plugin import Classifier

if TYPE_CHECKING:
    from typing import Self

Count = Annotated[int, Ge(1)]
Share = Annotated[FiniteFloat, Gt(0), Le(1)]
ProperShare = Annotated[FiniteFloat, Gt(0), Lt(1)]

MinSamplesSplit = Annotated[
    Annotated[int, Ge(2)] | ProperShare,  # without 1.0, which would be read as the number 1
    Field(description="Clips that a node needs to be split: a number >= 2, or a share in (0, 1)."),
]
MinSamplesLeaf = Annotated[
    Count | ProperShare,
    Field(description="Smallest number of clips in a leaf: a number >= 1, or a share in (0, 1)."),
]
MinWeightFractionLeaf = Annotated[
    FiniteFloat,
    Ge(0),
    Le(0.5),
    Field(description="Smallest share of the total sample weight in a leaf, in [0, 0.5]."),
]
MaxFeatures = Annotated[
    Literal["sqrt", "log2"] | Count | Share | None,
    Field(
        description="Columns considered for each split: `sqrt`, `log2`, a number, a share in "
        "(0, 1], or null for all."
    ),
]
MaxLeafNodes = Annotated[
    Annotated[int, Ge(2)] | None,
    Field(description="Largest number of leaves of a tree, at least 2; null for no limit."),
]
MinImpurityDecrease = Annotated[
    FiniteFloat,
    Ge(0),
    Field(description="Decrease of the impurity that a split needs at least, >= 0."),
]
CcpAlpha = Annotated[
    FiniteFloat,
    Ge(0),
    Field(description="Complexity parameter of cost-complexity pruning, >= 0; 0 for no pruning."),
]


class Forest(Classifier):
    """Base of classifiers that average many independent trees."""

    n_estimators: int = Field(default=100, ge=1)
    """Number of trees; more trees give steadier scores and take longer."""

    criterion: Literal["gini", "entropy", "log_loss"] = "gini"
    """Measure of a split's quality; `entropy` and `log_loss` are the same."""

    max_depth: int | None = Field(default=None, ge=1)
    """Largest depth of a tree, at least 1; null grows each tree until its leaves are pure."""

    min_samples_split: MinSamplesSplit = 2
    min_samples_leaf: MinSamplesLeaf = 1
    min_weight_fraction_leaf: MinWeightFractionLeaf = 0.0
    max_features: MaxFeatures = "sqrt"
    max_leaf_nodes: MaxLeafNodes = None
    min_impurity_decrease: MinImpurityDecrease = 0.0

    class_weight: Literal["balanced", "balanced_subsample"] | None = None
    """`balanced` gives all classes the same weight, `balanced_subsample` within the clips of each
    tree; null gives all clips the same weight."""

    ccp_alpha: CcpAlpha = 0.0

    max_samples: Count | Share | None = None
    """Clips drawn for each tree if `bootstrap` is true: a number, a share in (0, 1], null: all."""

    bootstrap: bool = True
    """Whether each tree draws its clips with replacement; false gives all clips to every tree."""

    @model_validator(mode="after")
    def _max_samples_needs_bootstrap(self) -> Self:
        if self.max_samples is not None and not self.bootstrap:
            raise ValueError("max_samples needs bootstrap: true, because only then clips are drawn")
        return self

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return self.n_estimators * n_rows * (48 + 8 * n_classes)

    def parameters(self, random_state: int) -> dict[str, Any]:
        """Return the arguments of the scikit-learn estimator.

        `n_jobs` is 1: parallelism belongs to the run, and threads that add up the scores of the
        trees in another order change the last digits of the probabilities.
        """
        fields = self.model_dump(exclude={"type"})
        return {**fields, "n_jobs": 1, "random_state": random_state}
