"""Gradient boosting of small trees, exact splits: scikit-learn's `GradientBoostingClassifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.classifiers import tree_options as tree
from audioclf.builtin.classifiers.from_sklearn import FromSklearn
from audioclf.plugin import ClassifierError

if TYPE_CHECKING:
    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix


class GradientBoosting(FromSklearn):
    """Small trees in sequence, each fitted to the errors of those before it.

    Names and defaults are those of `sklearn.ensemble.GradientBoostingClassifier`. Its `criterion`
    is left out: scikit-learn 1.9 deprecates it. With thousands of clips, `hist_gradient_boosting`
    is much faster.
    """

    estimator: ClassVar[str] = "sklearn.ensemble.GradientBoostingClassifier"

    type: Literal["gradient_boosting"] = "gradient_boosting"

    loss: Literal["log_loss", "exponential"] = "log_loss"
    """Loss to minimize; `exponential` is AdaBoost and handles two classes only."""

    learning_rate: FiniteFloat = Field(default=0.1, gt=0)
    """Factor of each tree's contribution, above 0; smaller values need more trees."""

    n_estimators: int = Field(default=100, ge=1)
    """Number of boosting stages; with k > 2 classes each stage has k trees."""

    subsample: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the training clips for each tree, in (0, 1]; drawn without replacement."""

    min_samples_split: tree.MinSamplesSplit = 2
    min_samples_leaf: tree.MinSamplesLeaf = 1
    min_weight_fraction_leaf: tree.MinWeightFractionLeaf = 0.0
    max_depth: tree.MaxDepth = 3
    min_impurity_decrease: tree.MinImpurityDecrease = 0.0

    init: Literal["zero"] | None = None
    """Initial scores: null for the shares of the classes, `zero` for raw scores of 0."""

    max_features: tree.MaxFeatures = None
    max_leaf_nodes: tree.MaxLeafNodes = None

    validation_fraction: FiniteFloat = Field(default=0.1, gt=0, lt=1)
    """Share of the training clips held out for early stopping, in (0, 1)."""

    n_iter_no_change: int | None = Field(default=None, ge=1)
    """Stages without an improvement before early stopping; null for no early stopping."""

    tol: FiniteFloat = Field(default=1e-4, ge=0)
    """Smallest change of the validation loss that counts as an improvement, >= 0."""

    ccp_alpha: tree.CcpAlpha = 0.0

    @override
    def check_fit(self, n_clips: int, n_classes: int) -> None:
        if self.loss == "exponential" and n_classes > 2:
            raise ClassifierError(
                f"loss: exponential handles two classes, and there are {n_classes}",
                hint="Use loss: log_loss.",
            )

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 64 * n_rows * n_classes

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        if self.n_iter_no_change is not None:
            raise ClassifierError(
                "early stopping holds out rows at random, which would separate the views of a clip",
                hint="Set n_iter_no_change: null, remove `augment`, or use "
                "hist_gradient_boosting, which holds out whole clips.",
            )
        return super().fit_views(estimator, X, y, clips, **passed)

    @override
    def refuses_mixtures(self) -> str | None:
        if self.n_iter_no_change is not None:
            return (
                "holds out rows for early stopping, and a mixture may join them with training "
                "rows: set `n_iter_no_change: null`"
            )
        return super().refuses_mixtures()
