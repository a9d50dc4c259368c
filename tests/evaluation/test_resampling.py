"""Resamples that depend on the seed alone, in bounded memory."""

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy import special, stats

from audioclf.components.metrics import METRICS, Metric
from audioclf.evaluation.metrics import bootstrap as resampling
from audioclf.evaluation.metrics.bootstrap import N_RESAMPLES, interval, on_resamples
from audioclf.evaluation.metrics.estimate import bootstrap_values, estimate
from audioclf.evaluation.metrics.per_class import per_class
from tests.evaluation.predictions import OF_ONE_LABEL, random_case, repeated, result_of
from tests.targets import targets_of

MIB = 2**20

Blocks = Callable[[int], None]


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Draw anew in every test, and leave nothing that one of them patched."""
    resampling._kept.cache_clear()
    yield
    resampling._kept.cache_clear()


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> Blocks:
    """Return a function that sets the bytes of a block and keeps no draws."""

    def set_bytes(size: int) -> None:
        monkeypatch.setattr(resampling, "BLOCK_BYTES", size)
        monkeypatch.setattr(resampling, "KEPT_BYTES", 0)

    return set_bytes


def take_fewer(monkeypatch: pytest.MonkeyPatch, n_resamples: int) -> None:
    monkeypatch.setattr(resampling, "N_RESAMPLES", n_resamples)
    monkeypatch.setattr("audioclf.evaluation.metrics.estimate.N_RESAMPLES", n_resamples)


def test_equal_resamples_of_few_units_are_computed_once() -> None:
    rows: list[np.ndarray] = []

    def weighted_sum(counts: np.ndarray) -> np.ndarray:
        rows.extend(counts)
        return np.asarray(counts @ np.arange(6.0)[:, None])

    values = on_resamples(weighted_sum, 6, seed=1, width=1000)
    drawn = np.stack([*resampling._drawn(6, 1)])
    np.testing.assert_array_equal(values[:, 0], drawn @ np.arange(6))
    assert len(rows) == len({tuple(row) for row in rows}) < N_RESAMPLES


@pytest.mark.parametrize("metric", [m for m in OF_ONE_LABEL if not METRICS[m].two_classes_only])
def test_no_bit_depends_on_the_size_of_the_blocks(
    metric: Metric, in_blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_fewer(monkeypatch, 100)
    y = random_case(12, 70)[0]
    result, units = repeated(y, 3), np.arange(70) // 2
    whole = bootstrap_values([result], metric, targets_of(y, units), seed=3)
    for size in (1, 7 * 8 * 35, 10**9):
        in_blocks(size)
        np.testing.assert_array_equal(
            bootstrap_values([result], metric, targets_of(y, units), seed=3), whole, strict=True
        )


def test_no_bit_of_the_scores_of_a_class_depends_on_the_size_of_the_blocks(
    in_blocks: Blocks,
) -> None:
    y = random_case(4, 60)[0]
    result, units = repeated(y, 3), np.arange(60)
    whole = per_class(result, targets_of(y, units, n_classes=4), seed=0)
    in_blocks(1)
    assert per_class(result, targets_of(y, units, n_classes=4), seed=0) == whole


@pytest.mark.parametrize("n_units", [50, 1200])
def test_draws_that_are_kept_are_those_that_are_not(n_units: int, in_blocks: Blocks) -> None:
    kept = on_resamples(lambda counts: counts, n_units, seed=1)
    in_blocks(10**6)
    np.testing.assert_array_equal(on_resamples(lambda counts: counts, n_units, seed=1), kept)


@pytest.mark.parametrize("n_units", [40, 1200])
def test_every_resample_draws_as_many_units_as_there_are(n_units: int) -> None:
    counts = on_resamples(lambda counts: counts, n_units, seed=0)
    assert counts.shape == (N_RESAMPLES, n_units)
    assert (counts.sum(axis=1) == n_units).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(n_units), abs=0.15)
    assert counts.var() == pytest.approx(1 - 1 / n_units, rel=0.02)  # that of a multinomial
    twice = stats.binom.pmf(2, n_units, 1 / n_units)
    assert (counts == 2).mean() == pytest.approx(twice, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "expected_calibration_error"])
def test_memory_stays_bounded_whatever_the_number_of_clips(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 50_000
    take_fewer(monkeypatch, 200)
    all_at_once = 200 * n * 8
    y, y_pred, scores = random_case(2, n)
    result = result_of(y, y_pred, scores)
    assert _peak(lambda: estimate(result, metric, targets_of(y), seed=0)) < 64 * MIB < all_at_once


def test_memory_stays_bounded_whatever_the_number_of_classes() -> None:
    n_classes = 400
    y, y_pred, _ = random_case(n_classes, 800)
    result = result_of(y, y_pred)
    peak = _peak(lambda: estimate(result, "f1_macro", targets_of(y), seed=0))
    assert peak < 32 * MIB < N_RESAMPLES * n_classes**2


def test_a_count_that_is_kept_fits_its_type() -> None:
    n_units = resampling.KEPT_BYTES // N_RESAMPLES
    more = special.bdtrc(np.iinfo(np.uint8).max, n_units, 1 / n_units)
    assert n_units * N_RESAMPLES * more < 1e-100


def test_an_interval_of_nothing_is_nan() -> None:
    assert np.isnan(interval(0.5, np.array([np.nan, np.nan]), 9)).all()
    assert np.isnan(interval(float("nan"), np.array([0.1, 0.9]), 9)).all()


def test_an_interval_ignores_resamples_without_a_value() -> None:
    values = np.linspace(0.4, 0.8, 1001)
    with_nan = np.concatenate([values, [np.nan] * 500])
    assert interval(0.6, with_nan, 20) == interval(0.6, values, 20)


def test_the_interval_of_a_share_is_that_of_its_log_odds() -> None:
    """18 of 20: log odds 2.197 with standard error sqrt(1 / 18 + 1 / 2), up to n / (n - 1)."""
    values = np.random.default_rng(0).binomial(20, 0.9, 100_000) / 20
    half = special.stdtrit(19, 0.975) * np.sqrt(20 / 19) * np.sqrt(1 / 18 + 1 / 2)
    expected = special.expit(special.logit(0.9) + np.array([-half, half]))
    assert interval(0.9, values, 20) == pytest.approx(expected, abs=0.01)


def test_the_interval_of_a_metric_without_upper_end_is_that_of_its_logarithm() -> None:
    values = np.random.default_rng(0).normal(2.0, 0.1, 100_000)
    half = special.stdtrit(9, 0.975) * np.sqrt(10 / 9) * 0.1 / 2.0
    low, high = interval(2.0, values, 10, high=np.inf)
    assert (low, high) == pytest.approx((2 * np.exp(-half), 2 * np.exp(half)), rel=0.01)


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.0, 1.0), (-1.0, -1.0, 1.0)])
def test_the_interval_at_an_end_of_the_range_has_a_width(
    value: float, low: float, high: float
) -> None:
    ends = interval(value, np.full(100, value), 20, low=low, high=high)
    assert low <= ends[0] < ends[1] <= high
    assert value in ends
    for n_units in range(2, 200):
        down, up = interval(value, np.full(100, value), n_units, low=low, high=high)
        assert down <= value <= up
    assert 0.1 < (ends[1] - ends[0]) / (high - low) < 0.3


def test_a_metric_that_cannot_vary_has_an_interval_of_no_width() -> None:
    assert interval(0.5, np.full(100, 0.5), 20) == (0.5, 0.5)


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_single_unit_has_no_interval() -> None:
    values = on_resamples(lambda counts: np.ones((len(counts), 2)), 1, seed=0)
    assert values.shape == (N_RESAMPLES, 2)
    assert np.isnan(values).all()
    assert np.isnan(interval(1.0, values[:, 0], 1)).all()
