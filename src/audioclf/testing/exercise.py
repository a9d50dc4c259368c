"""Uses of a component, as in a run; those that several checks look at are made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from audioclf.base.process_state import global_state, isolated_process_state, random_state
from audioclf.components.augmenter import Augmenter
from audioclf.components.classifier import Classifier
from audioclf.components.component import Component
from audioclf.components.featurizer import Featurizer
from audioclf.components.loader import Loader
from audioclf.testing.capture import captured_stdout
from audioclf.testing.example import N_FRAMES, SEED, SR, noise, toy

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")


class _Kept:
    """Results of the component that is checked at present."""

    component: Component | None = None
    results: dict[Any, Any] = {}  # noqa: RUF012  replaced with each component


def once(component: Component, function: Callable[..., T], *args: Any) -> T:
    """Return `function(component, *args)`, called once until another component is checked."""
    if _Kept.component is not component:
        _Kept.component, _Kept.results = component, {}
    key = function, args
    if key not in _Kept.results:
        _Kept.results[key] = function(component, *args)
    result: T = _Kept.results[key]
    return result


class Observed(NamedTuple):
    """The changes by one use: text on stdout, and parts of the state of the process."""

    written: str
    random: list[str]
    settings: list[str]


def observed(component: Component) -> Observed:
    """Use a component a second time, because the first one imports libraries, which do more."""
    with isolated_process_state():
        exercise(component)
    random, settings = random_state(), global_state()
    with captured_stdout() as written:
        exercise(component)
    return Observed(
        "".join(written), _changed(random, random_state()), _changed(settings, global_state())
    )


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if before[name] != after[name]]


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


def toy_fit(component: Classifier, n_classes: int = 2, spread: float = 1.0) -> tuple[Any, Any, Any]:
    """Return rows and labels of `toy_for`, and an estimator fitted on them.

    It is fitted once, unless `build` returns one estimator again and again.
    """
    if component.build(random_state=SEED) is component.build(random_state=SEED):
        return _toy_fit(component, n_classes, spread)
    return once(component, _toy_fit, n_classes, spread)


def _toy_fit(component: Classifier, n_classes: int, spread: float) -> tuple[Any, Any, Any]:
    X, y = toy_for(component, n_classes, spread=spread)
    return X, y, fitted(component, X, y)


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
