"""Labels that clear predictions contradict."""

from collections.abc import Sequence

import numpy as np
import pytest

from audioclf.audit.findings import Audit
from audioclf.audit.inputs import AuditInput
from audioclf.audit.labels import audit_labels
from audioclf.evaluation.results import PipelineResult
from audioclf.evaluation.splits import Holdout, Splits, StratifiedKFold
from tests.audit.make import dataset_of, folds_of, named, names, result_of

DATASET = dataset_of(10)
SPLITS = folds_of(DATASET)


def labels_of(results: Sequence[PipelineResult]) -> Audit:
    return audit_labels(AuditInput(DATASET, results=results))


def scores(right: float = 0.8, wrong: dict[int, float] | None = None) -> np.ndarray:
    """Return scores of the true class, and lower ones for some clips [shape=(n_clips, 2)]."""
    own = np.full(len(DATASET), right)
    for clip, score in (wrong or {}).items():
        own[clip] = score
    y = DATASET.targets.codes
    return np.where(np.eye(2)[y] > 0, own[:, None], 1 - own[:, None])


def test_labels_that_predictions_agree_with_are_not_in_doubt() -> None:
    found = labels_of([result_of(SPLITS, scores())])
    assert names(found) == set()
    assert found.summary == (
        "Compared the labels of 20 clips with the out-of-fold scores of 1 pipeline, which is right "
        "for 100 % of them."
    )


def test_how_good_the_pipelines_are_is_reported_too() -> None:
    right = scores()
    half = scores(wrong=dict.fromkeys(range(10), 0.1))
    found = labels_of([result_of(SPLITS, right), result_of(SPLITS, half)])
    assert "2 pipelines, which are right for 75 % of them" in found.summary


def test_a_label_that_is_contradicted_is_listed_with_what_is_reported_instead() -> None:
    found = named(labels_of([result_of(SPLITS, scores(wrong={3: 0.05}))]), "label-doubt")
    assert found.severity == "info"
    assert found.text.startswith("1 of 20 labels (5.0 %) ")
    assert list(found.rows) == [
        {
            "path": "a/003.wav",
            "label": "a",
            "suggested": "b",
            "score": 0.05,
            "suggested_score": 0.95,
            "cells": 1,
            "of": 1,
        }
    ]


def test_the_clearest_contradiction_comes_first() -> None:
    result = result_of(SPLITS, scores(wrong={3: 0.1, 12: 0.02, 15: 0.15}))
    rows = named(labels_of([result]), "label-doubt").rows
    assert [row["path"] for row in rows] == ["b/002.wav", "a/003.wav", "b/005.wav"]


def test_a_contradiction_without_confidence_is_no_doubt() -> None:
    """0.55 for the other class is below the 0.8 that its own clips get."""
    result = result_of(SPLITS, scores(wrong={3: 0.45}))
    assert names(labels_of([result])) == set()


def test_more_than_half_of_the_pipelines_must_agree() -> None:
    doubts, trusts = scores(wrong={3: 0.05}), scores()
    two_of_three = [result_of(SPLITS, each) for each in (doubts, trusts, doubts)]
    one_of_two = two_of_three[:2]
    row = named(labels_of(two_of_three), "label-doubt").rows[0]
    assert (row["cells"], row["of"]) == (2, 3)
    assert names(labels_of(one_of_two)) == set()


def test_scores_are_averaged_over_the_repeats() -> None:
    splits = StratifiedKFold(repeats=2).folds(DATASET, 0)
    result = result_of(splits, scores(wrong={3: 0.05}))
    folds = list(result.folds)
    for at, fold in enumerate(folds):
        if fold.fold.repeat == 1:
            folds[at] = result_of(Splits((fold.fold,), ""), scores()).folds[0]
    mixed = type(result)(result.pipeline, tuple(folds))
    assert named(labels_of([result]), "label-doubt").rows[0]["score"] == 0.05
    assert names(labels_of([mixed])) == set()


@pytest.mark.parametrize(("baseline", "scored"), [(True, True), (False, False)])
def test_pipelines_without_scores_are_left_out(baseline: bool, scored: bool) -> None:
    result = result_of(SPLITS, scores(wrong={3: 0.05}), baseline=baseline, scored=scored)
    found = labels_of([result])
    assert names(found) == set()
    assert found.summary.startswith("No pipeline has out-of-fold scores")


def test_clips_that_were_never_tested_are_not_judged() -> None:
    splits = Holdout(stratify=True).folds(DATASET, 0)
    tested = set(splits.folds[0].test.tolist())
    outside = next(clip for clip in range(20) if clip not in tested)
    found = labels_of([result_of(splits, scores(wrong={outside: 0.01}))])
    assert names(found) == set()
    assert found.facts["clips"] == len(tested) == 5


def test_a_class_that_was_never_tested_is_not_suggested() -> None:
    folds = tuple(f for f in SPLITS.folds[:1])
    only_a = folds[0].test[DATASET.targets.codes[folds[0].test] == 0]
    splits = Splits((type(folds[0])(0, "0", folds[0].train, only_a),), "made")
    found = labels_of([result_of(splits, scores(wrong={int(only_a[0]): 0.01}))])
    assert names(found) == set()
