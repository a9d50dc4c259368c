"""A support vector machine on standardized columns: scikit-learn's `SVC`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge
from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import Classifier, ClassifierError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sklearn.base import ClassifierMixin

_FOLDS = 5
"""The default of scikit-learn's calibration."""


class Svm(Classifier):
    """Support vector machine with a kernel, on standardized columns.

    Names and defaults are those of `sklearn.svm.SVC`. The scaler is part of the estimator and is
    fitted on training clips only.
    """

    type: Literal["svm"] = "svm"

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

    class_weight: Literal["balanced"] | None = None
    """`balanced` gives all classes the same weight; null gives all clips the same weight."""

    probability: bool = False
    """Whether to compute probabilities by Platt's sigmoid on cross-validated decision values, in 5
    folds of the training clips; each class needs at least 5 clips. It replaces scikit-learn's own
    `probability`, which is deprecated."""

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        return 22 * n_rows * n_columns + min(200 << 20, 8 * n_rows**2)

    @override
    def fit_views(
        self,
        estimator: Any,
        X: NDArray[np.float32],
        y: NDArray[np.intp],
        clips: NDArray[np.intp],
        **passed: Any,
    ) -> Any:
        """Fit, with calibration folds that keep the views of a clip together.

        Raises
        ------
        ClassifierError
            If a class has too few clips for the calibration.
        """
        if not self.probability:
            return super().fit_views(estimator, X, y, clips, **passed)
        from sklearn.model_selection import StratifiedGroupKFold

        fewest = min(len(set(clips[y == code].tolist())) for code in set(y.tolist()))
        if fewest < _FOLDS:
            raise ClassifierError(
                f"probability: true needs {_FOLDS} clips of each class, and one has {fewest}"
            )
        folds = list(StratifiedGroupKFold(n_splits=_FOLDS).split(X, y, clips))
        # Only for this fit: a saved model has the parameters that `build` gives.
        estimator.set_params(cv=folds).fit(X, y, **passed)
        return estimator.set_params(cv=None)

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        fields = self.model_dump(exclude={"type", "probability"})
        # The calibration wraps the scaler, so that each of its folds fits its own scaler.
        model = make_pipeline(StandardScaler(), SVC(**fields, random_state=random_state))
        return CalibratedClassifierCV(model, ensemble=False) if self.probability else model
