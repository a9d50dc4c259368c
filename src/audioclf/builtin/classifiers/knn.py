"""Nearest neighbors on standardized columns, for classes and for numbers."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import override

from audioclf.builtin.classifiers.from_sklearn import FromSklearn
from audioclf.plugin import ClassifierError


class Knn(FromSklearn):
    """Vote of the nearest training clips, on standardized columns.

    Names and defaults are those of `sklearn.neighbors.KNeighborsClassifier`. The scaler is part
    of the estimator and is fitted on training clips only.
    """

    estimator: ClassVar[str] = "sklearn.neighbors.KNeighborsClassifier"
    is_random: ClassVar[bool] = False
    standardizes: ClassVar[bool] = True

    type: Literal["knn"] = "knn"

    n_neighbors: int = Field(default=5, ge=1)
    """Number of neighbors that vote, at most the number of training clips."""

    weights: Literal["uniform", "distance"] = "uniform"
    """Weight of a neighbor's vote: uniform, or the inverse of its distance."""

    algorithm: Literal["auto", "ball_tree", "kd_tree", "brute"] = "auto"
    """Search algorithm; it changes the time, and the choice among equal distances."""

    leaf_size: int = Field(default=30, ge=1)
    """Clips per leaf of `ball_tree` and `kd_tree`; it changes the time."""

    p: FiniteFloat = Field(default=2.0, gt=0)
    """Power of the Minkowski metric, above 0: 1 is Manhattan, 2 is Euclidean."""

    metric: Literal["minkowski", "euclidean", "manhattan", "chebyshev", "cosine"] = "minkowski"
    """Distance of two clips; `cosine` works with `algorithm` `auto` and `brute`."""

    @model_validator(mode="after")
    def _algorithm_supports_the_metric(self) -> Knn:
        if self.p < 1 and self.metric == "minkowski" and self.algorithm.endswith("_tree"):
            raise ValueError(f"p below 1 needs algorithm: brute, not {self.algorithm}")
        if self.metric == "cosine" and self.algorithm.endswith("_tree"):
            raise ValueError(f"metric: cosine needs algorithm: brute, not {self.algorithm}")
        return self

    @override
    def check_fit(self, n_clips: int, n_classes: int) -> None:
        if self.n_neighbors > n_clips:
            raise ClassifierError(
                f"n_neighbors is {self.n_neighbors}, and the smallest training side has {n_clips} "
                "clips",
                hint="Use fewer neighbors.",
            )

    @override
    def learns_indicators(self, n_rows: int, n_classes: int) -> bool:
        return True


class KnnRegressor(Knn):
    """Mean number of the nearest training clips, on standardized columns.

    Names and defaults are those of `sklearn.neighbors.KNeighborsRegressor`. The scaler is part
    of the estimator and is fitted on training clips only.
    """

    estimator: ClassVar[str] = "sklearn.neighbors.KNeighborsRegressor"

    type: Literal["knn_regressor"] = "knn_regressor"  # type: ignore[assignment]

    target: ClassVar[Literal["class", "number"]] = "number"
