"""Samples of windows with known probabilities, and the estimates from them."""

import numpy as np
import pytest
from scipy import stats

from audioclf.evaluation.metrics.estimate import Estimate
from audioclf.evaluation.sampling.agreement import cohens_kappa
from audioclf.evaluation.sampling.design import (
    dependent_rounding,
    draw,
    expected_counts,
    score_bands,
    sizes_of_draws,
)
from audioclf.evaluation.sampling.diversity import farthest_first
from audioclf.evaluation.sampling.estimates import (
    Stratum,
    at_threshold,
    joined,
    more_for_half,
    share_of,
    total_of,
)


@pytest.mark.parametrize("n", [1, 5, 10, 12, 60])
def test_each_window_is_in_a_band(n: int) -> None:
    scores = np.random.default_rng(0).normal(size=50)
    bands, lows = score_bands(scores, n)
    assert bands.min() == 0
    assert lows[0] == scores.min()
    assert sizes_of_draws(np.bincount(bands), n, 0.5).sum() == min(n, 50)


def test_equal_scores_are_in_one_band_and_bands_shrink_towards_high_scores() -> None:
    scores = np.round(np.random.default_rng(0).beta(0.3, 8, 3000), 2)
    bands, lows = score_bands(scores, 60)
    assert (scores >= lows[bands]).all()
    assert all(len(set(bands[scores == value])) == 1 for value in set(scores))
    sizes = np.bincount(bands)
    assert sizes[0] == sizes.max() > 10 * sizes[-1]
    assert score_bands(np.zeros(10), 60)[1].tolist() == [0.0]


@pytest.mark.parametrize("sizes", [[0, 3], [3, 2, 3, 0], [0, 1, 3], [1, 3, 0]])
def test_empty_strata_give_nothing_where_all_is_drawn(sizes: list[int]) -> None:
    assert sizes_of_draws(np.array(sizes), 13, 0.5).tolist() == sizes


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_sizes_of_draws_are_whole_and_possible(power: float) -> None:
    sizes = np.array([5000, 300, 40, 3, 0])
    draws = sizes_of_draws(sizes, 50, power)
    assert draws.sum() == 50
    assert (draws <= sizes).all()
    assert (draws[:4] >= 2).all()
    assert sizes_of_draws(sizes, 10**6, power).tolist() == sizes.tolist()


def test_rounding_keeps_means_rows_and_columns() -> None:
    rng = np.random.default_rng(1)
    expected = rng.uniform(0, 1.5, (6, 4))
    rounds = np.array([dependent_rounding(expected, rng) for _ in range(300)])
    assert np.abs(rounds.mean(axis=0) - expected).max() < 5 * 0.5 / 300**0.5
    for axis in (1, 2):
        sums, means = rounds.sum(axis=axis), expected.sum(axis=axis - 1)
        assert ((np.floor(means) <= sums) & (sums <= np.ceil(means))).all()


@pytest.mark.parametrize("limit", [None, 2])
def test_windows_are_drawn_with_their_probabilities_and_few_of_a_recording(
    limit: int | None,
) -> None:
    rng = np.random.default_rng(2)
    strata = rng.integers(0, 3, 200)
    recordings = np.sort(rng.integers(0, 8, 200) // rng.integers(1, 4, 200))
    limits = None if limit is None else np.full(8, limit)
    hits, most, n = np.zeros(200), 0, 250
    for _ in range(n):
        chosen, shares = draw(strata, recordings, np.array([6.0, 4.0, 2.0]), rng, limits)
        hits[chosen] += 1
        most = max(most, int(np.bincount(recordings[chosen]).max()))
    error = (hits / n - shares) / np.sqrt(shares * (1 - shares) / n)
    assert 0.8 < error.std() < 1.25
    assert shares.min() > 0
    assert limit is None or most <= limit
    assert shares.sum() == pytest.approx(12)


def test_a_limit_that_leaves_too_few_windows_lowers_the_number() -> None:
    counts = np.array([[5, 5], [5, 5]])
    expected = expected_counts(counts, np.array([8.0, 8.0]), np.array([3, 3]))
    assert expected.sum() == pytest.approx(6)


def stratum(low: float, size: int, hits: int, n: int, start: int = 0) -> Stratum:
    return Stratum(f"{low:g}", low, size, np.arange(start, start + n), np.full(n, size / max(n, 1)))


def test_a_stratum_that_was_reviewed_completely_is_known() -> None:
    hits = np.array([True, True, False])
    assert total_of([stratum(0, 3, 2, 3)], hits) == Estimate(2.0, 2.0, 2.0)
    above = stratum(1, 4, 3, 4, start=3)
    hits = np.array([*hits, True, True, True, False])
    assert share_of([above], [stratum(0, 3, 2, 3)], hits) == Estimate(0.6, 0.6, 0.6)
    recall = share_of([above], [stratum(0, 9, 2, 3)], hits)
    assert 3 / 11 <= recall.low < recall.value < recall.high <= 0.6  # 2 to 8 events below


def mid_p(k: int, n: int, share: float) -> tuple[float, float]:
    """Return the probabilities of k or fewer and of k or more, with half of that of k."""
    below, above = stats.binom.cdf(k, n, share), stats.binom.sf(k - 1, n, share)
    half = stats.binom.pmf(k, n, share) / 2
    return float(below - half), float(above - half)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 200), (4, 200), (30, 60), (60, 60)])
def test_an_interval_of_one_stratum_is_near_that_of_the_binomial(k: int, n: int) -> None:
    size = 10**7
    found = total_of([stratum(0, size, k, n)], np.arange(n) < k)
    assert found.value == pytest.approx(size * k / n)
    if k > 0:
        assert 0.01 < mid_p(k, n, found.low / size)[1] < 0.05
    if k < n:
        assert 0.01 < mid_p(k, n, found.high / size)[0] < 0.05


def test_strata_without_an_event_share_one_upper_end() -> None:
    none = np.zeros(200, dtype=bool)
    one = total_of([stratum(0, 10_000, 0, 200)], none)
    assert (one.value, one.low) == (0.0, 0.0)
    parts = [stratum(at, 1000, 0, 20, start=20 * at) for at in range(10)]
    assert total_of(parts, none).high == pytest.approx(one.high, rel=1e-3)
    known = [*parts, stratum(10, 50, 50, 50, start=200)]
    hits = np.arange(250) >= 200
    total = total_of(known, hits)
    assert (total.value, total.low) == (50.0, 50.0)
    assert total.high == pytest.approx(50 + one.high, rel=1e-3)


def test_a_share_of_two_parts_is_that_of_the_events() -> None:
    sides = [stratum(0, 10_000, 3, 1000), stratum(1, 10_000, 9, 1000, start=1000)]
    hits = np.zeros(2000, dtype=bool)
    hits[[0, 1, 2, *range(1000, 1009)]] = True
    found = share_of(sides[1:], sides[:1], hits)
    assert found.value == pytest.approx(0.75)
    assert 0.01 < mid_p(9, 12, found.low)[1] < 0.05
    assert 0.01 < mid_p(9, 12, found.high)[0] < 0.05
    assert share_of(sides, [], hits) == Estimate(1.0, 1.0, 1.0)
    assert np.isnan(share_of([], [], hits).value)
    assert share_of(sides[:1], sides[1:], np.arange(2000) < 3).high == 1.0


def test_a_side_without_an_event_reaches_to_3_in_n() -> None:
    known, above, below = (
        stratum(i, *n, start=i * 500)
        for i, n in enumerate([(30, 20, 30), (1000, 80, 100), (10_000, 0, 500)])
    )
    hits = np.isin(np.arange(2000), [*range(20), *range(500, 580)])
    assert total_of([known, below], hits).high == pytest.approx(20 + 10_000 * 3 / 500, rel=0.1)
    recall = share_of([above], [below], hits)
    assert (recall.value, recall.high) == (1.0, 1.0)
    assert recall.low == pytest.approx(800 / (800 + 10_000 * 3 / 500), abs=0.02)
    none = share_of([below], [above], hits)
    assert (none.value, none.low, none.high) == pytest.approx((0.0, 0.0, 1 - recall.low))


def test_unequal_probabilities_count_as_fewer_windows() -> None:
    hits = np.arange(40) < 10
    equal = Stratum("", 0.0, 4000, np.arange(40), np.full(40, 100.0))
    unequal = Stratum("", 0.0, 4000, np.arange(40), np.tile([20.0, 180.0], 20))
    one, other = (total_of([item], hits) for item in (equal, unequal))
    assert one.value == other.value == 1000
    assert other.high - other.low > 1.2 * (one.high - one.low)


def test_precision_and_recall_at_a_threshold() -> None:
    strata = [stratum(0.0, 900, 1, 10), stratum(0.5, 100, 8, 10, start=10)]
    hits = np.repeat([True, False, True, False], [1, 9, 8, 2])
    point = at_threshold(strata, hits, 0.5)
    assert (point.n_windows, point.precision.value) == (100, 0.8)
    assert point.recall.value == pytest.approx(80 / 170)
    assert 0.1 < point.recall.low < 80 / 170 < point.recall.high < 0.95
    assert at_threshold(strata, hits, 0.0).recall.low == 1.0


def test_strata_without_a_reviewed_window_are_joined_with_a_neighbor() -> None:
    strata = [stratum(0.0, 50, 0, 0), stratum(0.2, 30, 0, 3), stratum(0.9, 5, 0, 0)]
    (one,) = joined(strata)
    assert (one.size, one.low, one.n_reviewed) == (85, 0.0, 3)


def test_four_times_the_windows_halve_the_interval() -> None:
    assert more_for_half([stratum(0, 10**6, 0, 50)]) == 150
    assert more_for_half([stratum(0, 100, 0, 100)]) == 0


def test_diverse_windows_are_far_from_each_other_and_from_reviewed_ones() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(4), 50)
    rows = (10 * np.eye(4)[kinds] + rng.normal(0, 0.1, (200, 4))).astype(np.float32)
    rows = np.hstack([rows * [1, 1e3, 1, 1] + 7, np.full((200, 1), 3)]).astype(np.float32)
    recordings, free = np.arange(200) % 5, np.ones(200, dtype=bool)
    found = farthest_first(rows, free, recordings, 4)
    assert sorted(kinds[found]) == [0, 1, 2, 3]
    free[:60:2] = False  # some windows of two kinds were reviewed
    assert sorted(kinds[farthest_first(rows, free, recordings, 2)]) == [2, 3]
    limited = farthest_first(rows, free, recordings, 12, per_recording=2)
    assert np.bincount(recordings[limited]).tolist() == [2] * 5
    assert free[limited].all()
    assert len(set(farthest_first(rows, free, recordings, 300))) == free.sum() == 170


def test_kappa_is_that_of_the_textbook() -> None:
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    kappa = cohens_kappa(first, second)
    assert kappa.value == pytest.approx(0.4)
    assert (kappa.low, kappa.high) == pytest.approx((0.125, 0.618), abs=1e-3)
    assert np.isnan(cohens_kappa(["a"], ["a"]).value)


@pytest.mark.parametrize(("n", "share"), [(20, 0.1), (60, 0.5)])
def test_the_interval_of_kappa_holds_the_true_one(n: int, share: float) -> None:
    """Of two reviewers who are right in 95 % of the windows."""
    rng = np.random.default_rng(0)
    equal, yes = 0.95**2 + 0.05**2, share * 0.95 + (1 - share) * 0.05
    chance = yes**2 + (1 - yes) ** 2
    true, held, tried = (equal - chance) / (1 - chance), 0, 0
    for _ in range(300):
        truth = rng.uniform(size=n) < share
        one, other = (list((truth ^ (rng.uniform(size=n) < 0.05)).astype(str)) for _ in range(2))
        kappa = cohens_kappa(one, other)
        tried += np.isfinite(kappa.value)
        held += kappa.low <= true <= kappa.high
    assert held / tried > 0.93


def test_the_interval_of_kappa_has_a_width_where_all_answers_are_equal() -> None:
    kappa = cohens_kappa(["yes", "no"] * 10, ["yes", "no"] * 10)
    assert (kappa.value, kappa.high) == (1.0, 1.0)
    assert 0.6 < kappa.low < 0.75
