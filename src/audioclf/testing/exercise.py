"""Use a component once, as a run does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audioclf.components import Classifier, Component, Featurizer, Loader
from audioclf.testing.example import SEED, SR, noise, toy

if TYPE_CHECKING:
    from numpy.typing import NDArray


def exercise(component: Component) -> None:
    """Load, extract, or build, fit and predict."""
    if isinstance(component, Loader):
        component.load()
    elif isinstance(component, Featurizer):
        component.extract(noise(), SR)
        component.extract_many([noise(), noise(seed=1)], SR)
    elif isinstance(component, Classifier):
        X, y = toy()
        estimator = fitted(component, X, y)
        estimator.predict(X.copy())
        scores_of(estimator, X)


def fitted(component: Classifier, X: NDArray[Any], y: NDArray[Any], seed: int = SEED) -> Any:
    """Return a new estimator, fitted on copies of the rows."""
    estimator: Any = component.build(random_state=seed)
    estimator.fit(X.copy(), y.copy())
    return estimator


def scores_of(estimator: Any, X: NDArray[Any]) -> NDArray[Any] | None:
    """Return probabilities, else decision values, else None."""
    for name in ("predict_proba", "decision_function"):
        if hasattr(estimator, name):
            scores: NDArray[Any] = getattr(estimator, name)(X.copy())
            return scores
    return None
