"""Fields of support vector machines with a kernel."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import Classifier


class KernelMachine(Classifier):
    """Base of support vector machines with a kernel."""

    C: FiniteFloat = Field(default=1.0, gt=0)
    """Inverse of the penalty's strength, above 0; smaller values regularize more."""

    kernel: Literal["linear", "poly", "rbf", "sigmoid"] = "rbf"
    """Similarity of two clips."""

    degree: int = Field(default=3, ge=0)
    """Degree of the kernel `poly`; other kernels ignore it."""

    gamma: Literal["scale", "auto"] | Annotated[FiniteFloat, Ge(0)] = "scale"
    """Coefficient of `rbf`, `poly` and `sigmoid`, >= 0: `scale` is 1 / (n_features * X.var()),
    `auto` is 1 / n_features."""

    coef0: FiniteFloat = 0.0
    """Independent term of the kernels `poly` and `sigmoid`."""

    tol: FiniteFloat = Field(default=1e-3, gt=0)
    """Tolerance at which the solver stops, above 0."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 22 * n_rows * n_columns + min(200 << 20, 8 * n_rows**2)
