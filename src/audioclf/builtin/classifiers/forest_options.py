"""What the classifiers made of decision trees have in common.

Types of fields where an integer is a number of clips or columns and a float is a share of them,
and `Forest`, the fields that random forests and extremely randomized trees share.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import Classifier

Count = Annotated[int, Ge(1)]
Share = Annotated[FiniteFloat, Gt(0), Le(1)]
ProperShare = Annotated[FiniteFloat, Gt(0), Lt(1)]

MinSamplesSplit = Annotated[int, Ge(2)] | ProperShare
"""The share 1.0 is left out, or the number 1 would be taken for it."""

MinSamplesLeaf = Count | ProperShare
MaxFeatures = Literal["sqrt", "log2"] | Count | Share | None


class Forest(Classifier):
    """Base of classifiers that let many independent trees vote."""

    n_estimators: int = Field(default=100, ge=1)
    """Number of trees; more make the vote steadier, and slower."""

    criterion: Literal["gini", "entropy", "log_loss"] = "gini"
    """Measure of a split's quality; `entropy` and `log_loss` are the same."""

    max_depth: int | None = Field(default=None, ge=1)
    """Depth of each tree, at least 1; null grows each until its leaves are pure."""

    min_samples_split: MinSamplesSplit = 2
    """Clips that a node needs to be split: a number >= 2, or a share in (0, 1)."""

    min_samples_leaf: MinSamplesLeaf = 1
    """Clips that each side of a split must keep: a number >= 1, or a share in (0, 1)."""

    min_weight_fraction_leaf: FiniteFloat = Field(default=0.0, ge=0, le=0.5)
    """Share of the total sample weight that a leaf must hold, in [0, 0.5]."""

    max_features: MaxFeatures = "sqrt"
    """Columns that each split considers: `sqrt`, `log2`, a number, a share in (0, 1], null: all."""

    max_leaf_nodes: int | None = Field(default=None, ge=2)
    """Leaves of each tree, grown best first, at least 2; null for no limit."""

    min_impurity_decrease: FiniteFloat = Field(default=0.0, ge=0)
    """A node is split if this lowers the impurity by at least this much, >= 0."""

    class_weight: Literal["balanced", "balanced_subsample"] | None = None
    """`balanced` makes each class count the same, `balanced_subsample` within each tree's clips;
    null makes each clip count the same."""

    ccp_alpha: FiniteFloat = Field(default=0.0, ge=0)
    """Complexity parameter of cost-complexity pruning, >= 0; 0 prunes nothing."""

    max_samples: Count | Share | None = None
    """Clips drawn for each tree if `bootstrap` is true: a number, a share in (0, 1], null: all."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return self.n_estimators * n_rows * (48 + 8 * n_classes)

    def parameters(self, random_state: int) -> dict[str, Any]:
        """Return the arguments of the scikit-learn estimator.

        `n_jobs` stays at 1: how parallel a run is belongs to the run, and threads that add up
        the trees' votes in another order change the last digits of the probabilities.
        """
        fields = self.model_dump(exclude={"type"})
        return {**fields, "n_jobs": 1, "random_state": random_state}


def check_max_samples(max_samples: float | None, bootstrap: bool) -> None:
    """Refuse `max_samples` where no clips are drawn.

    Raises
    ------
    ValueError
        If `max_samples` is set and `bootstrap` is false.
    """
    if max_samples is not None and not bootstrap:
        raise ValueError("max_samples needs bootstrap: true, because only then clips are drawn")
