"""Numbers and ordered classes: metrics, intervals, guesses, splits and scores of ranks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from audioclf.base.errors import ConfigError, SplitError
from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.targets import Targets, quantile_bins
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.guesses import guess_of
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.estimate import check_metrics, estimates, scorer
from audioclf.evaluation.metrics.repeats import Repeat
from audioclf.evaluation.ordered_fits import scores_of_ranks
from audioclf.evaluation.splits import Holdout, KFold, StratifiedGroupKFold, StratifiedKFold
from tests.evaluation.predictions import cell_of, fold_of

NUMBER: list[Metric] = [name for name, info in METRICS.items() if "number" in info.targets]


def concordance(true: Any, predicted: Any) -> float:
    """Return one minus the mean squared distance to the diagonal, relative to independence."""
    pairs = np.subtract.outer(true, predicted) ** 2
    return 1.0 - float(np.diagonal(pairs).mean() / pairs.mean())


def expected(true: Any, predicted: Any) -> dict[str, float]:
    return {
        "ccc": concordance(true, predicted),
        "mae": sk.mean_absolute_error(true, predicted),
        "rmse": sk.root_mean_squared_error(true, predicted),
        "r2": sk.r2_score(true, predicted),
        "pearson": stats.pearsonr(true, predicted).statistic,
        "spearman": stats.spearmanr(true, predicted).statistic,
    }


def numbers(seed: int, n: int = 40) -> tuple[Any, Any]:
    """Return true and predicted numbers with ties, far from 0."""
    rng = np.random.default_rng(seed)
    true = np.round(rng.normal(1000.0, 2.0, n))
    return true, np.round(true + rng.normal(0.5, 1.5, n), 1)


def number_targets(values: Any, unit_codes: Any = None) -> Targets:
    codes = np.arange(len(values)) if unit_codes is None else unit_codes
    return Targets((), None, "clip", codes, values=np.asarray(values, dtype=np.float64))


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_other_implementations_also_on_resamples(seed: int) -> None:
    true, predicted = numbers(seed)
    clips = np.arange(len(true))
    draws = np.random.default_rng(seed).integers(0, 3, (4, len(true))).astype(float)
    draws[0] = 1.0
    units = Units(clips, len(clips))
    rows = scorer(Repeat(clips, true, predicted, None), NUMBER, 0, units)(Draws(draws))
    for weights, row in zip(draws.astype(int), rows, strict=True):
        drawn = np.repeat(clips, weights)
        other = expected(true[drawn], predicted[drawn])
        np.testing.assert_allclose(row, [other[name] for name in NUMBER], rtol=1e-9, atol=1e-9)


def test_a_weight_counts_as_often_as_a_clip() -> None:
    true, predicted = numbers(0)
    clips, weights = np.arange(len(true)), np.random.default_rng(0).integers(0, 4, len(true))
    units = Units(clips, len(clips), weights.astype(float))
    repeat = Repeat(clips, true, predicted, None, weights=weights.astype(float))
    (row,) = scorer(repeat, NUMBER, 0, units)(Draws(np.ones((1, len(clips)))))
    drawn = np.repeat(clips, weights)
    other = expected(true[drawn], predicted[drawn])
    np.testing.assert_allclose(row, [other[name] for name in NUMBER], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_ordered_classes_equal_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, 4, (2, 30))
    clips = np.arange(30)
    metrics: list[Metric] = ["accuracy", "quadratic_kappa", "mae"]
    repeat = Repeat(clips, true, predicted, None)
    (row,) = scorer(repeat, metrics, 4, Units(clips, 30))(Draws(np.ones((1, 30))))
    kappa = sk.cohen_kappa_score(true, predicted, weights="quadratic")
    accuracy, mae = (true == predicted).mean(), sk.mean_absolute_error(true, predicted)
    np.testing.assert_allclose(row, [accuracy, kappa, mae], atol=1e-12)


def test_a_constant_has_no_correlation_and_equal_numbers_have_none() -> None:
    clips = np.arange(6)
    score = {}
    for name, (true, said) in {"said": (clips / 7, 0 * clips), "true": (0 * clips, clips)}.items():
        repeat = Repeat(clips, true.astype(float), said + 0.3, None)
        row = scorer(repeat, NUMBER, 0, Units(clips, 6))(Draws(np.ones((1, 6))))[0]
        score[name] = dict(zip(NUMBER, row, strict=True))
    correlations = ("pearson", "spearman", "ccc")
    assert [score["said"][name] for name in correlations] == pytest.approx([0.0, 0.0, 0.0])
    assert np.isnan([score["true"][name] for name in (*correlations, "r2")]).all()
    assert score["true"]["mae"] == pytest.approx(2.8)


def test_intervals_are_within_the_range_and_contain_the_value() -> None:
    true, predicted = numbers(0)
    result = cell_of(fold_of(np.arange(40), predicted))
    found = estimates([result], NUMBER, number_targets(true), seed=0)[0]
    for name, estimate in found.items():
        assert estimate is not None
        assert METRICS[name].low < estimate.low < estimate.value < estimate.high, name
        assert estimate.high < METRICS[name].high
    r2 = found["r2"]
    assert r2 is not None
    grouped = estimates([result], ["r2"], number_targets(true, np.arange(40) // 10), seed=0)[0]
    assert grouped["r2"] is not None
    assert grouped["r2"].low < r2.low


@pytest.mark.parametrize(
    ("metric", "words"),
    [("mae", "always the median, 2"), ("rmse", "always the mean, 5"), ("ccc", "always the mean")],
)
def test_the_reference_is_the_best_constant(metric: Metric, words: str) -> None:
    targets = number_targets([1.0, 2.0, 2.0, 15.0])
    guess = guess_of(targets, np.arange(4), metric)
    assert guess.words(()).startswith(words)


def test_the_median_of_the_reference_is_that_of_the_weights() -> None:
    targets = replace(number_targets([0.0, 1.0, 2.0, 10.0]), weights=np.array([1.0, 1.0, 1.0, 9.0]))
    guess = guess_of(targets, np.arange(4), "mae")
    assert guess.words(()) == "always the median, 10"
    assert guess.score(np.ones((1, 4)))[0] == pytest.approx((10 + 9 + 8) / 12)


def test_a_comparison_of_numbers_has_no_test_of_labels() -> None:
    true, predicted = numbers(1)
    results = {
        name: cell_of(fold_of(np.arange(40), values))
        for name, values in {
            "good": (true + predicted) / 2,
            "mean": np.full(40, true.mean()),
        }.items()
    }
    targets = number_targets(true)
    found = compare(results, "mae", targets, seed=0, baseline="mean")
    assert found.pairs[0].better == "good"
    assert found.pairs[0].p_mcnemar is None
    assert "best guess from the numbers on test: always the m" in found.notes[0]


@pytest.mark.parametrize("metric", ["accuracy", "lwlrap", "quadratic_kappa"])
def test_metrics_of_classes_are_refused_for_numbers(metric: str) -> None:
    with pytest.raises(ConfigError, match="and the clips have numbers") as error:
        check_metrics([metric], (), kind="number")
    assert error.value.hint == "Use one or more of ccc, mae, rmse, r2, pearson, spearman."


def dataset_of(values: Any, groups: Any = None) -> Dataset:
    labels = [(f"{at:03}", str(value)) for at, value in enumerate(values)]
    clips = [
        Clip(name, label, None, group=None if groups is None else str(groups[at]))  # type: ignore[arg-type]
        for at, (name, label) in enumerate(labels)
    ]
    return Dataset(clips, name="d", target="number")


@pytest.mark.parametrize(
    "split", [StratifiedKFold(), KFold(), Holdout(stratify=True), StratifiedGroupKFold(n_splits=3)]
)
def test_splits_of_numbers(split: Any) -> None:
    values = np.round(np.random.default_rng(0).exponential(10.0, 60), 1)
    folds = split.folds(dataset_of(values, np.arange(60) // 5), 0).folds
    assert all(not set(fold.train) & set(fold.test) for fold in folds)
    if "stratif" in split.type or getattr(split, "stratify", False):
        bins = quantile_bins(values, fewest=12)
        for fold in folds:
            own, whole = (np.bincount(bins[at]) / len(at) for at in (fold.test, np.arange(60)))
            assert np.abs(own - whole).max() <= (0.2 if "group" in split.type else 0.15)


def test_equal_numbers_cannot_be_learned() -> None:
    with pytest.raises(SplitError, match=r"all 4 clips have the number 3\.5"):
        KFold(n_splits=2).folds(dataset_of([3.5] * 4), 0)
    with pytest.raises(SplitError, match="fewer than 2 different numbers"):
        KFold(n_splits=2).folds(dataset_of([1, 2]), 0)


@pytest.mark.parametrize("fewest", [1, 3, 7, 50])
def test_bins_hold_equal_numbers_together_in_order(fewest: int) -> None:
    values = np.array([5.0] * 9 + [1.0, 2.0, 3.0] * 5 + [9.0])
    bins = quantile_bins(values, fewest=fewest)
    assert (np.diff(bins[np.argsort(values, kind="stable")]) >= 0).all()
    assert all(len(set(bins[values == value])) == 1 for value in values)
    assert np.bincount(bins).min() >= min(fewest, len(values))


def test_scores_of_ranks_are_a_distribution_that_keeps_the_order() -> None:
    above = np.random.default_rng(0).uniform(size=(50, 4))
    scores = scores_of_ranks(above)
    assert scores.min() >= 0.0
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    falling = np.sort(above, axis=1)[:, ::-1]
    np.testing.assert_allclose(1.0 - np.cumsum(scores_of_ranks(falling), axis=1)[:, :-1], falling)
    reverse = scores_of_ranks(1.0 - above[:, ::-1])
    np.testing.assert_allclose(reverse[:, ::-1], scores)
