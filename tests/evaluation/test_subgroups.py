"""A metric on each subgroup, its interval, and subgroups that lack what a metric needs."""

import numpy as np
import pytest
from sklearn import metrics as sk

from audioclf.components.metrics import Metric
from audioclf.evaluation.metrics.bootstrap import wilson_interval
from audioclf.evaluation.metrics.estimate import metric_value
from audioclf.evaluation.metrics.subgroups import by_subgroup, harmonic_mean
from tests.evaluation.predictions import cell_of, fold_of, random_case, repeated, result_of
from tests.targets import targets_of

NAMES = ["north", "south", "west"]


def test_a_subgroup_has_the_metric_of_its_clips_alone() -> None:
    y, y_pred, scores = random_case(2, 90)
    codes = np.arange(90) % 3
    result = result_of(y, y_pred, scores)
    for metric, oracle, predicted in (
        ("balanced_accuracy", sk.balanced_accuracy_score, y_pred),
        ("f1", sk.f1_score, y_pred),
        ("roc_auc", sk.roc_auc_score, scores[:, 1]),
        ("brier_score", sk.brier_score_loss, scores[:, 1]),
    ):
        found = by_subgroup(result, metric, targets_of(y), codes, NAMES)  # type: ignore[arg-type]
        assert [score.name for score in found] == NAMES
        assert [score.n_clips for score in found] == [30, 30, 30]
        expected = [oracle(y[codes == code], predicted[codes == code]) for code in range(3)]
        np.testing.assert_allclose([score.value for score in found], expected, rtol=1e-12)


def test_the_whole_is_the_subgroup_of_all() -> None:
    y = random_case(3)[0]
    result = repeated(y, 40)
    found = by_subgroup(result, "f1_macro", targets_of(y), np.zeros(60, dtype=int), ["all"])[0]
    assert found.value == metric_value(result, "f1_macro", targets_of(y))
    assert found.low < found.value < found.high
    assert found.n_clips == 60


def test_clips_of_no_subgroup_are_left_out() -> None:
    y, y_pred, _ = random_case(2)
    codes = np.where(y_pred == y, 0, -1)
    found = by_subgroup(result_of(y, y_pred), "accuracy", targets_of(y), codes, ["right"])
    assert [(s.n_clips, s.value) for s in found] == [((y_pred == y).sum(), 1.0)]


def test_a_subgroup_that_is_never_tested_has_no_value() -> None:
    y = np.array([0, 1, 0, 1])
    result = cell_of(fold_of(np.arange(2), y[:2]))
    tested, untested = by_subgroup(
        result, "accuracy", targets_of(y), np.array([0, 0, 1, 1]), ["a", "b"]
    )
    assert (tested.n_clips, tested.value) == (2, 1.0)
    assert untested.n_clips == 0
    assert np.isnan([untested.value, untested.low, untested.high]).all()


@pytest.mark.parametrize("metric", ["f1", "precision", "recall", "matthews_corrcoef", "roc_auc"])
def test_a_subgroup_of_one_class_has_no_value_of_a_metric_that_needs_the_other(
    metric: Metric,
) -> None:
    y = np.array([0, 0, 0, 0, 1, 1])
    scores = np.column_stack([1 - y * 0.8, y * 0.8])
    codes = np.array([0, 0, 1, 1, 1, 1])
    one, both = by_subgroup(result_of(y, y, scores), metric, targets_of(y), codes, ["one", "both"])
    assert np.isnan([one.value, one.low, one.high]).all()
    assert both.value == 1.0


def test_the_interval_of_accuracy_is_wilsons() -> None:
    y = np.tile([0, 1], 5)
    y_pred = np.where(np.arange(10) < 8, y, 1 - y)
    found = by_subgroup(
        result_of(y, y_pred), "accuracy", targets_of(y), np.zeros(10, dtype=int), ["all"]
    )[0]
    assert (found.low, found.high) == wilson_interval(0.8, 10)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 7), (3, 7), (95, 100), (40, 40)])
def test_wilsons_interval_is_that_of_statsmodels(right: int, n: int) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    expected = proportion.proportion_confint(right, n, method="wilson")
    assert wilson_interval(right / n, n) == pytest.approx(expected, abs=1e-12)


def test_metrics_of_scores_have_no_interval_in_a_subgroup() -> None:
    y, y_pred, scores = random_case(2)
    result = result_of(y, y_pred, scores)
    found = by_subgroup(result, "log_loss", targets_of(y), np.zeros(60, dtype=int), ["all"])[0]
    assert found.value == pytest.approx(sk.log_loss(y, scores))
    assert np.isnan([found.low, found.high]).all()


def test_a_pipeline_without_scores_has_subgroups_without_values() -> None:
    y, y_pred, _ = random_case(2)
    found = by_subgroup(result_of(y, y_pred), "roc_auc", targets_of(y), np.arange(60) % 3, NAMES)
    assert [score.n_clips for score in found] == [20, 20, 20]
    assert np.isnan([score.value for score in found]).all()


def test_the_harmonic_mean_is_that_of_the_subgroups_and_needs_all_of_them() -> None:
    y, y_pred, scores = random_case(2, 90)
    codes, result, targets = np.arange(90) % 3, result_of(y, y_pred, scores), targets_of(y)
    found = by_subgroup(result, "roc_auc", targets, codes, NAMES)
    mean = harmonic_mean(result, "roc_auc", targets, codes, found)
    assert mean is not None
    assert mean.value == pytest.approx(3 / sum(1 / score.value for score in found))
    assert mean.low < mean.value < mean.high
    assert mean.high - mean.low < max(score.high - score.low for score in found)
    others: tuple[Metric, ...] = ("log_loss", "matthews_corrcoef")
    for metric in others:  # a loss, and a metric that may be below 0 in a resample
        values = by_subgroup(result, metric, targets, codes, NAMES)
        assert all(score.value > 0 for score in values)
        assert harmonic_mean(result, metric, targets, codes, values) is None
    one = by_subgroup(result, "roc_auc", targets, codes + 9 * y, [*NAMES, *"xyzuvw", "a", "b", "c"])
    assert harmonic_mean(result, "roc_auc", targets, codes + 9 * y, one) is None


def test_intervals_over_units_are_those_of_groups_that_differ() -> None:
    groups, side = np.repeat(np.arange(12), 20), np.arange(240) % 2
    y = np.arange(240) // 2 % 2
    is_wrong = np.random.default_rng(0).random(240) < np.where(groups % 2, 0.1, 0.5)
    result, targets = result_of(y, y ^ is_wrong), targets_of(y, groups, unit="group")
    metric: Metric = "balanced_accuracy"
    names = ["left", "right"]
    clips = by_subgroup(result, metric, targets, side, names)
    units = by_subgroup(result, metric, targets, side, names, units=True)
    for one, other in zip(units, clips, strict=True):
        assert one.value == other.value
        assert one.high - one.low > 1.2 * (other.high - other.low)
    mean = harmonic_mean(result, metric, targets, side, units)
    assert mean is not None  # both sides are of the same groups, so their errors do not cancel
    assert mean.high - mean.low > 0.8 * (units[0].high - units[0].low)
    alone = by_subgroup(result, metric, targets, groups, [str(at) for at in range(12)])
    same = by_subgroup(result, metric, targets, groups, [str(at) for at in range(12)], units=True)
    assert alone == same
