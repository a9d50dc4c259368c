"""Gradient boosting of small trees, exact splits: scikit-learn's `GradientBoostingClassifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.classifiers.forest_options import MaxFeatures, MinSamplesLeaf, MinSamplesSplit
from audioclf.plugin import Classifier, ClassifierError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sklearn.base import ClassifierMixin


class GradientBoosting(Classifier):
    """Small trees in sequence, each fitted to what the ones before it got wrong.

    Names and defaults are those of `sklearn.ensemble.GradientBoostingClassifier`. Its `criterion`
    is left out: scikit-learn 1.9 deprecates it. With thousands of clips, `hist_gradient_boosting`
    is much faster.
    """

    type: Literal["gradient_boosting"] = "gradient_boosting"

    loss: Literal["log_loss", "exponential"] = "log_loss"
    """Loss to be minimized; `exponential` gives AdaBoost and handles two classes only."""

    learning_rate: FiniteFloat = Field(default=0.1, gt=0)
    """Factor on each tree's contribution, above 0; smaller values need more trees."""

    n_estimators: int = Field(default=100, ge=1)
    """Number of boosting stages; with k > 2 classes each stage has k trees."""

    subsample: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the training clips that each tree sees, in (0, 1]; drawn without replacement."""

    min_samples_split: MinSamplesSplit = 2
    """Clips that a node needs to be split: a number >= 2, or a share in (0, 1)."""

    min_samples_leaf: MinSamplesLeaf = 1
    """Clips that each side of a split must keep: a number >= 1, or a share in (0, 1)."""

    min_weight_fraction_leaf: FiniteFloat = Field(default=0.0, ge=0, le=0.5)
    """Share of the total sample weight that a leaf must hold, in [0, 0.5]."""

    max_depth: int | None = Field(default=3, ge=1)
    """Depth of each tree, at least 1; null for no limit."""

    min_impurity_decrease: FiniteFloat = Field(default=0.0, ge=0)
    """A node is split if this lowers the impurity by at least this much, >= 0."""

    init: Literal["zero"] | None = None
    """Where boosting starts: null for the classes' shares, `zero` for raw scores of 0."""

    max_features: MaxFeatures = None
    """Columns that each split considers: a number, a share in (0, 1], `sqrt`, `log2`, null: all."""

    max_leaf_nodes: int | None = Field(default=None, ge=2)
    """Leaves of each tree, grown best first, at least 2; null for no limit."""

    validation_fraction: FiniteFloat = Field(default=0.1, gt=0, lt=1)
    """Share of the training clips that is held out to stop early, in (0, 1)."""

    n_iter_no_change: int | None = Field(default=None, ge=1)
    """Stop early after this many stages without an improvement; null to never stop early."""

    tol: FiniteFloat = Field(default=1e-4, ge=0)
    """Smallest change of the validation loss that counts as an improvement, >= 0."""

    ccp_alpha: FiniteFloat = Field(default=0.0, ge=0)
    """Complexity parameter of cost-complexity pruning, >= 0; 0 prunes nothing."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 64 * n_rows * n_classes

    @override
    def fit_views(
        self,
        estimator: Any,
        X: NDArray[np.float32],
        y: NDArray[np.intp],
        clips: NDArray[np.intp],
        **passed: Any,
    ) -> Any:
        """Fit without early stopping, whose validation rows would separate the views of a clip.

        Raises
        ------
        ClassifierError
            If `n_iter_no_change` is set.
        """
        if self.n_iter_no_change is not None:
            raise ClassifierError(
                "stopping early holds out rows at random, which would separate the views of a clip",
                hint="Set n_iter_no_change: null, leave out `augment`, or take "
                "hist_gradient_boosting, which can hold out whole clips.",
            )
        return super().fit_views(estimator, X, y, clips, **passed)

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(
            **self.model_dump(exclude={"type"}), random_state=random_state
        )
