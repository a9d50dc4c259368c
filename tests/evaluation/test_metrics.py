"""Metrics against scikit-learn, intervals against what they must do."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from sklearn import metrics as sk

from audioclf.config import Metric
from audioclf.dataset import Clip, Dataset
from audioclf.errors import ConfigError
from audioclf.evaluation import CellResult, Fold, FoldResult, check_metrics, estimate, unit_of
from audioclf.evaluation.metrics import mean_confusion


def _of_last(scores: np.ndarray) -> np.ndarray:
    """Return what scikit-learn wants: one column of two, all columns of more."""
    return scores[:, 1] if scores.shape[1] == 2 else scores


ORACLES: dict[Metric, Any] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1": lambda t, p: sk.f1_score(t, p, zero_division=0),
    "f1_macro": lambda t, p: sk.f1_score(t, p, average="macro", zero_division=0),
    "f1_weighted": lambda t, p: sk.f1_score(t, p, average="weighted", zero_division=0),
    "precision": lambda t, p: sk.precision_score(t, p, zero_division=0),
    "precision_macro": lambda t, p: sk.precision_score(t, p, average="macro", zero_division=0),
    "recall": lambda t, p: sk.recall_score(t, p, zero_division=0),
    "recall_macro": lambda t, p: sk.recall_score(t, p, average="macro", zero_division=0),
    "matthews_corrcoef": sk.matthews_corrcoef,
    "roc_auc": lambda t, s: sk.roc_auc_score(t, _of_last(s), multi_class="ovr"),
    "average_precision": lambda t, s: sk.average_precision_score(t, _of_last(s)),
    "log_loss": sk.log_loss,
}
OF_SCORES = {"roc_auc", "average_precision", "log_loss"}


class _NoCell:
    name = "cell"


def result_of(
    y: np.ndarray, y_pred: np.ndarray, scores: np.ndarray | None = None, kind: Any = "probability"
) -> CellResult:
    """Return predictions of all clips, in two folds."""
    half = len(y) // 2
    folds = []
    for index, test in enumerate((np.arange(half), np.arange(half, len(y)))):
        fold = Fold(0, str(index), np.setdiff1d(np.arange(len(y)), test), test)
        part = None if scores is None else scores[test]
        kind = "none" if scores is None else kind
        folds.append(FoldResult(fold, y_pred[test], part, kind, 0.1, 0.1))
    return CellResult(_NoCell(), tuple(folds))  # type: ignore[arg-type]


def random_case(k: int, n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    scores = rng.dirichlet(np.ones(k), n) + 0.3 * np.eye(k)[y]
    scores /= scores.sum(axis=1, keepdims=True)
    return y, scores.argmax(axis=1), scores


def test_every_metric_has_an_oracle() -> None:
    assert set(ORACLES) == set(get_args(Metric))


@pytest.mark.parametrize("metric", get_args(Metric))
@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_metrics_are_scikit_learns(metric: Metric, k: int, seed: int) -> None:
    if k > 2 and metric in {"f1", "precision", "recall"}:
        pytest.skip("a metric of two classes")
    y, y_pred, scores = random_case(k, seed=seed)
    found = estimate(result_of(y, y_pred, scores), metric, y, np.arange(len(y)), seed=0)
    assert found is not None
    expected = ORACLES[metric](y, scores if metric in OF_SCORES else y_pred)
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", [m for m in get_args(Metric) if m not in OF_SCORES])
def test_a_class_that_is_never_predicted_counts_as_in_scikit_learn(metric: Metric) -> None:
    y = np.array([0, 1, 0, 1, 0, 1])
    y_pred = np.zeros(6, dtype=int)
    found = estimate(result_of(y, y_pred), metric, y, np.arange(6), seed=0)
    assert found is not None
    assert found.value == pytest.approx(ORACLES[metric](y, y_pred))


def test_the_interval_holds_the_value_and_narrows_with_more_clips() -> None:
    widths = []
    for n in (40, 640):
        y, y_pred, _ = random_case(2, n)
        found = estimate(result_of(y, y_pred), "accuracy", y, np.arange(n), seed=0)
        assert found is not None
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < 0.4 * widths[0]


def test_the_interval_of_accuracy_is_close_to_the_binomial_one() -> None:
    y = np.tile([0, 1], 200)
    y_pred = np.where(np.arange(400) % 4 < 1, 1 - y, y)
    found = estimate(result_of(y, y_pred), "accuracy", y, np.arange(400), seed=0)
    assert found is not None
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)


def test_groups_that_err_together_widen_the_interval() -> None:
    y = np.tile([0, 1], 60)
    groups = np.arange(120) // 20
    y_pred = np.where(groups < 2, 1 - y, y)
    by_clip = estimate(result_of(y, y_pred), "accuracy", y, np.arange(120), seed=0)
    by_group = estimate(result_of(y, y_pred), "accuracy", y, groups, seed=0)
    assert by_clip is not None
    assert by_group is not None
    assert by_group.high - by_group.low > 2 * (by_clip.high - by_clip.low)


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_the_same_seed_gives_the_same_interval(metric: Metric) -> None:
    y, y_pred, scores = random_case(3)
    first = estimate(result_of(y, y_pred, scores), metric, y, np.arange(60), seed=7)
    assert first == estimate(result_of(y, y_pred, scores), metric, y, np.arange(60), seed=7)


def test_repeats_are_averaged() -> None:
    y = np.array([0, 1, 0, 1])
    test, train = np.arange(4), np.arange(4)
    right, wrong = y, 1 - y
    folds = tuple(
        FoldResult(Fold(repeat, "0", train, test), y_pred, None, "none", 0.1, 0.1)
        for repeat, y_pred in enumerate((right, right, wrong))
    )
    found = estimate(CellResult(_NoCell(), folds), "accuracy", y, test, seed=0)  # type: ignore[arg-type]
    assert found is not None
    assert found.value == pytest.approx(2 / 3)
    assert found.per_fold == (1.0, 1.0, 0.0)


def test_without_scores_a_metric_of_scores_is_not_available() -> None:
    y, y_pred, _ = random_case(2)
    assert estimate(result_of(y, y_pred), "roc_auc", y, np.arange(60), seed=0) is None


def test_decision_values_rank_but_are_no_probabilities() -> None:
    y, y_pred, scores = random_case(2)
    result = result_of(y, y_pred, scores, "decision")
    assert estimate(result, "roc_auc", y, np.arange(60), seed=0) is not None
    assert estimate(result, "log_loss", y, np.arange(60), seed=0) is None


def test_a_fold_that_lacks_a_class_has_no_auc_of_its_own() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    scores = np.column_stack([1 - y * 0.8, y * 0.8])
    found = estimate(result_of(y, y, scores), "roc_auc", y, np.arange(6), seed=0)
    assert found is not None
    assert found.value == 1.0
    assert np.isnan(found.per_fold).all()


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_a_metric_of_two_classes_is_refused_for_three(metric: Metric) -> None:
    with pytest.raises(ConfigError, match="defined for two classes, and there are 3") as caught:
        check_metrics([metric], ["a", "b", "c"])
    assert caught.value.hint == f"Use {metric}_macro instead."
    check_metrics([metric], ["a", "b"])


def test_the_confusion_matrix_has_a_row_per_true_class() -> None:
    y = np.array([0, 0, 0, 1])
    confusion = mean_confusion(result_of(y, np.array([0, 0, 1, 1])), y)
    np.testing.assert_array_equal(confusion, [[2, 1], [0, 1]])


def clips(groups: list[str | None]) -> Dataset:
    made = [
        Clip(f"{i}.wav", "ab"[i % 2], source=None, group=group)  # type: ignore[arg-type]
        for i, group in enumerate(groups)
    ]
    return Dataset(made, name="d")


def test_the_unit_is_the_group_where_every_clip_has_one() -> None:
    name, units = unit_of(clips(["x", "y", "x", "y"]))
    assert name == "group"
    assert units.tolist() == [0, 1, 0, 1]
    assert unit_of(clips(["x", None, "x", "y"]))[0] == "clip"
