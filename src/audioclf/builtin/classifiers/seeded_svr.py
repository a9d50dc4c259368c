"""Support vector regression that leaves the random state of numpy alone."""

from __future__ import annotations

from typing import Any

from sklearn.svm import SVR


class SeededSVR(SVR):  # type: ignore[misc]
    """`SVR` of scikit-learn, which draws a seed from numpy's global state and does not use it."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SeededSVR:
        """Fit as `SVR` does."""
        self.random_state = 0
        super().fit(X, y, sample_weight)
        return self
