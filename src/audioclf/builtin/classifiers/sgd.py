"""Linear classifiers by stochastic gradient descent: scikit-learn's `SGDClassifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.builtin.classifiers.from_sklearn import FromSklearn

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from sklearn.base import ClassifierMixin

    from audioclf.plugin import Batches

_ENOUGH_ROWS = 1_000_000


class _Scores:
    """A fitted `SGDClassifier` whose probabilities distinguish classes everywhere.

    Far from all classes, scikit-learn makes the probabilities equal, before 1.7 it divides 0 by 0.
    There the probabilities are the softmax of the decision values, which is their limit for
    `log_loss`. Clips are ranked by decision values, which do not saturate.
    """

    ranks_by_decision_function = True

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.classes_ = estimator.classes_
        self.predict = estimator.predict
        self.decision_function = estimator.decision_function

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        import numpy as np

        with np.errstate(invalid="ignore", divide="ignore"):
            proba: NDArray[np.float64] = self._estimator.predict_proba(X)
        decision = self.decision_function(X)
        if decision.ndim > 1:
            vanished = (self._of_each_class(decision) == 0).all(axis=1)
            if vanished.any():
                far = decision[vanished]
                far = np.exp(far - far.max(axis=1, keepdims=True))
                proba[vanished] = far / far.sum(axis=1, keepdims=True)
        return proba

    def _of_each_class(self, decision: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each class against the rest, before they are normalized."""
        import numpy as np
        from scipy.special import expit

        if self._estimator[-1].loss == "log_loss":
            logistic: NDArray[np.float64] = expit(decision)
            return logistic
        return (np.clip(decision, -1, 1) + 1) / 2


class Sgd(FromSklearn):
    """Logistic regression or a linear SVM for datasets larger than memory.

    Names and defaults are those of `sklearn.linear_model.SGDClassifier`, except that `loss` is
    `log_loss`, which gives probabilities. The columns are standardized by a scaler that is part of
    the estimator.
    """

    estimator: ClassVar[str] = "sklearn.linear_model.SGDClassifier"
    standardizes: ClassVar[bool] = True

    type: Literal["sgd"] = "sgd"

    loss: Literal["log_loss", "modified_huber", "hinge", "squared_hinge", "perceptron"] = "log_loss"
    """`log_loss` is logistic regression, `hinge` a linear SVM; the first two give probabilities."""

    penalty: Literal["l2", "l1", "elasticnet"] | None = "l2"
    """Penalty on the weights; null for none."""

    alpha: FiniteFloat = Field(default=1e-4, gt=0)
    """Strength of the penalty, above 0; it also sets the size of the steps."""

    l1_ratio: FiniteFloat = Field(default=0.15, ge=0, le=1)
    """Share of L1 in the penalty `elasticnet`, in [0, 1]."""

    max_iter: int = Field(default=1000, ge=1)
    """Largest number of passes over the training clips, at least 1."""

    tol: FiniteFloat | None = Field(default=1e-3, gt=0)
    """Improvement per pass below which the fit stops; null for `max_iter` passes."""

    class_weight: Literal["balanced"] | None = None
    """`balanced` gives all classes the same weight; null gives all clips the same weight."""

    average: bool = False
    """Whether to average the weights over all steps."""

    @override
    def scorer(self, estimator: Any) -> Any:
        return _Scores(estimator) if hasattr(estimator, "predict_proba") else estimator

    @override
    def to_onnx(self, estimator: Any, n_columns: int, opsets: Mapping[str, int]) -> Any:
        """Return it in 64-bit ONNX, since large decision values in 32 bits name other classes."""
        from audioclf.builtin.classifiers.sgd_onnx import to_onnx

        return to_onnx(estimator, n_columns, opsets)

    @override
    def fit_batches(self, batches: Batches, *, random_state: int) -> ClassifierMixin:
        """Fit by `partial_fit`: one pass for the scaler, then passes over shuffled blocks.

        At most `max_iter` passes, until about 1,000,000 rows were used: the guide of scikit-learn
        expects convergence after that many.
        """
        import numpy as np

        pipeline: Any = self.build(random_state=random_state)
        scaler, model = (step for _, step in pipeline.steps)
        if self.class_weight == "balanced":
            # A block has other class frequencies than all rows together.
            counts = np.bincount(batches.y, minlength=batches.n_classes)
            weights = batches.n_rows / (batches.n_classes * counts)
            model.set_params(class_weight=dict(enumerate(weights)))
        for X, _ in batches:
            scaler.partial_fit(X)
        classes = np.arange(batches.n_classes)
        passes = min(self.max_iter, -(-_ENOUGH_ROWS // batches.n_rows))
        for number in range(passes):
            for X, y in batches.shuffled(random_state + number):
                model.partial_fit(scaler.transform(X), y, classes=classes)
        fitted: ClassifierMixin = pipeline
        return fitted
