"""Metrics against scikit-learn, intervals against what they must do."""

import inspect
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from sklearn import metrics as sk

from audioclf.base.errors import ConfigError
from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.targets import Targets
from audioclf.evaluation.metrics.bias import correction_of
from audioclf.evaluation.metrics.bootstrap import N_RESAMPLES, interval
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.estimate import (
    bootstrap_values,
    check_metrics,
    estimate,
    estimates,
    mean_confusion,
    metric_value,
    scorer,
)
from audioclf.evaluation.metrics.per_class import per_class
from audioclf.evaluation.metrics.repeats import repeats_of
from audioclf.evaluation.results import PipelineResult
from tests.evaluation.predictions import (
    OF_ONE_LABEL,
    cell_of,
    estimated,
    fold_of,
    random_case,
    repeated,
    result_of,
)
from tests.targets import targets_of


def _of_last(scores: np.ndarray) -> np.ndarray:
    """Return what scikit-learn wants: one column of two, all columns of more."""
    return scores[:, 1] if scores.shape[1] == 2 else scores


def _brier(y: np.ndarray, scores: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    if "scale_by_half" in inspect.signature(sk.brier_score_loss).parameters:
        return float(sk.brier_score_loss(y, _of_last(scores), sample_weight=sample_weight))
    squares = ((scores - np.eye(scores.shape[1])[y]) ** 2).sum(axis=1)
    losses = squares / 2 if scores.shape[1] == 2 else squares
    return float(np.average(losses, weights=sample_weight))


def _calibration(
    y: np.ndarray, scores: np.ndarray, sample_weight: np.ndarray | None = None
) -> float:
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    top, right = scores.max(axis=1), scores.argmax(axis=1) == y
    total = 0.0
    for low in range(10):
        inside = (top > low / 10) & (top <= (low + 1) / 10)
        if weights[inside].sum() > 0:
            accuracy = np.average(right[inside], weights=weights[inside])
            confidence = np.average(top[inside], weights=weights[inside])
            total += weights[inside].sum() * abs(accuracy - confidence)
    return float(total / weights.sum())


def _plain(function: Any, **kwargs: Any) -> Any:
    return lambda y, p, **more: function(y, p, zero_division=0, **kwargs, **more)


ORACLES: dict[Metric, Any] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1": _plain(sk.f1_score),
    "f1_macro": _plain(sk.f1_score, average="macro"),
    "f1_weighted": _plain(sk.f1_score, average="weighted"),
    "precision": _plain(sk.precision_score),
    "precision_macro": _plain(sk.precision_score, average="macro"),
    "recall": _plain(sk.recall_score),
    "recall_macro": _plain(sk.recall_score, average="macro"),
    "matthews_corrcoef": sk.matthews_corrcoef,
    "roc_auc": lambda y, s, **more: sk.roc_auc_score(y, _of_last(s), multi_class="ovr", **more),
    "partial_auc": lambda y, p, **more: sk.roc_auc_score(y, _of_last(p), max_fpr=0.1, **more),
    "average_precision": lambda y, s, **more: sk.average_precision_score(y, _of_last(s), **more),
    "log_loss": sk.log_loss,
    "brier_score": _brier,
    "expected_calibration_error": _calibration,
}
"""Functions of truth, what was predicted, and the sample weight."""

OF_TWO = {metric for metric, info in METRICS.items() if info.two_classes_only}


def test_every_metric_has_an_oracle() -> None:
    assert list(METRICS) == list(get_args(Metric))
    assert set(ORACLES) == set(OF_ONE_LABEL)


CASES = [(metric, k) for metric in OF_ONE_LABEL for k in (2, 5) if k == 2 or metric not in OF_TWO]


@pytest.mark.parametrize(("metric", "k"), CASES)
@pytest.mark.parametrize("ties", [False, True])
def test_a_clip_drawn_twice_counts_as_a_sample_weight_in_scikit_learn(
    metric: Metric, k: int, ties: bool
) -> None:
    y, y_pred, scores = random_case(k, seed=k)
    y_pred = np.where(y_pred == 1, 0, y_pred)  # a class that is never predicted
    if ties:
        scores = np.round(scores * 8) + 1
        scores /= scores.sum(axis=1, keepdims=True)
    repeat = repeats_of(result_of(y, y_pred, scores), targets_of(y))[0]
    units = Units(np.arange(len(y)), len(y))
    weights = np.random.default_rng(1).integers(0, 4, (3, len(y))).astype(float)
    weights[0] = 1.0
    found = scorer(repeat, [metric], k, units)(Draws(weights))[:, 0]
    predicted = y_pred if METRICS[metric].needs == "labels" else scores
    expected = [ORACLES[metric](y, predicted, sample_weight=row) for row in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    of_clips = np.random.default_rng(2).random(len(y)) * 3
    found = scorer(repeat, [metric], k, replace(units, weights=of_clips))(Draws(weights))[:, 0]
    expected = [ORACLES[metric](y, predicted, sample_weight=row * of_clips) for row in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("times", [1, 1000, 10**6])
@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_sums_in_small_types_are_as_exact_as_in_large_ones(metric: Metric, times: int) -> None:
    y, y_pred, scores = random_case(3, seed=0)
    repeat = repeats_of(result_of(y, y_pred, scores), targets_of(y))[0]
    units = Units(np.arange(len(y)) % 7, 7)
    draws = Draws(np.random.default_rng(1).integers(0, 4, (3, 7)).astype(np.float64) * times)
    found = scorer(repeat, [metric], 3, units)(draws)
    in_doubles = scorer(repeat, [metric], 3, replace(units, weights=np.ones(len(y))))(draws)
    np.testing.assert_array_equal(found, in_doubles)


def test_the_interval_holds_the_value_and_narrows_with_more_clips() -> None:
    widths = []
    for n in (40, 640):
        y, y_pred, _ = random_case(2, n)
        found = estimated(result_of(y, y_pred), "accuracy", y)
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < 0.4 * widths[0]


def test_groups_that_err_together_widen_the_interval() -> None:
    y = np.tile([0, 1], 60)
    groups = np.arange(120) // 20
    y_pred = np.where(groups < 2, 1 - y, y)
    by_clip = estimated(result_of(y, y_pred), "accuracy", y)
    by_group = estimated(result_of(y, y_pred), "accuracy", y, groups)
    assert by_group.high - by_group.low > 2 * (by_clip.high - by_clip.low)


def test_repeats_are_averaged() -> None:
    y = np.array([0, 1, 0, 1])
    predictions = (y, y, 1 - y)
    result = cell_of(*(fold_of(np.arange(4), p, repeat=i) for i, p in enumerate(predictions)))
    found = estimated(result, "accuracy", y)
    assert found.value == pytest.approx(2 / 3)
    assert found.per_fold == (1.0, 1.0, 0.0)


def test_a_repeat_that_tests_one_class_does_not_undo_the_auc_of_the_others() -> None:
    y = np.array([0, 0, 1, 1])
    scores = np.column_stack([1 - y * 0.8, y * 0.8])
    both, one = np.array([0, 1, 2]), np.array([0, 1])
    result = cell_of(
        fold_of(both, y[both], scores[both], repeat=0), fold_of(one, y[one], scores[one], repeat=1)
    )
    assert metric_value(result, "roc_auc", targets_of(y)) == 1.0


def test_without_scores_a_metric_of_scores_is_not_available() -> None:
    y, y_pred, _ = random_case(2)
    assert estimate(result_of(y, y_pred), "roc_auc", targets_of(y), seed=0) is None


def test_decision_values_rank_but_are_no_probabilities() -> None:
    y, y_pred, scores = random_case(2)
    result = result_of(y, y_pred, scores, "decision")
    assert estimate(result, "roc_auc", targets_of(y), seed=0) is not None
    for metric in ("log_loss", "brier_score", "expected_calibration_error"):
        assert estimate(result, metric, targets_of(y), seed=0) is None


def test_clips_of_an_untrained_class_are_the_last_without_a_warning() -> None:
    y, y_pred, scores = random_case(2)
    scores[:4] = [np.inf, -np.inf]
    fold = replace(fold_of(np.arange(60), y_pred, scores), decision_values=scores)
    found = metric_value(cell_of(fold), "roc_auc", targets_of(y))
    assert found == pytest.approx(sk.roc_auc_score(y, np.maximum(scores[:, 1], -1.0)), abs=1e-12)


def test_a_fold_that_lacks_a_class_has_no_auc_of_its_own() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    scores = np.column_stack([1 - y * 0.8, y * 0.8])
    found = estimated(result_of(y, y, scores), "roc_auc", y)
    assert found.value == 1.0
    assert np.isnan(found.per_fold).all()


def test_every_loss_is_better_when_lower() -> None:
    y, y_pred, scores = random_case(3)
    good, bad = result_of(y, y, np.eye(3)[y]), result_of(y, y_pred, scores)
    for metric in OF_ONE_LABEL:
        if not METRICS[metric].two_classes_only:
            lower = metric_value(good, metric, targets_of(y)) < metric_value(
                bad, metric, targets_of(y)
            )
            assert lower == METRICS[metric].lower_is_better, metric


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "brier_score"])
def test_the_interval_is_that_of_the_row_among_other_pipelines(metric: Metric) -> None:
    y, y_pred, scores = random_case(3)
    first, second = result_of(y, y_pred, scores), result_of(y, y, scores[:, ::-1])
    units = np.arange(60) // 3
    rows = bootstrap_values([first, second], metric, targets_of(y, units), seed=4)
    assert rows.shape == (2, N_RESAMPLES)
    for row, result in zip(rows, (first, second), strict=True):
        found = estimated(result, metric, y, units, seed=4)
        info = METRICS[metric]
        expected = interval(found.value, row, 20, low=info.low, high=info.high)
        assert (found.low, found.high) == expected


def test_two_pipelines_with_equal_predictions_never_differ_on_a_resample() -> None:
    y = random_case(3)[0]
    result = repeated(y, 4)
    first, second = bootstrap_values([result, result], "f1_macro", targets_of(y), seed=0)
    assert (first == second).all()
    assert first.std() > 0


def test_a_pipeline_without_scores_has_no_value_and_does_not_disturb_the_others() -> None:
    y, y_pred, scores = random_case(3)
    with_scores, without = result_of(y, y_pred, scores), result_of(y, y_pred)
    units = np.arange(60)
    rows = bootstrap_values(
        [without, with_scores, without], "log_loss", targets_of(y, units), seed=0
    )
    assert np.isnan(rows[[0, 2]]).all()
    assert (
        rows[1] == bootstrap_values([with_scores], "log_loss", targets_of(y, units), seed=0)[0]
    ).all()
    assert np.isnan(bootstrap_values([without], "log_loss", targets_of(y, units), seed=0)).all()
    assert np.isnan(metric_value(without, "log_loss", targets_of(y)))


def test_a_resample_without_a_class_has_no_auc_and_the_interval_leaves_it_out() -> None:
    y = np.array([0, 0, 0, 1])
    scores = np.column_stack([1 - y * 0.8, y * 0.8])
    result = result_of(y, y, scores)
    row = bootstrap_values([result], "roc_auc", targets_of(y), seed=0)[0]
    share = np.isnan(row).mean()
    assert share == pytest.approx(0.75**4, abs=0.05)
    found = estimated(result, "roc_auc", y)
    assert 0 < found.low < found.high == 1.0


@pytest.mark.parametrize("metric", ["f1", "precision", "recall", "matthews_corrcoef"])
def test_a_fold_that_lacks_the_class_of_a_metric_is_not_held_against_it(metric: Metric) -> None:
    y = np.array([0, 0, 0, 0, 1, 1])
    found = estimated(result_of(y, y), metric, y)
    assert np.isnan(found.per_fold[0])
    assert found.value == found.high == 1.0
    assert METRICS[metric].low < found.low < 1


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_a_metric_of_two_classes_is_refused_for_three(metric: Metric) -> None:
    with pytest.raises(ConfigError, match="defined for two classes, and there are 3") as caught:
        check_metrics([metric], ["a", "b", "c"])
    assert caught.value.hint == f"Use {metric}_macro instead."
    check_metrics([metric], ["a", "b"])


def test_the_confusion_matrix_has_a_row_per_true_class() -> None:
    y = np.array([0, 0, 0, 1])
    confusion = mean_confusion(result_of(y, np.array([0, 0, 1, 1])), targets_of(y))
    np.testing.assert_array_equal(confusion, [[2, 1], [0, 1]])


def test_the_scores_of_a_class_are_scikit_learns() -> None:
    y, y_pred, _ = random_case(4)
    found = per_class(result_of(y, y_pred), targets_of(y, n_classes=4), seed=0)
    values = [[c.precision.value, c.recall.value, c.f1.value, c.support] for c in found]
    expected = sk.precision_recall_fscore_support(y, y_pred, zero_division=0)
    np.testing.assert_allclose(values, np.transpose(expected), rtol=1e-12)


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
def test_the_last_of_two_classes_has_the_estimate_of_the_two_class_metric(metric: Metric) -> None:
    y = random_case(2)[0]
    result, units = repeated(y, 3), np.arange(60) // 2
    found = getattr(per_class(result, targets_of(y, units, n_classes=2), seed=5)[1], metric)
    whole = estimated(result, metric, y, units, seed=5)
    assert (found.value, found.low, found.high) == (whole.value, whole.low, whole.high)


def test_a_class_of_no_test_clip_has_no_scores() -> None:
    y = np.array([0, 1, 0, 1, 2])
    tested = np.arange(4)
    result = cell_of(fold_of(tested, np.array([0, 1, 2, 1])))
    last = per_class(result, targets_of(y, n_classes=3), seed=0)[2]
    assert last.support == 0.0
    for found in (last.precision, last.recall, last.f1):
        assert np.isnan([found.value, found.low, found.high]).all()


def test_a_repeat_that_does_not_test_a_class_does_not_count_against_it() -> None:
    y = np.array([0, 0, 1, 1])
    result = cell_of(fold_of(np.arange(4), y, repeat=0), fold_of(np.arange(2), y[:2], repeat=1))
    last = per_class(result, targets_of(y, n_classes=2), seed=0)[1]
    assert last.recall.value == 1.0
    assert last.support == 1.0


def test_a_resample_without_the_class_does_not_count_against_it() -> None:
    y = np.array([0, 0, 0, 1])
    last = per_class(result_of(y, y), targets_of(y, n_classes=2), seed=0)[1]
    assert last.recall.value == 1.0
    assert np.isnan([last.recall.low, last.recall.high]).all()  # a single unit of the class


def test_metrics_together_are_those_of_each_alone() -> None:
    y, y_pred, scores = random_case(3)
    results = [result_of(y, y_pred, scores), result_of(y, y)]
    targets = targets_of(y, np.arange(60) // 2)
    metrics = [metric for metric in OF_ONE_LABEL if metric not in OF_TWO]
    for result, found in zip(results, estimates(results, metrics, targets, seed=2), strict=True):
        alone = {metric: estimate(result, metric, targets, seed=2) for metric in metrics}
        assert repr(found) == repr(alone)


def crowded(per_class: int, n_classes: int = 120, seed: int = 0) -> tuple[PipelineResult, Targets]:
    """Return predictions of many classes of few clips, right in six of ten."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), per_class)
    wrong = (y + rng.integers(1, 4, len(y))) % n_classes
    y_pred = np.where(rng.random(len(y)) < 0.6, y, wrong)
    return result_of(y, y_pred), targets_of(y, n_classes=n_classes)


@pytest.mark.slow
def test_the_bias_of_f1_over_many_classes_is_that_of_a_simulation() -> None:
    many = crowded(1000)
    truth = metric_value(many[0], "f1_macro", many[1])
    cases = [crowded(4, seed=seed) for seed in range(40)]
    values = [metric_value(result, "f1_macro", targets) for result, targets in cases]
    found = [correction_of("f1_macro", repeats_of(*case), case[1]) for case in cases]
    assert None not in found
    bias, error = np.mean(np.asarray(found, dtype=float), axis=0)
    assert bias == pytest.approx(np.mean(values) - truth, abs=0.008)
    assert error == pytest.approx(np.std(values), rel=0.25)


@pytest.mark.parametrize(
    ("metric", "per_class", "has_interval"),
    [
        ("f1_macro", 4, True),
        ("f1_macro", 2, False),
        ("precision_macro", 4, False),
        ("balanced_accuracy", 2, True),
        ("precision_macro", 20, True),
    ],
)
def test_the_interval_over_many_classes_holds_the_value_or_is_none(
    metric: Metric, per_class: int, has_interval: bool
) -> None:
    result, targets = crowded(per_class)
    found = estimate(result, metric, targets, seed=0)
    assert found is not None
    assert np.isfinite(found.low) == has_interval
    assert not has_interval or found.low < found.value < found.high


def test_groups_of_many_classes_have_no_interval_of_f1() -> None:
    result, targets = crowded(4)
    grouped = replace(targets, unit="group", unit_codes=np.arange(480) % 60)
    found = estimate(result, "f1_macro", grouped, seed=0)
    assert found is not None
    assert np.isnan([found.low, found.high]).all()
