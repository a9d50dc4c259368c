"""Significance tests of the difference between two classifiers on the same clips.

The paired bootstrap resamples the test clips or their groups. The corrected resampled t-test uses
the variation between folds, which includes that of the training sides. McNemar's test counts the
clips that only one of the two predicts correctly. `holm` corrects for many pairs.

A difference is positive where the first of the two is better. `alpha` is the accepted error rate,
in (0, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """Student's t of an estimated difference: standard error and degrees of freedom."""

    error: float
    df: int

    def half_width(self, alpha: float) -> float:
        """Return half the length of the interval that covers with probability `1 - alpha`."""
        from scipy import special

        return -float(special.stdtrit(self.df, alpha / 2)) * self.error

    def p(self, difference: float) -> float:
        """Return the two-sided p of a difference, in [0, 1].

        Without any variation, a difference has the p of `df + 1` equal coin tosses.
        """
        from scipy import special

        if self.error == 0:
            return 2.0**-self.df if difference else 1.0
        return 2 * float(special.stdtr(self.df, -abs(difference) / self.error))


def bootstrap_spread(
    resampled: Floats, n_units: int, *, folds_per_repeat: float, test_ratio: float, n_fixed: int = 1
) -> Spread | None:
    """Return the spread of a difference from its values on resamples of the test units.

    The variance within a repeat is that over resamples of its units (Efron & Tibshirani 1993, *An
    Introduction to the Bootstrap*, chapter 6), times `n / df` and read against Student's t with `df
    = n - n_fixed` degrees of freedom (`n_fixed` class counts that the resamples keep, or 1), since
    intervals from percentiles of few units are too short (Hesterberg 2015, *The American
    Statistician* 69, 371-386), and no share of 1,000 resamples is below 0.001.

    The bootstrap keeps the trained classifiers. The variation of the training sides is added by the
    factor of Nadeau & Bengio (see `corrected_spread`), with the variance of a fold from the
    resamples: R repeats of k folds have `1 / R + k * n_test / n_train` times the variance of one
    repeat.

    `resampled` [shape=(n_repeats, n_resamples)] is NaN where the metric is not defined. None for
    one unit, or where the metric is not defined on 2 resamples of any repeat.
    """
    finite = [row[np.isfinite(row)] for row in resampled]
    variances = [_variance(row) for row in finite if len(row) > 1]
    df = n_units - n_fixed
    if df < 1 or not variances:
        return None
    factor = (1 / len(resampled) + folds_per_repeat * test_ratio) * n_units / df
    return Spread(float(np.sqrt(np.mean(variances) * factor)), df)


def corrected_spread(differences: Floats, test_ratio: float) -> Spread | None:
    """Return the spread of the mean difference over folds whose training sides overlap.

    The corrected resampled t-test of Nadeau & Bengio 2003, *Machine Learning* 52, 239-281, for
    repeated folds as in Bouckaert & Frank 2004, *PAKDD*: the variance of J folds is multiplied by
    `1 / J + n_test / n_train` instead of `1 / J`. None for fewer than 2 folds, or where one is NaN.
    """
    n_folds = len(differences)
    if n_folds < 2 or not np.isfinite(differences).all():
        return None
    variance = _variance(differences) * (1 / n_folds + test_ratio)
    return Spread(float(np.sqrt(variance)), n_folds - 1)


def _variance(values: Floats) -> float:
    """Return the variance of a sample; 0 for the rounding errors of values that are equal."""
    spread = float(np.ptp(values))
    return float(values.var(ddof=1)) if spread > 1e-12 * float(np.abs(values).max()) else 0.0


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p of McNemar's test (*Psychometrika* 12, 1947, 153-157).

    Of the clips that only one classifier predicts correctly, each is the first's with probability
    1/2. Clips are assumed to be independent, and the classifiers to be fixed.
    """
    from scipy import special

    first_only = int((first_right & ~second_right).sum())
    second_only = int((second_right & ~first_right).sum())
    n_different = first_only + second_only
    tail = float(special.bdtr(min(first_only, second_only), n_different, 0.5))
    return min(1.0, 2 * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for multiple tests (Holm 1979), in the same order, each in [0, 1].

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(adjusted, 1.0)
    return [float(value) for value in result]
