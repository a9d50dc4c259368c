"""Logistic regression on standardized columns: scikit-learn's `LogisticRegression`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import override

from audioclf.builtin.classifiers.from_sklearn import FromSklearn
from audioclf.plugin import ClassifierError

Solver = Literal["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"]


class LogisticRegression(FromSklearn):
    """Logistic regression on standardized columns: a strong and fast baseline.

    Names and defaults are those of `sklearn.linear_model.LogisticRegression` 1.9, except that
    `max_iter` is 1000. The scaler is part of the estimator and is fitted on training
    clips only.
    """

    estimator: ClassVar[str] = "sklearn.linear_model.LogisticRegression"
    standardizes: ClassVar[bool] = True

    type: Literal["logistic_regression"] = "logistic_regression"

    C: FiniteFloat = Field(default=1.0, gt=0)
    """Inverse of the penalty's strength, above 0; smaller values regularize more."""

    l1_ratio: FiniteFloat = Field(default=0.0, ge=0, le=1)
    """Share of L1 in the penalty, in [0, 1]: 0 is ridge, 1 is lasso; above 0 needs `saga`, and
    1 works with `liblinear` too."""

    class_weight: Literal["balanced"] | None = None
    """`balanced` gives all classes the same weight; null gives all clips the same weight."""

    solver: Solver = "lbfgs"
    """Algorithm; `liblinear` handles two classes only, `saga` supports an L1 share."""

    max_iter: int = Field(default=1000, ge=1)
    """Largest number of iterations, at least 1. The default of scikit-learn, 100, is too small for
    many columns: 400 spoken digits in 768 columns take 96. A converged solver stops earlier."""

    tol: FiniteFloat = Field(default=1e-4, gt=0)
    """Tolerance at which the solver stops, above 0."""

    @model_validator(mode="after")
    def _solver_supports_the_penalty(self) -> LogisticRegression:
        lasso = self.l1_ratio == 1 and self.solver == "liblinear"
        if self.l1_ratio > 0 and self.solver != "saga" and not lasso:
            raise ValueError(f"l1_ratio above 0 needs solver: saga, not {self.solver}")
        return self

    @override
    def check_fit(self, n_clips: int, n_classes: int) -> None:
        if self.solver == "liblinear" and n_classes > 2:
            raise ClassifierError(
                f"solver: liblinear handles two classes, and there are {n_classes}",
                hint="Use another solver, such as lbfgs, or saga for an L1 share.",
            )

    @override
    def parameters(self) -> dict[str, Any]:
        from sklearn.linear_model import LogisticRegression

        fields = super().parameters()
        if LogisticRegression().get_params().get("penalty") == "l2":  # scikit-learn before 1.8
            fields["penalty"] = {0.0: "l2", 1.0: "l1"}.get(self.l1_ratio, "elasticnet")
            if fields["penalty"] != "elasticnet":
                del fields["l1_ratio"]
        return fields
