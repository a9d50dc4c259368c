"""A support vector machine on standardized columns: scikit-learn's `SVC`."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from audioclf.builtin.classifiers.kernel_machine import KernelMachine
from audioclf.plugin import ClassifierError

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

    from audioclf.dataset.targets import Codes
    from audioclf.dsp.short_time import Matrix

_FOLDS = 5
"""The default of scikit-learn's calibration."""


class Svm(KernelMachine):
    """Support vector machine with a kernel, on standardized columns.

    Names and defaults are those of `sklearn.svm.SVC`. The scaler is part of the estimator and is
    fitted on training clips only.

    Of more than two classes, the label is the one with the most votes of the pairs of classes, as
    in scikit-learn. Where another class has the highest decision value, which happens in a few
    percent of the clips, the two exchange their scores, so that the label has the highest score.
    """

    type: Literal["svm"] = "svm"

    class_weight: Literal["balanced"] | None = None
    """`balanced` gives all classes the same weight; null gives all clips the same weight."""

    probability: bool = False
    """Whether to compute probabilities by Platt's sigmoid on cross-validated decision values, in 5
    folds of the training clips that keep groups together; each class needs at least 5 clips. It
    replaces scikit-learn's own `probability`, which is deprecated."""

    @override
    def fit_keywords(
        self, *, groups: Codes | None, shape: tuple[int, int] | None
    ) -> dict[str, Any]:
        return {"groups": groups} if self.probability and groups is not None else {}

    @override
    def holds_out_rows(self) -> bool:
        return self.probability

    @override
    def fit_views(self, estimator: Any, X: Matrix, y: Codes, clips: Codes, **passed: Any) -> Any:
        """Fit, with calibration folds that keep the clips of a group, and the views of a clip.

        If groups do not allow folds with all classes in training, the folds keep clips together,
        with a warning.
        """
        if not self.probability:
            return super().fit_views(estimator, X, y, clips, **passed)
        fewest = _fewest(y, clips)
        if fewest < _FOLDS:
            raise ClassifierError(
                f"probability: true needs {_FOLDS} clips of each class, and one has {fewest}"
            )
        seed = estimator.get_params()["estimator__svc__random_state"]
        folds = calibration_folds(X, y, clips, passed.get("groups"), seed)
        # Only for this fit: a saved model has the parameters that `build` gives.
        estimator.set_params(cv=folds).fit(X, y)
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


def calibration_folds(
    X: Matrix, y: Codes, clips: Codes, groups: Codes | None, seed: int
) -> list[tuple[Codes, Codes]]:
    """Return stratified folds of groups, or else of clips, whatever the order of the rows is."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    digests = [hashlib.sha256(row.tobytes()).digest() for row in X]
    order = np.array(sorted(range(len(X)), key=digests.__getitem__))
    for units in [clips] if groups is None else [groups, clips]:
        n_splits = min(_FOLDS, _fewest(y, units))
        if n_splits > 1:
            _, ranks = np.unique(units[order], return_inverse=True)
            if units is clips:  # numbered by their order, which must not matter
                _, first = np.unique(ranks, return_index=True)
                ranks = np.argsort(np.argsort(first))[ranks]
            splitter = StratifiedGroupKFold(n_splits=n_splits, shuffle=True, random_state=seed)
            pairs = splitter.split(y[order], y[order], ranks)
            folds = [(order[train], order[test]) for train, test in pairs if len(test)]
            if all(len(np.unique(y[train])) == len(np.unique(y)) for train, _ in folds):
                return folds
        warnings.warn(
            "probability: true calibrates across groups, because a class has too few of them: its "
            "probabilities are too sure on new groups",
            stacklevel=2,
        )
    raise ClassifierError("probability: true finds no folds with all classes in training")


def _fewest(y: Codes, units: Codes) -> int:
    """Return the smallest number of units of a class."""
    return min(len(set(units[y == code].tolist())) for code in set(y.tolist()))
