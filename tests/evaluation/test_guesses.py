"""The reference of the baseline: the best guess, and the permutation test beside the bootstrap."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.guesses import (
    _label_values,
    _score_values,
    best_guess,
    permutation_p,
)
from audioclf.evaluation.comparison.result import Comparison
from audioclf.evaluation.metrics.label_metrics import LABEL_METRICS
from audioclf.evaluation.metrics.repeats import Repeat
from audioclf.evaluation.results import FoldResult, SomeFolds
from audioclf.evaluation.splits import Fold, Holdout, KFold, LeaveOneGroupOut, StratifiedKFold
from tests.evaluation.predictions import OF_ONE_LABEL, result_of
from tests.targets import targets_of

TRUTH = np.array([0, 0, 0, 1])
BEST = {
    "accuracy": (0.75, "always 'a'"),
    "balanced_accuracy": (0.5, "always 'a'"),
    "f1": (0.4, "always 'b'"),
    "f1_macro": (0.5, "each class as often as it occurs"),
    "recall": (1.0, "always 'b'"),
    "matthews_corrcoef": (0.0, "always 'a'"),
    "roc_auc": (0.5, "each class as often as it occurs"),
    "average_precision": (0.25, "each class as often as it occurs"),
    "log_loss": (0.562335, "each class as often as it occurs"),
    "expected_calibration_error": (0.0, "each class as often as it occurs"),
}


@pytest.mark.parametrize("metric", BEST)
def test_the_reference_is_the_best_guess_for_the_metric(metric: Metric) -> None:
    guess = best_guess(TRUTH, metric, 2)
    value, words = BEST[metric]
    assert guess.score(np.ones((1, 4)))[0] == pytest.approx(value, abs=1e-6)
    assert guess.words(("a", "b")) == words


def test_labels_in_the_order_of_the_predictions_are_no_chance() -> None:
    y = np.arange(20) % 2
    repeat = Repeat(np.arange(20), y, y, None)
    assert permutation_p([[repeat]], "accuracy", np.arange(20), 2, seed=0) == [0.001]


def test_six_groups_of_one_class_each_have_twenty_orders_only() -> None:
    y = np.repeat([0, 1, 0, 1, 0, 1], 10)
    repeat = Repeat(np.arange(60), y, y, None)
    (p,) = permutation_p([[repeat]], "accuracy", np.repeat(np.arange(6), 10), 2, seed=0)
    assert p == pytest.approx(1 / 20, abs=0.02)


def verdicts(comparison: Comparison) -> set[tuple[str, str]]:
    return {(p.better, p.worse) for p in comparison.pairs if p.verdict == "better"}


def test_a_metric_that_a_guess_maximises_has_no_baseline() -> None:
    y = np.arange(40) % 2
    results = {"svm": result_of(y, y), "baseline": result_of(y, np.zeros_like(y))}
    comparison = compare(results, "recall", targets_of(y), seed=0, baseline="baseline")
    assert (comparison.baseline, comparison.pairs) == (None, ())
    assert "has the best value that there is" in comparison.notes[0]


def test_equal_partitions_are_no_new_evidence() -> None:
    y = np.arange(30) % 2
    y_pred = np.where(np.arange(30) % 5, y, 1 - y)

    def repeated(times: int) -> Comparison:
        folds = [Fold(repeat, "0", np.arange(30), np.arange(30)) for repeat in range(times)]
        rows = {
            "svm": [FoldResult(fold, y, None, "none", 0.0, 0.0) for fold in folds],
            "knn": [FoldResult(fold, y_pred, None, "none", 0.0, 0.0) for fold in folds],
        }
        results = {name: SomeFolds(tuple(folds)) for name, folds in rows.items()}
        return compare(results, "accuracy", targets_of(y), seed=0)

    assert repeated(10).pairs[0].p_bootstrap == pytest.approx(repeated(1).pairs[0].p_bootstrap)


def noise(seed: int, pure_groups: bool) -> tuple[np.ndarray, Dataset]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(10), 4)
    labels = groups % 2 if pure_groups else rng.permutation(np.arange(40) % 2)
    clips = [
        Clip(f"{i:02}", "ab"[code], FileSource(Path("x")), f"g{groups[i]}" if pure_groups else None)
        for i, code in enumerate(labels)
    ]
    features = rng.normal(size=(40, 3)) + pure_groups * rng.normal(size=(10, 3))[groups]
    return features, Dataset(clips, name="noise")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "pure_groups"),
    [
        (Holdout(), False),
        (StratifiedKFold(repeats=3), False),
        (KFold(n_splits=40), False),
        (LeaveOneGroupOut(), True),
    ],
    ids=lambda value: getattr(value, "type", value),
)
def test_noise_beats_no_baseline_by_any_metric(split: Holdout, pure_groups: bool) -> None:
    """At most 5 % of datasets: 5 of 40 would be exceeded by chance once in 70 times at 5 %."""
    beaten = dict.fromkeys(METRICS, 0)
    for seed in range(40):
        features, dataset = noise(seed, pure_groups)
        y = dataset.targets.codes
        results = {}
        for name, model in (("knn", KNeighborsClassifier(1)), ("baseline", DummyClassifier())):
            rows = []
            for fold in split.folds(dataset, seed).folds:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(features[fold.train], y[fold.train])
                scores = model.predict_proba(features[fold.test])
                predicted = scores.argmax(axis=1)
                rows.append(FoldResult(fold, predicted, scores, "probability", 0.0, 0.0))
            results[name] = SomeFolds(tuple(rows))
        for metric in OF_ONE_LABEL:
            found = compare(results, metric, dataset.targets, seed=seed, baseline="baseline")
            beaten[metric] += ("knn", "baseline") in verdicts(found)
    assert max(beaten.values()) <= 5, beaten


@pytest.mark.slow
def test_a_repeat_without_a_class_leaves_the_others_to_judge() -> None:
    """ROC AUC is not defined on a test side of one class; the other repeats decide."""
    y = np.arange(40) % 2
    scores = np.asarray(np.column_stack([1 - y, y]) * 0.8 + 0.1, dtype=np.float64)
    tests = [np.arange(0, 20, 2), np.arange(40), np.arange(10, 40)]
    folds = [Fold(number, "0", np.arange(40), test) for number, test in enumerate(tests)]
    knn = [FoldResult(f, y[f.test], scores[f.test], "probability", 0.0, 0.0) for f in folds]
    flat = np.full((40, 2), 0.5)
    dummy = [FoldResult(f, 0 * f.test, flat[f.test], "probability", 0.0, 0.0) for f in folds]
    results = {"knn": SomeFolds(tuple(knn)), "baseline": SomeFolds(tuple(dummy))}
    comparison = compare(results, "roc_auc", targets_of(y), seed=0, baseline="baseline")
    assert comparison.baseline == "baseline"
    assert ("knn", "baseline") in verdicts(comparison)
    repeats = [Repeat(f.test, y[f.test], y[f.test], scores[f.test]) for f in folds]
    assert permutation_p([repeats], "roc_auc", np.arange(40), 2, seed=0) == [0.001]


@pytest.mark.parametrize("metric", LABEL_METRICS)
def test_values_by_counts_are_those_of_the_metrics(metric: Metric) -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 2, (2, 60))
    repeats = [
        Repeat(test, truth[test], predicted[test], None)
        for test in (np.arange(40), rng.permutation(60)[:30])
    ]
    labelings = [truth, np.ones_like(truth), *(rng.permutation(truth) for _ in range(20))]
    pipelines = [repeats, [replace(r, y_pred=r.y_pred[::-1]) for r in repeats]]
    by_counts = _label_values(pipelines, metric, 2, labelings)
    assert np.array_equal(by_counts, _score_values(pipelines, metric, 2, labelings), equal_nan=True)
