"""Gradient boosting on binned columns: scikit-learn's `HistGradientBoostingClassifier`.

After LightGBM: G. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree",
NeurIPS 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.classifiers.from_sklearn import FromSklearn
from audioclf.builtin.classifiers.tree_options import Count, MaxDepth, ProperShare
from audioclf.plugin import ClassifierError

if TYPE_CHECKING:
    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix

_MANY_CLIPS = 10_000
"""Clips above which `auto` stops early, as in scikit-learn."""


class HistGradientBoosting(FromSklearn):
    """Gradient boosting for many clips, on binned columns.

    Names and defaults are those of `sklearn.ensemble.HistGradientBoostingClassifier`. Lower
    `min_samples_leaf` if a class has only a few dozen clips.
    """

    estimator: ClassVar[str] = "sklearn.ensemble.HistGradientBoostingClassifier"

    type: Literal["hist_gradient_boosting"] = "hist_gradient_boosting"

    learning_rate: FiniteFloat = Field(default=0.1, gt=0)
    """Factor of each tree's contribution, above 0; smaller values need more trees."""

    max_iter: int = Field(default=100, ge=1)
    """Number of boosting stages; with k > 2 classes each stage has k trees."""

    max_leaf_nodes: int | None = Field(default=31, ge=2)
    """Largest number of leaves of a tree, at least 2; null for no limit."""

    max_depth: MaxDepth = None

    min_samples_leaf: int = Field(default=20, ge=1)
    """Smallest number of clips in a leaf, at least 1; lower it for small datasets."""

    l2_regularization: FiniteFloat = Field(default=0.0, ge=0)
    """L2 penalty on the values of the leaves, >= 0."""

    max_features: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the columns considered for each split, in (0, 1]."""

    max_bins: int = Field(default=255, ge=2, le=255)
    """Bins per column, in [2, 255]."""

    early_stopping: Literal["auto"] | bool = "auto"
    """Whether to stop early; `auto` does so with more than 10,000 training clips."""

    scoring: Literal["loss", "accuracy", "balanced_accuracy", "f1_macro"] | None = "loss"
    """Score that early stopping monitors; null for accuracy."""

    validation_fraction: Count | ProperShare | None = 0.1
    """Training clips held out for early stopping: a number, a share in (0, 1), or null for none."""

    n_iter_no_change: int = Field(default=10, ge=1)
    """Stages without an improvement before early stopping."""

    tol: FiniteFloat = Field(default=1e-7, ge=0)
    """Smallest change of the score that counts as an improvement, >= 0."""

    class_weight: Literal["balanced"] | None = None
    """`balanced` gives all classes the same weight; null gives all clips the same weight."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        """Return the bytes of a float64 copy, bins and a histogram per column and leaf."""
        leaves = self.max_leaf_nodes or 2 ** min(self.max_depth or 10, 10)
        return 21 * n_rows * n_columns + 9 * n_columns * (self.max_bins + 1) * leaves

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        """Fit with whole clips held out for early stopping; `auto` counts clips, not rows."""
        n_clips = len(set(clips.tolist()))
        stops = n_clips > _MANY_CLIPS if self.early_stopping == "auto" else self.early_stopping
        # Only for this fit: a saved model has the parameters that `build` gives.
        estimator.set_params(early_stopping=stops)
        if stops and self.validation_fraction is not None:
            learned, held_out = _validation_split(
                clips, y, self.validation_fraction, estimator.random_state
            )
            passed |= {"X_val": X[held_out], "y_val": y[held_out]}
            if "sample_weight" in passed:
                passed["sample_weight_val"] = passed["sample_weight"][held_out]
                passed["sample_weight"] = passed["sample_weight"][learned]
            X, y = X[learned], y[learned]
        try:
            estimator.fit(X, y, **passed)
        except TypeError as exc:
            if "X_val" not in str(exc):
                raise
            raise ClassifierError(
                "early stopping with several views of each clip needs scikit-learn 1.7",
                hint="Update scikit-learn, set early_stopping: false, or remove `augment`.",
            ) from exc
        return estimator.set_params(early_stopping=self.early_stopping)

    @override
    def refuses_mixtures(self) -> str | None:
        if self.early_stopping is True:  # `auto` counts clips, and mixtures are of one
            return (
                "holds out rows for early stopping, and a mixture may join them with training "
                "rows: set `early_stopping: false`"
            )
        return super().refuses_mixtures()


def _validation_split(clips: Codes, y: Codes, held_out: float, seed: int) -> tuple[Codes, Codes]:
    """Return the rows to fit and the rows held out; the views of a clip stay together."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    _, first = np.unique(clips, return_index=True)
    kept, _ = train_test_split(first, test_size=held_out, stratify=y[first], random_state=seed)
    learned = np.isin(clips, clips[kept])
    return np.flatnonzero(learned), np.flatnonzero(~learned)
