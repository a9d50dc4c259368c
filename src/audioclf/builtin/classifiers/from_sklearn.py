"""Base of classifiers that are an estimator of scikit-learn with the same parameters."""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import Any, ClassVar

from typing_extensions import override

from audioclf.plugin import Classifier


class FromSklearn(Classifier):
    """Base of classifiers whose fields are the parameters of an estimator of scikit-learn."""

    is_random: ClassVar[bool] = True
    """Whether the estimator takes a `random_state`."""
    standardizes: ClassVar[bool] = False
    """Whether a scaler, fitted on training clips only, is part of the estimator."""

    @property
    @abstractmethod
    def estimator(self) -> str:
        """Full name of the class of the estimator."""

    def parameters(self) -> dict[str, Any]:
        """Return the arguments of the estimator without its seed."""
        return self.model_dump(exclude={"type"})

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        standardized = 9 * n_rows * n_columns
        return (
            standardized if self.standardizes else super().fit_memory(n_rows, n_columns, n_classes)
        )

    @override
    def build(self, *, random_state: int) -> Any:
        module, _, name = self.estimator.rpartition(".")
        seed = {"random_state": random_state} if self.is_random else {}
        model = getattr(import_module(module), name)(**self.parameters(), **seed)
        if not self.standardizes:
            return model
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), model)
