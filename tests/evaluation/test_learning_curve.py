"""Learning curves: subsets of the training sides, and how a size without a point is reported."""

from functools import partial

import numpy as np

from audioclf.builtin.classifiers.dummy import Dummy
from audioclf.builtin.classifiers.knn import Knn
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.extra_settings import LearningCurveConfig
from audioclf.evaluation.learning_curve import LearningCurve, curve_folds, learning_curve
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from tests.targets import several_targets, targets_of

N_UNITS = 6
UNITS = np.repeat(np.arange(N_UNITS), 20)
TARGETS = targets_of(np.tile([0, 1], 60), UNITS, unit="group", groups=UNITS)


CLIPS = np.arange(len(TARGETS))
SPLITS = Splits(
    tuple(Fold(0, str(u), CLIPS[u != UNITS], CLIPS[u == UNITS]) for u in range(3)), "three units"
)


def test_subsets_are_nested_balanced_and_only_of_the_training_side() -> None:
    config = LearningCurveConfig(sizes=(5, 2, 10), repeats=3)
    by_size = curve_folds(config, SPLITS, TARGETS, seed=1).by_size
    assert list(by_size) == [2, 5, 10]
    for size, folds in by_size.items():
        assert [fold.repeat for fold in folds] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        for fold, whole in zip(folds, 3 * SPLITS.folds, strict=True):
            assert np.bincount(TARGETS.codes[fold.train]).tolist() == [size, size]
            assert np.isin(fold.train, whole.train).all()
            assert np.array_equal(fold.test, whole.test)
            # As many units as possible: each of the five gives one clip of a class in turn.
            own = UNITS[fold.train[TARGETS.codes[fold.train] == 0]]
            counts = np.bincount(own, minlength=N_UNITS)
            assert counts.max() == -(-size // 5)
    for small, large in zip(by_size[2], by_size[5], strict=True):
        assert np.isin(small.train, large.train).all()
    draws = {by_size[2][at].train.tobytes() for at in (0, 3, 6)}
    assert len(draws) == 3
    again = curve_folds(config, SPLITS, TARGETS, seed=1).by_size[10]
    assert all(np.array_equal(a.train, b.train) for a, b in zip(by_size[10], again, strict=True))


def test_subsets_of_several_labels_have_clips_of_each_class_and_the_share_without_any() -> None:
    rng = np.random.default_rng(0)
    states = (rng.random((120, 3)) < [0.5, 0.2, 0.1]).astype(np.int8)
    targets = several_targets(states, UNITS)
    by_size = curve_folds(LearningCurveConfig(sizes=(2, 5)), SPLITS, targets, seed=1).by_size
    for size, folds in by_size.items():
        for fold, whole in zip(folds, 5 * SPLITS.folds, strict=True):
            assert np.isin(fold.train, whole.train).all()
            assert len(np.unique(fold.train)) == len(fold.train)
            assert (states[fold.train].sum(axis=0) >= size).all()
            shares = [(~states[clips].any(axis=1)).mean() for clips in (fold.train, whole.train)]
            assert abs(shares[0] - shares[1]) < 0.1
    for small, large in zip(by_size[2], by_size[5], strict=True):
        assert np.isin(small.train, large.train).all()


def test_a_size_that_a_training_side_lacks_is_named() -> None:
    folds = curve_folds(LearningCurveConfig(sizes=(50, 51, 100)), SPLITS, TARGETS, seed=1)
    assert list(folds.by_size) == [50]
    (note,) = folds.notes
    assert "no point at 51, 100 clips per class" in note
    assert "only 50 clips of '0'" in note


def curve_of(*pipelines: Pipeline, sizes: tuple[int, ...]) -> LearningCurve:
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(len(TARGETS), 4)) + TARGETS.codes[:, None]).astype(np.float32)
    fit = partial(evaluate, matrices={"f": matrix}, targets=TARGETS, seed=0)
    results = fit(pipelines, splits=SPLITS)
    config = LearningCurveConfig(sizes=sizes, repeats=2)
    return learning_curve(config, results, SPLITS, TARGETS, fit, metric="accuracy", seed=0)


def test_more_clips_help_and_the_last_point_is_the_whole_training_side() -> None:
    knn = Pipeline("knn", "f", "knn", Knn(n_neighbors=3), "knn")
    baseline = Pipeline("baseline", "f", "dummy", Dummy(), "dummy")
    curve = curve_of(knn, baseline, sizes=(2, 20))
    assert list(curve.points) == ["knn"]
    assert curve.n_fits == 2 * 2 * len(SPLITS.folds)
    two, twenty, whole = curve.points["knn"]
    assert (two.training_clips, two.is_whole) == (4.0, False)
    assert (whole.clips_per_class, whole.training_clips, whole.is_whole) == (50.0, 100.0, True)
    assert two.estimate.value < twenty.estimate.value
    assert two.estimate.low <= two.estimate.value <= two.estimate.high


def test_a_pipeline_that_needs_more_clips_has_a_note_and_the_other_points() -> None:
    curve = curve_of(Pipeline("knn", "f", "knn", Knn(n_neighbors=5), "knn"), sizes=(1, 2, 5))
    assert [point.clips_per_class for point in curve.points["knn"]] == [5.0, 50.0]
    first, second = curve.notes
    assert "no point at 1 clip per class" in first
    assert "no point at 2 clips per class" in second
