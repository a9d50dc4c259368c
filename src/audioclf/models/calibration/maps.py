"""Calibration: maps from scores to probabilities, fitted on out-of-fold scores; and abstaining.

A sigmoid and an isotonic curve treat each class against the rest and then divide by the sum, as
scikit-learn's `CalibratedClassifierCV` does; of two classes, the second alone is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audioclf.models.calibration.records import Curve, Isotonic, Method, Sigmoid, Temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.intp]

AnyMap = Temperature | Sigmoid | Isotonic

FLOOR = 1e-4
"""Lower scores are raised to this: a few thousand clips cannot measure rarer errors."""

MIN_ERRORS = 2
"""Misclassified clips that a temperature below 1 needs."""

_EQUAL = 1e-9
"""Largest difference of two scores that are equal except for rounding."""

_TEMPERATURES = (0.01, 100.0)


def calibrated(mapping: AnyMap, scores: Floats) -> Floats:
    """Return calibrated scores [shape=(n_rows, n_classes)]; rows sum to 1, before and after."""
    if isinstance(mapping, Temperature):
        from scipy.special import softmax

        return softmax(np.log(np.maximum(scores, FLOOR)) / mapping.temperature, axis=1)
    if isinstance(mapping, Sigmoid):
        odds = _log_odds(_columns(scores))
        return _normalized(_sigmoid(odds * np.asarray(mapping.slopes) + mapping.intercepts))
    columns = _columns(scores)
    shares = np.empty_like(columns)
    for column, curve in enumerate(mapping.curves):
        shares[:, column] = np.interp(columns[:, column], curve.scores, curve.shares)
    return _normalized(shares)


def calibrated_states(mapping: AnyMap, scores: Floats) -> Floats:
    """Return calibrated scores of several labels [shape=(n_rows, n_classes)], each by itself.

    A class with slope 1 and intercept 0 was not calibrated and keeps its scores.
    """
    assert isinstance(mapping, Sigmoid)
    slopes, intercepts = np.asarray(mapping.slopes), np.asarray(mapping.intercepts)
    kept = (slopes == 1) & (intercepts == 0)
    return np.where(kept, scores, _sigmoid(_log_odds(scores) * slopes + intercepts))


def fit_sigmoid(scores: Floats, truth: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Return slope and intercept of a logistic curve over the log-odds of the scores of a class."""
    return _fit_sigmoid(_log_odds(scores), truth, weights)


def top_of(probabilities: Floats, scores: Floats) -> Codes:
    """Return the class with the highest probability; among equal ones, the highest score."""
    is_top = probabilities == probabilities.max(axis=1, keepdims=True)
    codes: Codes = np.where(is_top, scores, -1.0).argmax(axis=1)
    return codes


def is_tie(scores: Floats) -> NDArray[np.bool_]:
    """Return for each row of scores [shape=(n_rows, n_classes)] whether two share the highest.

    >>> is_tie(np.array([[0.4, 0.4, 0.2], [0.5, 0.3, 0.2]])).tolist()
    [True, False]
    """
    highest = scores.max(axis=1, keepdims=True)
    shared: NDArray[np.bool_] = np.count_nonzero(scores >= highest - _EQUAL, axis=1) > 1
    return shared


def names_no_class(scores: Floats, codes: Codes, below: float) -> NDArray[np.bool_]:
    """Return for each row whether a model that abstains names no class.

    So it is if the score of its class is below the limit, or two classes share the highest score.
    """
    low: NDArray[np.bool_] = scores[np.arange(len(codes)), codes] < below
    return low | is_tie(scores)


def abstained(codes: Codes, scores: Floats | None, below: float | None) -> Codes:
    """Return the codes with -1 where a model that abstains names no class; None is no limit."""
    if below is None or scores is None:
        return codes
    return np.where(names_no_class(scores, codes, below), -1, codes)


def fit_calibration(method: Method, scores: Floats, y_true: Codes, weights: Floats) -> AnyMap:
    """Fit a map on out-of-fold scores [shape=(n_rows, n_classes)], of which each row sums to 1.

    `y_true` are the true codes; the weights of the rows of one clip sum to 1 on average.
    """
    if method == "temperature":
        return _fit_temperature(scores, y_true, weights)
    n_classes = scores.shape[1]
    columns = _columns(scores)
    classes = [1] if n_classes == 2 else range(n_classes)
    truths = [y_true == code for code in classes]
    if method == "isotonic":
        pairs = zip(columns.T, truths, strict=True)
        return Isotonic(curves=tuple(_fit_curve(s, truth, weights) for s, truth in pairs))
    pairs = zip(_log_odds(columns).T, truths, strict=True)
    fitted = [_fit_sigmoid(odds, truth, weights) for odds, truth in pairs]
    return Sigmoid(slopes=tuple(a for a, _ in fitted), intercepts=tuple(b for _, b in fitted))


def has_few_errors(scores: Floats, y_true: Codes, weights: Floats) -> bool:
    """Whether too few clips are misclassified to make scores more extreme."""
    return bool(weights[scores.argmax(axis=1) != y_true].sum() < MIN_ERRORS)


def _fit_temperature(scores: Floats, y_true: Codes, weights: Floats) -> Temperature:
    """Return the divisor, at least 1 where too few errors show how sure the scores may become."""
    from scipy.optimize import minimize_scalar

    logs, rows = np.log(np.maximum(scores, FLOOR)), np.arange(len(scores))
    low, high = _TEMPERATURES
    if has_few_errors(scores, y_true, weights):
        low = 1.0  # the best divisor may be near 0, which makes every score 0 or 1

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        highest = scaled.max(axis=1)
        total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float((weights * (total - scaled[rows, y_true])).sum())

    result = minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded")
    return Temperature(temperature=float(np.clip(np.exp(result.x), low, high)))


def _fit_sigmoid(odds: Floats, truth: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Return slope and intercept for Platt's smoothed targets, over log-odds instead of scores.

    So the curve can leave good scores as they are. Its slope is at least 0: their order stays.
    """
    from scipy.optimize import minimize

    n_true, n_false = weights[truth].sum(), weights[~truth].sum()
    targets = np.where(truth, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] * odds + line[1]
        errors = weights * (_sigmoid(z) - targets)
        total = (weights * (np.logaddexp(0, z) - targets * z)).sum()
        return float(total), np.array([(errors * odds).sum(), errors.sum()])

    bounds = [(0.0, 1e6), (-1e6, 1e6)]
    result = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(result.x[0]), float(result.x[1])


def _fit_curve(scores: Floats, truth: NDArray[np.bool_], weights: Floats) -> Curve:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(scores, truth.astype(float), weights)
    at, first = np.unique(fitted.X_thresholds_, return_index=True)
    # Rounding can make a plateau uneven in its last bit.
    shares = np.maximum.accumulate(np.clip(fitted.y_thresholds_[first], 0.0, 1.0))
    return Curve(scores=tuple(at.tolist()), shares=tuple(shares.tolist()))


def _columns(scores: Floats) -> Floats:
    return scores[:, 1:] if scores.shape[1] == 2 else scores


def _log_odds(scores: Floats) -> Floats:
    clipped = np.clip(scores, FLOOR, 1 - FLOOR)
    odds: Floats = np.log(clipped) - np.log1p(-clipped)
    return odds


def _sigmoid(z: Floats) -> Floats:
    probabilities: Floats = np.exp(-np.logaddexp(0.0, -z))
    return probabilities


def _normalized(shares: Floats) -> Floats:
    """Return rows that sum to 1; equal shares where all are 0."""
    if shares.shape[1] == 1:
        return np.hstack([1 - shares, shares])
    total = shares.sum(axis=1, keepdims=True)
    even = np.full_like(shares, 1 / shares.shape[1])
    normalized: Floats = np.divide(shares, total, out=even, where=total > 0)
    return normalized
