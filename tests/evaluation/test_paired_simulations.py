"""The deciding test keeps its level, and its interval covers, where classifiers really learn.

Two feature sets are drawn alike, so one classifier on each is equally good; what it is worth on new
clips depends on its training clips too. Data sets are drawn again and again, each with its own
cross-validation, and compared as a run is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from scipy import stats
from sklearn.model_selection import GroupKFold, RepeatedStratifiedKFold, StratifiedShuffleSplit

from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.comparison.result import ALPHA, Pair
from audioclf.evaluation.results import SomeFolds
from audioclf.evaluation.splits import Fold
from tests.evaluation.paired_cases import cell_of
from tests.targets import targets_of

Learner = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def nearest_mean(train: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    means = [train[y == code].mean(axis=0) for code in (0, 1)]
    return np.asarray(np.argmin([((test - mean) ** 2).sum(axis=1) for mean in means], axis=0))


def ridge(train: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    center, offset = train.mean(axis=0), y.mean()
    centered = train - center
    gram = centered.T @ centered + np.eye(train.shape[1])
    weights = np.linalg.solve(gram, centered.T @ (y - offset))
    return np.asarray((test - center) @ weights + offset > 0.5, dtype=np.intp)


def nearest_neighbor(train: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    squared = (test**2).sum(axis=1)[:, None] - 2 * test @ train.T + (train**2).sum(axis=1)
    return np.asarray(y[squared.argmin(axis=1)])


@dataclass(frozen=True)
class Design:
    """How a data set is drawn and evaluated; `gain` is by how much the first features are better"""

    learner: Learner
    n_clips: int
    split: str
    repeats: int = 1
    n_groups: int = 0
    gain: float = 0.0

    def draw(self, rng: np.random.Generator) -> Pair:
        y = rng.permutation(np.arange(self.n_clips) % 2)
        groups = np.arange(self.n_clips) % (self.n_groups or self.n_clips)
        folds = self._folds(y, groups, int(rng.integers(2**31)))
        strengths = (0.4 + self.gain, 0.4)
        pipelines = {
            name: self._cell(self._features(y, groups, strength, rng), y, folds)
            for name, strength in zip("ab", strengths, strict=True)
        }
        targets = targets_of(y, groups, unit="group" if self.n_groups else "clip")
        (pair,) = compare(pipelines, "accuracy", targets, seed=0).pairs
        return pair

    def _features(
        self, y: np.ndarray, groups: np.ndarray, strength: float, rng: np.random.Generator
    ) -> np.ndarray:
        noise = rng.normal(size=(self.n_clips, 20))
        if self.n_groups:
            noise = 0.84 * noise + 0.55 * rng.normal(size=(self.n_groups, 20))[groups]
        noise[:, :3] += strength * (2 * y - 1)[:, None]
        return noise

    def _folds(self, y: np.ndarray, groups: np.ndarray, seed: int) -> list[Fold]:
        if self.split == "holdout":
            made = StratifiedShuffleSplit(self.repeats, test_size=0.25, random_state=seed).split(
                y, y
            )
            return [Fold(i, "0", *pair) for i, pair in enumerate(made)]
        if self.split == "group":
            made = GroupKFold(self.n_groups).split(y, y, groups)
            return [Fold(0, str(i), *pair) for i, pair in enumerate(made)]
        made = RepeatedStratifiedKFold(n_splits=5, n_repeats=self.repeats, random_state=seed)
        return [Fold(i // 5, str(i % 5), *pair) for i, pair in enumerate(made.split(y, y))]

    def _cell(self, features: np.ndarray, y: np.ndarray, folds: list[Fold]) -> SomeFolds:
        predictions = [self.learner(features[f.train], y[f.train], features[f.test]) for f in folds]
        return cell_of(folds, predictions)


DESIGNS = {
    "one 5-fold": Design(ridge, 100, "folds"),
    "repeated 5-fold": Design(nearest_neighbor, 100, "folds", repeats=2),
    "more clips": Design(nearest_neighbor, 200, "folds"),
    "one holdout": Design(ridge, 120, "holdout"),
    "six groups": Design(ridge, 120, "group", n_groups=6),
}
N_DRAWS = 200


@cache
def drawn(design: Design) -> list[Pair]:
    rng = np.random.default_rng(5)
    return [design.draw(rng) for _ in range(N_DRAWS)]


def most_mistakes() -> int:
    """Return what a test at 5 % exceeds once in forty times."""
    return int(stats.binom.ppf(0.975, N_DRAWS, ALPHA))


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_equal_classifiers_are_seldom_distinguished(design: Design) -> None:
    mistakes = sum(pair.verdict == "better" for pair in drawn(design))
    assert mistakes <= most_mistakes()


@pytest.mark.slow
def test_mcnemar_takes_luck_in_training_for_a_difference() -> None:
    p_values = [pair.p_mcnemar for pair in drawn(DESIGNS["one 5-fold"])]
    assert sum(p is not None and p < ALPHA for p in p_values) > most_mistakes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["repeated 5-fold", "more clips", "one holdout"])
def test_intervals_cover_the_difference_that_repeats_show(name: str) -> None:
    pairs = drawn(replace(DESIGNS[name], gain=0.25))
    turned = [1.0 if pair.better == "a" else -1.0 for pair in pairs]
    center = np.array([sign * pair.difference for sign, pair in zip(turned, pairs, strict=True)])
    half = np.array([pair.high - pair.difference for pair in pairs])
    covered = float((np.abs(center - center.mean()) <= half).mean())
    assert 0.92 <= covered <= 0.985
