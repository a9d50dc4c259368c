"""The formulas against statsmodels, scipy and examples worked by hand."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audioclf.evaluation.comparison.significance import (
    Spread,
    bootstrap_spread,
    corrected_spread,
    holm,
    mcnemar,
)


def right_and_wrong(both: int, first: int, second: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, first, second, none)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False] * 2, counts)


@pytest.mark.parametrize("counts", [(50, 9, 1, 3), (0, 5, 5, 0), (20, 0, 6, 2), (7, 121, 59, 4)])
def test_mcnemar_is_statsmodels(counts: tuple[int, int, int, int]) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    table = np.reshape(counts, (2, 2))
    expected = float(tables.mcnemar(table, exact=True).pvalue)
    assert mcnemar(*right_and_wrong(*counts)) == pytest.approx(expected, rel=1e-12)


def test_holm_is_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        p_values = [float(p) for p in rng.random(4 * seed + 1).round(1 + seed % 3) ** 2]
        expected = multitest.multipletests(p_values, method="holm")[1]
        assert holm(p_values) == pytest.approx(list(expected), abs=1e-12)


def test_the_corrected_test_by_hand() -> None:
    # mean 0.04, variance 0.0005; times (1/5 + 1/4): error 0.015; t = 2.667 with 4 df
    spread = corrected(np.array([0.04, 0.07, 0.01, 0.05, 0.03]), 1 / 4)
    assert spread.error == pytest.approx(math.sqrt(0.0005 * 0.45))
    assert spread.p(0.04) == pytest.approx(2 * stats.t.sf(2.6667, 4), rel=1e-4)


def test_without_overlap_the_corrected_test_is_students() -> None:
    differences = np.random.default_rng(0).normal(0.1, 0.3, 12)
    spread = corrected(differences, 0.0)
    expected = stats.ttest_1samp(differences, 0.0)
    assert spread.p(float(differences.mean())) == pytest.approx(float(expected.pvalue))


@pytest.mark.parametrize("differences", [[0.1], [0.1, np.nan, 0.2]])
def test_the_corrected_test_needs_two_folds_with_a_value(differences: list[float]) -> None:
    assert corrected_spread(np.array(differences), 0.25) is None


def test_folds_that_all_differ_alike_are_as_telling_as_coins() -> None:
    spread = corrected(np.full(5, 0.1), 0.25)
    assert spread == Spread(0.0, 4)
    assert spread.p(0.1) == 1 / 16
    assert spread.p(0.0) == 1.0


def test_rounding_errors_of_equal_differences_are_no_spread() -> None:
    spread = corrected(np.array([0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6]), 0.5)
    assert spread == Spread(0.0, 2)


@pytest.mark.parametrize("df", [1, 5, 97])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.0008])
def test_half_widths_are_those_of_student(df: int, alpha: float) -> None:
    high = stats.t.interval(1 - alpha, df, scale=0.3)[1]
    assert Spread(0.3, df).half_width(alpha) == pytest.approx(float(high), rel=1e-6)


@given(st.floats(0, 3), st.integers(1, 200), st.sampled_from([0.001, 0.05, 0.1]))
def test_p_and_interval_agree(difference: float, df: int, alpha: float) -> None:
    spread = Spread(0.5, df)
    half = spread.half_width(alpha)
    if abs(difference - half) > 1e-6:
        assert (spread.p(difference) < alpha) == (difference > half)


def spread_of(*args: Any, **kwargs: Any) -> Spread:
    spread = bootstrap_spread(*args, **kwargs)
    assert spread is not None
    return spread


def corrected(differences: np.ndarray, test_ratio: float) -> Spread:
    spread = corrected_spread(differences, test_ratio)
    assert spread is not None
    return spread


def resampled_means(values: np.ndarray, n_resamples: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(3)
    means: np.ndarray = rng.choice(values, (n_resamples, len(values))).mean(axis=1)[None]
    return means


@pytest.mark.parametrize("n", [6, 40])
def test_the_bootstrap_of_a_mean_is_the_paired_t_test(n: int) -> None:
    values = np.random.default_rng(n).normal(0.2, 1.0, n)
    spread = spread_of(resampled_means(values), n, folds_per_repeat=1, test_ratio=0.0)
    assert spread.df == n - 1
    assert spread.error == pytest.approx(float(stats.sem(values)), rel=0.05)


def test_the_bootstrap_widens_by_what_other_training_clips_change() -> None:
    row = resampled_means(np.random.default_rng(0).normal(size=50))
    plain = spread_of(row, 50, folds_per_repeat=5, test_ratio=0.0)
    once = spread_of(row, 50, folds_per_repeat=5, test_ratio=1 / 4)
    often = spread_of(np.repeat(row, 10, axis=0), 50, folds_per_repeat=5, test_ratio=1 / 4)
    assert once.error / plain.error == pytest.approx(math.sqrt(1 + 5 / 4))
    assert often.error / plain.error == pytest.approx(math.sqrt(1 / 10 + 5 / 4))


def test_class_counts_that_are_kept_cost_degrees_of_freedom() -> None:
    row = resampled_means(np.random.default_rng(0).normal(size=50))
    free = spread_of(row, 50, folds_per_repeat=5, test_ratio=0.25)
    kept = spread_of(row, 50, folds_per_repeat=5, test_ratio=0.25, n_fixed=10)
    assert (free.df, kept.df) == (49, 40)
    assert kept.error / free.error == pytest.approx(math.sqrt(49 / 40))


def test_resamples_without_a_value_are_left_out() -> None:
    row = resampled_means(np.random.default_rng(0).normal(size=50))
    holes = np.where(np.arange(row.size) % 3, row, np.nan)
    whole = spread_of(row, 50, folds_per_repeat=5, test_ratio=0.25)
    found = spread_of(holes, 50, folds_per_repeat=5, test_ratio=0.25)
    assert found.error == pytest.approx(whole.error, rel=0.1)


@pytest.mark.parametrize(
    ("row", "n_units"), [(np.full((1, 9), np.nan), 9), (np.arange(9.0)[None], 1)]
)
def test_nothing_to_resample_is_no_spread(row: np.ndarray, n_units: int) -> None:
    assert bootstrap_spread(row, n_units, folds_per_repeat=5, test_ratio=0.25) is None
