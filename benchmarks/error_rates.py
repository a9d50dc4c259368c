"""Simulate how often the numbers of a run are wrong: false verdicts on noise, and coverage.

    python benchmarks/error_rates.py --write docs/guides/numbers.md

Part 1 makes datasets without any information about the class, cross-validates small classifiers on
them, and counts how often one of them is said to beat the baseline: at most 5 % is promised. Part 2
draws predictions of a known quality for groups and clips, and counts how often the 95 % interval
holds the true value. Both take about half an hour on one core; `--datasets` makes it shorter. With
`--crowded` there is another table instead: averages over many classes of few clips, in minutes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from audioclf.components.metrics import METRICS, Metric
from audioclf.dataset.dataset import Clip, Dataset
from audioclf.dataset.sources import FileSource
from audioclf.dataset.targets import Targets
from audioclf.evaluation.comparison.compare import compare
from audioclf.evaluation.metrics.estimate import estimate, estimates, metric_value
from audioclf.evaluation.results import FoldResult
from audioclf.evaluation.splits import (
    Fold,
    GroupKFold,
    Holdout,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)

START, END = "<!-- error rates: begin -->", "<!-- error rates: end -->"
LEARNERS = (
    GaussianNB(),
    KNeighborsClassifier(1),
    LogisticRegression(max_iter=50),
    DecisionTreeClassifier(max_depth=3, random_state=0),
)


@dataclass(frozen=True)
class Predictions:
    folds: tuple[FoldResult, ...]


@dataclass(frozen=True)
class Noise:
    """A kind of dataset without information, and a split of it."""

    name: str
    split: Any
    n_classes: int
    n_groups: int = 0
    pure: bool = False
    skewed: bool = False

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, Dataset]:
        n = 60 if not self.n_groups else 8 * self.n_groups
        groups = np.arange(n) // 8 if self.n_groups else None
        if self.pure:
            labels = (np.arange(self.n_groups) % self.n_classes)[groups]
        elif self.skewed:
            labels = rng.permutation(np.where(np.arange(n) % 5, 0, 1))
        else:
            labels = rng.permutation(np.arange(n) % self.n_classes)
        X = rng.normal(size=(n, 4))
        if groups is not None:
            X += rng.normal(size=(self.n_groups, 4))[groups]
        clips = [
            Clip(
                f"{i:03}",
                "abc"[code],
                FileSource(Path("x")),
                None if groups is None else str(groups[i]),
            )
            for i, code in enumerate(labels)
        ]
        return X, Dataset(clips, name="noise")


NOISE = (
    Noise("holdout", Holdout(), 2),
    Noise("holdout, 10 times", Holdout(repeats=10), 2),
    Noise("5 folds", KFold(), 3),
    Noise("4 times 5 stratified folds", StratifiedKFold(repeats=4), 2),
    Noise("4 times 5 stratified folds, 1 clip in 5", StratifiedKFold(repeats=4), 2, skewed=True),
    Noise("leave one out", KFold(n_splits=60), 2),
    Noise("4 group folds", GroupKFold(n_splits=4), 2, n_groups=8),
    Noise("4 stratified group folds", StratifiedGroupKFold(n_splits=4), 3, n_groups=9),
    Noise("leave one group out", LeaveOneGroupOut(), 2, n_groups=8),
    Noise("leave one group out, one class each", LeaveOneGroupOut(), 2, n_groups=10, pure=True),
)


def cross_validated(learner: Any, X: np.ndarray, y: np.ndarray, folds: Any) -> Predictions:
    n_classes, results = int(y.max()) + 1, []
    for fold in folds:
        fitted = learner.fit(X[fold.train], y[fold.train])
        scores = np.zeros((len(fold.test), n_classes))
        scores[:, fitted.classes_] = fitted.predict_proba(X[fold.test])
        predicted = fitted.predict(X[fold.test]).astype(np.intp)
        results.append(FoldResult(fold, predicted, scores, "probability", 0.0, 0.0))
    return Predictions(tuple(results))


def false_verdicts(n_datasets: int) -> Iterator[tuple[str, dict[Metric, float]]]:
    """Yield for each kind of noise how often a classifier is said to beat the baseline."""
    for noise in NOISE:
        metrics = [
            m for m, row in METRICS.items() if noise.n_classes == 2 or not row.two_classes_only
        ]
        counts = dict.fromkeys(metrics, 0)
        for seed in range(n_datasets):
            X, dataset = noise.draw(np.random.default_rng(seed))
            targets = dataset.targets
            folds = noise.split.folds(dataset, seed).folds
            results = {
                "learner": cross_validated(LEARNERS[seed % len(LEARNERS)], X, targets.codes, folds),
                "baseline": cross_validated(DummyClassifier(), X, targets.codes, folds),
            }
            for metric in metrics:
                comparison = compare(results, metric, targets, seed=seed, baseline="baseline")
                counts[metric] += any(
                    pair.better == "learner" and pair.verdict == "better"
                    for pair in comparison.pairs
                )
        yield noise.name, {metric: count / n_datasets for metric, count in counts.items()}


COVERED: tuple[tuple[Metric, int], ...] = (
    ("accuracy", 2),
    ("f1", 2),
    ("f1_macro", 5),
    ("roc_auc", 2),
    ("matthews_corrcoef", 2),
    ("log_loss", 2),
)
SIZES = ((4, 20), (6, 20), (10, 20), (30, 20), (20, 1), (50, 1), (100, 1), (300, 1))
QUALITIES = (0.6, 0.75, 0.9)


def drawn(
    rng: np.random.Generator, n_units: int, per_unit: int, n_classes: int, quality: float
) -> tuple[Predictions, Targets]:
    """Return predictions that are right as often as `quality`, more in some groups than others."""
    spread = 0.08 if per_unit > 1 else 0.0
    total = quality * (1 - quality) / spread**2 - 1 if spread else 0.0
    right = rng.beta(quality * total, (1 - quality) * total, n_units) if spread else quality
    unit_codes = np.repeat(np.arange(n_units), per_unit)
    chance = np.broadcast_to(right, n_units)[unit_codes]
    y = rng.integers(0, n_classes, len(unit_codes))
    wrong = (y + rng.integers(1, n_classes, len(y))) % n_classes
    predicted = np.where(rng.random(len(y)) < chance, y, wrong)
    scores = np.full((len(y), n_classes), 1 / n_classes)
    if n_classes == 2:
        level = rng.normal(size=len(y)) + (2 * y - 1) * 2 * (chance - 0.5)
        scores[:, 1] = 1 / (1 + np.exp(-level))
        scores[:, 0] = 1 - scores[:, 1]
    test = np.arange(len(y))
    fold = Fold(0, "0", np.arange(0), test)
    result = FoldResult(fold, predicted.astype(np.intp), scores, "probability", 0.0, 0.0)
    unit = "group" if per_unit > 1 else "clip"
    names = tuple("abcde"[:n_classes])
    return Predictions((result,)), Targets(names, y.astype(np.intp), unit, unit_codes)


def coverage(n_datasets: int) -> Iterator[tuple[str, dict[Metric, float]]]:
    """Yield for each number of units how often the interval holds the true value."""
    for n_units, per_unit in SIZES:
        shares = {}
        for metric, n_classes in COVERED:
            hits = tried = 0
            for quality in QUALITIES:
                many = drawn(np.random.default_rng(99), 3000, max(per_unit, 20), n_classes, quality)
                truth = metric_value(many[0], metric, many[1])
                if per_unit == 1:
                    flat = drawn(np.random.default_rng(99), 60_000, 1, n_classes, quality)
                    truth = metric_value(flat[0], metric, flat[1])
                for seed in range(n_datasets):
                    rng = np.random.default_rng(seed)
                    result, targets = drawn(rng, n_units, per_unit, n_classes, quality)
                    if len(np.unique(targets.codes)) < n_classes:
                        continue
                    found = estimate(result, metric, targets, seed=seed)
                    assert found is not None
                    if np.isfinite(found.low):
                        tried += 1
                        hits += found.low <= truth <= found.high
            shares[metric] = hits / tried
        what = f"{n_units} groups of {per_unit} clips" if per_unit > 1 else f"{n_units} clips"
        yield what, shares


CROWDED: tuple[tuple[int, int, float], ...] = (
    (300, 4, 0.3),
    (300, 4, 0.6),
    (300, 4, 0.9),
    (200, 10, 0.6),
    (100, 5, 0.6),
    (50, 4, 0.6),
)
AVERAGES: tuple[Metric, ...] = ("balanced_accuracy", "f1_macro", "f1_weighted")


def crowded(n_datasets: int) -> Iterator[tuple[str, dict[Metric, float]]]:
    """Yield how often the interval of an average over many classes of few clips covers."""
    for n_classes, per_class, quality in CROWDED:
        whole = confused(np.random.default_rng(1), n_classes, 100_000 // n_classes, quality)
        truth = {metric: metric_value(whole[0], metric, whole[1]) for metric in AVERAGES}
        hits = dict.fromkeys(AVERAGES, 0)
        for seed in range(n_datasets):
            rng = np.random.default_rng(100 + seed)
            result, targets = confused(rng, n_classes, per_class, quality)
            for metric, found in estimates([result], AVERAGES, targets, seed=seed)[0].items():
                assert found is not None
                assert found.low <= found.value <= found.high
                hits[metric] += found.low <= truth[metric] <= found.high
        name = f"{n_classes} classes of {per_class} clips, accuracy {quality}"
        yield name, {metric: count / n_datasets for metric, count in hits.items()}


def confused(
    rng: np.random.Generator, n_classes: int, per_class: int, quality: float
) -> tuple[Predictions, Targets]:
    """Return predictions that take a clip for one of three other classes, in some more often."""
    qualities = np.clip(np.random.default_rng(7).normal(quality, 0.15, n_classes), 0.05, 0.98)
    y = np.repeat(np.arange(n_classes), per_class)
    wrong = (y + rng.integers(1, 4, len(y))) % n_classes
    predicted = np.where(rng.random(len(y)) < qualities[y], y, wrong)
    result = FoldResult(
        Fold(0, "0", np.arange(0), np.arange(len(y))), predicted, None, "none", 0, 0
    )
    names = tuple(f"{code:03}" for code in range(n_classes))
    return Predictions((result,)), Targets(names, y, "clip", np.arange(len(y)))


def table(first: str, rows: list[tuple[str, dict[Metric, float]]]) -> str:
    metrics = list(dict.fromkeys(metric for _, row in rows for metric in row))
    lines = [f"| {first} | {' | '.join(metrics)} |", "|---" * (len(metrics) + 1) + "|"]
    for name, row in rows:
        cells = [f"{100 * row[metric]:.1f}" if metric in row else "" for metric in metrics]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def crowded_text(n: int) -> str:
    rows = table("tested on", list(crowded(n)))
    return f"95 % intervals that hold the true value ({n} datasets each), in %:\n\n{rows}"


def both_texts(n: int) -> str:
    return (
        f"Datasets without information ({n} of each kind) in which a classifier is said to beat "
        f"the baseline, in %:\n\n{table('split', list(false_verdicts(n)))}\n\n"
        f"95 % intervals that hold the true value ({n} datasets for each of {len(QUALITIES)} "
        f"qualities), in %:\n\n{table('tested on', list(coverage(n)))}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=200, help="of each kind")
    parser.add_argument("--write", type=Path, help="file with the two markers to write between")
    parser.add_argument("--crowded", action="store_true", help="many classes of few clips only")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    n = arguments.datasets
    text = crowded_text(n) if arguments.crowded else both_texts(n)
    print(text)
    if arguments.write:
        before, rest = arguments.write.read_text(encoding="utf-8").split(START)
        after = rest.split(END)[1]
        arguments.write.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
