"""One use of a component, as in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from audioclf.components.augmenter import Augmenter
from audioclf.components.classifier import Classifier
from audioclf.components.component import Component
from audioclf.components.featurizer import Featurizer
from audioclf.components.loader import Loader
from audioclf.testing.example import N_FRAMES, SEED, SR, noise, toy

if TYPE_CHECKING:
    from numpy.typing import NDArray


def exercise(component: Component) -> None:
    """Load, extract, change, or build, fit and predict."""
    if isinstance(component, Loader):
        component.load()
    elif isinstance(component, Featurizer):
        component.extract(noise(), SR)
        component.extract_many([noise(), noise(seed=1)], SR)
    elif isinstance(component, Augmenter):
        component.augment(noise(), SR, np.random.default_rng(SEED))
    elif isinstance(component, Classifier):
        X, y = toy_for(component)
        estimator = fitted(component, X, y)
        estimator.predict(X.copy())
        scores_of(estimator, X)


def fitted(component: Classifier, X: NDArray[Any], y: NDArray[Any], seed: int = SEED) -> Any:
    """Return a new estimator, fitted on copies of the rows."""
    estimator: Any = component.build(random_state=seed)
    estimator.fit(X.copy(), y.copy(), **shape_for(component, X))
    return estimator


def toy_for(component: Classifier, n_classes: int = 2, **options: Any) -> tuple[Any, Any]:
    """Return the rows of `toy`, of several frames for a classifier that needs a shape.

    For one that learns numbers, these are near the codes of the classes.
    """
    n_frames = N_FRAMES if component.needs_shape() else 1
    X, y = toy(n_classes, n_frames=n_frames, **options)
    if component.learns() == "class":
        return X, y
    return X, y + np.random.default_rng(SEED).uniform(-0.1, 0.1, len(y))


def shape_for(component: Classifier, X: NDArray[Any]) -> dict[str, Any]:
    """Return the keywords of `fit` for rows of `toy_for`."""
    shape = (X.shape[1] // N_FRAMES, N_FRAMES) if component.needs_shape() else None
    return component.fit_keywords(groups=None, shape=shape)


def scores_of(estimator: Any, X: NDArray[Any]) -> NDArray[Any] | None:
    """Return probabilities, else decision values, else None."""
    for name in ("predict_proba", "decision_function"):
        if hasattr(estimator, name):
            scores: NDArray[Any] = getattr(estimator, name)(X.copy())
            return scores
    return None
