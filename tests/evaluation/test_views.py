"""Several views of a clip: learned as rows of their own, never on both sides of any split."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from audioclf.base.errors import ClassifierError, MemoryShortError
from audioclf.builtin.classifiers.gradient_boosting import GradientBoosting
from audioclf.builtin.classifiers.hist_gradient_boosting import HistGradientBoosting
from audioclf.builtin.classifiers.logistic_regression import LogisticRegression
from audioclf.builtin.classifiers.sgd import Sgd
from audioclf.builtin.classifiers.svm import Svm
from audioclf.builtin.classifiers.tuned import Tuned
from audioclf.components.classifier import Classifier
from audioclf.evaluation.cross_validation import evaluate
from audioclf.evaluation.fit_cache import FitCache
from audioclf.evaluation.fitting import fit_rows
from audioclf.evaluation.memory import FitPlan, plan_fits
from audioclf.evaluation.results import Pipeline
from audioclf.evaluation.splits import Fold, Splits
from audioclf.evaluation.views import Views
from audioclf.features.cache import FeatureCache
from tests.targets import targets_of

N_CLIPS, N_VIEWS = 40, 3
Y = np.arange(N_CLIPS) % 2
MATRIX = np.array(
    [[100 * clip + view for view in range(N_VIEWS)] for clip in range(N_CLIPS)], dtype=np.float32
)
"""One column for each view, which says of which clip it is."""

TRAIN, TEST = np.arange(30), np.arange(30, N_CLIPS)
SPLITS = Splits((Fold(0, "0", TRAIN, TEST),), "one fold")

FITS: list[dict[str, Any]] = []


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps what it is given, and votes by the parity of the view."""

    def fit(self, X: Any, y: Any, **passed: Any) -> Recorder:
        self.classes_ = np.unique(y)
        FITS.append({"X": X.copy(), "y": np.array(y), **passed})
        return self

    def predict(self, X: Any) -> Any:
        FITS.append({"asked": X.copy()})
        return X[:, 0].astype(int) % 100 % 2


class Recording(Classifier):
    """Builds a recorder."""

    type: Literal["recording"] = "recording"
    uses_groups: ClassVar[bool] = True

    def build(self, *, random_state: int) -> Any:
        return Recorder()


def cell_of(classifier: Classifier, views: Views) -> Pipeline:
    return Pipeline("c", "f", "c", classifier, "tests", views=views)


def fit(classifier: Classifier, X: Any, y: Any) -> Any:
    built = classifier.build(random_state=0)
    return fit_rows(cell_of(classifier, Views(N_VIEWS)), built, X, y)


def test_all_views_of_the_training_clips_are_learned_and_none_of_a_test_clip() -> None:
    FITS.clear()
    groups = np.arange(N_CLIPS) // 4
    pipeline = cell_of(Recording(), Views(N_VIEWS))
    evaluate([pipeline], {"f": MATRIX}, targets_of(Y, groups=groups), SPLITS, seed=0)
    learned, asked = FITS
    clips = learned["X"][:, 0].astype(int) // 100
    assert sorted(learned["X"][:, 0]) == sorted(MATRIX[TRAIN].ravel())
    np.testing.assert_array_equal(learned["y"], Y[clips])
    np.testing.assert_array_equal(learned["groups"], groups[clips])
    np.testing.assert_array_equal(asked["asked"][:, 0], MATRIX[TEST, 0])


def test_without_groups_each_clip_is_one() -> None:
    FITS.clear()
    fit_rows(cell_of(Recording(), Views(N_VIEWS)), Recorder(), MATRIX, Y)
    np.testing.assert_array_equal(FITS[0]["groups"], FITS[0]["X"][:, 0] // 100)


def test_votes_are_counted_where_there_are_no_scores() -> None:
    pipeline = cell_of(Recording(), Views(N_VIEWS, averaged=True))
    (result,) = evaluate([pipeline], {"f": MATRIX}, targets_of(Y), SPLITS, seed=0)
    # Views 0 and 2 say 0, view 1 says 1.
    assert result.folds[0].y_pred.tolist() == [0] * len(TEST)


def noisy(n_views: int = N_VIEWS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    y = np.arange(60) % 3
    X = rng.normal(size=(60, n_views * 4)) + 0.8 * y[:, None]
    return X.astype(np.float32), y


@pytest.mark.parametrize("classifier", [LogisticRegression(), Svm()])
def test_a_prediction_is_the_mean_of_the_scores_of_all_views(classifier: Classifier) -> None:
    X, y = noisy()
    splits = Splits((Fold(0, "0", np.arange(40), np.arange(40, 60)),), "one fold")

    def scores_of(views: Views, matrix: np.ndarray) -> Any:
        (result,) = evaluate(
            [cell_of(classifier, views)], {"f": matrix}, targets_of(y), splits, seed=0
        )
        return result.folds[0]

    mean = scores_of(Views(N_VIEWS, averaged=True), X)
    alone = []
    for view in range(N_VIEWS):
        turned = X.copy()
        turned[40:] = np.roll(X[40:], -4 * view, axis=1)
        alone.append(scores_of(Views(N_VIEWS), turned).scores)
    np.testing.assert_allclose(mean.scores, np.mean(alone, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(mean.y_pred, mean.scores.argmax(axis=1))
    assert not np.allclose(alone[0], alone[1])


def whole_clips(column: np.ndarray) -> bool:
    """Whether a side of a split holds all views of each of its clips."""
    _, counts = np.unique(column, return_counts=True)
    return set(counts.tolist()) == {N_VIEWS}


def marked() -> tuple[np.ndarray, np.ndarray]:
    """Return rows of two columns a view, the first the number of the clip."""
    rng = np.random.default_rng(2)
    y = np.arange(60) % 2
    clip = np.repeat(np.arange(60), N_VIEWS)
    value = rng.normal(size=len(clip)) + y[clip]
    return np.column_stack([clip, value]).reshape(60, -1).astype(np.float32), y


@pytest.mark.parametrize(
    "classifier",
    [
        Svm(probability=True),
        Tuned(classifier=Svm(), search={"C": (0.1, 1.0)}, n_splits=3),
        Tuned(classifier=Svm(probability=True), search={"C": (0.1, 1.0)}, n_splits=3),
        Tuned(
            classifier=Svm(),
            search={"C": (0.1, 1.0, 2.0)},
            strategy="halving",
            n_splits=2,
            budget=3,
        ),
    ],
    ids=["calibrated", "tuned", "tuned-calibrated", "halving"],
)
def test_no_inner_split_comes_between_the_views_of_a_clip(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.preprocessing import StandardScaler

    learned, asked = [], []
    real, transform = StandardScaler.fit, StandardScaler.transform

    def spied_fit(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        learned.append(X[:, 0].copy())
        self.learned_from = set(X[:, 0].tolist())
        return real(self, X, *args, **kwargs)

    def spied_transform(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append((self.learned_from, set(X[:, 0].tolist())))
        return transform(self, X, *args, **kwargs)

    monkeypatch.setattr(StandardScaler, "fit", spied_fit)
    monkeypatch.setattr(StandardScaler, "transform", spied_transform)
    X, y = marked()
    fit(classifier, X, y)
    assert len(learned) > 3
    halving = getattr(classifier, "strategy", "") == "halving"  # takes a part of the rows at first
    assert halving or all(map(whole_clips, learned))
    # What was learned from is either asked as it is, or not at all.
    assert all(inside == rows or not inside & rows for inside, rows in asked) or halving
    assert all(not inside & rows or rows <= inside for inside, rows in asked)


def test_early_stopping_holds_out_whole_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    seen: list[Any] = []
    real = HistGradientBoostingClassifier.fit

    def spied(self: Any, X: Any, y: Any, **passed: Any) -> Any:
        seen.append((X[:, 0].copy(), passed["X_val"][:, 0].copy()))
        return real(self, X, y, **passed)

    if "X_val" not in inspect.signature(real).parameters:
        pytest.skip("scikit-learn before 1.7 takes no validation rows")
    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", spied)
    X, y = marked()
    classifier = HistGradientBoosting(early_stopping=True, max_iter=5)
    built = fit(classifier, X, y)
    ((learned, held_out),) = seen
    assert whole_clips(learned)
    assert whole_clips(held_out)
    assert not set(learned) & set(held_out)
    assert len(held_out) == 6 * N_VIEWS
    assert built.get_params() == classifier.build(random_state=0).get_params()


def test_many_views_are_not_many_clips_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioclf.builtin.classifiers.hist_gradient_boosting._MANY_CLIPS", 100)
    X, y = marked()
    classifier = HistGradientBoosting(max_iter=3)
    assert fit(classifier, X, y).do_early_stopping_ is False


def test_what_cannot_hold_out_whole_clips_is_refused() -> None:
    X, y = marked()
    classifier = GradientBoosting(n_iter_no_change=3)
    with pytest.raises(ClassifierError, match="would separate the views of a clip") as caught:
        fit(classifier, X, y)
    assert "n_iter_no_change: null" in str(caught.value.hint)


def test_a_calibration_needs_clips_not_views() -> None:
    X, y = marked()
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:4]]
    classifier = Svm(probability=True)
    with pytest.raises(ClassifierError, match="5 clips of each class, and one has 4"):
        fit(classifier, X[few], y[few])


def test_batches_hold_the_views_as_rows() -> None:
    X, y = noisy()
    splits = Splits((Fold(0, "0", np.arange(0, 60, 2), np.arange(1, 60, 2)),), "one fold")
    pipeline = cell_of(Sgd(max_iter=20), Views(N_VIEWS))
    plan = FitPlan(frozenset({"c"}))
    (batched,) = evaluate([pipeline], {"f": X}, targets_of(y), splits, seed=0, fits=plan)
    stacked = X.reshape(-1, 4)
    train = np.flatnonzero(np.repeat(np.arange(60) % 2 == 0, N_VIEWS))
    test = np.arange(N_VIEWS, 180, 2 * N_VIEWS)
    apart = Splits((Fold(0, "0", train, test),), "one fold")
    alone = cell_of(Sgd(max_iter=20), Views())
    (expected,) = evaluate(
        [alone], {"f": stacked}, targets_of(np.repeat(y, N_VIEWS)), apart, seed=0, fits=plan
    )
    np.testing.assert_array_equal(batched.folds[0].scores, expected.folds[0].scores)


def test_views_count_as_rows_in_the_estimate_of_memory() -> None:
    class Hungry(Recording):
        type: Literal["hungry"] = "hungry"  # type: ignore[assignment]

        def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
            assert (n_rows, n_columns) == (30 * N_VIEWS, 1)
            return 10**9

    pipeline = cell_of(Hungry(), Views(N_VIEWS))
    with pytest.raises(MemoryShortError, match="a fit of 30 clips in 3 views in 1 columns"):
        plan_fits([pipeline], {"f": MATRIX}, 2, SPLITS, free=10**6)


def test_a_fit_that_was_kept_is_not_taken_for_one_that_averages(tmp_path: Path) -> None:
    X, y = noisy()
    splits = Splits((Fold(0, "0", np.arange(40), np.arange(40, 60)),), "one fold")
    scores: list[Any] = []
    for averaged in (False, True, False):
        kept = FitCache(FeatureCache(tmp_path), {"c": "digest"}, {"f": "matrix"}, {})
        pipeline = cell_of(LogisticRegression(), Views(N_VIEWS, averaged))
        (result,) = evaluate([pipeline], {"f": X}, targets_of(y), splits, seed=0, fit_cache=kept)
        scores.append((result.folds[0].scores, kept.found))
    assert [found for _, found in scores] == [0, 0, 1]
    assert not np.array_equal(scores[0][0], scores[1][0])
