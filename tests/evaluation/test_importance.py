"""Where a fitted classifier looks: the bin that decides stands out."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from audioclf.builtin.classifiers.forests import RandomForest
from audioclf.builtin.classifiers.knn import Knn
from audioclf.evaluation.importance import importance, importances_data, mean_importance, smaller
from audioclf.evaluation.ordered_fits import fit_final_ranks
from audioclf.evaluation.results import Pipeline
from audioclf.plugin import Classifier
from tests.targets import targets_of

N_BINS, N_FRAMES, BIN, FRAME = 6, 5, 4, 2


def problem() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    y = np.arange(80) % 2
    matrices = rng.normal(0, 1, (80, N_BINS, N_FRAMES))
    matrices[:, BIN, FRAME] += 4 * y
    return matrices.transpose(0, 2, 1).reshape(80, -1).astype(np.float32), y


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(30, random_state=0),
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), SVC(kernel="linear")),
    ],
    ids=lambda e: str(e)[:40],
)
def test_the_bin_and_the_frame_that_decide_stand_out(estimator: Any) -> None:
    X, y = problem()
    found = importance(estimator.fit(X, y), X, y, n_bins=N_BINS)
    assert found.shape == (N_BINS, N_FRAMES)
    assert found.argmax() == BIN * N_FRAMES + FRAME
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()


@pytest.mark.parametrize(
    "estimator",
    [
        KNeighborsClassifier(5),
        make_pipeline(StandardScaler(), SVC()),
        HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5),
        make_pipeline(SelectKBest(k=5), LogisticRegression()),
    ],
    ids=lambda e: str(e)[:40],
)
def test_a_classifier_that_says_nothing_is_asked_by_shuffling(estimator: Any) -> None:
    X, y = problem()
    found = importance(estimator.fit(X, y), X, y, n_bins=N_BINS)
    assert found.sum(axis=1).argmax() == BIN


def test_statistics_are_summed_per_bin() -> None:
    X, y = problem()
    found = importance(LogisticRegression().fit(X, y), X, y, n_bins=N_BINS, layout="stats")
    assert found.shape == (N_BINS,)
    assert found.argmax() == BIN


def test_shuffling_leaves_the_rows_as_they_were() -> None:
    X, y = problem()
    before = X.copy()
    importance(KNeighborsClassifier(5).fit(X, y), X, y, n_bins=N_BINS)
    np.testing.assert_array_equal(X, before)


def test_a_classifier_that_uses_nothing_has_no_importance() -> None:
    X, y = problem()
    constant = KNeighborsClassifier(len(X)).fit(X, np.zeros_like(y))
    assert importance(constant, X, np.zeros_like(y), n_bins=N_BINS).sum() == 0


def test_shuffling_is_bounded() -> None:
    class Counting:
        calls = rows = 0

        def predict(self, X: Any) -> Any:
            self.calls, self.rows = self.calls + 1, self.rows + len(X)
            return np.zeros(len(X))

    X, y = np.zeros((2000, 256), dtype=np.float32), np.zeros(2000, dtype=np.intp)
    counting = Counting()
    importance(counting, X, y, n_bins=128)
    assert counting.calls <= 17
    assert counting.rows <= 17 * 500


def test_what_is_written_is_small_and_plain() -> None:
    assert "features" not in importances_data({"a": np.ones(2)}, {"a": ("of", "another", "number")})
    named = importances_data({"a": np.array([[1, 0], [0, 0], [3, 1]])}, {"a": ("x", "y", "z")})
    assert named["features"] == {"a": [["z", 1.0], ["x", 0.25]]}
    data = importances_data({"a": np.random.default_rng(0).random((128, 300))})
    values = np.asarray(json.loads(json.dumps(data))["cells"]["a"])
    assert values.shape == (64, 64)
    assert values.max() == 1.0


def test_smaller_keeps_the_mean_of_a_constant() -> None:
    np.testing.assert_allclose(smaller(np.full((100, 7), 3.0)), np.full((64, 7), 3.0))


@pytest.mark.parametrize("classifier", [RandomForest(n_estimators=20), Knn()])
def test_one_estimator_of_all_ranks_has_an_importance(classifier: Classifier) -> None:
    X, y = problem()
    degrees = targets_of(y + (X.reshape(80, N_FRAMES, N_BINS)[:, FRAME, BIN] > 4))
    pipeline = Pipeline("p", "x", "c", classifier, "")
    fit = fit_final_ranks(pipeline, X, degrees, seed=0).estimator
    assert fit.shared is not None
    found = mean_importance(fit, X, degrees.above_ranks(), n_bins=N_BINS)
    assert found is not None
    assert found.sum(axis=1).argmax() == BIN
