"""Metrics of several labels per clip against scikit-learn, with pairs that are not labelled."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from audioclf.base.errors import ConfigError
from audioclf.components.metrics import METRICS, Metric
from audioclf.evaluation.metrics.draws import Draws, Units
from audioclf.evaluation.metrics.estimate import check_metrics, estimates, scorer
from audioclf.evaluation.metrics.repeats import Repeat
from tests.evaluation.predictions import cell_of, fold_of
from tests.targets import several_targets

SEVERAL: list[Metric] = [name for name, info in METRICS.items() if "several" in info.targets]


def table(seed: int, n: int = 40, k: int = 5) -> tuple[Any, Any, Any]:
    """Return states with missing labels, scores with ties, and predictions."""
    rng = np.random.default_rng(seed)
    states = rng.choice([-1, 0, 1], (n, k), p=[0.2, 0.5, 0.3]).astype(np.int8)
    scores = np.round(rng.random((n, k)) * 0.7 + 0.3 * (states > 0), 1)
    return states, scores, (scores >= 0.5).astype(np.int8)


def reference(name: Metric, states: Any, scores: Any, predicted: Any, weights: Any) -> float:
    """Return a metric by scikit-learn, class by class or clip by clip."""
    kept = weights > 0
    states, scores, predicted, weights = (a[kept] for a in (states, scores, predicted, weights))
    k = states.shape[1]
    known = states >= 0
    columns = [(known[:, c], states[:, c] > 0, scores[:, c], predicted[:, c]) for c in range(k)]
    classes = [(t[m], s[m], p[m], weights[m]) for m, t, s, p in columns]
    if name == "average_precision_macro":
        parts = [
            sk.average_precision_score(t, s, sample_weight=w) for t, s, _, w in classes if t.any()
        ]
    elif name == "roc_auc_macro":
        both = [c for c in classes if c[0].any() and not c[0].all()]
        parts = [sk.roc_auc_score(t, s, sample_weight=w) for t, s, _, w in both]
    elif name.endswith("_macro"):
        metric = getattr(sk, name.replace("_macro", "_score"))
        some = [c for c in classes if c[0].any() or c[2].any()]
        parts = [metric(t, p, sample_weight=w, zero_division=0) for t, _, p, w in some]
    elif name.endswith("_micro"):
        t, _, p, w = (np.concatenate([c[i] for c in classes]) for i in range(4))
        metric = getattr(sk, name.replace("_micro", "_score"))
        parts = [metric(t, p, sample_weight=w, zero_division=0)]
    elif name == "lwlrap":
        return _lwlrap(states, scores, weights)
    else:
        rows = [i for i in range(len(states)) if known[i].any()]
        wrong = [(states[i] != predicted[i])[known[i]] for i in rows]
        own = weights[rows]
        if name == "subset_accuracy":
            return float(np.average([not w.any() for w in wrong], weights=own))
        return float((own * [w.sum() for w in wrong]).sum() / (own * known[rows].sum(axis=1)).sum())
    return float(np.mean(parts))


def _lwlrap(states: Any, scores: Any, weights: Any) -> float:
    """Average, over all labels of all clips, the precision at the rank of the label."""
    total = count = 0.0
    for state, score, weight in zip(states, scores, weights, strict=True):
        for c in np.flatnonzero(state == 1):
            as_high = (state >= 0) & (score >= score[c])
            total += weight * (state[as_high] == 1).sum() / as_high.sum()
            count += weight
    return total / count


@pytest.mark.parametrize(("n_classes", "n_clips"), [(1, 40), (5, 40), (16, 12)])
def test_metrics_equal_those_of_scikit_learn(n_classes: int, n_clips: int) -> None:
    states, scores, predicted = table(n_classes, n=n_clips, k=n_classes)
    units = np.arange(n_clips) % 7
    repeat = Repeat(np.arange(n_clips), states, predicted, scores)
    drawn = np.random.default_rng(1).multinomial(7, np.full(7, 1 / 7), 3)
    counts = np.concatenate([np.ones((1, 7)), drawn])
    values = scorer(repeat, SEVERAL, n_classes, Units(units, 7))(Draws(counts))
    for name, found in zip(SEVERAL, values.T, strict=True):
        expected = [reference(name, states, scores, predicted, row[units]) for row in counts]
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=name)


def test_weights_of_clips_are_those_of_scikit_learn() -> None:
    states, scores, predicted = table(5)
    own = np.random.default_rng(2).random(len(states)) + 0.1
    units = Units(np.arange(len(states)), len(states), own)
    repeat = Repeat(np.arange(len(states)), states, predicted, scores)
    (found,) = scorer(repeat, SEVERAL, 5, units)(Draws(np.ones((1, len(states)))))
    expected = [reference(name, states, scores, predicted, own) for name in SEVERAL]
    np.testing.assert_allclose(found, expected, err_msg=str(SEVERAL))


def test_fully_labelled_tables_equal_multilabel_metrics() -> None:
    states, scores, predicted = table(3)
    states = np.maximum(states, 0)
    repeat = Repeat(np.arange(len(states)), states, predicted, scores)
    names: list[Metric] = ["f1_micro", "f1_macro", "subset_accuracy", "hamming_loss", "lwlrap"]
    values = scorer(repeat, names, 5, Units(np.arange(40), 40))(Draws(np.ones((1, 40))))[0]
    per_clip = states.sum(axis=1)
    expected = [
        sk.f1_score(states, predicted, average="micro"),
        sk.f1_score(states, predicted, average="macro"),
        sk.accuracy_score(states, predicted),
        sk.hamming_loss(states, predicted),
        sk.label_ranking_average_precision_score(
            states[per_clip > 0], scores[per_clip > 0], sample_weight=per_clip[per_clip > 0]
        ),
    ]
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_intervals_contain_the_value_and_leave_out_classes_without_positives() -> None:
    states, scores, predicted = table(2)
    states[:, 4] = np.where(states[:, 4] == 1, 0, states[:, 4])
    fold = fold_of(np.arange(40), predicted, scores)
    targets = several_targets(states)
    every = estimates([cell_of(fold)], SEVERAL, targets, seed=0)[0]
    for name, estimate in every.items():
        assert estimate is not None
        assert estimate.low < estimate.value < estimate.high, name
    without = replace(fold, y_pred=predicted[:, :4], scores=scores[:, :4])
    four = estimates([cell_of(without)], SEVERAL, several_targets(states[:, :4]), seed=0)[0]
    for name in ("average_precision_macro", "roc_auc_macro"):
        assert every[name] == four[name]


@pytest.mark.parametrize(("metric", "kind"), [("accuracy", "several"), ("lwlrap", "class")])
def test_metric_of_other_labels_names_those_that_apply(metric: str, kind: Any) -> None:
    with pytest.raises(ConfigError, match="per clip, and the clips have") as error:
        check_metrics([metric], ["a", "b"], kind=kind)
    assert ("subset_accuracy" in str(error.value.hint)) == (kind == "several")
