"""Regressors, which learn numbers: linear, trees, support vectors, and a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.classifiers import tree_options as tree
from audioclf.builtin.classifiers.from_sklearn import FromSklearn
from audioclf.builtin.classifiers.kernel_machine import KernelMachine
from audioclf.plugin import Classifier

if TYPE_CHECKING:
    from sklearn.base import RegressorMixin


class Regressor(Classifier):
    """Base of classifiers that learn numbers."""

    target: ClassVar[Literal["class", "number"]] = "number"


class Ridge(FromSklearn, Regressor):
    """Linear regression with a penalty on large coefficients, on standardized columns.

    Names and defaults are those of `sklearn.linear_model.Ridge`. The scaler is part of the
    estimator and is fitted on training clips only.
    """

    estimator: ClassVar[str] = "sklearn.linear_model.Ridge"
    standardizes: ClassVar[bool] = True

    type: Literal["ridge"] = "ridge"

    alpha: FiniteFloat = Field(default=1.0, ge=0)
    """Strength of the penalty, >= 0; larger values regularize more."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 20 * n_rows * n_columns + 8 * min(n_rows, n_columns) ** 2


class RandomForestRegressor(FromSklearn, Regressor):
    """Mean of deep trees, each fitted to a random draw of clips.

    Names and defaults are those of `sklearn.ensemble.RandomForestRegressor`.
    """

    estimator: ClassVar[str] = "sklearn.ensemble.RandomForestRegressor"

    type: Literal["random_forest_regressor"] = "random_forest_regressor"

    n_estimators: int = Field(default=100, ge=1)
    """Number of trees; more trees give steadier numbers and take longer."""

    max_depth: tree.MaxDepth = None
    min_samples_split: tree.MinSamplesSplit = 2
    min_samples_leaf: tree.MinSamplesLeaf = 1
    max_features: tree.MaxFeatures = 1.0
    max_leaf_nodes: tree.MaxLeafNodes = None

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return self.n_estimators * n_rows * 80

    @override
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), "n_jobs": 1}


class GradientBoostingRegressor(FromSklearn, Regressor):
    """Small trees in sequence, each fitted to the errors of those before it.

    Names and defaults are those of `sklearn.ensemble.GradientBoostingRegressor`.
    """

    estimator: ClassVar[str] = "sklearn.ensemble.GradientBoostingRegressor"

    type: Literal["gradient_boosting_regressor"] = "gradient_boosting_regressor"

    loss: Literal["squared_error", "absolute_error", "huber"] = "squared_error"
    """Loss to minimize; `absolute_error` and `huber` follow single far numbers less."""

    learning_rate: FiniteFloat = Field(default=0.1, gt=0)
    """Factor of each tree's contribution, above 0; smaller values need more trees."""

    n_estimators: int = Field(default=100, ge=1)
    """Number of trees."""

    subsample: FiniteFloat = Field(default=1.0, gt=0, le=1)
    """Share of the training clips for each tree, in (0, 1]; drawn without replacement."""

    max_depth: tree.MaxDepth = 3
    min_samples_split: tree.MinSamplesSplit = 2
    min_samples_leaf: tree.MinSamplesLeaf = 1
    max_features: tree.MaxFeatures = None

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 64 * n_rows


class Svr(KernelMachine, Regressor):
    """Support vector regression with a kernel, on standardized columns and numbers.

    Names and defaults are those of `sklearn.svm.SVR`. Columns and numbers are standardized by the
    training clips, so that `C` and `epsilon` do not depend on the unit of the numbers.
    """

    type: Literal["svr"] = "svr"

    trusted_types: ClassVar[tuple[str, ...]] = (
        "audioclf.builtin.classifiers.seeded_svr.SeededSVR",
    )

    epsilon: FiniteFloat = Field(default=0.1, ge=0)
    """Error that is not penalized, >= 0, in standard deviations of the numbers."""

    @override
    def build(self, *, random_state: int) -> RegressorMixin:
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from audioclf.builtin.classifiers.seeded_svr import SeededSVR

        model = make_pipeline(StandardScaler(), SeededSVR(**self.model_dump(exclude={"type"})))
        return TransformedTargetRegressor(model, transformer=StandardScaler())


class DummyRegressor(FromSklearn, Regressor):
    """Baseline that predicts one number for all clips; every other regressor has to beat it.

    Names and defaults are those of `sklearn.dummy.DummyRegressor`.
    """

    estimator: ClassVar[str] = "sklearn.dummy.DummyRegressor"
    is_random: ClassVar[bool] = False

    type: Literal["dummy_regressor"] = "dummy_regressor"

    expected_failed_checks: ClassVar[dict[str, str]] = {
        "learns_a_separable_toy": "it guesses on purpose"
    }

    strategy: Literal["mean", "median"] = "mean"
    """The number: mean or median of the training clips."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 64 * n_rows
